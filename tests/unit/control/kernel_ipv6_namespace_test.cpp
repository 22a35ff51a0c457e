// Tests of IPv6 on twins against a real kernel, each in a network namespace of its own. Need root; skipped otherwise.
#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"
#include "controlplane/kernel/kernel.hpp"
#include "tests/unit/control/kernel_namespace.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <poll.h>

using namespace nave;
using namespace nave::kernel;

namespace {

constexpr MacAddress kWanMac{{2, 0, 0, 0, 0, 1}}, kFarMac{{2, 0, 0, 0, 0, 9}};
constexpr std::uint8_t kSolicitation = 135, kAdvertisement = 136;
constexpr std::size_t kIcmp = sizeof(EthernetHeader) + sizeof(Ipv6Header), kTarget = kIcmp + 8;

Plan dual_stack() {
    Plan plan;
    plan.ports.push_back({.port = PortId{0}, .twin = "wan", .mac = kWanMac, .addresses = {{ip("192.0.2.7"), 24}, {ip("2001:db8::7"), 64}},
                          .gateways = {ip("192.0.2.254"), ip("fe80::99")}});
    plan.ports.push_back({.port = PortId{1}, .twin = "lan", .mac = {{2, 0, 0, 0, 0, 2}}, .tunnel = TunnelId{0}, .table = 1000,
                          .addresses = {{ip("10.1.0.1"), 24}, {ip("fd00:1::1"), 64}}});
    plan.tunnels.push_back({.tunnel = TunnelId{0}, .twin = "nave0", .mtu = 1400, .table = 1000, .address = {ip("10.255.0.2"), 24}});
    return plan;
}

/// The kernel side of a dual-stack spoke, its addresses ready. Duplicates are not looked for, which would take another second.
struct Bench {
    std::optional<Kernel> kernel;
    std::unique_ptr<PacketMessage> message = std::make_unique<PacketMessage>();

    Bench() {
        run("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
        auto opened = Kernel::open(dual_stack(), 100, 1);
        if (!opened) FAIL(opened.error());
        kernel.emplace(std::move(*opened));
        // The link-local address comes by the first look, and is told of in the kernel's own time.
        for (int look = 0; look < 3; ++look) {
            for (int i = 0; i < 100 && contains(run("ip -6 address show tentative"), "inet6"); ++i) poll(nullptr, 0, 50);
            follow();
        }
    }
    void follow() {
        for (const overlay::Log& line : kernel->synchronise().log) FAIL(line.text);
    }
    /// The next packet of a twin, 0 wan, 1 lan, 2 nave0, that `matches`.
    bool receives(std::size_t twin, auto&& matches, int milliseconds = 500) {
        pollfd wait{.fd = kernel->twin_descriptor(twin), .events = POLLIN, .revents = 0};
        while (poll(&wait, 1, milliseconds) > 0)
            if (kernel->read(twin, *message) && matches(message->view())) return true;
        return false;
    }
    void deliver(Punt punt, ByteView bytes, std::uint16_t port = 0) {
        auto punted = std::make_unique<PacketMessage>();
        punted->punt = punt, punted->port = PortId{port}, punted->tunnel = TunnelId{0};
        punted->set(bytes);
        kernel->deliver(*punted);
    }
};

/// A frame of neighbour discovery of that type about that address.
auto discovery(std::uint8_t type, const IpAddress& target) {
    return [type, target](ByteView frame) {
        return frame.size() >= kTarget + 16 && (frame[12] << 8 | frame[13]) == kEtherTypeIpv6 && frame[kIcmp] == type &&
               IpAddress::from_bytes(frame.subspan(kTarget, 16)) == target;
    };
}

/// A neighbour on the underlay asks for our address (RFC 4861 §4.3), to the solicited-node group.
Bytes solicitation(const IpAddress& from, const Ipv6Bytes& target) {
    Ipv6Header ip{};
    ip.version_class_flow = be32(6u << 28);
    ip.payload_length = be16(32);
    ip.next_header = kProtocolIcmpv6;
    ip.hop_limit = 255;
    std::memcpy(ip.source.data(), from.bytes().data(), 16);
    ip.destination = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target[13], target[14], target[15]};
    ByteWriter body;
    body.u8(kSolicitation);
    body.u8(0);
    body.u16(0);
    body.u32(0);
    body.bytes(target);
    body.u8(1);
    body.u8(1);
    body.bytes(kFarMac.bytes);
    body.patch_u16(2, ipv6_checksum(ip, kProtocolIcmpv6, body.view()));
    ByteWriter frame;
    frame.bytes(Bytes{0x33, 0x33, 0xff, target[13], target[14], target[15]});
    frame.bytes(kFarMac.bytes);
    frame.u16(kEtherTypeIpv6);
    frame.bytes({reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip});
    frame.bytes(body.view());
    return frame.take();
}

Bytes udp_packet(const char* from, const char* to) {
    const Bytes frame = datagram_frames({.source = {}, .destination = {}}, {{ip(from)}, 7000}, {{ip(to)}, 7001}, Bytes(32)).at(0);
    return {frame.begin() + 14, frame.end()};
}

}  // namespace

