// From the configuration to what the kernel side is asked for. Pure.
#pragma once

#include "controlplane/config/config.hpp"
#include "controlplane/kernel/plan.hpp"

#include <functional>

namespace nave::runtime {

/// `mac` gives the MAC address of a port's device.
kernel::Plan plan_of(const config::Config& config, const std::function<MacAddress(PortId)>& mac);

}  // namespace nave::runtime
