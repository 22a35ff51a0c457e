// Growing pauses between attempts, jittered so that a thousand spokes do not come at once.
#pragma once

#include "common/random.hpp"
#include "common/time.hpp"

#include <algorithm>
#include <chrono>

namespace nave::overlay {

class Backoff {
public:
    Backoff(Duration first, Duration most) : first_{first}, most_{most}, delay_{first} {}

    /// Half to whole of the current pause; the next one is twice as long, up to the most.
    Duration next(Random& random) {
        const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(delay_) / 2;
        delay_ = std::min(delay_ * 2, most_);
        return half + std::chrono::milliseconds{random.below(static_cast<std::uint32_t>(half.count()) + 1)};
    }
    void reset() { delay_ = first_; }

private:
    Duration first_, most_, delay_;
};

}  // namespace nave::overlay
