// IPv6 through a gateway: inside hosts, tunnels, hop limits, ICMPv6 errors, scopes, replication, redirects, sources of peers.
#include "tests/unit/dataplane/lab.hpp"

#include "common/checksum.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace nave;
using namespace nave::test;

namespace {

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

/// Box N has 2001:db8:N::1 inside, with host 2001:db8:N::9, and tunnel address 2001:db8:ff::N; link-local ones come first.
void give_addresses(Box& box) {
    const auto n = box.number();
    for (const std::string& inside : {std::string{"fe80::1"}, fmt::format("2001:db8:{}::1", n)}) box.command(AddLocalAddress{kInside, ip(inside)});
    for (const std::string& tunnel : {fmt::format("fe80::ff:{}", n), fmt::format("2001:db8:ff::{}", n)}) box.command(AddTunnelAddress{kTunnel, TunnelAddress{ip(tunnel)}});
    box.route(fmt::format("2001:db8:{}::9/128", n), {RouteTarget::Kind::adjacency, 0});
}

void route_to(Box& box, const Box& network, const Box& by) { box.route(fmt::format("2001:db8:{}::/48", network.number()), {RouteTarget::Kind::peer, peer_id(by).value}); }

Bytes to_host(const Box& from, const Box& to, std::size_t payload = 64, Ip6 rest = {}) {
    const std::string source = fmt::format("2001:db8:{}::9", from.number()), destination = fmt::format("2001:db8:{}::9", to.number());
    rest.source = source, rest.destination = destination;
    return ipv6(rest, udp(1000, 2000, pattern(payload)));
}

struct Pair {
    LeakCheck leaks;
    Box a{{.number = 1}}, b{{.number = 2}};
    std::uint64_t sequence = 0;
    explicit Pair(const Peering& peering = {}) {
        connect(a, b, peering);
        give_addresses(a), give_addresses(b);
        route_to(a, b, b), route_to(b, a, a);
    }
    void send(ByteView packet) { a.from_host(packet), a.turn(); }
    /// Out of a's SA at b, whatever it is.
    void receive(const Bytes& inner, std::uint8_t outer_type_of_service = 0) {
        b.from_underlay(forge(a, b, {.sequence = ++sequence, .payload = keyed_gre(inner, kEtherTypeIpv6), .outer_type_of_service = outer_type_of_service}));
        b.turn();
    }
};

/// Two spokes, 1 and 3, around hub 2.
struct Star {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}}, other{{.number = 3}};
    Star() {
        const Peering peering{.multicast = true};
        connect(hub, spoke, peering), connect(hub, other, peering);
        for (Box* box : {&spoke, &hub, &other}) give_addresses(*box);
        route_to(spoke, other, hub), route_to(other, spoke, hub), route_to(hub, spoke, spoke), route_to(hub, other, other);
    }
    void send(ByteView packet) {
        spoke.from_host(packet), spoke.turn();
        carry(spoke, hub);
    }
};

/// The error in a frame: type, code, and where it comes from; its checksum is right.
struct Error {
    std::uint8_t type, code;
    Ipv6Bytes source;
    std::uint32_t mtu;
    bool operator==(const Error&) const = default;
};
Error error_in(const Bytes& frame) {
    REQUIRE(frame.size() >= 14 + 48);
    const auto& header = ipv6_of(frame, 14);
    CHECK(header.next_header == kProtocolIcmpv6);
    CHECK(ipv6_checksum(header, kProtocolIcmpv6, ByteView{frame}.subspan(54)) == 0);
    const auto& icmp = *reinterpret_cast<const Icmpv6Header*>(frame.data() + 54);
    return {icmp.type, icmp.code, header.source, icmp.mtu.host()};
}

}  // namespace

TEST_CASE("an inside host's IPv6 reaches the host behind the peer: GRE protocol 0x86dd, one hop less at each gateway, class outside as inside") {
    Pair pair;
    const Bytes packet = to_host(pair.a, pair.b, 64, {.traffic_class = 0xb9});
    pair.send(packet);
    const auto frames = carry(pair.a, pair.b);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).type_of_service == 0xb9);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 1);
    CHECK(Bytes{arrived[0].begin(), arrived[0].begin() + 14} == concat({kNeighbourMac.bytes, kBoxMac.bytes, Bytes{0x86, 0xdd}}));
    Bytes expected = packet;
    expected[7] = 62;
    CHECK(tail(arrived[0], 14) == expected);
    CHECK(pair.a.drops() + pair.b.drops() == 0);
}

