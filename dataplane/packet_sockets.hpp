// Finds the kernel sockets that a driver opened, since af_packet and af_xdp drivers do not tell them; linking it keeps IP fragments apart.
#pragma once

#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// Descriptors of this process that are packet or XDP sockets, ascending. The difference between before and after a driver
/// was opened is the driver's receive queues, in order. Such a socket is readable exactly while frames wait in the queue.
std::vector<int> packet_sockets();

/// Frames that the kernel dropped since the last call because a packet socket's ring was full; the driver does not tell. 0 for XDP sockets.
std::uint64_t take_ring_drops(int socket);

}  // namespace nave::dataplane
