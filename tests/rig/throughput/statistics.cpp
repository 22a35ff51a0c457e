// Percentiles, and telling a new packet from a late one and a second one.
#include "tests/rig/throughput/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace nave::rig::throughput {

void LatencyHistogram::add(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
}

std::uint64_t LatencyHistogram::percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        below += buckets_[i];
        if (below >= wanted && below > 0) return std::min(upper(i), most_);
    }
    return most_;
}

Reception::Reception(std::uint64_t packets_max, std::uint16_t streams) : packets_max_{packets_max}, arrived_((packets_max + 63) / 64), next_expected_(streams) {}

Reception::Arrival Reception::note(std::uint16_t stream, std::uint32_t sequence) {
    if (stream >= next_expected_.size()) return Arrival::unknown;
    const std::uint64_t packet = std::uint64_t{sequence} * next_expected_.size() + stream;
    if (packet >= packets_max_) return Arrival::unknown;
    std::uint64_t& word = arrived_[packet / 64];
    const std::uint64_t bit = std::uint64_t{1} << packet % 64;
    if (word & bit) {
        ++duplicates_;
        return Arrival::duplicate;
    }
    word |= bit;
    ++received_;
    auto& expected = next_expected_[stream];
    if (expected == 0) ++streams_seen_;
    if (sequence < expected) {
        ++reordered_;
        return Arrival::reordered;
    }
    expected = sequence + 1;
    return Arrival::in_order;
}

}  // namespace nave::rig::throughput