TEST_CASE("IPv6 passes every suite and mode, beside IPv4 in the same burst") {
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::null_sha512);
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    Pair pair{{.algorithm = algorithm, .mode = mode}};
    for (int i = 0; i < 30; ++i) pair.a.from_host(i % 2 == 0 ? to_host(pair.a, pair.b) : host_packet(pair.a, pair.b));
    pair.a.turn();
    carry(pair.a, pair.b);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 30);
    for (std::size_t i = 0; i < arrived.size(); ++i) CHECK((arrived[i][14] >> 4) == (i % 2 == 0 ? 6 : 4));
}

TEST_CASE("a host behind a VLAN reaches an IPv6 neighbour there, tagged") {
    LeakCheck leaks;
    Box box{{.inside_vlan = 30}};
    give_addresses(box);
    box.put(kInside, vlan_tagged(ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv6, ipv6({.source = "2001:db8:1::8", .destination = "2001:db8:1::9"}, pattern(8))), 30));
    box.turn();
    const auto frames = box.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(Bytes{frames[0].begin() + 12, frames[0].begin() + 18} == Bytes{0x81, 0, 0, 30, 0x86, 0xdd});
}

TEST_CASE("padding behind an IPv6 packet is not carried") {
    Pair pair;
    pair.send(concat({to_host(pair.a, pair.b, 1), Bytes(9, 0xee)}));
    carry(pair.a, pair.b);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].size() == 14 + 40 + 8 + 1);
}

TEST_CASE("without an IPv6 route the host is told so from an address that it can reach; a rejecting route says prohibited") {
    Pair pair;
    pair.send(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:77::1"}, pattern(8)));
    pair.a.route("2001:db8:78::/48", {RouteTarget::Kind::reject, 0});
    pair.send(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:78::1"}, pattern(8)));
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 2);
    CHECK(error_in(frames[0]) == Error{1, 0, ipv6_address("2001:db8:1::1"), 0});
    CHECK(error_in(frames[1]) == Error{1, 1, ipv6_address("2001:db8:1::1"), 0});
    CHECK(pair.a.drops(Drop::no_route) == 1);
    CHECK(pair.a.drops(Drop::route_rejected) == 1);
}

TEST_CASE("where the hop limit runs out, the sender is told by that gateway: by its inside address, or through the tunnel by its tunnel address") {
    Pair pair;
    pair.send(to_host(pair.a, pair.b, 64, {.hop_limit = 1}));
    pair.send(to_host(pair.a, pair.b, 64, {.hop_limit = 2}));
    carry(pair.a, pair.b);
    CHECK(pair.a.drops(Drop::ip_ttl_expired) == 1);
    CHECK(pair.b.drops(Drop::ip_ttl_expired) == 1);
    carry(pair.b, pair.a);
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 2);
    CHECK(error_in(frames[0]) == Error{3, 0, ipv6_address("2001:db8:1::1"), 0});
    CHECK(error_in(frames[1]) == Error{3, 0, ipv6_address("2001:db8:ff::2"), 0});
}

