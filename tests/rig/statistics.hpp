// Medians and quartiles: figures of a shared machine are quoted by what half of the samples stay below.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nave::rig {

/// The value that the part `part` (0 to 1) of the samples stays below; 0 without samples.
inline double quantile(std::vector<double> samples, double part) {
    if (samples.empty()) return 0;
    const auto at = samples.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(samples.size() - 1) + 0.5);
    std::nth_element(samples.begin(), at, samples.end());
    return *at;
}
inline double median(const std::vector<double>& samples) { return quantile(samples, 0.5); }
/// Distance between the quartiles.
inline double spread(const std::vector<double>& samples) { return quantile(samples, 0.75) - quantile(samples, 0.25); }

}  // namespace nave::rig
