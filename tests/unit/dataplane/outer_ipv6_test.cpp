// IPv6 on the underlay: what is ours, what goes up, what is dropped by which name; fragments; and the headers that we send.
#include "common/checksum.hpp"
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

constexpr std::size_t kUpper = sizeof(EthernetHeader) + sizeof(Ipv6Header);
constexpr MacAddress kSolicitedNode{{0x33, 0x33, 0xff, 0, 0, 1}};

struct Outer {
    std::string_view source = "2001:db8:f::9", destination = "2001:db8::1";
    std::uint8_t next_header = kProtocolUdp, hop_limit = 64, traffic_class = 0;
};

Bytes outer(const Outer& ip, ByteView payload) { return ipv6({ip.source, ip.destination, ip.next_header, ip.hop_limit, ip.traffic_class}, payload); }

Bytes fragment_of(std::uint8_t next_header, std::uint16_t offset_and_more, ByteView payload, const Outer& ip = {}) {
    ByteWriter out;
    out.u8(next_header);
    out.u8(0);
    out.u16(offset_and_more);
    out.u32(0x1234567);
    out.bytes(payload);
    Outer with = ip;
    with.next_header = kProtocolFragment;
    return outer(with, out.view());
}

const Ipv6Header& outer_of(const Bytes& frame) { return ipv6_of(frame, sizeof(EthernetHeader)); }

/// A message of neighbour discovery, as far as the dataplane looks at it.
Bytes discovery(std::uint8_t type) { return concat({Bytes{type, 0, 0, 0, 0, 0, 0, 0}, pattern(16)}); }

struct Underlay {
    LeakCheck leaks;
    Box box;

    void frame(const MacAddress& to, ByteView packet, std::uint64_t device_flags = 0, PortId port = kUnderlay) {
        box.put(port, ethernet(to, kNeighbourMac, kEtherTypeIpv6, packet), 0, device_flags), box.turn();
    }
    void receive(ByteView packet) { frame(kBoxMac, packet); }
    void receive(const Outer& ip, ByteView payload) { receive(outer(ip, payload)); }
};

/// Two gateways whose underlay is IPv6.
struct Pair {
    LeakCheck leaks;
    Box a{{.number = 1}}, b{{.number = 2}};

    explicit Pair(Peering peering = {}) {
        peering.over_ipv6 = true;
        connect(a, b, peering);
    }
    Bytes sent_frame(std::size_t size = 64) {
        a.from_host(host_packet(a, b, size));
        a.turn();
        return a.sent(kUnderlay).at(0);
    }
    void deliver(ByteView frame) { b.put(kUnderlay, concat({kBoxMac.bytes, frame.subspan(6)})), b.turn(); }
};

}  // namespace

TEST_CASE("outer IPv6 with each broken field is dropped by name") {
    Underlay under;
    const Bytes whole = outer({}, udp(500, 500, pattern(30)));
    under.receive(ByteView{whole}.first(39));
    under.receive(ByteView{whole}.first(whole.size() - 1));
    Bytes version = whole;
    version[0] = 0x40;
    under.receive(version);
    for (const auto* source : {"::1", "ff02::1", "::"}) under.receive({.source = source}, udp(500, 500, pattern(30)));
    under.receive({.destination = "2001:db8::99"}, udp(500, 500, pattern(30)));
    CHECK(under.box.drops(Drop::ip_runt) == 1);
    CHECK(under.box.drops(Drop::ip_bad_total_length) == 1);
    CHECK(under.box.drops(Drop::ip_bad_version) == 1);
    CHECK(under.box.drops(Drop::ip_bad_source) == 3);
    CHECK(under.box.drops(Drop::underlay_not_local) == 1);
    CHECK(under.box.punted().empty());
}

TEST_CASE("IKE over IPv6 goes up as an IP packet from both of its ports, its link padding cut") {
    Underlay under;
    const Bytes plain = outer({}, udp(500, 500, pattern(28))), marked = outer({}, udp(4500, 4500, concat({Bytes(4, 0), pattern(28)})));
    under.receive(concat({plain, Bytes(6, 0xee)}));
    under.receive(marked);
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::ike);
    CHECK(punted[0].bytes == plain);
    CHECK(punted[1].bytes == marked);
}

