// A token bucket in TSC cycles.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nave::dataplane {

/// Allows `per_second` events a second and bursts of `burst`. Time is an argument. One owner.
class Policer {
public:
    Policer(std::uint32_t per_second, std::uint32_t burst, std::uint64_t cycles_per_second)
        : cost_{cycles_per_second / std::max(1u, per_second)}, capacity_{cost_ * std::max(1u, burst)}, credit_{capacity_} {}

    /// True if one more event fits. `now` in cycles, never going back.
    [[nodiscard]] bool allow(std::uint64_t now) {
        // The first call only sets the clock, so that the bucket starts full whatever the TSC says.
        const std::uint64_t elapsed = last_ == 0 || now < last_ ? 0 : now - last_;
        last_ = now;
        credit_ = std::min(capacity_, elapsed >= capacity_ ? capacity_ : credit_ + elapsed);
        if (credit_ < cost_) return false;
        credit_ -= cost_;
        return true;
    }

private:
    std::uint64_t cost_, capacity_, credit_, last_ = 0;
};

}  // namespace nave::dataplane
