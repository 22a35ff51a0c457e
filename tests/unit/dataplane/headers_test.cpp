// Small header arithmetic: ECN (RFC 6040), incremental checksums (RFC 1624), MSS, MTU, ICMP errors, policers.
#include "common/checksum.hpp"
#include "dataplane/ecn.hpp"
#include "dataplane/icmp_error.hpp"
#include "dataplane/mss_clamp.hpp"
#include "dataplane/peer.hpp"
#include "dataplane/policer.hpp"
#include "dataplane/redirect_limiter.hpp"
#include "dataplane/route_tables.hpp"
#include "tests/unit/dataplane/packets.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::dataplane;
using namespace nave::test;

TEST_CASE("congestion marks combine as figure 4 of RFC 6040 says") {
    using enum Ecn;
    const std::optional<Ecn> drop;
    // Rows: inner; columns: outer Not-ECT, ECT(0), ECT(1), CE.
    const std::optional<Ecn> table[4][4] = {{not_ect, not_ect, not_ect, drop}, {ect0, ect0, ect1, ce}, {ect1, ect1, ect1, ce}, {ce, ce, ce, ce}};
    const Ecn order[] = {not_ect, ect0, ect1, ce};
    for (std::size_t inner = 0; inner < 4; ++inner)
        for (std::size_t outer = 0; outer < 4; ++outer) CHECK(ecn_decap(order[inner], order[outer]) == table[inner][outer]);
}

TEST_CASE("changing TTL or type of service keeps the header checksum right, for every value") {
    for (unsigned value = 1; value < 256; ++value) {
        Bytes packet = ipv4({.source = "10.0.0.1", .destination = "10.0.0.2", .ttl = static_cast<std::uint8_t>(value)}, {});
        auto& ip = *reinterpret_cast<Ipv4Header*>(packet.data());
        decrement_ttl(ip);
        set_type_of_service(ip, static_cast<std::uint8_t>(value));
        REQUIRE(internet_checksum(packet) == 0);
        REQUIRE(ip.time_to_live == value - 1);
    }
}

TEST_CASE("the sum over many bytes is the sum over few at a time, wherever they begin and end") {
    Bytes bytes(600, 0xff);
    for (std::size_t i = 0; i < bytes.size(); i += 3) bytes[i] = static_cast<std::uint8_t>(i);
    for (std::size_t from = 0; from < 9; ++from)
        for (std::size_t count = 0; from + count <= bytes.size(); ++count) {
            const ByteView part = ByteView{bytes}.subspan(from, count);
            REQUIRE(checksum_fold(checksum_add_long(0x12345, part)) == checksum_fold(checksum_add(0x12345, part)));
        }
}

TEST_CASE("ICMPv6 is summed with the pseudo-header of RFC 8200 section 8.1, odd lengths too") {
    Ipv6Header ip{};
    ip.source = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    ip.destination = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9};
    const Bytes echo = {0x80, 0, 0, 0, 0x12, 0x34, 0, 1, 'n', 'a', 'v', 'e', '!'};
    CHECK(ipv6_checksum(ip, kProtocolIcmpv6, echo) == 0x0c3e);
}

TEST_CASE("the traffic class lies between version and flow label") {
    Ipv6Header ip{};
    ip.version_class_flow = be32(0x600abcde);
    ip.set_traffic_class(0xb9);
    CHECK(ip.version_class_flow == be32(0x6b9abcde));
    CHECK(ip.traffic_class() == 0xb9);
    CHECK(ip.version() == 6);
}

TEST_CASE("the MSS of a SYN is lowered to what fits the tunnel, wherever the option stands, and the checksum stays right") {
    const Ip ip{.source = "10.1.0.9", .destination = "10.2.0.9"};
    for (std::size_t nops = 0; nops < 4; ++nops) {
        Bytes packet = tcp_syn(ip, 1460, nops);
        CHECK(clamp_mss(packet, 1400));
        CHECK(packet == tcp_syn(ip, 1360, nops));
    }
}

TEST_CASE("an MSS that fits already, or a segment without SYN, is left alone") {
    const Ip ip{.source = "10.1.0.9", .destination = "10.2.0.9"};
    Bytes small = tcp_syn(ip, 1360), before = small;
    CHECK_FALSE(clamp_mss(small, 1400));
    CHECK(small == before);
    Bytes established = tcp_syn(ip, 1460);
    established[20 + 13] = 0x10;
    before = established;
    CHECK_FALSE(clamp_mss(established, 1400));
    CHECK(established == before);
}

TEST_CASE("broken TCP options and cut segments are left alone") {
    const Bytes packet = tcp_syn({.source = "10.1.0.9", .destination = "10.2.0.9"}, 1460);
    for (std::size_t size = 0; size < packet.size(); ++size) {
        Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK_FALSE(clamp_mss(cut, 1400));
    }
    for (const auto length : std::to_array<std::uint8_t>({0, 1, 3, 5, 255})) {
        Bytes lying = packet;
        lying[20 + 20 + 1] = length;
        CHECK_FALSE(clamp_mss(lying, 1400));
    }
}

TEST_CASE("a fragment that is not the first has no MSS") {
    Bytes packet = tcp_syn({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = 8}, 1460);
    CHECK_FALSE(clamp_mss(packet, 1400));
}