TEST_CASE("IKE from a peer's IPv6 address has a punt class of its own, from its neighbour's not") {
    Pair pair;
    pair.b.put(kUnderlay, ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv6, outer({.source = "2001:db8::1", .destination = "2001:db8::2"}, udp(500, 500, pattern(28)))));
    pair.b.put(kUnderlay, ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv6, outer({.source = "2001:db8::3", .destination = "2001:db8::2"}, udp(500, 500, pattern(28)))));
    pair.b.turn();
    const auto punted = pair.b.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::ike_of_peer);
    CHECK(punted[1].punt == Punt::ike);
}

TEST_CASE("neighbour discovery goes up in the class of ARP, from the link only (RFC 4861 section 7.1)") {
    const PortId port = GENERATE(kUnderlay, kInside);
    Underlay under;
    under.box.command(AddLocalAddress{kInside, IpAddress::parse("2001:db8::1").value()});
    for (std::uint8_t type = 133; type <= 137; ++type)
        under.frame(kSolicitedNode, outer({.destination = "ff02::1:ff00:1", .next_header = kProtocolIcmpv6, .hop_limit = 255}, discovery(type)), 0, port);
    under.frame(kBoxMac, outer({.next_header = kProtocolIcmpv6, .hop_limit = 255}, discovery(136)), 0, port);
    under.frame(kBoxMac, outer({.next_header = kProtocolIcmpv6, .hop_limit = 254}, discovery(136)), 0, port);
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 6);
    for (const auto& each : punted) {
        CHECK(each.punt == Punt::arp);
        CHECK(each.port == port);
    }
    CHECK(punted[0].bytes[0] == 0x33);
    CHECK(under.box.drops(Drop::neighbour_not_on_link) == 1);
}

TEST_CASE("other ICMPv6, TCP and what is for groups goes up as a frame, for the kernel") {
    Underlay under;
    const Bytes echo = outer({.next_header = kProtocolIcmpv6}, Bytes{128, 0, 0, 0, 0, 1, 0, 1});
    under.receive(echo);
    under.receive({.next_header = kProtocolTcp}, pattern(20));
    under.frame({{0x33, 0x33, 0, 0, 0, 1}}, outer({.source = "fe80::1", .destination = "ff02::1", .next_header = kProtocolHopByHop, .hop_limit = 1}, pattern(32)));
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 3);
    for (const auto& each : punted) CHECK(each.punt == Punt::local);
    CHECK(tail(punted[0].bytes, 14) == echo);
}

TEST_CASE("clear GRE, other tunnels in clear and extension headers over IPv6 are dropped by name") {
    Underlay under;
    under.receive({.next_header = kProtocolGre}, keyed_gre(ipv4({.source = "10.2.0.9", .destination = "10.1.0.9"}, pattern(8))));
    under.receive({.next_header = kProtocolIpip}, pattern(40));
    under.receive({.next_header = kProtocolIpv6}, pattern(40));
    for (const std::uint8_t header : {kProtocolHopByHop, kProtocolRouting, kProtocolDestinationOptions}) under.receive({.next_header = header}, pattern(40));
    CHECK(under.box.drops(Drop::gre_in_clear) == 1);
    CHECK(under.box.drops(Drop::underlay_unknown_protocol) == 2);
    CHECK(under.box.drops(Drop::ipv6_extension_header) == 3);
    CHECK(under.box.sent(kInside).empty());
    CHECK(under.box.punted().empty());
}

TEST_CASE("an IPv6 packet behind an inside port that is not for this box does not come in by the kernel") {
    Underlay under;
    under.frame(kBoxMac, outer({.destination = "2001:db8::77"}, udp(1, 2, pattern(8))), 0, kInside);
    CHECK(under.box.punted().empty());
    CHECK(under.box.drops() == 1);
}

TEST_CASE("a whole packet that looks like a fragment is taken as what it is (RFC 6946)") {
    Underlay under;
    const Bytes ike = udp(500, 500, pattern(28));
    under.receive(fragment_of(kProtocolUdp, 0, ike));
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].bytes == outer({}, ike));
}

