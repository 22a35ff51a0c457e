// The server's table: which peer registered which prefix, and the answer to Registration Requests (RFC 2332 §5.2.3).
#pragma once

#include "controlplane/nhrp/allowance.hpp"
#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"
#include "controlplane/nhrp/hub_bindings.hpp"
#include "controlplane/nhrp/purger.hpp"
#include "controlplane/nhrp/snapshot.hpp"

#include <map>
#include <unordered_map>

namespace nave::nhrp {

class Bindings {
public:
    Bindings(Context& context, Purger& purger, HubBindings& of_hubs) : context_{context}, purger_{purger}, of_hubs_{of_hubs} {}

    /// Answers a Registration Request that is for us, with a code per entry; `prohibited` are those that nothing but the refusal waits for.
    void on_registration(const Received& received, const std::vector<Prefix>& prohibited, TimePoint now, Outbox& out);
    bool holds(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const;
    /// A Purge Request from `peer`: ends those of its own bindings that lie within `prefix`.
    void purge(PeerId peer, const Prefix& prefix, TimePoint now, Outbox& out);
    /// Ends all bindings of a peer.
    void peer_down(PeerId peer, TimePoint now, Outbox& out);
    /// Ends the peer's bindings that the directory refuses now.
    void recheck(PeerId peer, TimePoint now, Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const { return expiries_.next(); }
    void append_to(Snapshot& snapshot) const;

private:
    struct Binding {
        PeerId peer;
        TunnelAddress next_hop;
        NbmaAddress nbma;      // claimed
        NbmaAddress observed;  // after NAT
        bool unique = false;
        TimePoint expires;
    };
    using Table = std::map<Prefix, Binding>;
    struct Station {
        std::size_t bindings = 0;
        std::string group;
    };

    Binding wanted_by(const Received& received, const ClientInfo& client, TimePoint now) const;
    CieCode register_client(const Prefix& prefix, const Binding& wanted, bool is_prohibited, TimePoint now, Outbox& out);
    std::optional<CieCode> refusal(const Prefix& prefix, const Binding& wanted) const;
    bool is_renewal(const Prefix& prefix, const Binding& wanted) const;
    void store(const Prefix& prefix, const Binding& wanted, bool renewal, TimePoint now, Outbox& out);
    void name_group(PeerId peer, std::string group, Outbox& out);
    Table::iterator remove(Table::iterator entry, BindingEnd reason, TimePoint now, Outbox& out);

    Context& context_;
    Purger& purger_;
    HubBindings& of_hubs_;
    Table table_;
    std::unordered_map<PeerId, Station> stations_;  // peers that hold a binding
    Deadlines<Prefix> expiries_;
    Allowance changes_{64, std::chrono::milliseconds{100}};  // each costs routes here and at the dataplane, purges, and words to other hubs
};

}  // namespace nave::nhrp
