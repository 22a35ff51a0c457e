// Frames from hosts on an inside port, and the way to a neighbour there.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

TEST_CASE("a host's packets to the gateway itself go up as frames: inside address, tunnel address, link-local multicast, broadcast") {
    LeakCheck leaks;
    Box box;
    for (const auto* destination : {"10.1.0.1", "172.16.0.1", "224.0.0.5", "255.255.255.255"}) box.from_host(ipv4({.source = "10.1.0.9", .destination = destination}, pattern(8)));
    box.put(kInside, ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeIpv4, ipv4({.source = "10.1.0.9", .destination = "10.1.255.255"}, pattern(8))));
    box.put(kInside, ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeIpv4, ipv4({.source = "0.0.0.0", .destination = "255.255.255.255"}, udp(68, 67, pattern(8)))));
    box.turn();
    const auto punted = box.punted();
    CHECK(punted.size() == 6);
    for (const auto& each : punted) {
        CHECK(each.punt == Punt::local);
        CHECK(each.port == kInside);
    }
    CHECK(box.drops() == 0);
}

TEST_CASE("a host's martians and broken packets are dropped by name") {
    LeakCheck leaks;
    Box box;
    box.from_host(ipv4({.source = "127.0.0.1", .destination = "10.2.0.9"}, pattern(8)));
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "127.0.0.1"}, pattern(8)));
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .options = {131, 3, 4, 0}}, pattern(8)));
    box.from_host(Bytes(5, 0x45));
    box.turn();
    for (const Drop reason : {Drop::ip_bad_source, Drop::ip_bad_destination, Drop::ip_options, Drop::ip_runt}) {
        INFO(name(reason));
        CHECK(box.drops(reason) == 1);
    }
}

TEST_CASE("a host behind a VLAN reaches a neighbour behind the same VLAN, tagged again") {
    LeakCheck leaks;
    Box box{{.inside_vlan = 30}};
    const Bytes packet = ipv4({.source = "10.1.0.8", .destination = "10.1.0.9"}, pattern(8));
    box.put(kInside, vlan_tagged(ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, packet), 30));
    box.turn();
    const auto frames = box.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(Bytes{frames[0].begin(), frames[0].begin() + 18} == concat({kNeighbourMac.bytes, kBoxMac.bytes, Bytes{0x81, 0, 0, 30, 8, 0}}));
    CHECK(ip_of(frames[0], 18).time_to_live == 63);
}

TEST_CASE("a tunnel's packets leave an underlay port with its VLAN tag") {
    LeakCheck leaks;
    Box a{{.underlay_vlan = 100, .number = 1}}, b{{.number = 2}};
    connect(a, b);
    a.from_host(host_packet(a, b));
    a.turn();
    const auto frames = a.sent(kUnderlay);
    REQUIRE(frames.size() == 1);
    CHECK(Bytes{frames[0].begin() + 12, frames[0].begin() + 18} == Bytes{0x81, 0, 0, 100, 8, 0});
    b.put(kUnderlay, concat({ByteView{frames[0]}.first(12), ByteView{frames[0]}.subspan(16)}));
    b.turn();
}

TEST_CASE("an injected frame leaves its port as it is, with the port's tag when it has one") {
    LeakCheck leaks;
    Box box{{.inside_vlan = 30}};
    const Bytes frame = ethernet(kBroadcastMac, kBoxMac, kEtherTypeArp, pattern(46));
    box.inject(PacketMessage::Inject::frame, frame, kNoPeer, kUnderlay);
    box.inject(PacketMessage::Inject::frame, frame, kNoPeer, kInside);
    box.turn();
    CHECK(box.sent(kUnderlay) == std::vector<Bytes>{frame});
    CHECK(box.sent(kInside) == std::vector<Bytes>{vlan_tagged(frame, 30)});
}

TEST_CASE("injected packets that make no sense are dropped by name") {
    LeakCheck leaks;
    Box box;
    using enum PacketMessage::Inject;
    box.inject(frame, pattern(13));
    box.inject(tunnel, {});
    box.inject(tunnel, Bytes(20, 0x45));
    box.inject(tunnel, Bytes(40, 0x60));
    box.inject(nhrp, pattern(40), PeerId{63});
    box.inject(frame, pattern(60), kNoPeer, PortId{9});
    box.turn();
    CHECK(box.drops(Drop::inject_malformed) == 4);
    CHECK(box.drops(Drop::peer_unknown) == 1);
    CHECK(box.drops(Drop::port_down) == 1);
}

TEST_CASE("a packet to a neighbour that is gone is dropped, and to a port that is down too") {
    LeakCheck leaks;
    Box box;
    box.route("10.9.0.0/16", {RouteTarget::Kind::adjacency, 5});
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.9.0.1"}, pattern(8)));
    box.turn();
    CHECK(box.drops(Drop::adjacency_unknown) == 1);
    box.command(SetAdjacency{AdjacencyId{5}, kUnderlay, kBoxMac, kNeighbourMac});
    box.command(SetPort{kUnderlay, kBoxMac, 0});
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.9.0.1"}, pattern(8)));
    box.turn();
    CHECK(box.drops(Drop::port_down) == 1);
    box.command(RemoveAdjacency{AdjacencyId{5}});
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.9.0.1"}, pattern(8)));
    box.turn();
    CHECK(box.drops(Drop::adjacency_unknown) == 2);
}

TEST_CASE("frames that a full device does not take are dropped and counted, and the port counts what it took") {
    LeakCheck leaks;
    Box box;
    const Bytes packet = ipv4({.source = "10.1.0.8", .destination = "10.1.0.9"}, pattern(8));
    for (int i = 0; i < 1100; ++i) box.from_host(packet), box.turn(1);
    const std::uint64_t sent = box.counters().workers[0].ports[kInside.value].sent_packets.read();
    CHECK(sent == 1023);  // the cable's ring
    CHECK(box.drops(Drop::port_transmit_full) == 1100 - sent);
    CHECK(box.counters().workers[0].ports[kInside.value].received_packets.read() == 1100);
    CHECK(box.counters().workers[0].ports[kInside.value].sent_bytes.read() == sent * (14 + packet.size()));
}

TEST_CASE("of the tunnels of one table the kernel gets a host's packet by the twin of one with its IP version") {
    LeakCheck leaks;
    Box box;
    const TunnelId ipv6_tunnel{1};
    box.command(SetTunnel{ipv6_tunnel, box.table(), true, 43, 1400, true, true, 64});
    box.command(AddTunnelAddress{ipv6_tunnel, TunnelAddress{IpAddress::parse("fd00:255::1").value()}});
    box.route("2001:db8:1::/64", {RouteTarget::Kind::twin, 0});
    box.route("10.77.0.0/24", {RouteTarget::Kind::twin, 0});
    box.from_host(ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:1::77"}, pattern(8)));
    box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.77.0.7"}, pattern(8)));
    box.turn();
    const auto punted = box.punted();
    REQUIRE(punted.size() == 2);
    for (const auto& each : punted) CHECK(each.tunnel == (each.bytes.at(0) >> 4 == 6 ? ipv6_tunnel : kTunnel));
}
