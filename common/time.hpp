// Time as both planes speak it: a monotonic clock's nanoseconds, handed in as an argument, never read by pure code.
#pragma once

#include <chrono>
#include <optional>

namespace nave {

/// Tag of the monotonic clock. It has no now(): whoever owns a real or a virtual clock makes the points.
struct MonotonicClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};

using Duration = MonotonicClock::duration;
using TimePoint = MonotonicClock::time_point;

/// The earlier of two deadlines, either of which may be absent.
constexpr std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
    if (!a) return b;
    if (!b) return a;
    return *a < *b ? a : b;
}

}  // namespace nave
