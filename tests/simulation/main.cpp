// Runs the convergence of a whole DMVPN for many seeds, or replays one of them.
#include "tests/simulation/convergence.hpp"

#include <atomic>
#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

namespace options = boost::program_options;

namespace {

/// Tries all seeds on `jobs` threads; prints each that fails, with the words to replay it. True if none did.
bool try_seeds(std::uint64_t first, std::uint64_t count, nave::simulation::ConvergencePlan plan, unsigned jobs) {
    std::atomic<std::uint64_t> next = first, failed = 0;
    std::mutex printing;
    const auto work = [&] {
        for (std::uint64_t seed = next++; seed < first + count; seed = next++) {
            const auto result = converge(seed, plan);
            const std::lock_guard lock{printing};
            if (result.failures.empty()) {
                fmt::print("seed {}: {} spokes registered after {:.1f} s, {} of {} pairs direct; {} events\n",
                           seed, plan.spokes, result.registered_after, result.pairs_direct, plan.pairs, result.events);
            } else {
                ++failed;
                fmt::print("seed {} FAILED; replay: simulation --seed {} --spokes {} --verbose\n", seed, seed, plan.spokes);
                for (const auto& failure : result.failures) fmt::print("  {}\n", failure);
            }
            std::fflush(stdout);
        }
    };
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < jobs; ++i) threads.emplace_back(work);
    threads.clear();
    fmt::print("{} of {} seeds converged\n", count - failed, count);
    return failed == 0;
}

}  // namespace

int main(int argc, char** argv) {
    nave::simulation::ConvergencePlan plan;
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
    const bool ok = given.contains("seed") ? try_seeds(seed, 1, plan, 1) : try_seeds(1, seeds, plan, jobs);
    return ok ? 0 : 1;
}
