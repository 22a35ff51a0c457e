// Forwarding hop by hop: what a hub does with packets between two of its peers (RFC 2332 §5.2, §5.3.2).
#pragma once

#include "controlplane/nhrp/allowance.hpp"
#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/purger.hpp"

namespace nave::nhrp {

class Transit {
public:
    Transit(Context& context, Purger& purger) : context_{context}, purger_{purger} {}

    /// Forwards to the next hop: one hop less, our entry in the transit list, the NAT extension filled, our own
    /// authentication. What may not pass is dropped by name, and answered with an error where the RFC has one.
    void forward(const Received& received, const PeerRoute& next, TimePoint now, Outbox& out);

private:
    bool may_pass(const Received& received, const PeerRoute& next, TimePoint now, Outbox& out);
    bool comes_from_its_source(const Received& received) const;
    bool is_permitted(const Received& received) const;
    bool leads_to(PeerId peer, const Prefix& prefix) const;
    bool has_loop(const Packet& packet) const;
    void refuse(const Received& received, Counter counter, ErrorCode code, TimePoint now, Outbox& out);
    void fill_nat_extension(const Received& received, Packet& packet) const;
    void say_where_it_is(const Received& received, Packet& packet) const;
    void append_to_transit_list(PeerId next, Packet& packet) const;
    void record_answers(const Packet& reply, TimePoint now);

    Context& context_;
    Purger& purger_;
    /// Or one spoke's would use up what another takes of our packets; as many at once as a spoke has under way.
    Allowance resolutions_{256, std::chrono::milliseconds{20}};
};

}  // namespace nave::nhrp