TEST_CASE("fragments of IPv6 in any order become the packet again, and neighbour discovery does not (RFC 6980)") {
    Underlay under;
    const Bytes ike = udp(500, 500, pattern(1000));
    const Bytes pieces[] = {fragment_of(kProtocolUdp, 400 | 1, ByteView{ike}.subspan(400, 400)), fragment_of(kProtocolUdp, 800, ByteView{ike}.subspan(800)),
                            fragment_of(kProtocolUdp, 0 | 1, ByteView{ike}.first(400))};
    for (const Bytes& piece : pieces) under.receive(piece);
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].bytes == outer({}, ike));
    CHECK(under.box.counters().workers[0].reassembled.read() == 1);

    const Outer neighbour{.hop_limit = 255};
    const Bytes solicitation = discovery(135);
    under.receive(fragment_of(kProtocolIcmpv6, 0 | 1, ByteView{solicitation}.first(16), neighbour));
    under.receive(fragment_of(kProtocolIcmpv6, 16, ByteView{solicitation}.subspan(16), neighbour));
    under.receive(fragment_of(kProtocolIcmpv6, 0, solicitation, neighbour));
    CHECK(under.box.punted().empty());
    CHECK(under.box.drops(Drop::ip_fragment_invalid) == 2);
}

TEST_CASE("overlapping fragments never make a packet (RFC 5722), whichever of them overlaps") {
    const auto overlap = GENERATE(std::pair<std::uint16_t, std::size_t>{392, 408}, std::pair<std::uint16_t, std::size_t>{400, 408}, std::pair<std::uint16_t, std::size_t>{8, 400});
    Underlay under;
    const Bytes ike = udp(500, 500, pattern(1000));
    under.receive(fragment_of(kProtocolUdp, 0 | 1, ByteView{ike}.first(400)));
    under.receive(fragment_of(kProtocolUdp, static_cast<std::uint16_t>(overlap.first | 1), ByteView{ike}.subspan(overlap.first, overlap.second)));
    under.receive(fragment_of(kProtocolUdp, 800, ByteView{ike}.subspan(800)));
    under.receive(fragment_of(kProtocolUdp, 400 | 1, ByteView{ike}.subspan(400, 400)));
    under.box.sleep(3 * kSecond);
    under.box.turn(2000);
    CHECK(under.box.punted().empty());
    CHECK(under.box.drops() == 4);
}

TEST_CASE("fragments of IPv6 that lie about themselves are refused: empty, ragged, beyond every buffer, or with more extension headers behind") {
    Underlay under;
    under.receive(fragment_of(kProtocolUdp, 0 | 1, {}));
    under.receive(fragment_of(kProtocolUdp, 0 | 1, pattern(13)));
    under.receive(fragment_of(kProtocolUdp, 0xfff8, pattern(8)));
    under.receive({.next_header = kProtocolFragment}, pattern(7));
    CHECK(under.box.drops(Drop::ip_fragment_invalid) == 4);
    under.receive(fragment_of(kProtocolRouting, 0 | 1, pattern(16)));
    under.receive(fragment_of(kProtocolFragment, 0, pattern(16)));
    CHECK(under.box.drops(Drop::ipv6_extension_header) == 2);
}

TEST_CASE("clear GRE does not get in by being fragmented over IPv6") {
    Underlay under;
    const Bytes clear = keyed_gre(ipv4({.source = "10.2.0.9", .destination = "10.1.0.9"}, pattern(100)));
    under.receive(fragment_of(kProtocolGre, 0 | 1, ByteView{clear}.first(64)));
    under.receive(fragment_of(kProtocolGre, 64, ByteView{clear}.subspan(64)));
    CHECK(under.box.drops(Drop::gre_in_clear) == 1);
}

