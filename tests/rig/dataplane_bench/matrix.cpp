// Selections become cells.
#include "tests/rig/dataplane_bench/matrix.hpp"

#include <algorithm>

namespace nave::rig {

namespace {

bool is_possible(const Cell& cell) {
    const WorldShape& world = cell.world;
    if (world.workers == 1) return world.arrival == Arrival::owner;
    return world.peers >= 2u * world.workers && !world.adaptive && cell.which != Case::relay && cell.which != Case::loop;
}

bool is_same(const Cell& a, const Cell& b) {
    return a.which == b.which && a.world == b.world && a.size.name == b.size.name && a.distribution == b.distribution && a.burst == b.burst;
}

void add_cell(const Cell& cell, std::vector<Cell>& cells) {
    if (is_possible(cell) && std::ranges::none_of(cells, [&](const Cell& each) { return is_same(each, cell); })) cells.push_back(cell);
}

/// The usual algorithms from the one of number `first`.
std::vector<TunnelShape> tunnels_from(std::size_t first) {
    std::vector<TunnelShape> shapes;
    for (std::size_t i = first; i < kUsualAlgorithms; ++i) shapes.push_back({.algorithm = kAlgorithms[i]});
    return shapes;
}

void add_workers_and_modes(std::size_t cores, std::vector<Cell>& cells) {
    const auto ends = size_list({"64", "1400"});
    add_cells({.sizes = ends, .adaptive = {false, true}}, cells);
    if (cores < 2) return;
    add_cells({.sizes = ends, .peers = {100}, .workers = {1, 2}, .arrivals = {Arrival::owner, Arrival::half_elsewhere}, .burst = kBurstOfWorkers}, cells);
}

}  // namespace

std::vector<SizeMix> size_list(std::initializer_list<std::string_view> names) {
    std::vector<SizeMix> sizes;
    for (const auto text : names) sizes.push_back(*SizeMix::parse(text));
    return sizes;
}

void add_cells(const Selection& selection, std::vector<Cell>& cells) {
    for (const Case which : selection.cases)
        for (const TunnelShape& tunnel : selection.tunnels)
            for (const bool adaptive : selection.adaptive)
                for (const Distribution distribution : selection.distributions)
                    for (const std::uint32_t peers : selection.peers)
                        for (const SizeMix& size : selection.sizes)
                            for (const std::uint8_t workers : selection.workers)
                                for (const Arrival arrival : selection.arrivals)
                                    add_cell({which, {tunnel, peers, workers, arrival, adaptive}, size, distribution, selection.burst}, cells);
}

std::vector<Cell> full_matrix(std::size_t cores) {
    const auto all = size_list({"64", "128", "256", "512", "1024", "1400", "imix"}), some = size_list({"64", "512", "1400", "imix"}), ends = size_list({"64", "1400"});
    const auto every = tunnels_from(0), others = tunnels_from(1);
    std::vector<Cell> cells;
    add_cells({.cases = {Case::forward, Case::gre}, .sizes = all}, cells);
    add_cells({.sizes = all, .tunnels = every}, cells);
    add_cells({.cases = {Case::relay, Case::loop}, .sizes = some, .tunnels = every}, cells);
    add_cells({.sizes = some, .peers = {100, 1000, 10000, 100000}}, cells);
    add_cells({.sizes = ends, .tunnels = others, .peers = {1000, 10000}}, cells);
    add_cells({.cases = {Case::relay}, .sizes = ends, .peers = {1000, 10000}}, cells);
    add_cells({.sizes = ends, .peers = {10000, 100000}, .distributions = {Distribution::shuffled, Distribution::zipf}}, cells);
    add_cells({.sizes = ends, .tunnels = {{.natt = true}, {.esn = true}, {.gre_key = false}}}, cells);
    add_workers_and_modes(cores, cells);
    return cells;
}

std::vector<Cell> quick_matrix(std::size_t cores) {
    const auto all = size_list({"64", "128", "256", "512", "1024", "1400", "imix"}), three = size_list({"64", "512", "1400"}), ends = size_list({"64", "1400"});
    std::vector<Cell> cells;
    add_cells({.cases = {Case::forward, Case::gre}, .sizes = ends}, cells);
    add_cells({.sizes = all}, cells);
    add_cells({.sizes = three, .tunnels = tunnels_from(1)}, cells);
    add_cells({.cases = {Case::relay, Case::loop}, .sizes = three}, cells);
    add_cells({.sizes = three, .peers = {1000, 10000}}, cells);
    add_workers_and_modes(cores, cells);
    return cells;
}

}  // namespace nave::rig
