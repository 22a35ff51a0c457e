// Forwarding: routes, TTL, relaying through a hub, redirects, ICMP errors, MSS; and failing closed.
#include "tests/unit/dataplane/lab.hpp"

#include "common/checksum.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

struct Pair {
    LeakCheck leaks;
    Box a{{.number = 1}}, b{{.number = 2}};
    explicit Pair(const Peering& peering = {}) { connect(a, b, peering); }
    void send(ByteView packet) { a.from_host(packet), a.turn(); }
};

/// Two spokes, 1 and 3, around hub 2.
struct Star {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}}, other{{.number = 3}};
    Star() {
        connect(spoke, hub), connect(other, hub);
        spoke.route("10.3.0.0/16", {RouteTarget::Kind::peer, peer_id(hub).value});
        other.route("10.1.0.0/16", {RouteTarget::Kind::peer, peer_id(hub).value});
    }
    void send(ByteView packet) {
        spoke.from_host(packet), spoke.turn();
        carry(spoke, hub);
    }
};

const IcmpHeader& icmp_of(const Bytes& frame) { return *reinterpret_cast<const IcmpHeader*>(frame.data() + 34); }

}  // namespace

TEST_CASE("the longest matching route decides") {
    Pair pair;
    pair.a.route("10.2.3.0/24", {RouteTarget::Kind::reject, 0});
    pair.a.route("10.2.3.4/32", {RouteTarget::Kind::peer, peer_id(pair.b).value});
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.2.3.4"}, pattern(8)));
    CHECK(pair.a.sent(kUnderlay).size() == 1);
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.2.3.5"}, pattern(8)));
    CHECK(pair.a.drops(Drop::route_rejected) == 1);
    pair.a.command(RemoveRoute{pair.a.table(), Prefix::parse("10.2.3.0/24").value()});
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.2.3.5"}, pattern(8)));
    CHECK(pair.a.sent(kUnderlay).size() == 1);
}

TEST_CASE("without a route the host is told that the network is unreachable") {
    Pair pair;
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.77.0.1"}, pattern(8)));
    CHECK(pair.a.drops(Drop::no_route) == 1);
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(icmp_of(frames[0]).type == 3);
    CHECK(icmp_of(frames[0]).code == 0);
    CHECK(ip_of(frames[0], 14).source.host() == address("10.1.0.1"));
}

TEST_CASE("a route of an unknown table, and the removal of none, is refused and counted, not lost silently") {
    Pair pair;
    pair.a.command(RemoveRoute{pair.a.table(), Prefix::parse("2001:db8::/32").value()});
    pair.a.command(SetRoute{TableId{77}, Prefix::parse("10.0.0.0/8").value(), {}});
    pair.a.command(RemoveRoute{pair.a.table(), Prefix::parse("10.99.0.0/24").value()});
    CHECK(pair.a.counters().routes.refused.read() == 3);
}

TEST_CASE("a packet whose TTL runs out is answered from the inside address with time exceeded") {
    Pair pair;
    const Bytes packet = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .ttl = 1}, pattern(40));
    pair.send(packet);
    CHECK(pair.a.drops(Drop::ip_ttl_expired) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(icmp_of(frames[0]).type == 11);
    CHECK(tail(frames[0], 42) == packet);
}

TEST_CASE("a packet whose TTL runs out at the far gateway is answered through the tunnel, from the tunnel address") {
    Pair pair;
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .ttl = 2}, pattern(40)));
    carry(pair.a, pair.b);
    CHECK(pair.b.drops(Drop::ip_ttl_expired) == 1);
    carry(pair.b, pair.a);
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).source.host() == address("172.16.0.2"));
    CHECK(icmp_of(frames[0]).type == 11);
}

