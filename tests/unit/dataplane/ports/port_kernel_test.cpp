// Ports over kernel interfaces, with the kernel's own packets on the other side. Needs root.
#include "dataplane/port.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "dataplane/gateway.hpp"
#include "tests/unit/dataplane/ports/port_bench.hpp"
#include "tests/unit/dataplane/ports/test_network.hpp"

#include <arpa/inet.h>
#include <array>
#include <catch2/catch.hpp>
#include <net/if.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace nave;
using namespace nave::dataplane;
using namespace nave::dataplane::test;
using namespace std::chrono_literals;

namespace {

/// The test's EtherType, after which a frame of broadcast() is told from the kernel's own.
constexpr std::string_view kOurs{"\x88\xb5", 2};

/// Sends a datagram of the kernel through `interface`, as a host beside the gateway does; the neighbour is the port.
void send_datagram_of_kernel(const std::string& interface, const MacAddress& neighbour, std::size_t size) {
    ip("address add 10.7.0.1/24 dev " + interface);
    ip("neighbor add 10.7.0.2 lladdr " + neighbour.to_string() + " dev " + interface);
    const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(500);
    to.sin_addr.s_addr = inet_addr("10.7.0.2");
    const Frame payload(size, 0x42);
    CHECK(sendto(udp, payload.data(), payload.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == static_cast<ssize_t>(size));
    close(udp);
}

/// Over the datagram and its pseudo-header; 0 when the checksum is right.
std::uint16_t checksum_of_datagram(const Frame& frame) {
    const ByteView datagram = ByteView{frame}.subspan(34), addresses = ByteView{frame}.subspan(26, 8);
    return static_cast<std::uint16_t>(~checksum_fold(checksum_add(checksum_add(kProtocolUdp + datagram.size(), addresses), datagram)));
}

bool is_datagram(const Frame& frame) { return frame.size() > 42 && frame[12] == 0x08 && frame[13] == 0x00 && frame[23] == kProtocolUdp; }

Frame receive_datagram(Port& port) {
    for (int other = 0; other < 50; ++other) {
        auto frame = receive(port);
        if (frame.empty() || is_datagram(frame)) return frame;
    }
    return {};
}

}  // namespace

TEST_CASE("an af_packet port sends to the wire and receives from it") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Wire wire{"wire0"};
    wire.send(broadcast(200, 7));
    CHECK(receive_ours(port) == broadcast(200, 7));
    send(port, buffers, broadcast(1514, 8));
    CHECK(wire.await(12, kOurs, 1000) == broadcast(1514, 8));
}

TEST_CASE("frames that find an af_packet port's ring full are counted as lost") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Wire wire{"wire0"};
    constexpr std::uint64_t kSent = 5000;
    for (std::uint64_t i = 0; i < kSent; ++i) wire.send(broadcast(100, 7));
    const std::uint64_t missed = port.losses().missed;
    CHECK(missed > 0);
    std::uint64_t received = 0;
    while (!receive_ours(port).empty()) ++received;
    CHECK(received + missed >= kSent);
    CHECK(port.losses().missed == missed);
}

TEST_CASE("an af_packet port has its interface's address and MTU") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    ip("link set port0 address 02:11:22:33:44:55 mtu 1400");
    Buffers buffers;
    const auto port = open_port("af_packet:port0", buffers);
    CHECK(port.mac().to_string() == "02:11:22:33:44:55");
    CHECK(port.capabilities().mtu == 1400);
    CHECK(port.capabilities().driver == "net_af_packet");
}

TEST_CASE("a packet in several buffers leaves an af_packet port as one frame") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Wire wire{"wire0"};
    std::array<rte_mbuf*, 1> burst{buffers.packet(broadcast(1000, 3), 100)};
    REQUIRE(port.transmit(0, burst) == 1);
    CHECK(wire.await(12, kOurs, 1000) == broadcast(1000, 3));
}

