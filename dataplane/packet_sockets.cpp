// Looking through the process's own descriptors, and keeping fragments apart on packet sockets.
#include "dataplane/packet_sockets.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <linux/if_packet.h>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Stands before libc's function for this process. The af_packet driver asks the kernel to reassemble IP fragments before it
/// hands them over (PACKET_FANOUT_FLAG_DEFRAG) and offers no way to leave that out; what comes back is longer than a frame
/// and would be cut. A gateway wants the fragments as they came, so that one flag is taken out.
extern "C" int setsockopt(int descriptor, int level, int name, const void* value, socklen_t size) noexcept {
    std::uint32_t fanout = 0;
    if (level == SOL_PACKET && name == PACKET_FANOUT && size == sizeof fanout) {
        std::memcpy(&fanout, value, sizeof fanout);
        fanout &= ~(static_cast<std::uint32_t>(PACKET_FANOUT_FLAG_DEFRAG) << 16);
        value = &fanout;
    }
    return static_cast<int>(syscall(SYS_setsockopt, descriptor, level, name, value, size));
}

namespace nave::dataplane {

std::vector<int> packet_sockets() {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", ignored}) {
        const std::string name = entry.path().filename();
        int descriptor = -1, domain = 0;
        std::from_chars(name.data(), name.data() + name.size(), descriptor);
        socklen_t size = sizeof domain;
        if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_PACKET || domain == AF_XDP)) found.push_back(descriptor);
    }
    std::ranges::sort(found);
    return found;
}

std::uint64_t take_ring_drops(int socket) {
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    return getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0 ? statistics.tp_drops : 0;
}

}  // namespace nave::dataplane
