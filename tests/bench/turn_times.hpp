// How long turns took: a histogram that costs a few instructions a turn, and what is read from it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace nave::bench {

/// Nanoseconds, counted to within 3 %.
class TurnTimes {
public:
    void add(std::uint64_t nanoseconds) {
        ++counts_[bucket(nanoseconds)];
        ++total_;
        longest_ = std::max(longest_, nanoseconds);
        over_limit_ += nanoseconds > kLimit;
    }
    /// Together with those of another run.
    void merge(const TurnTimes& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        total_ += other.total_, over_limit_ += other.over_limit_;
        longest_ = std::max(longest_, other.longest_);
    }
    /// The time that this share of the turns did not exceed.
    std::uint64_t quantile(double share) const {
        const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i)
            if ((seen += counts_[i]) > rank) return upper_end(i);
        return longest_;
    }
    std::uint64_t total() const { return total_; }
    std::uint64_t longest() const { return longest_; }
    std::uint64_t over_limit() const { return over_limit_; }

    static constexpr std::uint64_t kLimit = 100'000;  // no turn shall take longer

private:
    // Powers of two, each in 32 steps.
    static constexpr unsigned kStepBits = 5;
    static std::size_t bucket(std::uint64_t value) {
        const unsigned shift = static_cast<unsigned>(std::max(0, static_cast<int>(std::bit_width(value)) - static_cast<int>(kStepBits) - 1));
        return (std::size_t{shift} << kStepBits) + (value >> shift);
    }
    static std::uint64_t upper_end(std::size_t index) {
        if (index < 2u << kStepBits) return index;
        const std::size_t shift = (index >> kStepBits) - 1;
        return ((index - (shift << kStepBits) + 1) << shift) - 1;
    }

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(64u << kStepBits);
    std::uint64_t total_ = 0, longest_ = 0, over_limit_ = 0;
};

}  // namespace nave::bench