TEST_CASE("an af_packet port on a jumbo interface carries its largest frames") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    ip("link set port0 mtu 9000");
    ip("link set wire0 mtu 9000");
    Buffers buffers{Port::data_room(9000)};
    auto port = open_port("af_packet:port0", buffers);
    Wire wire{"wire0"};
    wire.send(broadcast(9014, 7));
    CHECK(receive_ours(port) == broadcast(9014, 7));
    send(port, buffers, broadcast(9014, 8));
    CHECK(wire.await(12, kOurs, 1000) == broadcast(9014, 8));
}

TEST_CASE("a jumbo interface over ordinary buffers is refused with the command that helps") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    ip("link set port0 mtu 9000");
    Buffers buffers;
    CHECK_THAT(refused_port("af_packet:port0", buffers), Catch::Contains("ip link set port0 mtu 1500"));
}

TEST_CASE("a tag that a VLAN neighbour sends is still in the received frame") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Wire wire{"wire0"};
    auto tagged = broadcast(100);
    const std::array<std::uint8_t, 4> tag{0x81, 0x00, 0x00, 0x64};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    wire.send(tagged);
    Frame got;
    for (int other = 0; other < 50 && got != tagged; ++other) got = receive(port);
    CHECK(got == tagged);
}

TEST_CASE("a kernel's unfinished UDP checksum is complete when the port hands the packet over") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Wire beside{"port0"};
    send_datagram_of_kernel("wire0", port.mac(), 301);
    const auto unfinished = beside.await(12, std::string_view{"\x08\x00", 2}, 1000);
    const auto received = receive_datagram(port);
    REQUIRE(is_datagram(received));
    CHECK(checksum_of_datagram(unfinished) != 0);
    CHECK(checksum_of_datagram(received) == 0);
}

TEST_CASE("fragments arrive at an af_packet port as they were sent, not put together by the kernel") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    send_datagram_of_kernel("wire0", port.mac(), 3000);
    for (const std::uint16_t offset : std::initializer_list<std::uint16_t>{0, 1480, 2960}) {
        const auto fragment = receive_datagram(port);
        REQUIRE(is_datagram(fragment));
        const auto& header = *reinterpret_cast<const Ipv4Header*>(fragment.data() + 14);
        CHECK((header.fragment.host() & Ipv4Header::kOffsetMask) * 8 == offset);
        CHECK(fragment.size() == 14u + header.total_length.host());
    }
}

TEST_CASE("a worker that rests over an af_packet port is woken by a packet") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    REQUIRE(port.capabilities().wakes);
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {*port.wake(0)}, true};
    drain(port);
    CHECK(rest(pause, 50ms) >= 50ms);
    Wire wire{"wire0"};
    std::jthread neighbour{[&] {
        std::this_thread::sleep_for(20ms);
        wire.send(broadcast(60));
    }};
    CHECK(rest(pause, 10s) < 5s);
    CHECK(receive_ours(port) == broadcast(60));
}

TEST_CASE("a packet that came before the rest is not slept over") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {*port.wake(0)}, true};
    Wire wire{"wire0"};
    wire.send(broadcast(60));
    CHECK(rest(pause, 10s) < 5s);
}

TEST_CASE("an interface that goes down and up again neither spins the worker nor loses the port") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {*port.wake(0)}, true};
    ip("link set port0 down");
    drain(port);
    rest(pause, 50ms);
    CHECK(rest(pause, 50ms) >= 50ms);
    CHECK_FALSE(port.link().up);
    ip("link set port0 up");
    Wire wire{"wire0"};
    wire.send(broadcast(60));
    CHECK(receive_ours(port) == broadcast(60));
    CHECK(port.link().up);
}

TEST_CASE("sending on an interface that is down neither blocks the worker nor loses buffers") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers);
    const auto before = buffers.available();
    ip("link set port0 down");
    for (int i = 0; i < 5000; ++i) {
        std::array<rte_mbuf*, 1> burst{buffers.packet(broadcast(60))};
        if (port.transmit(0, burst) == 0) rte_pktmbuf_free(burst[0]);
    }
    CHECK(buffers.available() == before);
}