TEST_CASE("ESP leaves with an IPv6 header: lengths, hop limit of the tunnel, traffic class, and one flow label for each SA") {
    Pair pair;
    const Bytes first = pair.sent_frame(64), second = pair.sent_frame(1000);
    CHECK((first[12] << 8 | first[13]) == kEtherTypeIpv6);
    const Ipv6Header& ip = outer_of(first);
    CHECK(ip.version() == 6);
    CHECK(ip.payload_length.host() == first.size() - kUpper);
    CHECK(ip.next_header == kProtocolEsp);
    CHECK(ip.hop_limit == 64);
    CHECK(IpAddress::v6(ip.source) == IpAddress::parse("2001:db8::1"));
    CHECK(IpAddress::v6(ip.destination) == IpAddress::parse("2001:db8::2"));
    const auto label = [](const Bytes& frame) { return outer_of(frame).version_class_flow.host() & 0xfffff; };
    CHECK(label(first) != 0);
    CHECK(label(first) == label(second));
    pair.a.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = 0xb8}, pattern(40)));
    pair.a.turn();
    CHECK(outer_of(pair.a.sent(kUnderlay).at(0)).traffic_class() == 0xb8);
}

TEST_CASE("ESP in UDP over IPv6 leaves with a right checksum at any length, and may come without one (RFC 6935)") {
    Pair pair{{.udp = true}};
    for (std::size_t size = 0; size < 80; ++size) {
        const Bytes frame = pair.sent_frame(size);
        const Ipv6Header& ip = outer_of(frame);
        REQUIRE(ip.next_header == kProtocolUdp);
        REQUIRE(ipv6_checksum(ip, kProtocolUdp, ByteView{frame}.subspan(kUpper)) == 0);
    }
    Bytes frame = pair.sent_frame();
    frame[kUpper + 6] = frame[kUpper + 7] = 0;
    pair.deliver(frame);
    CHECK(pair.b.sent(kInside).size() == 1);
}

TEST_CASE("a peer that comes from another IPv6 address, or from the other family, is told with its whole address") {
    Pair pair;
    Bytes moved = pair.sent_frame();
    moved[14 + 8 + 15] = 0x77;
    pair.deliver(moved);
    std::optional<PeerMoved> told;
    for (const Event& event : pair.b.events())
        if (const auto* each = std::get_if<PeerMoved>(&event)) told = *each;
    REQUIRE(told);
    CHECK(told->seen.address.value == IpAddress::parse("2001:db8::77"));
    pair.b.sleep(2 * kSecond);
    const Bytes frame = pair.sent_frame();
    pair.deliver(frame);
    CHECK(pair.b.events().empty());
    pair.b.from_underlay(ipv4({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolEsp}, tail(pair.sent_frame(), kUpper)));
    pair.b.turn();
    const auto events = pair.b.events();
    REQUIRE(events.size() == 1);
    CHECK(std::get<PeerMoved>(events[0]).seen.address.value == IpAddress::parse("192.0.2.1"));
}

TEST_CASE("what is larger than the path of an IPv6 peer is fragmented before encryption: no outer packet exceeds the port's or the path's MTU") {
    const std::uint16_t path_mtu = GENERATE(std::uint16_t{0}, std::uint16_t{1280});
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    Pair pair{{.mode = mode, .udp = true}};
    const auto nbma = [](const char* text) { return NbmaAddress{IpAddress::parse(text).value()}; };
    pair.a.command(SetTunnel{kTunnel, pair.a.table(), true, 42, 9000, true, true, 64});
    pair.a.command(SetPeerPath{peer_id(pair.b), kUnderlay, kBoxMac, kNeighbourMac, nbma("2001:db8::1"), nbma("2001:db8::2"), 4500, 4500, path_mtu});
    std::size_t largest = 0;
    for (std::size_t size = 1150; size < 1500; ++size) {
        pair.a.from_host(host_packet(pair.a, pair.b, size));
        pair.a.turn();
        for (const Bytes& frame : pair.a.sent(kUnderlay)) largest = std::max(largest, frame.size() - sizeof(EthernetHeader));
    }
    const std::size_t limit = path_mtu == 0 ? 1500 : path_mtu;
    CHECK(largest <= limit);
    CHECK(largest > limit - 4);
    CHECK(pair.a.drops() == 0);
}

TEST_CASE("a path between addresses of two families is refused") {
    Pair pair;
    const NbmaAddress six{IpAddress::parse("2001:db8::1").value()}, four{IpAddress::parse("192.0.2.2").value()};
    pair.a.command(SetPeerPath{peer_id(pair.b), kUnderlay, kBoxMac, kNeighbourMac, six, four, 0, 0});
    CHECK(pair.a.counters().workers[0].commands_refused.read() == 1);
}