TEST_CASE("ICMP errors are limited in rate") {
    Pair pair;
    const std::uint32_t burst = Limits{}.icmp_errors.burst;
    for (std::uint32_t i = 0; i < burst + 20; ++i) pair.send(ipv4({.source = "10.1.0.9", .destination = "10.77.0.1"}, pattern(8)));
    CHECK(pair.a.counters().workers[0].icmp_sent.read() == burst);
    CHECK(pair.a.sent(kInside).size() == burst);
}

TEST_CASE("a hub relays from spoke to spoke, one hop more") {
    Star star;
    star.send(ipv4({.source = "10.1.0.9", .destination = "10.3.0.9"}, pattern(100)));
    carry(star.hub, star.other);
    const auto frames = star.other.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).time_to_live == 61);
}

TEST_CASE("a hub tells the control plane once per pair and interval that a shortcut is possible") {
    Star star;
    const Bytes packet = ipv4({.source = "10.1.0.9", .destination = "10.3.0.9"}, pattern(300));
    for (int i = 0; i < 5; ++i) star.send(packet);
    auto punted = star.hub.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::redirect);
    CHECK(punted[0].peer == peer_id(star.spoke));
    CHECK(punted[0].bytes.size() == 128);
    CHECK(ip_of(punted[0].bytes).destination.host() == address("10.3.0.9"));
    star.send(ipv4({.source = "10.1.0.10", .destination = "10.3.0.9"}, pattern(300)));
    star.hub.sleep(11 * kSecond);
    star.send(packet);
    CHECK(star.hub.punted().size() == 2);
    CHECK(star.hub.counters().workers[0].redirects.read() == 3);
}

TEST_CASE("no redirect for what goes to the hub's own network, nor where the tunnel does not redirect") {
    Star star;
    star.send(host_packet(star.spoke, star.hub));
    CHECK(star.hub.punted().empty());
    star.hub.command(SetTunnel{kTunnel, star.hub.table(), true, 42, 1400, true, false, 64});
    star.send(ipv4({.source = "10.1.0.9", .destination = "10.3.0.9"}, pattern(30)));
    CHECK(star.hub.punted().empty());
}

TEST_CASE("a packet whose route leads back to the peer that sent it is dropped") {
    Pair pair;
    pair.b.route("10.8.0.0/16", {RouteTarget::Kind::peer, peer_id(pair.a).value});
    pair.a.route("10.8.0.0/16", {RouteTarget::Kind::peer, peer_id(pair.b).value});
    pair.send(ipv4({.source = "10.1.0.9", .destination = "10.8.0.1"}, pattern(8)));
    carry(pair.a, pair.b);
    CHECK(pair.b.drops(Drop::same_peer_loop) == 1);
}

TEST_CASE("fail closed: no SA, no path, no peer, no tunnel, each by its name and nothing in clear") {
    LeakCheck leaks;
    Box box;
    box.route("10.2.0.0/16", {RouteTarget::Kind::peer, 2});
    const Bytes packet = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9"}, pattern(8));
    const auto send = [&] { box.from_host(packet), box.turn(); };
    send();
    CHECK(box.drops(Drop::peer_unknown) == 1);
    box.command(peer_command(PeerId{2}, {}));
    send();
    CHECK(box.drops(Drop::peer_no_sa) == 1);
    box.command(InstallOutboundSa{SaSlot{2}, WorkerId{0}, Spi{0x10000001}, PeerId{2}, EspAlgorithm::aes_gcm_128, EspMode::transport, false, {}, EspKeymat{pattern(20)}});
    send();
    CHECK(box.drops(Drop::peer_no_path) == 1);
    SetPeer elsewhere = peer_command(PeerId{2}, {});
    elsewhere.tunnel = TunnelId{3};
    box.command(elsewhere);
    send();
    CHECK(box.drops(Drop::tunnel_unknown) == 1);
    CHECK(box.sent(kUnderlay).empty());
}

