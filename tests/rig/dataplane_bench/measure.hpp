// Measures a list of cells: short batches, many rounds over all cells, medians.
#pragma once

#include "tests/rig/dataplane_bench/cell.hpp"

#include "common/counters.hpp"

#include <array>
#include <span>
#include <vector>

namespace nave::rig {

/// How long and in what portions.
struct Effort {
    std::size_t rounds = 15;       // over all cells
    std::size_t batches = 100;     // of a cell in a round, at least
};

/// A measured cell. All in TSC cycles of one worker per packet; medians over the rounds, of which each is the median of its batches. So a batch
/// in which the thread was interrupted, or a round in which the machine was slow, moves nothing.
struct Figure {
    Cell cell;
    double cycles = 0, spread = 0;              // spread: distance of the quartiles of the rounds
    double floor_cycles = 0, floor_spread = 0;  // 0 for cases without ESP
    std::array<double, static_cast<std::size_t>(Stage::count)> stages{};
    double core_round_trip = 0;                 // TSC cycles, of a cache line between two cores; 0 for one worker
    double mpps = 0, gbps = 0;                  // of all workers together; gbps: of inner packets

    double over_floor() const { return cycles - floor_cycles; }
};

/// Peers of the largest gateway, and workers of the one with most, that the cells need.
std::uint32_t most_peers(std::span<const Cell> cells);
std::uint8_t most_workers(std::span<const Cell> cells);

/// Main lcore; EAL has an lcore for each worker, on a core of its own. Rounds go over all cells, so that a slow moment of the machine hits
/// all of them alike. Progress goes to stderr. Throws std::runtime_error if a packet is lost or damaged.
std::vector<Figure> measure(std::span<const Cell> cells, const Effort& effort);

}  // namespace nave::rig
