// A hub and the spokes around it, connected by SAs of one algorithm, and the cases that are played between them.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/cell.hpp"
#include "tests/rig/dataplane_bench/traffic.hpp"

#include <memory>

namespace nave::rig {

/// The traffic of one cell, from packet to packet.
struct Traffic {
    Traffic(const SizeMix& sizes, std::uint32_t peers, Distribution distribution) : mix{sizes}, order{peers, distribution} {}
    SizeMix mix;
    PeerOrder order;
    std::uint64_t number = 0;
};

/// What one batch took.
struct BatchCost {
    std::uint64_t packets = 0;
    std::uint64_t cycles = 0;  // TSC, of the turns under test
    std::array<std::uint64_t, static_cast<std::size_t>(Stage::count)> stages{};  // TSC, as the worker bills them
};

/// The hub is the gateway under test; all spokes are peers of a second gateway, which makes what a hub receives.
class World {
public:
    /// Installs everything by commands. Throws std::runtime_error when memory is short or a command is refused. Main lcore.
    World(const std::string& name, const TunnelShape& shape, std::uint32_t peers, Foundation& foundation);

    /// Plays `packets` packets of a case; the generator, the sink and, for all but `loop`, the gateway that makes ESP are outside
    /// of the cost. Throws std::runtime_error if a packet is lost or, in `loop`, not what was sent.
    BatchCost play(Case which, Traffic& traffic, std::size_t packets);

private:
    /// Frames of `traffic` at the end of the cable that leads to the first gateway of the case.
    void generate(Case which, Traffic& traffic, std::span<rte_mbuf*> frames);
    InnerPacket packet(Case which, Traffic& traffic) const;
    void charge(BenchGateway& gateway, std::size_t packets, BatchCost& cost);
    void collect(PortId port, std::span<rte_mbuf*> frames);
    void verify(std::span<rte_mbuf*> frames);
    void complain_of_losses() const;

    TunnelShape shape_;
    std::uint32_t peers_;
    Foundation& foundation_;
    BenchGateway hub_, spokes_;
    FrameWriter writer_;
    std::vector<rte_mbuf*> frames_;
    std::vector<InnerPacket> sent_;
};

}  // namespace nave::rig
