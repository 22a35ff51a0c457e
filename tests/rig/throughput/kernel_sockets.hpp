// What the rig must do about packet sockets itself, since DPDK's driver over kernel interfaces does not.
#pragma once

#include <cstdint>

namespace nave::rig::throughput {

/// Lets all packet sockets of this process have a whole ring of frames under way. By default the kernel takes a few hundred;
/// the others wait in the rig's own ring, where they look like the device's delay and, in the end, like loss.
void widen_send_buffers();

/// Frames for which there was no room in the rings of this process's packet sockets, since the last call: the rig's loss.
std::uint64_t take_ring_drops();

}  // namespace nave::rig::throughput
