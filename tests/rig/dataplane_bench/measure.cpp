// The rounds over all cells, and what becomes of their samples.
#include "tests/rig/dataplane_bench/measure.hpp"

#include "tests/rig/dataplane_bench/floor.hpp"
#include "tests/rig/dataplane_bench/statistics.hpp"
#include "tests/rig/dataplane_bench/world.hpp"
#include "tests/rig/progress.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <rte_cycles.h>
#include <tuple>

namespace nave::rig {

namespace {

/// Samples of one way to do a cell's work, one for each round.
using Rounds = std::vector<double>;

struct CellSamples {
    Rounds cycles;
    std::array<Rounds, static_cast<std::size_t>(Stage::count)> stages;
    std::vector<Rounds> seal, open;  // by way of calling the library
};

bool seals(Case which) { return which == Case::encap || which == Case::relay || which == Case::loop; }
bool opens(Case which) { return which == Case::decap || which == Case::relay || which == Case::loop; }

/// Worlds and floors are kept from round to round and shared by the cells that need the same ones.
class Bench {
public:
    Bench(std::span<const Cell> cells, const Effort& effort);
    void round(const Cell& cell, CellSamples& samples);

private:
    using WorldKey = std::pair<TunnelShape, std::uint32_t>;
    using FloorKey = std::pair<EspAlgorithm, std::uint32_t>;
    /// Batches that touch every peer once, so that the next ones find in the caches what many more would leave there.
    std::size_t batches_to_warm(const Traffic& traffic) const { return std::max<std::size_t>(traffic.order.period() / effort_.packets + 1, 4); }
    std::size_t batches_to_measure(const Traffic& traffic) const { return std::max(traffic.order.period() / effort_.packets + 1, effort_.batches); }
    void play(const Cell& cell, CellSamples& samples);
    void play_floor(const Cell& cell, Direction direction, std::vector<Rounds>& ways);

    Effort effort_;
    Foundation foundation_;
    std::map<WorldKey, World> worlds_;
    std::map<FloorKey, Floor> floors_;
};

Bench::Bench(std::span<const Cell> cells, const Effort& effort) : effort_{effort}, foundation_{most_peers(cells)} {
    for (const Cell& cell : cells) {
        const WorldKey key{cell.shape, cell.peers};
        if (!worlds_.contains(key))
            worlds_.emplace(std::piecewise_construct, std::forward_as_tuple(key), std::forward_as_tuple(fmt::format("w{}", worlds_.size()), cell.shape, cell.peers, foundation_));
        if (cell.which == Case::forward) continue;
        const FloorKey floor{cell.shape.algorithm, cell.peers};
        if (!floors_.contains(floor)) floors_.emplace(std::piecewise_construct, std::forward_as_tuple(floor), std::forward_as_tuple(floor.first, floor.second));
    }
}

void Bench::round(const Cell& cell, CellSamples& samples) {
    play(cell, samples);
    if (seals(cell.which)) play_floor(cell, Direction::outbound, samples.seal);
    if (opens(cell.which)) play_floor(cell, Direction::inbound, samples.open);
}

void Bench::play(const Cell& cell, CellSamples& samples) {
    World& world = worlds_.at({cell.shape, cell.peers});
    Traffic traffic{cell.size, cell.peers, cell.distribution};
    for (std::size_t i = batches_to_warm(traffic); i > 0; --i) world.play(cell.which, traffic, effort_.packets);
    Rounds cycles;
    std::array<Rounds, static_cast<std::size_t>(Stage::count)> stages;
    for (std::size_t i = batches_to_measure(traffic); i > 0; --i) {
        const BatchCost cost = world.play(cell.which, traffic, effort_.packets);
        const auto packets = static_cast<double>(cost.packets);
        cycles.push_back(static_cast<double>(cost.cycles) / packets);
        for (std::size_t stage = 0; stage < stages.size(); ++stage) stages[stage].push_back(static_cast<double>(cost.stages[stage]) / packets);
    }
    samples.cycles.push_back(median(cycles));
    for (std::size_t stage = 0; stage < stages.size(); ++stage) samples.stages[stage].push_back(median(stages[stage]));
}

void Bench::play_floor(const Cell& cell, Direction direction, std::vector<Rounds>& ways) {
    Floor& floor = floors_.at({cell.shape.algorithm, cell.peers});
    ways.resize(floor.ways());
    for (std::size_t way = 0; way < ways.size(); ++way) {
        Traffic traffic{cell.size, cell.peers, cell.distribution};
        std::vector<FloorPacket> packets(effort_.packets);
        Rounds cycles;
        const std::size_t warm = batches_to_warm(traffic), all = warm + batches_to_measure(traffic);
        for (std::size_t i = 0; i < all; ++i) {
            for (FloorPacket& packet : packets) packet = {traffic.order.next(), esp_text_length(traffic.mix.of(traffic.number++), cell.shape.gre_key)};
            const auto took = static_cast<double>(floor.run(way, direction, packets));
            if (i >= warm) cycles.push_back(took / static_cast<double>(packets.size()));
        }
        ways[way].push_back(median(cycles));
    }
}

/// The way with the lowest median.
const Rounds* best(const std::vector<Rounds>& ways) {
    const auto least = std::ranges::min_element(ways, {}, [](const Rounds& rounds) { return median(rounds); });
    return least == ways.end() ? nullptr : &*least;
}

Figure figure_of(const Cell& cell, const CellSamples& samples) {
    Figure figure;
    figure.cell = cell;
    figure.cycles = median(samples.cycles), figure.spread = spread(samples.cycles);
    for (const auto* ways : {&samples.seal, &samples.open}) {
        const Rounds* rounds = best(*ways);
        if (!rounds) continue;
        figure.floor_cycles += median(*rounds);
        figure.floor_spread += spread(*rounds);
    }
    for (std::size_t stage = 0; stage < figure.stages.size(); ++stage) figure.stages[stage] = median(samples.stages[stage]);
    if (figure.cycles > 0) figure.mpps = static_cast<double>(rte_get_tsc_hz()) / figure.cycles / 1e6;
    figure.gbps = figure.mpps * cell.size.mean() * 8 / 1e3;
    return figure;
}

}  // namespace

std::uint32_t most_peers(std::span<const Cell> cells) {
    std::uint32_t most = 2;
    for (const Cell& cell : cells) most = std::max(most, cell.peers + cell.peers % 2);
    return most;
}

std::vector<Figure> measure(std::span<const Cell> cells, const Effort& effort) {
    Progress progress{effort.rounds * cells.size() + 1};
    progress.show("installing peers");
    Bench bench{cells, effort};
    progress.advance();
    std::vector<CellSamples> samples(cells.size());
    for (std::size_t round = 0; round < effort.rounds; ++round) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const Cell& cell = cells[i];
            progress.show(fmt::format("round {} of {}: {} {}, {} bytes, {} peers", round + 1, effort.rounds, name(cell.which), name(cell.shape.algorithm), cell.size.name,
                                      cell.peers));
            bench.round(cell, samples[i]);
            progress.advance();
        }
    }
    std::vector<Figure> figures;
    for (std::size_t i = 0; i < cells.size(); ++i) figures.push_back(figure_of(cells[i], samples[i]));
    return figures;
}

}  // namespace nave::rig
