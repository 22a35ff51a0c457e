// Sends commands to the workers that shall have them, in order, and loses none: what a full ring has no room for waits here.
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
    /// One ring pair for each worker, in order of WorkerId; they outlive the dispatcher.
    explicit CommandDispatcher(std::span<PlaneRings* const> rings);

    /// Inbound SAs go to their owner, routes to worker 0, everything else to all workers: an outbound SA too, since every worker that
    /// sends to the peer must know who owns it.
    void send(const Command& command);
    /// Moves what waits into the rings as far as there is room, and wakes the workers that got something. Call once a turn.
    void flush();
    /// Commands that wait for room now; while there are some, call flush() again soon.
    std::size_t waiting() const;
    /// Commands that ever had to wait.
    std::uint64_t delayed() const { return delayed_; }

private:
    struct Lane {
        PlaneRings* rings;
        std::deque<Command> waiting;
        bool ring_bell = false;
    };
    void send_to(std::size_t worker, const Command& command);

    std::vector<Lane> lanes_;
    std::uint64_t delayed_ = 0;
};

}  // namespace nave::runtime
