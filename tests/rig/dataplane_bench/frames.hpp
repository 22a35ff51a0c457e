// A batch of buffers that is used again and again, so that it stays in the caches of one core.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"

namespace nave::rig {

/// Owns its buffers, but while they are under way in a gateway.
class Frames {
public:
    explicit Frames(dataplane::PacketPools& pools) : pools_{&pools} {}
    Frames(Frames&&) = default;
    Frames& operator=(Frames&&) = delete;
    /// Gives the buffers back.
    ~Frames();

    /// Exactly `count` empty buffers, old ones as far as there are some. Throws std::runtime_error when the pool has no more.
    std::span<rte_mbuf*> renew(std::size_t count);
    std::span<rte_mbuf*> view() { return buffers_; }
    /// Puts all of them into a worker's port.
    void send(Cables& cables, WorkerId worker, PortId port);
    /// Takes what left a worker's port. Throws std::runtime_error if that are not `count` frames.
    void receive(Cables& cables, WorkerId worker, PortId port, std::size_t count);

private:
    dataplane::PacketPools* pools_;
    std::vector<rte_mbuf*> buffers_;
};

}  // namespace nave::rig
