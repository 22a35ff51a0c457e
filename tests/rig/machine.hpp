// What the machine is that figures were taken on.
#pragma once

#include <string>

namespace nave::rig {

/// The processor's name as the kernel gives it, and the TSC's frequency. EAL is up.
std::string describe_processor();

/// TSC cycles in which a cache line goes from one core to another and back; decides what hand-over and sharing cost. Virtual
/// machines may be moved between cores that are near and far. Main lcore; EAL has two lcores besides it.
double core_round_trip();

}  // namespace nave::rig