TEST_CASE("a peer whose path was cleared gets nothing until it has a path again") {
    Pair pair;
    pair.a.command(ClearPeerPath{peer_id(pair.b)});
    pair.send(host_packet(pair.a, pair.b));
    CHECK(pair.a.drops(Drop::peer_no_path) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
}

TEST_CASE("packets to our tunnel address, and to unresolved neighbours, go up as inner packets in their classes") {
    Pair pair;
    pair.b.route("10.2.5.0/24", {RouteTarget::Kind::twin, 0});
    pair.b.route("10.2.6.1/32", {RouteTarget::Kind::twin, 1});
    pair.a.route("172.16.0.2/32", {RouteTarget::Kind::peer, peer_id(pair.b).value});
    for (const auto* destination : {"172.16.0.2", "10.2.5.1", "10.2.6.1"}) pair.send(ipv4({.source = "10.1.0.9", .destination = destination}, pattern(8)));
    carry(pair.a, pair.b);
    const auto punted = pair.b.punted();
    REQUIRE(punted.size() == 3);
    const Punt expected[] = {Punt::tunnel, Punt::glean, Punt::tunnel};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(punted[i].punt == expected[i]);
        CHECK(punted[i].tunnel == kTunnel);
        CHECK(ip_of(punted[i].bytes).source.host() == address("10.1.0.9"));
    }
}

TEST_CASE("the kernel's packets into the tunnel keep their TTL and never come back to the kernel") {
    Pair pair;
    pair.a.inject(PacketMessage::Inject::tunnel, ipv4({.source = "172.16.0.1", .destination = "10.2.0.9", .ttl = 1}, pattern(8)));
    pair.a.turn();
    CHECK(carry(pair.a, pair.b).size() == 1);
    pair.a.route("10.50.0.0/16", {RouteTarget::Kind::twin, 0});
    pair.a.inject(PacketMessage::Inject::tunnel, ipv4({.source = "172.16.0.1", .destination = "10.50.0.1"}, pattern(8)));
    pair.a.turn();
    CHECK(pair.a.drops(Drop::no_route) == 1);
    CHECK(pair.a.punted().empty());
}

TEST_CASE("a SYN is clamped on its way into the tunnel, and on its way out of one that does not clamp") {
    Pair pair;
    const Ip ip{.source = "10.1.0.9", .destination = "10.2.0.9"};
    pair.send(tcp_syn(ip, 1460));
    carry(pair.a, pair.b);
    auto frames = pair.b.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(tail(frames[0], 34) == tail(tcp_syn(ip, 1360), 20));
    pair.a.command(SetTunnel{kTunnel, pair.a.table(), true, 42, 1400, false, true, 64});
    pair.send(tcp_syn(ip, 1460));
    carry(pair.a, pair.b);
    frames = pair.b.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(tail(frames[0], 34) == tail(tcp_syn(ip, 1360), 20));
}

TEST_CASE("the outer header carries the path's addresses and ports, DF clear, and a sum that is right") {
    const bool encapsulated = GENERATE(false, true);
    Pair pair{{.udp = encapsulated}};
    pair.send(host_packet(pair.a, pair.b));
    const auto frames = pair.a.sent(kUnderlay);
    REQUIRE(frames.size() == 1);
    const Ipv4Header& ip = ip_of(frames[0], 14);
    CHECK(ip.source.host() == address("192.0.2.1"));
    CHECK(ip.destination.host() == address("192.0.2.2"));
    CHECK(ip.protocol == (encapsulated ? kProtocolUdp : kProtocolEsp));
    CHECK_FALSE(ip.dont_fragment());
    CHECK(ip.total_length.host() == frames[0].size() - 14);
    CHECK(internet_checksum(ByteView{frames[0]}.subspan(14, 20)) == 0);
    const auto& udp_header = *reinterpret_cast<const UdpHeader*>(frames[0].data() + 34);
    if (encapsulated) CHECK((udp_header.destination_port.host() == 4500 && udp_header.length.host() == frames[0].size() - 34 && udp_header.checksum.host() == 0));
}
