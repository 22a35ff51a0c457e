// Tells how often a pair of source and destination is worth a redirect.
#pragma once

#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// Remembers when a pair was last told, in a fixed table without chains: a collision only tells a pair early. One owner.
class RedirectLimiter {
public:
    /// `interval` in cycles.
    explicit RedirectLimiter(std::uint64_t interval) : interval_{interval}, told_(std::size_t{1} << kPairsLog2) {}

    /// True if the pair was not told within the interval; it is told then. Addresses in host order.
    [[nodiscard]] bool tell(std::uint32_t source, std::uint32_t destination, std::uint64_t now) {
        const std::uint64_t pair = std::uint64_t{source} << 32 | destination;
        Told& told = told_[pair * 0x9e3779b97f4a7c15u >> (64 - kPairsLog2)];
        if (told.valid && told.pair == pair && now - told.when < interval_) return false;
        told = {pair, now, true};
        return true;
    }

private:
    static constexpr int kPairsLog2 = 12;
    struct Told {
        std::uint64_t pair = 0, when = 0;
        bool valid = false;
    };
    std::uint64_t interval_;
    std::vector<Told> told_;
};

}  // namespace nave::dataplane
