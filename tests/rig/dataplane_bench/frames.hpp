// The buffers that a generator fills again and again: the same ones in the same order, hot in the caches of one core.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"

namespace nave::rig {

/// Owns its buffers, but while they are under way in a gateway. They come from the store of its worker's cables and lie in memory as
/// they follow each other, in every batch, cell and round: in any other order the same packets cost up to a third more.
class Frames {
public:
    /// `burst` buffers. Throws std::runtime_error when the store lacks any that were lent before.
    Frames(Cables& cables, WorkerId worker, std::size_t burst);
    Frames(Frames&&) = default;
    Frames& operator=(Frames&&) = delete;
    /// Gives the buffers back.
    ~Frames();

    /// `burst` empty buffers. Throws std::runtime_error when the store has no more.
    std::span<rte_mbuf*> renew();
    std::span<rte_mbuf*> view() { return buffers_; }
    /// Puts all of them into the worker's port.
    void send(PortId port);
    /// Takes what left the worker's port. Throws std::runtime_error if that are not `count` frames.
    void receive(PortId port, std::size_t count);

private:
    Cables* cables_;
    WorkerId worker_;
    std::size_t burst_;
    std::vector<rte_mbuf*> buffers_;
};

}  // namespace nave::rig
