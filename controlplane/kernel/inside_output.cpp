// A raw socket of IPv6 that takes packets with their headers.
#include "controlplane/kernel/inside_output.hpp"

#include "common/headers.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace nave::kernel {

InsideOutput::InsideOutput() : descriptor_{socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW)} {}

InsideOutput::InsideOutput(InsideOutput&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}

InsideOutput::~InsideOutput() {
    if (descriptor_ >= 0) close(descriptor_);
}

bool InsideOutput::send(ByteView packet, const std::string& twin) {
    Ipv6Header ip;
    if (descriptor_ < 0 || packet.size() < sizeof ip) return false;
    std::memcpy(&ip, packet.data(), sizeof ip);
    if (ip.version() != 6 || ip.hop_limit <= 1) return false;
    --ip.hop_limit;
    Bytes onward{packet.begin(), packet.end()};
    std::memcpy(onward.data(), &ip, sizeof ip);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, ip.destination.data(), sizeof to.sin6_addr);
    if (setsockopt(descriptor_, SOL_SOCKET, SO_BINDTODEVICE, twin.c_str(), static_cast<socklen_t>(twin.size() + 1)) < 0) return false;
    return sendto(descriptor_, onward.data(), onward.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == static_cast<ssize_t>(onward.size());
}

}  // namespace nave::kernel
