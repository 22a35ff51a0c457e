// Runs the collisions of two ends for many seeds, or replays one of them.
#include "tests/simulation/collisions.hpp"
#include "tests/simulation/seed_runner.hpp"

#include <algorithm>
#include <atomic>
#include <boost/program_options.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <thread>

namespace options = boost::program_options;
using namespace nave::simulation;

int main(int argc, char** argv) {
    const char* extent = std::getenv("NAVE_SIMULATION");
    const bool reduced = extent && std::string_view{extent} == "reduced";
    std::uint64_t seed = 0, seeds = reduced ? 50 : 500;
    unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
    bool verbose = false;
    options::options_description known{"Simulates two IKE endpoints that both initiate, rekey and delete at random times in bad weather"};
    known.add_options()("help", "this text")
        ("seed", options::value(&seed), "replay this seed only")
        ("seeds", options::value(&seeds)->default_value(seeds), "try the seeds 1 to N")
        ("jobs", options::value(&jobs)->default_value(jobs), "seeds at a time")
        ("verbose", options::bool_switch(&verbose), "print every action and both ends' log lines");
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
    std::atomic<std::uint64_t> actions = 0, collisions = 0, duplicates = 0, additional = 0;
    const auto run = [&](std::uint64_t each) {
        CollisionsResult result = collide(each, verbose);
        actions += result.actions, collisions += result.collisions, duplicates += result.duplicates, additional += result.additional_key_exchanges;
        return SeedReport{fmt::format("{} actions, {} rekeys collided, {} second associations; ESP: {} opened, {} without SA", result.actions, result.collisions,
                                      result.duplicates, result.esp_opened, result.esp_lost),
                          std::move(result.failures)};
    };
    const SeedRange range{.first = one ? seed : 1, .count = one ? 1 : seeds, .jobs = one ? 1 : jobs, .say_all = one};
    const bool ok = try_seeds(range, run, [](std::uint64_t each) { return fmt::format("collisions --seed {} --verbose", each); });
    fmt::print("{} actions, {} rekeys collided, {} second associations, {} additional key exchanges\n", actions.load(), collisions.load(), duplicates.load(), additional.load());
    return ok ? 0 : 1;
}
