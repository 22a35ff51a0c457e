// Many seeds on several threads, with a line for each and the words to replay one that failed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nave::simulation {

/// What came of one seed: a line about it, and what did not hold.
struct SeedReport {
    std::string line;
    std::vector<std::string> failures;
};

struct SeedRange {
    std::uint64_t first = 1, count = 100;
    unsigned jobs = 1;                  // seeds at a time
    bool say_all = true;                // also the lines of seeds that held
};

/// Runs every seed of the range; `replay` gives the command that runs one alone. True if nothing failed.
bool try_seeds(const SeedRange& range, const std::function<SeedReport(std::uint64_t)>& run, const std::function<std::string(std::uint64_t)>& replay);

}  // namespace nave::simulation
