// Calendar time, which only certificates need; pure code is handed one of these, as it is handed its randomness.
#pragma once

#include <chrono>

namespace nave {

/// Tells what time it is in the world. The product's reads the system's clock; a test's stands where the test put it.
class Calendar {
public:
    virtual ~Calendar() = default;
    /// Seconds since 1970 in UTC.
    virtual std::chrono::sys_seconds now() const = 0;
};

}  // namespace nave
