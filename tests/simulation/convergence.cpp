// One hub and many spokes in bad weather; see the header.
#include "tests/simulation/convergence.hpp"

#include "tests/simulation/fleet.hpp"

#include <fmt/format.h>

namespace nave::simulation {

namespace {

using namespace std::chrono_literals;

struct Pair {
    std::size_t from, to;
    std::vector<std::size_t> sent;
    bool relayed = false, direct = false;
};

void look_at(const World& world, Pair& pair) {
    for (const std::size_t id : pair.sent) {
        pair.relayed = pair.relayed || world.trace(id).relayed();
        pair.direct = pair.direct || world.trace(id).direct();
    }
    if (pair.sent.size() > 20) pair.sent.erase(pair.sent.begin(), pair.sent.begin() + 10);
}

/// Disjoint pairs, so that each has to make its own shortcut.
std::vector<Pair> sample_pairs(const Fleet& fleet, std::size_t count, SeededRandom& random) {
    std::vector<Pair> pairs;
    const auto half = static_cast<std::uint32_t>(fleet.spokes() / 2);
    std::set<std::size_t> taken;
    while (pairs.size() < count && pairs.size() < half) {
        const std::size_t from = random.below(half), to = half + random.below(half);
        if (taken.contains(from) || taken.contains(to)) continue;
        taken.insert({from, to});
        pairs.push_back({fleet.spoke(from), fleet.spoke(to), {}});
    }
    return pairs;
}

}  // namespace

ConvergenceResult converge(std::uint64_t seed, const ConvergencePlan& plan) {
    ConvergenceResult result;
    World world{seed, Weather{}};
    world.echo_log(plan.verbose);
    world.set_counter_interval(5s);
    SeededRandom random{seed + 1};
    const auto slots = static_cast<std::uint32_t>(plan.spokes * 3 + 64);
    Fleet fleet{world, {.hubs = 1, .spokes = plan.spokes, .hub_slots = slots}};
    const TimePoint begin = world.now();
    world.start(fleet.hub());
    for (std::size_t i = 0; i < plan.spokes; ++i) world.start_at(fleet.spoke(i), begin + std::chrono::milliseconds{random.below(2000)});

    if (!world.run_until([&] { return fleet.all_registered(); }, 120s, 1s)) {
        for (std::size_t i = 0; i < plan.spokes && result.failures.size() < 10; ++i)
            if (!fleet.is_registered(i)) result.failures.push_back(fmt::format("spoke {} is not registered after 120 s", i));
    }
    result.registered_after = std::chrono::duration<double>(world.now() - begin).count();

    std::vector<Pair> pairs = sample_pairs(fleet, plan.pairs, random);
    // So many at first that some get through the hub before the shortcut is there, whatever is lost.
    for (int i = 0; i < 10; ++i) {
        for (Pair& pair : pairs) pair.sent.push_back(world.ping(pair.from, pair.to));
        world.run_for(20ms);
    }
    const auto all_done = [&] {
        bool done = true;
        for (Pair& pair : pairs) {
            look_at(world, pair);
            if (pair.relayed && pair.direct) continue;
            done = false;
            pair.sent.push_back(world.ping(pair.from, pair.to));
        }
        return done;
    };
    world.run_until(all_done, 120s, 250ms);
    for (const Pair& pair : pairs) {
        result.pairs_direct += pair.direct;
        if (!pair.relayed) result.failures.push_back(fmt::format("gateway {} never reached {} through the hub", pair.from, pair.to));
        if (!pair.direct) result.failures.push_back(fmt::format("gateway {} never reached {} directly", pair.from, pair.to));
    }
    for (const auto& violation : world.violations()) result.failures.push_back(violation);
    result.events = world.events_handled();
    return result;
}

}  // namespace nave::simulation
