// Paths that carry less than a tunnel has to: what passes in fragments of ESP, and what the other end makes of them.
#include "tests/unit/dataplane/lab.hpp"

#include "common/checksum.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <set>

using namespace nave;
using namespace nave::test;

namespace {

constexpr std::uint16_t kNarrow = 1280;  // of the path
constexpr std::size_t kSmallestAlwaysCarried = 1280;

/// Two gateways with hosts of both versions, and between them an underlay that is `path_mtu` wide: by its ports with IPv4, which is all that is
/// known there, by what was learnt of the path with IPv6.
struct Pair {
    LeakCheck leaks;
    Box a, b;

    explicit Pair(const Peering& peering = {}, std::uint16_t path_mtu = kNarrow, const BoxOptions& options = {})
        : a{numbered(options, 1)}, b{numbered(options, 2)} {
        connect(a, b, peering);
        for (auto [here, there] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
            here->command(AddLocalAddress{kInside, *IpAddress::parse(fmt::format("2001:db8:{}::1", here->number()))});
            here->route(fmt::format("2001:db8:{}::9/128", here->number()), {RouteTarget::Kind::adjacency, 0});
            here->route(fmt::format("2001:db8:{}::/48", there->number()), {RouteTarget::Kind::peer, peer_id(*there).value});
            narrow(*here, *there, peering, path_mtu);
        }
    }
    static BoxOptions numbered(BoxOptions options, std::uint8_t number) {
        options.number = number;
        return options;
    }
    static void narrow(Box& here, const Box& there, const Peering& peering, std::uint16_t path_mtu) {
        if (!peering.over_ipv6) return here.command(SetPort{kUnderlay, kBoxMac, path_mtu});
        const auto nbma = [](const Box& box) { return NbmaAddress{*IpAddress::parse(box.underlay_address(true))}; };
        const std::uint16_t port = peering.udp ? kUdpPortNatTraversal : std::uint16_t{0};
        here.command(SetPeerPath{peer_id(there), kUnderlay, kBoxMac, kNeighbourMac, nbma(here), nbma(there), port, port, path_mtu});
    }
    /// From a's host to b's, of that length, with a MTU's worth of different bytes.
    static Bytes of_ipv6(std::size_t length) { return ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:2::9"}, udp(1000, 2000, pattern(length - 48))); }
    static Bytes of_ipv4(std::size_t length, std::uint16_t fragment = 0) {
        return ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = fragment}, udp(1000, 2000, pattern(length - 28)));
    }
    void send(ByteView packet) { a.from_host(packet), a.turn(); }
};

Bytes without_ethernet(const Bytes& frame) { return tail(frame, sizeof(EthernetHeader)); }

/// Of an outer packet: what tells whose fragment it is, or nothing if it is none.
std::optional<std::uint32_t> identification_of(const Bytes& frame) {
    if (const Ipv4Header& ip = ip_of(frame, 14); ip.version() == 4) return ip.is_fragment() ? std::optional<std::uint32_t>{ip.identification.host()} : std::nullopt;
    if (ipv6_of(frame, 14).next_header != kProtocolFragment) return std::nullopt;
    return reinterpret_cast<const Ipv6FragmentHeader*>(frame.data() + 54)->identification.host();
}

}  // namespace

TEST_CASE("IPv6 of up to 1280 bytes passes however narrow the path: ESP goes in fragments that the peer joins (RFC 8200 section 5)") {
    const bool over_ipv6 = GENERATE(false, true), in_udp = GENERATE(false, true);
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_cbc_256_sha512);
    const std::uint16_t path_mtu = over_ipv6 ? GENERATE(std::uint16_t{1280}, std::uint16_t{1300}) : GENERATE(std::uint16_t{576}, std::uint16_t{1300});
    Pair pair{{.algorithm = algorithm, .mode = mode, .udp = in_udp, .over_ipv6 = over_ipv6}, path_mtu};
    std::size_t in_fragments = 0;
    for (std::size_t length = 1100; length <= kSmallestAlwaysCarried; length += 4) {
        const Bytes packet = Pair::of_ipv6(length);
        pair.send(packet);
        const auto frames = carry(pair.a, pair.b);
        std::set<std::optional<std::uint32_t>> identifications;
        for (const Bytes& frame : frames) {
            REQUIRE(without_ethernet(frame).size() <= path_mtu);
            if (!over_ipv6) REQUIRE((internet_checksum(ByteView{frame}.subspan(14, 20)) == 0 && !ip_of(frame, 14).dont_fragment()));
            identifications.insert(identification_of(frame));
        }
        REQUIRE(identifications.size() == 1);
        REQUIRE(identifications.contains(std::nullopt) == (frames.size() == 1));
        in_fragments += frames.size() > 1;
        const auto arrived = pair.b.sent(kInside);
        REQUIRE(arrived.size() == 1);
        REQUIRE(tail(arrived[0], 14 + 40) == tail(packet, 40));
    }
    CHECK(in_fragments >= 1);
    CHECK(pair.b.counters().workers[0].reassembled.read() == in_fragments);
    CHECK(pair.a.counters().workers[0].fragments_made.read() >= 2 * in_fragments);
    CHECK(pair.a.drops() + pair.b.drops() == 0);
}

