// Figures as curves: over the size of packets, over the number of peers, over the number of workers.
#pragma once

#include "tests/rig/dataplane_bench/measure.hpp"
#include "tests/rig/plot.hpp"

#include <span>
#include <vector>

namespace nave::rig {

/// Those charts for which there are figures; the bare cipher is dashed.
std::vector<Chart> charts_of(std::span<const Figure> figures);

}  // namespace nave::rig
