// Runs the convergence of a whole DMVPN for many seeds, or replays one of them.
#include "tests/simulation/convergence.hpp"
#include "tests/simulation/seed_runner.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <thread>

namespace options = boost::program_options;
using namespace nave::simulation;

int main(int argc, char** argv) {
    ConvergencePlan plan;
    std::uint64_t seed = 0, seeds = 100;
    unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
    options::options_description known{"Simulates one hub and many spokes in bad weather until all reach each other"};
    // A sanitized build sets NAVE_SIMULATION=reduced: fewer seeds and spokes, because each step costs many times more.
    const char* extent = std::getenv("NAVE_SIMULATION");
    if (extent && std::string_view{extent} == "reduced") seeds = 3, plan.spokes = 100;
    known.add_options()("help", "this text")
        ("seed", options::value(&seed), "replay this seed only")
        ("seeds", options::value(&seeds)->default_value(seeds), "try the seeds 1 to N")
        ("spokes", options::value(&plan.spokes)->default_value(plan.spokes), "number of spokes")
        ("pairs", options::value(&plan.pairs)->default_value(plan.pairs), "pairs of spokes that talk")
        ("jobs", options::value(&jobs)->default_value(jobs), "seeds at a time")
        ("verbose", options::bool_switch(&plan.verbose), "print every gateway's log lines");
    options::variables_map given;
    try {
        options::store(options::parse_command_line(argc, argv, known), given);
        options::notify(given);
    } catch (const options::error& error) {
        fmt::print(stderr, "{}; --help lists the options\n", error.what());
        return 2;
    }
    if (given.contains("help")) {
        std::cout << known;
        return 0;
    }
    const bool one = given.contains("seed");
    const auto run = [&](std::uint64_t each) {
        auto result = converge(each, plan);
        return SeedReport{fmt::format("{} spokes registered after {:.1f} s, {} of {} pairs direct; {} events", plan.spokes, result.registered_after,
                                      result.pairs_direct, plan.pairs, result.events),
                          std::move(result.failures)};
    };
    const SeedRange range{.first = one ? seed : 1, .count = one ? 1 : seeds, .jobs = one ? 1 : jobs};
    return try_seeds(range, run, [&](std::uint64_t each) { return fmt::format("simulation --seed {} --spokes {} --verbose", each, plan.spokes); }) ? 0 : 1;
}