TEST_CASE("IPv6 above 1280 bytes that the path does not carry is answered with 1280, and what the path carries goes in one piece") {
    Pair pair{{.over_ipv6 = true}};
    pair.send(Pair::of_ipv6(1281));
    CHECK(pair.a.drops(Drop::packet_too_big) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
    const auto answers = pair.a.sent(kInside);
    REQUIRE(answers.size() == 1);
    CHECK(reinterpret_cast<const Icmpv6Header*>(answers[0].data() + 54)->mtu.host() == 1280);
    const std::size_t fits = inner_mtu(kNarrow, {.algorithm = EspAlgorithm::aes_gcm_128, .mode = EspMode::transport, .ipv6 = true, .udp = false, .gre_key = true});
    pair.send(Pair::of_ipv6(fits));
    CHECK(pair.a.sent(kUnderlay).size() == 1);
    pair.send(Pair::of_ipv6(fits + 1));
    CHECK(pair.a.sent(kUnderlay).size() == 2);
}

TEST_CASE("fragments of consecutive packets, and of two SAs at the same sequence number, are told apart") {
    const bool over_ipv6 = GENERATE(false, true);
    Pair pair{{.over_ipv6 = over_ipv6}};
    std::set<std::uint32_t> seen;
    const auto send_two = [&] {
        for (int i = 0; i < 2; ++i) pair.send(Pair::of_ipv6(1280));
        for (const Bytes& frame : pair.a.sent(kUnderlay)) seen.insert(identification_of(frame).value());
    };
    send_two();
    CHECK(seen.size() == 2);
    pair.a.command(InstallOutboundSa{SaSlot{33}, WorkerId{0}, Spi{0x12345678}, peer_id(pair.b), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {},
                                     EspKeymat{pattern(sizes_of(EspAlgorithm::aes_gcm_128).keymat())}});
    send_two();
    CHECK(seen.size() == 4);
}

TEST_CASE("fragments of ESP carry the tag of a port in a VLAN") {
    Pair pair{{}, kNarrow, {.underlay_vlan = 30}};
    pair.send(Pair::of_ipv6(1280));
    const auto frames = pair.a.sent(kUnderlay);
    REQUIRE(frames.size() == 2);
    for (const Bytes& frame : frames) {
        CHECK(Bytes{frame.begin(), frame.begin() + 18} == concat({kNeighbourMac.bytes, kBoxMac.bytes, Bytes{0x81, 0, 0, 30, 0x08, 0}}));
        pair.b.put(kUnderlay, concat({kBoxMac.bytes, ByteView{frame}.subspan(6)}));
    }
    pair.b.turn();
    CHECK(pair.b.sent(kInside).size() == 1);
}

TEST_CASE("fragments of ESP that come to another worker than their SA's reach it joined") {
    Pair pair{{.owner = 1}, kNarrow, {.workers = 2}};
    pair.send(Pair::of_ipv6(1280));
    pair.a.turn();
    CHECK(carry(pair.a, pair.b).size() == 2);
    pair.b.turn();
    CHECK(pair.b.sent(kInside).size() == 1);
    CHECK(pair.b.drops() == 0);
}

TEST_CASE("a tunnel whose MTU is below 1280 carries IPv6 of that length all the same") {
    Pair pair{{}, 1500};
    for (Box* box : {&pair.a, &pair.b}) box->command(SetTunnel{kTunnel, box->table(), true, 42, 1000, true, true, 64});
    pair.send(Pair::of_ipv6(1280));
    CHECK(carry(pair.a, pair.b).size() == 1);
    CHECK(pair.b.sent(kInside).size() == 1);
}

TEST_CASE("IPv4 of up to 576 bytes passes a path of 576 with DF set, and longer is told 576, which every host takes") {
    Pair pair{{}, 576};
    const Bytes packet = Pair::of_ipv4(576, Ipv4Header::kDontFragment);
    pair.send(packet);
    const auto frames = carry(pair.a, pair.b);
    CHECK(frames.size() == 2);
    for (const Bytes& frame : frames) CHECK(without_ethernet(frame).size() <= 576);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 1);
    CHECK(tail(arrived[0], 34) == tail(packet, 20));
    pair.send(Pair::of_ipv4(577, Ipv4Header::kDontFragment));
    CHECK(pair.a.drops(Drop::fragmentation_needed) == 1);
    const auto answers = pair.a.sent(kInside);
    REQUIRE(answers.size() == 1);
    CHECK(reinterpret_cast<const IcmpHeader*>(answers[0].data() + 34)->next_hop_mtu.host() == 576);
}

TEST_CASE("TCP through a narrow path is told what fits in one piece") {
    Pair pair{{.over_ipv6 = true}};
    const Ip6 ip{.source = "2001:db8:1::9", .destination = "2001:db8:2::9", .next_header = kProtocolTcp, .hop_limit = 64};
    const std::uint16_t fits = inner_mtu(kNarrow, {.algorithm = EspAlgorithm::aes_gcm_128, .mode = EspMode::transport, .ipv6 = true, .udp = false, .gre_key = true});
    REQUIRE(fits < 1280);
    pair.send(tcp_syn6(ip, 1440));
    carry(pair.a, pair.b);
    const auto arrived = pair.b.sent(kInside);
    REQUIRE(arrived.size() == 1);
    CHECK(tail(arrived[0], 14 + 40) == tail(tcp_syn6(ip, static_cast<std::uint16_t>(fits - 60)), 40));
}

TEST_CASE("multicast reaches a member behind a narrow path too") {
    Pair pair{{.multicast = true, .over_ipv6 = true}};
    pair.a.inject(PacketMessage::Inject::tunnel, ipv4({.source = "172.16.0.1", .destination = "224.0.0.5", .protocol = 89, .ttl = 1}, pattern(1380)));
    pair.a.turn();
    const auto frames = carry(pair.a, pair.b);
    CHECK(frames.size() == 2);
    for (const Bytes& frame : frames) CHECK(without_ethernet(frame).size() <= kNarrow);
    const auto punted = pair.b.punted();
    REQUIRE(punted.size() == 1);
    CHECK(tail(punted[0].bytes, 20) == pattern(1380));
}
