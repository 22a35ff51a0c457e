// Too large, in both directions: fragmentation before encryption, DF and its ICMP, outer reassembly.
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
};

/// Outer fragments of an IP packet, of `size` payload bytes each.
std::vector<Bytes> outer_fragments(const Bytes& packet, std::size_t size, std::uint16_t identification) {
    std::vector<Bytes> pieces;
    const Bytes payload = tail(packet, 20);
    for (std::size_t at = 0; at < payload.size(); at += size) {
        const std::size_t count = std::min(size, payload.size() - at);
        const bool last = at + count == payload.size();
        Ip ip{.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = packet[9], .identification = identification};
        ip.fragment = static_cast<std::uint16_t>(at / 8 | (last ? 0 : Ipv4Header::kMoreFragments));
        pieces.push_back(ipv4(ip, ByteView{payload}.subspan(at, count)));
    }
    return pieces;
}

}  // namespace

TEST_CASE("a packet larger than the tunnel with DF clear crosses it in fragments that join to the original") {
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_128, EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_cbc_256_sha256);
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    Pair pair{{.algorithm = algorithm, .mode = mode}};
    const Bytes packet = host_packet(pair.a, pair.b, 1460);
    pair.a.from_host(packet);
    pair.a.turn();
    CHECK(carry(pair.a, pair.b).size() == 2);
    CHECK(pair.a.counters().workers[0].fragments_made.read() == 2);
    Bytes joined;
    for (const Bytes& frame : pair.b.sent(kInside)) {
        const Ipv4Header& ip = ip_of(frame, 14);
        CHECK(ip.total_length.host() <= 1400);
        CHECK(internet_checksum(ByteView{frame}.subspan(14, 20)) == 0);
        REQUIRE((ip.fragment.host() & Ipv4Header::kOffsetMask) * 8u == joined.size());
        joined = concat({joined, ByteView{frame}.subspan(34)});
    }
    CHECK(joined == tail(packet, 20));
    CHECK(pair.b.drops() == 0);
}

TEST_CASE("a packet larger than the tunnel with DF set is answered with its MTU, byte for byte") {
    Pair pair;
    const Bytes packet = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = Ipv4Header::kDontFragment}, pattern(1381));
    pair.a.from_host(packet);
    pair.a.turn();
    CHECK(pair.a.drops(Drop::fragmentation_needed) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(frames[0].data() + 34);
    CHECK(icmp.type == 3);
    CHECK(icmp.code == 4);
    CHECK(icmp.next_hop_mtu.host() == 1400);
    CHECK(internet_checksum(ByteView{frames[0]}.subspan(34)) == 0);
    CHECK(ByteView{frames[0]}.size() == 14 + 576);
    CHECK(ip_of(frames[0], 14).destination.host() == address("10.1.0.9"));
    CHECK(ip_of(frames[0], 42).total_length.host() == 1401);
}

TEST_CASE("the kernel is told in its tunnel's twin when a packet of its own with DF set is too large, in the destination's name") {
    Pair pair;
    const Bytes packet = ipv4({.source = "172.16.0.1", .destination = "10.2.0.9", .fragment = Ipv4Header::kDontFragment}, pattern(1381));
    pair.a.inject(PacketMessage::Inject::tunnel, packet);
    pair.a.turn();
    CHECK(pair.a.drops(Drop::fragmentation_needed) == 1);
    CHECK(pair.a.sent(kUnderlay).empty());
    const auto punted = pair.a.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::tunnel);
    CHECK(punted[0].tunnel == kTunnel);
    CHECK(ip_of(punted[0].bytes).source.host() == address("10.2.0.9"));
    CHECK(ip_of(punted[0].bytes).destination.host() == address("172.16.0.1"));
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(punted[0].bytes.data() + 20);
    CHECK(icmp.type == 3);
    CHECK(icmp.code == 4);
    CHECK(icmp.next_hop_mtu.host() == 1400);
    CHECK(internet_checksum(ByteView{punted[0].bytes}.subspan(20)) == 0);
}

TEST_CASE("nothing else is said to the kernel about its packets, and that only at a bounded rate") {
    Pair pair;
    pair.a.inject(PacketMessage::Inject::tunnel, ipv4({.source = "172.16.0.1", .destination = "10.77.0.1"}, pattern(8)));
    pair.a.turn();
    CHECK(pair.a.drops(Drop::no_route) == 1);
    CHECK(pair.a.punted().empty());
    const std::uint32_t burst = Limits{}.icmp_errors.burst;
    const Bytes packet = ipv4({.source = "172.16.0.1", .destination = "10.2.0.9", .fragment = Ipv4Header::kDontFragment}, pattern(1381));
    for (std::uint32_t i = 0; i < burst + 20; ++i) pair.a.inject(PacketMessage::Inject::tunnel, packet), pair.a.turn();
    CHECK(pair.a.punted().size() == burst);
}

