// How often each peer may have something done that costs far more than its packet.
#pragma once

#include "common/ids.hpp"
#include "common/time.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

namespace nave::nhrp {

/// For each peer a bucket that holds `burst` and fills by one each `interval`.
class Allowance {
public:
    Allowance(std::uint32_t burst, Duration interval) : depth_{interval * (burst - 1)}, interval_{interval} {}

    bool take(PeerId peer, TimePoint now) {
        TimePoint& full_at = full_at_[peer];
        const TimePoint from = std::max(full_at, now);
        if (from - now > depth_) return false;
        full_at = from + interval_;
        return true;
    }

private:
    Duration depth_, interval_;
    std::unordered_map<PeerId, TimePoint> full_at_;  // peers' numbers are used again, so it is bounded by them
};

}  // namespace nave::nhrp
