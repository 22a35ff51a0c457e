// The date as the operating system has it.
#pragma once

#include "common/calendar.hpp"

namespace nave::runtime {

/// For certificates, which are valid between two dates.
class SystemCalendar final : public Calendar {
public:
    std::chrono::sys_seconds now() const override { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }
};

}  // namespace nave::runtime
