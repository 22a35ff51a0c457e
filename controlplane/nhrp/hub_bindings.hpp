// What other hubs tell this one of the spokes that are registered with them, by Registration Requests in their own name.
#pragma once

#include "controlplane/nhrp/context.hpp"
#include "controlplane/nhrp/deadlines.hpp"

#include <map>
#include <set>

namespace nave::nhrp {

/// Never passed on to further hubs: each tells all others of its own spokes, so nothing goes in circles.
class HubBindings {
public:
    explicit HubBindings(Context& context) : context_{context} {}

    CieCode add(PeerId hub, const Prefix& prefix, TunnelAddress next_hop, TimePoint expires, Outbox& out);
    /// Ends those of this hub that lie within `prefix`, and all when the hub itself does.
    void purge(PeerId hub, const Prefix& prefix, Outbox& out);
    void peer_down(PeerId hub, Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const { return expiries_.next(); }

private:
    using Key = std::pair<PeerId, Prefix>;
    void remove(std::map<Key, TunnelAddress>::iterator entry, Outbox& out);

    Context& context_;
    std::map<Key, TunnelAddress> next_hops_;
    Deadlines<Key> expiries_;
};

}  // namespace nave::nhrp
