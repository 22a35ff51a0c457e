// In-memory ports: two ring devices of the same name in one process are the ends of one cable.
#pragma once

#include "dataplane/setup_error.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace nave::dataplane {

struct RingEnd {
    std::uint16_t device;     // ethdev port
    std::string device_name;  // on the vdev bus
};

/// Plugs in at the free end of the cable `name` with that many queue pairs; the second end must have as many as the first.
/// Packets cross by pointer: both ends' buffers must have the same private area. Main thread.
std::expected<RingEnd, SetupError> plug_in_ring(std::string_view name, std::uint16_t queues);
/// Takes an end out; with the last one the cable is gone, and the packets in it are freed. Main thread; the device is stopped.
void unplug_ring(std::string_view name, const RingEnd& end);

}  // namespace nave::dataplane