TEST_CASE("a dual-stack port has both underlay addresses, and a link-local one to ask from") {
    if (!in_new_namespace()) return;
    const Bench bench;
    const View& view = bench.kernel->view();
    CHECK(view.interfaces.underlay_addresses.at({PortId{0}, Family::v4}) == ip("192.0.2.7"));
    CHECK(view.interfaces.underlay_addresses.at({PortId{0}, Family::v6}) == ip("2001:db8::7"));
    CHECK(view.interfaces.local_addresses.contains({PortId{0}, ip("fe80::ff:fe00:1")}));
    CHECK(contains(run("ip -6 route"), "default via fe80::99 dev wan"));
    CHECK_FALSE(contains(run("ip -6 address show nave0"), "inet6"));
}

TEST_CASE("the kernel answers neighbour solicitations for the twin's address") {
    if (!in_new_namespace()) return;
    Bench bench;
    const IpAddress us = ip("2001:db8::7");
    Ipv6Bytes target{};
    std::copy(us.bytes().begin(), us.bytes().end(), target.begin());
    bench.deliver(Punt::arp, solicitation(ip("2001:db8::9"), target));
    REQUIRE(bench.receives(0, discovery(kAdvertisement, us)));
    CHECK(std::equal(kFarMac.bytes.begin(), kFarMac.bytes.end(), bench.message->bytes.begin()));
    CHECK((bench.message->bytes[kIcmp + 4] & 0x80) == 0);  // the underlay's side of the gateway is a host
}

TEST_CASE("the kernel asks for a link-local next hop of the underlay when it is told to resolve it") {
    if (!in_new_namespace()) return;
    Bench bench;
    bench.kernel->resolve(PortId{0}, ip("fe80::99"));
    CHECK(bench.receives(0, discovery(kSolicitation, ip("fe80::99"))));
    run("ip neighbour replace fe80::99 lladdr 02:00:00:00:00:99 dev wan");
    bench.follow();
    CHECK(bench.kernel->view().underlay.neighbours.at({PortId{0}, ip("fe80::99")}).mac == MacAddress{{2, 0, 0, 0, 0, 0x99}});
}

TEST_CASE("an unknown inside host of IPv6 is asked for and gets its first packet, once, whether or not the kernel forwards IPv6") {
    if (!in_new_namespace()) return;
    Bench bench;
    run(GENERATE("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"));
    const Bytes packet = udp_packet("fd00:2::9", "fd00:1::6");
    bench.deliver(Punt::glean, packet);
    REQUIRE(bench.receives(1, discovery(kSolicitation, ip("fd00:1::6"))));
    run("ip neighbour replace fd00:1::6 lladdr 02:00:00:00:00:06 dev lan");
    Bytes onward = packet;
    --onward[7];
    const auto is_ours = [&](ByteView frame) { return std::ranges::equal(frame.subspan(sizeof(EthernetHeader)), onward); };
    REQUIRE(bench.receives(1, is_ours));
    CHECK(bench.message->bytes[5] == 6);
    CHECK_FALSE(bench.receives(1, is_ours, 100));
}

TEST_CASE("hosts behind an inside port hear that the gateway is a router") {
    if (!in_new_namespace()) return;
    Bench bench;
    Ipv6Bytes target{0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    bench.deliver(Punt::arp, solicitation(ip("fd00:1::9"), target), 1);
    REQUIRE(bench.receives(1, discovery(kAdvertisement, ip("fd00:1::1"))));
    CHECK((bench.message->bytes[kIcmp + 4] & 0x80) != 0);
}

TEST_CASE("neither IPv6 default route captures the other's traffic, and no error about the tunnel leaves by the underlay") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip neighbour replace fe80::99 lladdr 02:00:00:00:00:99 dev wan; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    bench.follow();
    CHECK(contains(run("ip route get 2001:db8:9::1"), "dev wan"));
    CHECK(contains(run("ip route get fd00:1::77"), "dev lan"));
    CHECK(contains(run("ip route get 2001:db8:9::1 from fd00:1::1"), "unreachable"));
    bench.deliver(Punt::tunnel, udp_packet("fd00:2::9", "2001:db8:9::1"));
    CHECK_FALSE(bench.receives(0, [](ByteView frame) { return frame[kIcmp - 34] == kProtocolIcmpv6 && frame[kIcmp] < 128; }, 200));
    run("ip route add default dev nave0 table 1000");
    bench.follow();
    CHECK(contains(run("ip route get 2001:db8:9::1"), "dev wan"));
    CHECK(contains(run("ip route get 2001:db8:9::1 from 2001:db8::7"), "dev wan"));
}

TEST_CASE("rules of IPv6 go with the process, and the underlay hears no router advertisements") {
    if (!in_new_namespace()) return;
    {
        const Bench bench;
        CHECK(contains(run("ip -6 rule"), "iif nave0"));
        CHECK(run("cat /proc/sys/net/ipv6/conf/wan/accept_ra") == "0\n");
    }
    const std::string rules = run("ip -6 rule");
    CHECK_FALSE(contains(rules, "1000"));
    CHECK_FALSE(contains(rules, "fe80"));
}