TEST_CASE("IPv6 that is too long is never fragmented: the sender learns the MTU, and what has that size passes") {
    Pair pair;
    pair.send(to_host(pair.a, pair.b, 1400 - 48 + 1));
    CHECK(pair.a.drops(Drop::packet_too_big) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(error_in(frames[0]) == Error{2, 0, ipv6_address("2001:db8:1::1"), 1400});
    CHECK(frames[0].size() == 14 + 1280);
    pair.send(to_host(pair.a, pair.b, 1400 - 48));
    CHECK(pair.a.sent(kUnderlay).size() == 1);
    CHECK(pair.a.counters().workers[0].fragments_made.read() == 0);
}

TEST_CASE("no sender is told of an MTU below the minimum of IPv6") {
    Pair pair;
    pair.a.command(SetTunnel{kTunnel, pair.a.table(), true, 42, 1000, true, true, 64});
    pair.send(to_host(pair.a, pair.b, 1280 - 48 + 1));
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(error_in(frames[0]).mtu == 1280);
    pair.send(to_host(pair.a, pair.b, 1280 - 48));
    CHECK(pair.a.sent(kUnderlay).size() == 1);
}

TEST_CASE("the kernel's own IPv6 packet that is too long is answered into the tunnel's twin, from its destination") {
    Pair pair;
    const Bytes packet = ipv6({.source = "2001:db8:ff::1", .destination = "2001:db8:2::9"}, pattern(1400));
    pair.a.inject(PacketMessage::Inject::tunnel, packet);
    pair.a.turn();
    const auto punted = pair.a.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::tunnel);
    CHECK(ipv6_of(punted[0].bytes).source == ipv6_address("2001:db8:2::9"));
    CHECK(ipv6_of(punted[0].bytes).destination == ipv6_address("2001:db8:ff::1"));
    CHECK(punted[0].bytes[40] == 2);
}

