// A hub and the spokes around it, connected by SAs, and the cases that are played between them.
#pragma once

#include "tests/rig/crew.hpp"
#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/cell.hpp"
#include "tests/rig/dataplane_bench/frames.hpp"
#include "tests/rig/dataplane_bench/traffic.hpp"

#include <array>

namespace nave::rig {

using StageCycles = std::array<std::uint64_t, static_cast<std::size_t>(Stage::count)>;

/// One worker's share of a cell's traffic, and what its thread needs to make and check it.
struct Lane {
    Lane(const Cell& cell, std::uint8_t number, Cables& cables)
        : which{cell.which}, mix{cell.size}, worker{number}, order{cell.world, cell.distribution, number}, burst{cell.burst}, frames{cables, worker, burst} {}

    Case which;
    SizeMix mix;
    WorkerId worker;
    PeerOrder order;
    std::uint64_t next = 0;  // number of the next packet
    FrameWriter writer;
    std::size_t burst;
    Frames frames;
    std::vector<InnerPacket> sent;

    // Of the last batch, for the other threads after a rendezvous.
    std::array<std::size_t, Crew::kMembersMax> for_owner{};  // packets of this lane, by the worker that owns their SA
    std::uint64_t cycles = 0, begin = 0, end = 0;            // TSC
    StageCycles stages{};
};

/// What one batch of all lanes took.
struct BatchCost {
    std::uint64_t packets = 0;
    /// TSC: of the workers' rounds when there is one worker; workers times elapsed time, waits included, when there are several.
    std::uint64_t cycles = 0;
    StageCycles stages{};  // TSC, as the workers bill them
};

/// The hub is the gateway under test; all spokes are peers of a second gateway, which makes what a hub receives.
class World {
public:
    /// Installs everything by commands. `cables` have a queue for each worker. Throws std::runtime_error when memory is short or a
    /// command is refused. Main lcore.
    World(const std::string& name, const WorldShape& shape, Foundation& foundation, Cables& cables);

    /// Plays one batch of a cell: each member of the crew carries its lane with the worker of its number; the generator, the sink
    /// and, for all but `loop`, the gateway that makes ESP are outside of the cost. Throws std::runtime_error if a packet is lost
    /// or, in `loop`, not what was sent.
    BatchCost play(std::span<Lane> lanes, unsigned member, Rendezvous& all);

private:
    void generate(Lane& lane);
    InnerPacket next_packet(Lane& lane);
    void charge(BenchGateway& gateway, Lane& lane, const BenchGateway::Errand& errand);
    void verify(Lane& lane);
    void complain_of_drops() const;

    WorldShape shape_;
    BenchGateway hub_, spokes_;
};

}  // namespace nave::rig
