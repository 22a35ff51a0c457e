// `nave-bench dataplane`: what a worker's turn costs.
#pragma once

#include <span>
#include <string>

namespace nave::rig {

/// Answers the exit status: 0 when every figure was taken, 1 when a packet was lost or damaged, 2 for a wrong command line.
int run_dataplane(std::span<const std::string> arguments);

}  // namespace nave::rig
