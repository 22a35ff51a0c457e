// The client's side of resolution (RFC 2332 §5.2.1, §5.2.2): requests under way, shortcuts, and what did not resolve.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"
#include "controlplane/nhrp/registrar.hpp"
#include "controlplane/nhrp/snapshot.hpp"
#include "controlplane/nhrp/vouchers.hpp"

#include <deque>
#include <map>
#include <set>

namespace nave::nhrp {

class Resolver {
public:
    Resolver(Context& context, const Registrar& registrar, Vouchers& vouchers) : context_{context}, registrar_{registrar}, vouchers_{vouchers} {}

    void resolve(const IpAddress& destination, TimePoint now, Outbox& out);
    /// Asks a hub, if there is one, for its word on the destination; makes no shortcut.
    void confirm(const IpAddress& destination, TimePoint now, Outbox& out);
    /// When the destination was last said not to resolve, if that is not long ago; silence does not say so.
    std::optional<TimePoint> refused_at(const IpAddress& destination) const;
    /// A Resolution Reply for us, from whichever path.
    void on_reply(const Received& received, TimePoint now, Outbox& out);
    /// An Error Indication about our request `request_id`. False: `from` was not asked that.
    bool on_error(PeerId from, std::uint32_t request_id, std::uint16_t code, TimePoint now, Outbox& out);
    /// A Purge Request of `from`: drops every shortcut that overlaps the prefix; for a spoke only those that lead to itself.
    void purge(PeerId from, const Prefix& prefix, Outbox& out);
    void peer_down(PeerId peer);
    void used(const Prefix& prefix);
    void forget(const Prefix& prefix);
    /// Drops everything, because our own address changed.
    void clear(Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;
    void append_to(Snapshot& snapshot) const;

private:
    enum class Purpose : std::uint8_t {
        shortcut,
        renewal,      // of a shortcut that still stands: its failure by silence is no news
        confirmation  // only the hub's word is wanted
    };
    struct Pending {
        std::uint32_t request_id = 0;
        std::uint32_t attempts = 0;
        std::set<PeerId> asked{};  // whom it went to
        Purpose purpose{};
    };
    struct Shortcut {
        TunnelAddress next_hop;
        NbmaAddress nbma, claimed;
        std::optional<NbmaEndpoint> rendezvous;
        IpAddress destination;  // asked for, and asked for again to renew
        bool used = false;
        TimePoint expires;
    };
    /// What a shortcut waits for next.
    enum class Due : std::uint8_t { renewal, expiry };

    bool is_usable(const IpAddress& destination) const;
    void start(const IpAddress& destination, Purpose purpose, TimePoint now, Outbox& out);
    void transmit(const IpAddress& destination, Pending& pending, TimePoint now, Outbox& out);
    void fail(const IpAddress& destination, ResolutionFailure reason, TimePoint now, Outbox& out);
    void finish(const IpAddress& destination);
    Shortcut shortcut_of(const Received& received, const ClientInfo& client, TimePoint now) const;
    void store(const Prefix& prefix, const Shortcut& found, TimePoint now, Outbox& out);
    Prefix narrowed(PeerId from, const IpAddress& destination, const ClientInfo& client) const;
    void drop(const Prefix& prefix, ShortcutEnd reason, Outbox& out);
    const Prefix* covering(const IpAddress& destination) const;
    void remember_negative(const IpAddress& destination, ResolutionFailure reason, TimePoint now);

    Context& context_;
    const Registrar& registrar_;
    Vouchers& vouchers_;
    std::map<IpAddress, Pending> pending_;
    std::map<std::uint32_t, IpAddress> destination_of_;  // by request id
    Deadlines<IpAddress> retries_;
    std::map<Prefix, Shortcut> shortcuts_;
    Deadlines<std::pair<Due, Prefix>> dues_;
    struct Negative {
        ResolutionFailure reason;
        TimePoint since;
    };
    std::map<IpAddress, Negative> negative_;
    Deadlines<IpAddress> negative_expiries_;
    std::deque<std::uint32_t> finished_;  // latest request ids: their duplicates are no errors
};

}  // namespace nave::nhrp