TEST_CASE("the path's inner MTU leaves room for every header, ICV and padding, and for no byte more") {
    CHECK(inner_mtu(1500, {.mode = EspMode::transport, .udp = false, .gre_key = false}) == 1500 - 20 - 16 - 16 - 2 - 4 - 2 + 2);
    CHECK(inner_mtu(1500, {.algorithm = EspAlgorithm::aes_cbc_128_sha256, .gre_key = false}) == (1500 - 20 - 24 - 16) / 16 * 16 - 2 - 4);
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_128, EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_cbc_256_sha384,
                                    EspAlgorithm::aes_cbc_256_sha512, EspAlgorithm::aes_gmac_128, EspAlgorithm::null_sha256, EspAlgorithm::null_sha512);
    const EspSizes sizes = sizes_of(algorithm);
    for (const std::uint16_t port : {std::uint16_t{1280}, std::uint16_t{1492}, std::uint16_t{1500}, std::uint16_t{9000}})
        for (const bool udp : {false, true})
            for (const bool ipv6 : {false, true})
            for (const EspMode mode : {EspMode::transport, EspMode::tunnel}) {
                const std::uint16_t mtu = inner_mtu(port, {.algorithm = algorithm, .mode = mode, .ipv6 = ipv6, .udp = udp, .gre_key = true});
                const auto outer = [&](int inner) {
                    const int text = inner + 8 + (mode == EspMode::tunnel ? (ipv6 ? 40 : 20) : 0) + 2;
                    return (ipv6 ? 40 : 20) + (udp ? 8 : 0) + 8 + sizes.iv + (text + sizes.alignment - 1) / sizes.alignment * sizes.alignment + sizes.icv;
                };
                CHECK(outer(mtu) <= port);
                CHECK(outer(mtu + 1) > port);
            }
    CHECK(inner_mtu(40, {.algorithm = algorithm}) == 0);
}

TEST_CASE("an ICMP error quotes the packet, is addressed to its sender and carries right checksums") {
    const Bytes about = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9"}, pattern(1000));
    Bytes out(kIcmpErrorMax);
    out.resize(write_icmp_error(IcmpError::fragmentation_needed(1400), IpAddress::v4(address("10.1.0.1")), about, out));
    CHECK(out.size() == 576);
    CHECK(ip_of(out).source.host() == address("10.1.0.1"));
    CHECK(ip_of(out).destination.host() == address("10.1.0.9"));
    CHECK(internet_checksum(ByteView{out}.first(20)) == 0);
    CHECK(internet_checksum(ByteView{out}.subspan(20)) == 0);
    CHECK(Bytes{out.begin() + 20, out.begin() + 22} == Bytes{3, 4});
    CHECK(Bytes{out.begin() + 26, out.begin() + 28} == Bytes{1400 >> 8, 1400 & 0xff});
    CHECK(tail(out, 28) == Bytes{about.begin(), about.begin() + 548});
}

TEST_CASE("no ICMP error answers an ICMP error, a later fragment, multicast, broadcast or a martian (RFC 1812 4.3.2.7)") {
    const auto icmp = [](std::uint8_t type) { return ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .protocol = kProtocolIcmp}, Bytes{type, 0, 0, 0, 0, 0, 0, 0}); };
    const auto may_answer_with_error = [](const Bytes& packet) { return dataplane::may_answer_with_error(IcmpError::net_unreachable(), packet); };
    for (const auto type : std::to_array<std::uint8_t>({3, 4, 5, 11, 12, 42})) CHECK_FALSE(may_answer_with_error(icmp(type)));
    CHECK(may_answer_with_error(icmp(8)));
    CHECK_FALSE(may_answer_with_error(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = 100}, pattern(8))));
    CHECK(may_answer_with_error(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .fragment = Ipv4Header::kMoreFragments}, pattern(8))));
    CHECK_FALSE(may_answer_with_error(ipv4({.source = "10.1.0.9", .destination = "239.1.1.1"}, pattern(8))));
    CHECK_FALSE(may_answer_with_error(ipv4({.source = "10.1.0.9", .destination = "255.255.255.255"}, pattern(8))));
    CHECK_FALSE(may_answer_with_error(ipv4({.source = "0.0.0.0", .destination = "10.2.0.9"}, pattern(8))));
}

TEST_CASE("a policer lets a burst through, then its rate") {
    Policer policer{10, 3, 1000};
    int allowed = 0;
    for (int i = 0; i < 10; ++i) allowed += policer.allow(5000);
    CHECK(allowed == 3);
    CHECK_FALSE(policer.allow(5099));
    CHECK(policer.allow(5101));
    for (int i = 0; i < 10; ++i) allowed += policer.allow(1'000'000);
    CHECK(allowed == 6);
}

TEST_CASE("a pair of hosts is told of a redirect once an interval") {
    RedirectLimiter<std::uint32_t> limiter{1000};
    CHECK(limiter.tell(1, 2, 50));
    CHECK_FALSE(limiter.tell(1, 2, 1049));
    CHECK(limiter.tell(2, 1, 60));
    CHECK(limiter.tell(1, 2, 1050));
}

TEST_CASE("a route's target survives the table's 31 bits") {
    for (const auto kind : {RouteTarget::Kind::peer, RouteTarget::Kind::adjacency, RouteTarget::Kind::twin, RouteTarget::Kind::reject}) {
        const RouteTarget target{kind, 0xabcdef};
        CHECK(next_hop::decode(next_hop::encode(target)) == target);
        CHECK(next_hop::encode(target) != next_hop::kNoRoute);
        CHECK(next_hop::encode(target) < 1u << 31);
    }
}
