// The command line of `nave-bench dataplane`, and the cells that it asks for.
#pragma once

#include "tests/rig/dataplane_bench/measure.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::rig {

struct DataplaneOptions {
    std::vector<Cell> cells;
    Effort effort;
    std::string json_file, plot_file, baseline_file;  // empty: none
    bool shows_stages = true;
    bool help = false;
};

/// For a machine with `cores` cores. The error says which option is wrong and what is accepted.
std::expected<DataplaneOptions, std::string> parse_dataplane_options(std::span<const std::string> arguments, std::size_t cores);

/// What --help prints.
std::string dataplane_help();

}  // namespace nave::rig
