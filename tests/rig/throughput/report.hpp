// The report of a campaign: text, JSON, one page of charts. Pure.
#pragma once

#include "tests/rig/throughput/figures.hpp"
#include "tests/rig/throughput/options.hpp"

#include <string>

namespace nave::rig::throughput {

/// A table with a line for each frame size, and notes on what limits the figures.
std::string to_text(const Options& options, const Figures& figures);
/// All figures; tests/rig/README.md tells the keys.
std::string to_json(const Options& options, const Figures& figures);
/// Rates, latency percentiles and loss as SVG.
std::string to_page(const Options& options, const Figures& figures);

}  // namespace nave::rig::throughput
