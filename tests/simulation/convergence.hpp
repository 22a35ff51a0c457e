// One hub and many spokes in bad weather: all register, and sampled pairs reach each other through the hub and directly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nave::simulation {

struct ConvergencePlan {
    std::size_t spokes = 1000, pairs = 20;
    bool verbose = false;
};

struct ConvergenceResult {
    double registered_after = 0;  // seconds of virtual time
    std::size_t pairs_direct = 0;
    std::uint64_t events = 0;
    std::vector<std::string> failures;
};

/// The same seed gives the same course of events, to the byte.
ConvergenceResult converge(std::uint64_t seed, const ConvergencePlan& plan);

}  // namespace nave::simulation