TEST_CASE("an af_packet port with several queues spreads flows over them") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_packet:port0", buffers, 2);
    REQUIRE(port.capabilities().queues == 2);
    CHECK(port.capabilities().wakes);
    Wire wire{"wire0"};
    for (std::uint8_t flow = 1; flow <= 64; ++flow) {
        Frame frame = broadcast(60, 0);
        const std::array<std::uint8_t, 32> packet{0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, kProtocolUdp, 0, 0,
                                                  10, 0, 0, flow, 10, 0, 1, flow, 0, flow, 1, 0xf4, 0, 26, 0, 0, 0, 0};
        std::ranges::copy(packet, frame.begin() + 12);
        wire.send(frame);
    }
    const auto count = [&](std::uint16_t queue) {
        int frames = 0;
        while (!receive(port, queue, 100ms).empty()) ++frames;
        return frames;
    };
    const int first = count(0), second = count(1);
    CHECK(first > 0);
    CHECK(second > 0);
    CHECK(first + second >= 64);
}

TEST_CASE("an interface is one port's at a time, and free when that port is closed") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    for (int round = 0; round < 2; ++round) {
        const auto port = open_port("af_packet:port0", buffers);
        CHECK_THAT(refused_port("af_packet:port0", buffers), Catch::Contains("is in use by process"));
        CHECK(setting("ipv4", "port0", "arp_ignore") == "8");
    }
    CHECK(setting("ipv4", "port0", "arp_ignore") == "0");
}

TEST_CASE("an interface that does not exist is refused by the port with its number") {
    if (!enter_private_network()) return;
    Buffers buffers;
    CHECK_THAT(refused_port("af_packet:nosuch0", buffers), Catch::Contains("there is no interface nosuch0"));
}

TEST_CASE("an af_xdp port sends, receives and wakes a resting worker") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_xdp:port0", buffers);
    Wire wire{"wire0"};
    wire.send(broadcast(200, 7));
    CHECK(receive_ours(port) == broadcast(200, 7));
    send(port, buffers, broadcast(1514, 8));
    CHECK(wire.await(12, kOurs, 1000) == broadcast(1514, 8));
    drain(port);
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {port.wake(0).value()}, true};
    CHECK(rest(pause, 30ms) >= 30ms);
    wire.send(broadcast(60));
    CHECK(rest(pause, 10s) < 5s);
}

TEST_CASE("a packet in several buffers leaves through a device that cannot send chains") {
    if (!enter_private_network()) return;
    VethPair veth{"port0", "wire0"};
    Buffers buffers;
    auto port = open_port("af_xdp:port0", buffers);
    REQUIRE_FALSE(port.capabilities().transmits_segments);
    Wire wire{"wire0"};
    std::array<rte_mbuf*, 2> burst{buffers.packet(broadcast(1000, 3), 100), buffers.packet(broadcast(60, 4))};
    REQUIRE(port.transmit(0, burst) == 2);
    CHECK(wire.await(12, kOurs, 1000) == broadcast(1000, 3));
    CHECK(wire.await(12, kOurs, 1000) == broadcast(60, 4));
}

TEST_CASE("a tap port makes a kernel interface, carries frames both ways and wakes a resting worker") {
    if (!enter_private_network()) return;
    Buffers buffers;
    auto port = open_port("tap:tap0", buffers);
    ip("link set tap0 up");
    Wire kernel{"tap0"};
    send(port, buffers, broadcast(1514, 8));
    CHECK(kernel.await(12, kOurs, 1000) == broadcast(1514, 8));
    kernel.send(broadcast(200, 7));
    CHECK(receive_ours(port) == broadcast(200, 7));
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {port.wake(0).value()}, true};
    kernel.send(broadcast(60));
    CHECK(rest(pause, 10s) < 5s);
}

TEST_CASE("the interface of a tap port goes away with the port") {
    if (!enter_private_network()) return;
    Buffers buffers;
    { const auto port = open_port("tap:tap0", buffers); }
    CHECK(if_nametoindex("tap0") == 0);
}

TEST_CASE("a UDP checksum that a kernel leaves on a tap is complete") {
    if (!enter_private_network()) return;
    Buffers buffers;
    auto port = open_port("tap:tap0", buffers);
    ip("link set tap0 up");
    send_datagram_of_kernel("tap0", port.mac(), 301);
    const auto received = receive_datagram(port);
    REQUIRE(is_datagram(received));
    CHECK(checksum_of_datagram(received) == 0);
}
