// `nave-bench throughput`: what a device between two ports passes on.
#pragma once

#include <span>
#include <string>

namespace nave::rig {

/// Answers the exit status: 0 when every frame size was measured, 1 when something stood in the way, 2 for a wrong command line.
int run_throughput(std::span<const std::string> arguments);

}  // namespace nave::rig
