// Which cells are measured: all combinations of a selection, and the selections behind a run without one.
#pragma once

#include "tests/rig/dataplane_bench/cell.hpp"

#include <vector>

namespace nave::rig {

/// Values for each thing that makes a cell; every combination becomes one.
struct Selection {
    std::vector<Case> cases{Case::encap, Case::decap};
    std::vector<SizeMix> sizes;
    std::vector<TunnelShape> tunnels{TunnelShape{}};
    std::vector<std::uint32_t> peers{1};
    std::vector<Distribution> distributions{Distribution::round_robin};
    std::vector<std::uint8_t> workers{1};
    std::vector<Arrival> arrivals{Arrival::owner};
    std::vector<bool> adaptive{false};
    std::size_t burst = Cell{}.burst;
};

/// Several workers carry so much at once that starting and ending together costs them little.
inline constexpr std::size_t kBurstOfWorkers = 512;

/// Adds the selection's cells to `cells`, but for those that it holds already and those that cannot be: several workers need two
/// peers each, carry no case in which packets go through two SAs, and only they have packets arrive elsewhere.
void add_cells(const Selection& selection, std::vector<Cell>& cells);

/// Everything that the project states figures for, on a machine with that many cores.
std::vector<Cell> full_matrix(std::size_t cores);
/// The same questions with fewer answers: less than a minute.
std::vector<Cell> quick_matrix(std::size_t cores);

/// Sizes from their names, which are right.
std::vector<SizeMix> size_list(std::initializer_list<std::string_view> names);

}  // namespace nave::rig