TEST_CASE("the path's MTU counts when it is smaller than the tunnel's, and follows the suite of the SA in use") {
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_cbc_256_sha512, EspAlgorithm::null_sha384);
    Pair pair;
    pair.a.command(InstallOutboundSa{SaSlot{33}, WorkerId{0}, Spi{0x12345678}, peer_id(pair.b), algorithm, EspMode::transport, false, {},
                                     EspKeymat{pattern(sizes_of(algorithm).keymat())}});
    pair.a.command(SetPort{kUnderlay, kBoxMac, 1300});
    const std::uint16_t mtu = inner_mtu(1300, {.algorithm = algorithm, .mode = EspMode::transport, .udp = false, .gre_key = true});
    const auto send = [&](std::size_t size) {
        pair.a.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = Ipv4Header::kDontFragment}, pattern(size - 20)));
        pair.a.turn();
    };
    send(mtu + 1u);
    const auto frames = pair.a.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(reinterpret_cast<const IcmpHeader*>(frames[0].data() + 34)->next_hop_mtu.host() == mtu);
    send(mtu);
    const auto sealed = pair.a.sent(kUnderlay);
    REQUIRE(sealed.size() == 1);
    CHECK(sealed[0].size() <= 14 + 1300);
    CHECK(sealed[0].size() + sizes_of(algorithm).alignment > 14u + 1300u);
}

TEST_CASE("a port whose MTU no fragment fits drops by name") {
    Pair pair;
    pair.a.command(SetPort{kUnderlay, kBoxMac, 60});
    pair.a.from_host(host_packet(pair.a, pair.b, 200));
    pair.a.turn();
    CHECK(pair.a.drops(Drop::fragmentation_failed) == 1);
}

TEST_CASE("what a peer sends is fragmented for a smaller inside port") {
    Pair pair;
    pair.b.command(SetPort{kInside, kBoxMac, 600});
    pair.a.from_host(host_packet(pair.a, pair.b, 1000));
    pair.a.turn();
    carry(pair.a, pair.b);
    CHECK(pair.b.sent(kInside).size() == 2);
}

TEST_CASE("NHRP larger than the path is dropped, never fragmented") {
    Pair pair;
    pair.a.inject(PacketMessage::Inject::nhrp, pattern(1600), peer_id(pair.b));
    pair.a.turn();
    CHECK(pair.a.drops(Drop::fragmentation_needed) == 1);
}

TEST_CASE("outer fragments in any order become one ESP packet again") {
    Pair pair;
    const Bytes whole = forge(pair.a, pair.b, {.payload = keyed_gre(host_packet(pair.a, pair.b, 1000))});
    auto pieces = outer_fragments(whole, 400, 77);
    REQUIRE(pieces.size() == 3);
    for (const std::size_t i : {2u, 0u, 1u}) pair.b.from_underlay(pieces[i]), pair.b.turn(1);
    CHECK(pair.b.sent(kInside).size() == 1);
    CHECK(pair.b.counters().workers[0].reassembled.read() == 1);
    CHECK(pair.b.drops() == 0);
}

TEST_CASE("clear GRE does not get in by being fragmented") {
    Pair pair;
    const Bytes clear = ipv4({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolGre}, keyed_gre(host_packet(pair.a, pair.b, 600)));
    for (const Bytes& piece : outer_fragments(clear, 400, 5)) pair.b.from_underlay(piece);
    pair.b.turn();
    CHECK(pair.b.drops(Drop::gre_in_clear) == 1);
    CHECK(pair.b.sent(kInside).empty());
}

TEST_CASE("fragments that lie about themselves are refused: empty, ragged, or beyond every buffer") {
    Pair pair;
    const auto piece = [&](std::uint16_t fragment, std::size_t size) {
        pair.b.from_underlay(ipv4({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolEsp, .fragment = fragment}, pattern(size)));
        pair.b.turn(1);
    };
    piece(Ipv4Header::kMoreFragments, 0);
    piece(Ipv4Header::kMoreFragments, 15);
    piece(0x1fff, 8);
    CHECK(pair.b.drops(Drop::ip_fragment_invalid) == 3);
}

TEST_CASE("fragments whose others never come are dropped after the timeout") {
    Pair pair;
    pair.b.from_underlay(outer_fragments(forge(pair.a, pair.b, {.payload = Bytes(500, 1)}), 400, 9)[0]);
    pair.b.turn();
    CHECK(pair.b.drops() == 0);
    pair.b.sleep(3 * kSecond);
    pair.b.turn();
    CHECK(pair.b.drops(Drop::reassembly_timeout) == 1);
}

TEST_CASE("a repeated fragment makes its datagram fail, by name") {
    Pair pair;
    const auto pieces = outer_fragments(forge(pair.a, pair.b, {.payload = Bytes(1000, 1)}), 400, 10);
    pair.b.from_underlay(pieces[0]);
    pair.b.from_underlay(pieces[0]);
    pair.b.turn();
    CHECK(pair.b.drops(Drop::reassembly_failed) == 2);
}

TEST_CASE("when the reassembly table is full, further datagrams' fragments are dropped by name") {
    LeakCheck leaks;
    BoxOptions options{.number = 2};
    options.limits.reassembly_datagrams = 8;
    Box a{{.number = 1}}, b{options};
    for (std::uint16_t id = 1; id <= 40; ++id) {
        const Ip ip{.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolEsp, .identification = id, .fragment = Ipv4Header::kMoreFragments};
        b.from_underlay(ipv4(ip, pattern(80)));
        b.turn(1);
    }
    CHECK(b.drops(Drop::reassembly_full) >= 30);
}
