// The rounds over all cells, and what becomes of their samples.
#include "tests/rig/dataplane_bench/measure.hpp"

#include "tests/rig/dataplane_bench/floor.hpp"
#include "tests/rig/statistics.hpp"
#include "tests/rig/dataplane_bench/world.hpp"
#include "tests/rig/machine.hpp"
#include "tests/rig/progress.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <rte_cycles.h>
#include <tuple>
#include <utility>

namespace nave::rig {

namespace {

/// Samples of one way to do a cell's work, one for each round.
using Rounds = std::vector<double>;

struct CellSamples {
    Rounds cycles, core_round_trips;
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
    using FloorKey = std::pair<EspAlgorithm, std::uint32_t>;
    struct Plan {
        std::size_t warm, measured;  // batches
    };
    Plan plan_batches(const Cell& cell, std::size_t period) const;
    void play(const Cell& cell, CellSamples& samples);
    void play_floor(const Cell& cell, Direction direction, std::vector<Rounds>& ways);

    Effort effort_;
    Foundation foundation_;
    std::map<std::uint8_t, Cables> cables_;  // by number of workers
    std::map<WorldShape, World> worlds_;
    std::map<FloorKey, Floor> floors_;
};

/// Makes the value of `key` from `arguments` unless it is there.
template <class Map, class... Arguments>
void make_once(Map& map, const typename Map::key_type& key, Arguments&&... arguments) {
    if (!map.contains(key)) map.emplace(std::piecewise_construct, std::forward_as_tuple(key), std::forward_as_tuple(std::forward<Arguments>(arguments)...));
}

Bench::Bench(std::span<const Cell> cells, const Effort& effort) : effort_{effort}, foundation_{"rig", most_peers(cells)} {
    for (const Cell& cell : cells) {
        const WorldShape& shape = cell.world;
        make_once(cables_, shape.workers, fmt::format("rig{}w", shape.workers), shape.workers, foundation_.pools);
        make_once(worlds_, shape, fmt::format("w{}", worlds_.size()), shape, foundation_, cables_.at(shape.workers));
        if (seals(cell.which) || opens(cell.which)) make_once(floors_, FloorKey{shape.tunnel.algorithm, shape.peers}, shape.tunnel.algorithm, shape.peers);
    }
}

/// At first as many batches as touch every peer once, so that the next ones find in the caches what many more would leave there.
Bench::Plan Bench::plan_batches(const Cell& cell, std::size_t period) const {
    constexpr std::size_t kLeast = 4;
    const std::size_t pass = period / cell.burst + 1;
    return {std::max(pass, kLeast), std::max(pass, effort_.batches)};
}

void Bench::round(const Cell& cell, CellSamples& samples) {
    play(cell, samples);
    // In every round, because a virtual machine's cores may be near now and far in the next one.
    if (cell.world.workers > 1) samples.core_round_trips.push_back(core_round_trip());
    Crew::run(1, [&](unsigned, Rendezvous&) {
        if (seals(cell.which)) play_floor(cell, Direction::outbound, samples.seal);
        if (opens(cell.which)) play_floor(cell, Direction::inbound, samples.open);
    });
}

void Bench::play(const Cell& cell, CellSamples& samples) {
    World& world = worlds_.at(cell.world);
    std::vector<Lane> lanes;
    for (std::uint8_t i = 0; i < cell.world.workers; ++i) lanes.emplace_back(cell, i, cables_.at(cell.world.workers));
    const Plan plan = plan_batches(cell, lanes[0].order.period());
    Rounds cycles;
    std::array<Rounds, static_cast<std::size_t>(Stage::count)> stages;
    Crew::run(cell.world.workers, [&](unsigned member, Rendezvous& all) {
        for (std::size_t batch = 0; batch < plan.warm + plan.measured; ++batch) {
            const BatchCost cost = world.play(lanes, member, all);
            if (member != 0 || batch < plan.warm) continue;
            const auto packets = static_cast<double>(cost.packets);
            cycles.push_back(static_cast<double>(cost.cycles) / packets);
            for (std::size_t stage = 0; stage < stages.size(); ++stage) stages[stage].push_back(static_cast<double>(cost.stages[stage]) / packets);
        }
    });
    samples.cycles.push_back(median(cycles));
    for (std::size_t stage = 0; stage < stages.size(); ++stage) samples.stages[stage].push_back(median(stages[stage]));
}

void Bench::play_floor(const Cell& cell, Direction direction, std::vector<Rounds>& ways) {
    WorldShape alone = cell.world;
    alone.workers = 1;
    Floor& floor = floors_.at({alone.tunnel.algorithm, alone.peers});
    ways.resize(floor.ways());
    for (std::size_t way = 0; way < ways.size(); ++way) {
        PeerOrder order{alone, cell.distribution, 0};
        const Plan plan = plan_batches(cell, order.period());
        std::vector<FloorPacket> packets(cell.burst);
        std::uint64_t number = 0;
        Rounds cycles;
        for (std::size_t batch = 0; batch < plan.warm + plan.measured; ++batch) {
            for (FloorPacket& packet : packets) packet = {order.next(), esp_text_length(cell.size.of(number++), alone.tunnel.gre_key, alone.tunnel.algorithm)};
            const auto took = static_cast<double>(floor.run(way, direction, packets));
            if (batch >= plan.warm) cycles.push_back(took / static_cast<double>(packets.size()));
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
    if (cell.which == Case::gre) figure.cycles -= std::exchange(figure.stages[static_cast<std::size_t>(Stage::esp_encrypt)], 0);
    figure.core_round_trip = median(samples.core_round_trips);
    if (figure.cycles > 0) figure.mpps = static_cast<double>(rte_get_tsc_hz()) / figure.cycles / 1e6 * cell.world.workers;
    figure.gbps = figure.mpps * cell.size.mean() * 8 / 1e3;
    return figure;
}

}  // namespace

std::uint32_t most_peers(std::span<const Cell> cells) {
    std::uint32_t most = 2;
    for (const Cell& cell : cells) most = std::max(most, even(cell.world.peers));
    return most;
}

std::uint8_t most_workers(std::span<const Cell> cells) {
    std::uint8_t most = 1;
    for (const Cell& cell : cells) most = std::max(most, cell.world.workers);
    return most;
}

std::vector<Figure> measure(std::span<const Cell> cells, const Effort& effort) {
    Progress progress{effort.rounds * cells.size()};
    progress.show(0, "installing peers");
    Bench bench{cells, effort};
    std::vector<CellSamples> samples(cells.size());
    for (std::size_t round = 0; round < effort.rounds; ++round) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const Cell& cell = cells[i];
            progress.show(round * cells.size() + i, fmt::format("round {} of {}: {} {}, {} bytes, {} peers", round + 1, effort.rounds, name(cell.which),
                                                                name(cell.world.tunnel.algorithm), cell.size.name, cell.world.peers));
            bench.round(cell, samples[i]);
        }
    }
    std::vector<Figure> figures;
    for (std::size_t i = 0; i < cells.size(); ++i) figures.push_back(figure_of(cells[i], samples[i]));
    return figures;
}

}  // namespace nave::rig
