// Socket options of packet sockets.
#include "tests/rig/throughput/kernel_sockets.hpp"

#include "dataplane/packet_sockets.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>

namespace nave::rig::throughput {

void widen_send_buffers() {
    constexpr int kBytes = 64 << 20;
    for (const int socket : dataplane::packet_sockets()) setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &kBytes, sizeof kBytes);
}

std::uint64_t take_ring_drops() {
    std::uint64_t drops = 0;
    for (const int socket : dataplane::packet_sockets()) {
        tpacket_stats statistics{};  // the kernel starts again from zero when it is read
        socklen_t size = sizeof statistics;
        if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) drops += statistics.tp_drops;
    }
    return drops;
}

}  // namespace nave::rig::throughput
