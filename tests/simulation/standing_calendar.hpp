// A date for the pure machines of a simulation, whose own time is virtual.
#pragma once

#include "common/calendar.hpp"

namespace nave::simulation {

/// Always the same day: what a simulation makes and judges by the date, such as tickets, is good throughout.
class StandingCalendar final : public Calendar {
public:
    std::chrono::sys_seconds now() const override { return std::chrono::sys_days{std::chrono::year{2031} / 5 / 17}; }
};
inline const StandingCalendar kStandingCalendar;

}  // namespace nave::simulation
