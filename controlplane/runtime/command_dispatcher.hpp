// Sends commands to the workers and the route writer, in order, and loses none: what a full ring has no room for waits here.
#pragma once

#include "common/plane_rings.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace nave::runtime {

/// Control thread only.
class CommandDispatcher {
public:
    /// One ring pair for each worker, in order of WorkerId; all rings outlive the dispatcher.
    CommandDispatcher(std::span<PlaneRings* const> workers, RouteRings& routes);

    /// Inbound SAs go to their owner, routes to the route writer, everything else to all workers: an outbound SA too, since every worker
    /// that sends to the peer must know who owns it. Removals of peers and neighbours go to the route writer as well.
    void send(const Command& command);
    /// Moves what waits into the rings as far as there is room, and wakes those who got something. Call once a turn.
    void flush();
    /// Commands that wait for room now; while there are some, call flush() again soon.
    std::size_t waiting() const;
    /// Commands that ever had to wait.
    std::uint64_t delayed() const { return delayed_; }

private:
    template <class Ring>
    struct Lane {
        Ring* ring;
        Doorbell* bell;
        std::deque<typename Ring::value_type> waiting{};
        bool ring_bell = false;
    };
    template <class Ring>
    void put(Lane<Ring>& lane, const typename Ring::value_type& command);

    std::vector<Lane<decltype(PlaneRings::commands)>> workers_;
    Lane<decltype(RouteRings::commands)> routes_;
    std::uint64_t delayed_ = 0;
};

}  // namespace nave::runtime
