// A rate in bytes, as the time at which everything that was let through is paid for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nave::dataplane {

/// Time is an argument, in TSC cycles that never go back. One owner. All-zero bytes are a meter without limit.
class RateMeter {
public:
    RateMeter() = default;
    /// `credit`: cycles of silence that may be made up for at once, below 2^32. `bits_per_second` 0: no limit.
    RateMeter(std::uint64_t bits_per_second, std::uint64_t credit, std::uint64_t cycles_per_second)
        : cost_{bits_per_second == 0 ? 0 : (cycles_per_second * 8 << kFraction) / bits_per_second}, credit_{static_cast<std::uint32_t>(credit)} {}

    /// From then on a packet may go: one, of whatever size, because it is paid for afterwards.
    std::uint64_t due() const { return paid_at_; }
    bool ready(std::uint64_t now) const { return paid_at_ <= now; }
    void spend(std::uint64_t bytes, std::uint64_t now) {
        const std::uint64_t earliest = now > credit_ ? now - credit_ : 0;
        if (paid_at_ < earliest) paid_at_ = earliest;
        const std::uint64_t cost = bytes * cost_ + rest_;
        paid_at_ += cost >> kFraction;
        rest_ = static_cast<std::uint32_t>(cost & ((1u << kFraction) - 1));
    }
    /// Takes over another rate, under which nothing is left to pay for.
    void change(const RateMeter& rate, std::uint64_t now) {
        cost_ = rate.cost_, credit_ = rate.credit_;
        paid_at_ = std::min(paid_at_, now);
    }

private:
    static constexpr unsigned kFraction = 16;  // bits: at 100 Gbit/s a byte costs a fraction of a cycle
    std::uint64_t cost_ = 0;                   // cycles of a byte
    std::uint64_t paid_at_ = 0;
    std::uint32_t credit_ = 0, rest_ = 0;
};

}  // namespace nave::dataplane
