// The threads, and what is printed.
#include "tests/simulation/seed_runner.hpp"

#include <atomic>
#include <cstdio>
#include <fmt/format.h>
#include <mutex>
#include <thread>

namespace nave::simulation {

bool try_seeds(const SeedRange& range, const std::function<SeedReport(std::uint64_t)>& run, const std::function<std::string(std::uint64_t)>& replay) {
    std::atomic<std::uint64_t> next = range.first, failed = 0;
    std::mutex printing;
    const auto work = [&] {
        for (std::uint64_t seed = next++; seed < range.first + range.count; seed = next++) {
            const SeedReport report = run(seed);
            const std::lock_guard lock{printing};
            if (report.failures.empty()) {
                if (range.say_all) fmt::print("seed {}: {}\n", seed, report.line);
            } else {
                ++failed;
                fmt::print("seed {} FAILED; replay: {}\n", seed, replay(seed));
                for (const auto& failure : report.failures) fmt::print("  {}\n", failure);
            }
            std::fflush(stdout);
        }
    };
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < range.jobs; ++i) threads.emplace_back(work);
    threads.clear();
    fmt::print("{} of {} seeds held\n", range.count - failed, range.count);
    return failed == 0;
}

}  // namespace nave::simulation