TEST_CASE("ICMPv6 errors share the limiter of ICMP's") {
    Pair pair;
    const std::uint32_t burst = Limits{}.icmp_errors.burst;
    for (std::uint32_t i = 0; i < burst; ++i) {
        pair.send(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:77::1"}, pattern(8)));
        pair.send(ipv4({.source = "10.1.0.9", .destination = "10.77.0.1"}, pattern(8)));
    }
    CHECK(pair.a.counters().workers[0].icmp_sent.read() == burst);
}

TEST_CASE("an inside host's IPv6 that stays on the link or is for this box goes up as a frame") {
    LeakCheck leaks;
    Box box;
    give_addresses(box);
    const MacAddress group{{0x33, 0x33, 0, 0, 0, 1}};
    const auto hears = [&](const MacAddress& mac, std::string_view source, std::string_view destination) {
        box.put(kInside, ethernet(mac, kNeighbourMac, kEtherTypeIpv6, ipv6({.source = source, .destination = destination, .next_header = kProtocolIcmpv6}, pattern(24))));
    };
    hears(group, "::", "ff02::1:ff00:9");                     // duplicate address detection
    hears(group, "fe80::9", "ff02::2");                       // router solicitation
    hears(kBoxMac, "2001:db8:1::9", "fe80::1");               // neighbour discovery
    hears(kBoxMac, "fe80::9", "2001:db8:2::9");               // a link-local source goes nowhere else
    hears(kBoxMac, "2001:db8:1::9", "2001:db8:1::1");
    hears(kBoxMac, "2001:db8:1::9", "2001:db8:ff::1");
    box.turn();
    const auto punted = box.punted();
    CHECK(punted.size() == 6);
    for (const auto& each : punted) {
        CHECK(each.punt == Punt::local);
        CHECK(each.bytes.size() == 14 + 40 + 24);
    }
    CHECK(box.drops() == 0);
}

TEST_CASE("an inside host's broken and forged IPv6 is dropped by name") {
    LeakCheck leaks;
    Box box;
    give_addresses(box);
    box.from_host(ipv6({.source = "::1", .destination = "2001:db8:2::9"}, pattern(8)));
    box.from_host(ipv6({.source = "2001:db8:1::9", .destination = "::1"}, pattern(8)));
    box.from_host(ipv6({.source = "2001:db8:1::9", .destination = "ff01::1"}, pattern(8)));
    box.put(kInside, ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeIpv6, ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:2::9"}, pattern(8))));
    box.from_host(Bytes(39, 0x60));
    Bytes cut = ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:2::9"}, pattern(8));
    cut.pop_back();
    box.from_host(cut);
    box.put(kInside, ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv6, ipv4({.source = "10.1.0.9", .destination = "10.1.0.9"}, pattern(40))));
    box.turn();
    CHECK(box.drops(Drop::ip_bad_source) == 1);
    CHECK(box.drops(Drop::ip_bad_destination) == 3);
    for (const Drop reason : {Drop::ip_runt, Drop::ip_bad_total_length, Drop::ip_bad_version}) CHECK(box.drops(reason) == 1);
    CHECK(box.punted().empty());
    CHECK(box.sent(kInside).empty());
}

TEST_CASE("a peer may send IPv6 from its permitted prefixes only, packet by packet") {
    Pair pair;
    pair.b.command(peer_command(peer_id(pair.a), {.any_source = false}, {"2001:db8:1::/48", "2001:db8:ff::1/128", "fe80::ff:1/128"}));
    const auto from = [](std::string_view source, std::string_view destination) { return ipv6({.source = source, .destination = destination}, pattern(8)); };
    pair.receive(from("2001:db8:1:ffff::1", "2001:db8:2::9"));
    pair.receive(from("2001:db8:ff::1", "2001:db8:2::9"));
    pair.receive(from("fe80::ff:1", "ff02::5"));
    CHECK(pair.b.sent(kInside).size() == 2);
    CHECK(pair.b.punted().size() == 1);
    for (const auto* stranger : {"2001:db8:2::1", "2001:db8:ff::2", "fd00::1"}) pair.receive(from(stranger, "2001:db8:2::9"));
    for (const auto* destination : {"ff02::5", "2001:db8:ff::2"}) pair.receive(from("fe80::ff:3", destination));
    CHECK(pair.b.drops(Drop::peer_wrong_source) == 5);
    CHECK(pair.b.sent(kInside).empty());
    CHECK(pair.b.punted().empty());
}

TEST_CASE("a peer's IPv6 to the tunnel address, to many, or with a link-local address goes to the tunnel's twin and no further") {
    Pair pair;
    for (const auto* destination : {"2001:db8:ff::2", "2001:db8:2::1", "fe80::ff:2", "fe80::77", "ff02::5", "ff0e::1"})
        pair.receive(ipv6({.source = "2001:db8:ff::1", .destination = destination}, pattern(8)));
    pair.receive(ipv6({.source = "fe80::ff:1", .destination = "2001:db8:2::9"}, pattern(8)));
    const auto punted = pair.b.punted();
    CHECK(punted.size() == 7);
    for (const auto& each : punted) {
        CHECK(each.punt == Punt::tunnel);
        CHECK(each.peer == peer_id(pair.a));
        CHECK(each.bytes.size() == 48);
    }
    CHECK(pair.b.sent(kInside).empty());
    CHECK(pair.b.sent(kUnderlay).empty());
}

TEST_CASE("a martian in IPv6 inside a tunnel is dropped even from a peer that may use any source") {
    Pair pair;
    pair.receive(ipv6({.source = "::1", .destination = "2001:db8:2::9"}, pattern(8)));
    pair.receive(ipv6({.source = "ff02::1", .destination = "2001:db8:2::9"}, pattern(8)));
    pair.receive(ipv6({.source = "2001:db8:1::9", .destination = "::"}, pattern(8)));
    CHECK(pair.b.drops(Drop::ip_bad_source) == 2);
    CHECK(pair.b.drops(Drop::ip_bad_destination) == 1);
}

TEST_CASE("congestion on the underlay is marked in the traffic class, and drops what cannot carry the mark (RFC 6040)") {
    Pair pair;
    constexpr std::uint8_t kEct0 = 2, kMarked = 3;
    pair.receive(to_host(pair.a, pair.b, 8, {.traffic_class = 0xb8 | kEct0}), kMarked);
    const auto frames = pair.b.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(ipv6_of(frames[0], 14).traffic_class() == (0xb8 | kMarked));
    pair.receive(to_host(pair.a, pair.b, 8, {.traffic_class = 0xb8}), kMarked);
    CHECK(pair.b.drops(Drop::ecn_not_capable) == 1);
}

TEST_CASE("the MSS of IPv6 SYNs is lowered to the tunnel on their way in and out") {
    Pair pair;
    const Ip6 out{.source = "2001:db8:1::9", .destination = "2001:db8:2::9", .next_header = kProtocolTcp, .hop_limit = 64};
    pair.send(tcp_syn6(out, 1440));
    carry(pair.a, pair.b);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 1);
    CHECK(tail(arrived[0], 14 + 40) == tail(tcp_syn6(out, 1340), 40));
    pair.sequence = 1;  // of what was carried
    pair.receive(tcp_syn6(out, 1440));
    const auto from_peer = pair.b.sent(kInside);
    REQUIRE(from_peer.size() == 1);
    CHECK(tail(from_peer[0], 14 + 40) == tail(tcp_syn6(out, 1340), 40));
}

