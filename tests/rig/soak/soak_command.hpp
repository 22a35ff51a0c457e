// `nave-bench soak`: many packets, and not one of them lost, damaged or left in a buffer.
#pragma once

#include <span>
#include <string>

namespace nave::rig {

/// Answers the exit status: 0 when every packet came through intact, 1 when not, 2 for a wrong command line.
int run_soak(std::span<const std::string> arguments);

}  // namespace nave::rig
