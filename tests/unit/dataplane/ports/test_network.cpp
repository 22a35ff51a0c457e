// The test's network, made with iproute2.
#include "tests/unit/dataplane/ports/test_network.hpp"

#include <arpa/inet.h>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nave::dataplane::test {

bool enter_private_network() {
    static const bool entered = unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up") == 0;
    if (!entered) WARN("skipped: making a network namespace needs root");
    return entered;
}

void ip(const std::string& arguments) {
    INFO("ip " << arguments);
    REQUIRE(std::system(("ip " + arguments).c_str()) == 0);
}

VethPair::VethPair(std::string near_name, std::string far_name) : near{std::move(near_name)}, far{std::move(far_name)} {
    ip("link add " + near + " type veth peer name " + far);
    // The kernel's IPv6 would mix frames of its own into the test's.
    std::ofstream{"/proc/sys/net/ipv6/conf/" + far + "/disable_ipv6"} << "1";
    ip("link set " + far + " up");
}

VethPair::~VethPair() {
    if (std::system(("ip link del " + far + " 2>/dev/null").c_str()) != 0) WARN("interface " << far << " was gone already");
}

Wire::Wire(const std::string& interface) : socket_{socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))} {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const int ignore = 1;
    setsockopt(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof ignore);
}

Wire::~Wire() { close(socket_); }

void Wire::send(std::span<const std::uint8_t> frame) { REQUIRE(::send(socket_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size())); }

std::vector<std::uint8_t> Wire::await(std::size_t offset, std::string_view prefix, int milliseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{milliseconds};
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        pollfd look{.fd = socket_, .events = POLLIN, .revents = 0};
        if (left <= 0 || poll(&look, 1, static_cast<int>(left)) <= 0) return {};
        std::vector<std::uint8_t> frame(65536);
        const auto size = recv(socket_, frame.data(), frame.size(), 0);
        frame.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        if (frame.size() >= offset + prefix.size() && std::memcmp(frame.data() + offset, prefix.data(), prefix.size()) == 0) return frame;
    }
}

std::string line_of(const std::string& file) {
    std::ifstream stream{file};
    std::string line;
    std::getline(stream, line);
    return line;
}

std::string setting(std::string_view family, const std::string& interface, std::string_view key) {
    return line_of("/proc/sys/net/" + std::string{family} + "/conf/" + interface + "/" + std::string{key});
}

namespace {

/// An interface's request of the kernel; fails the test when the kernel refuses it.
void ask(unsigned long command, const std::string& interface, ifreq& request) {
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    const int result = ioctl(control, command, &request);
    close(control);
    REQUIRE(result == 0);
}

}  // namespace

MacAddress mac_of(const std::string& interface) {
    ifreq request{};
    ask(SIOCGIFHWADDR, interface, request);
    MacAddress mac;
    std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
    return mac;
}

std::uint32_t ethtool_value_of(const std::string& interface, std::uint32_t command) {
    ethtool_value value{.cmd = command, .data = 0};
    ifreq request{};
    request.ifr_data = reinterpret_cast<char*>(&value);
    ask(SIOCETHTOOL, interface, request);
    return value.data;
}

}  // namespace nave::dataplane::test