TEST_CASE("a hub relays IPv6 between spokes and tells its control plane once per pair and interval that a shortcut is possible") {
    Star star;
    for (int i = 0; i < 5; ++i) star.send(to_host(star.spoke, star.other, 300));
    CHECK(carry(star.hub, star.other).size() == 5);
    const auto frames = star.other.sent(kInside);
    REQUIRE(frames.size() == 5);
    CHECK(ipv6_of(frames[0], 14).hop_limit == 61);
    const auto punted = star.hub.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::redirect);
    CHECK(punted[0].bytes.size() == 128);
    CHECK((punted[0].bytes[0] >> 4) == 6);
    star.hub.sleep(11 * kSecond);
    star.send(to_host(star.spoke, star.other));
    CHECK(star.hub.punted().size() == 1);
}

TEST_CASE("IPv6 multicast of the kernel reaches every member, link-local hellos too; of an inside host only what leaves the link, one hop less") {
    Star star;
    star.hub.inject(PacketMessage::Inject::tunnel, ipv6({.source = "fe80::ff:2", .destination = "ff02::5", .next_header = 89, .hop_limit = 1}, pattern(40)));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 2);
    star.hub.from_host(ipv6({.source = "2001:db8:2::9", .destination = "ff0e::1", .hop_limit = 5}, pattern(40)));
    star.hub.from_host(ipv6({.source = "2001:db8:2::9", .destination = "ff02::5", .hop_limit = 5}, pattern(40)));
    star.hub.from_host(ipv6({.source = "2001:db8:2::9", .destination = "ff0e::1", .hop_limit = 1}, pattern(40)));
    star.hub.turn();
    for (const Bytes& frame : star.hub.sent(kUnderlay)) {
        Box& to = ip_of(frame, 14).destination.host() == address("192.0.2.1") ? star.spoke : star.other;
        to.put(kUnderlay, concat({kBoxMac.bytes, ByteView{frame}.subspan(6)}));
        to.turn(1);
    }
    for (Box* spoke : {&star.spoke, &star.other}) {
        const auto punted = spoke->punted();
        REQUIRE(punted.size() == 1);
        CHECK(ipv6_of(punted[0].bytes).hop_limit == 4);
    }
    CHECK(star.hub.drops(Drop::ip_ttl_expired) == 1);
    CHECK(star.hub.punted().size() == 1);
}

TEST_CASE("IPv6 multicast that is too long is dropped, and its sender told the MTU (RFC 4443 2.4 (e.3))") {
    Star star;
    star.hub.from_host(ipv6({.source = "2001:db8:2::9", .destination = "ff0e::1"}, pattern(1440)));
    star.hub.turn();
    CHECK(star.hub.drops(Drop::packet_too_big) == 1);
    CHECK(star.hub.sent(kUnderlay).empty());
    const auto frames = star.hub.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(error_in(frames[0]).mtu == 1400);
}

TEST_CASE("an IPv6 neighbour that the kernel has to resolve, and an address of the kernel's, go to the twin of the table's tunnel") {
    Pair pair;
    pair.a.route("2001:db8:1::/64", {RouteTarget::Kind::twin, 0});
    pair.a.route("2001:db8:99::1/128", {RouteTarget::Kind::twin, 1});
    pair.send(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:1::77"}, pattern(8)));
    pair.send(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:99::1"}, pattern(8)));
    const auto punted = pair.a.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::glean);
    CHECK(punted[1].punt == Punt::tunnel);
    CHECK(punted[1].bytes.size() == 48);
}

TEST_CASE("without an SA no IPv6 leaves in clear") {
    Pair pair;
    pair.a.command(RemoveOutboundSa{slot_for(pair.b), peer_id(pair.b)});
    pair.send(to_host(pair.a, pair.b));
    CHECK(pair.a.drops(Drop::peer_no_sa) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
}
