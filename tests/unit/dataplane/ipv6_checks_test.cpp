// IPv6 inside tunnels is untrusted: headers, addresses, chains of extension headers; and what is said and changed on the strength of them.
#include "dataplane/icmp_error.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/mss_clamp.hpp"
#include "dataplane/peer.hpp"
#include "tests/unit/dataplane/packets.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::dataplane;
using namespace nave::test;

namespace {

const Ip6 kIp{.source = "2001:db8:1::9", .destination = "2001:db8:2::9"};

Drop error_of(const Bytes& packet) {
    const auto checked = check_ipv6(packet);
    return checked ? Drop::none : checked.error();
}

Drop addresses(std::string_view source, std::string_view destination) { return check_ipv6_addresses(ipv6_address(source), ipv6_address(destination)); }

Bytes with_next_header(std::uint8_t next_header, ByteView payload) {
    Ip6 ip = kIp;
    ip.next_header = next_header;
    return ipv6(ip, payload);
}

Bytes icmpv6(std::uint8_t type, Ip6 ip = kIp) {
    ip.next_header = kProtocolIcmpv6;
    return ipv6(ip, Bytes{type, 0, 0, 0, 0, 0, 0, 0});
}

const IcmpError kTooBig = IcmpError::fragmentation_needed(1400), kNoRoute = IcmpError::net_unreachable();

}  // namespace

TEST_CASE("an IPv6 packet cut anywhere is refused; what lies behind it is padding") {
    const Bytes packet = ipv6(kIp, pattern(10));
    for (std::size_t size = 0; size < packet.size(); ++size) {
        const Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK(error_of(cut) == (size < 40 ? Drop::ip_runt : Drop::ip_bad_total_length));
    }
    CHECK(*check_ipv6(concat({packet, Bytes(6, 0)})) == 50);
    CHECK(*check_ipv6(with_next_header(59, {})) == 40);
}

TEST_CASE("another version than 6, and a jumbogram, are refused") {
    Bytes packet = ipv6(kIp, pattern(10));
    packet[0] = 0x45;
    CHECK(error_of(packet) == Drop::ip_bad_version);
    Bytes jumbogram = with_next_header(kProtocolHopByHop, concat({Bytes{17, 0, 0xc2, 4, 0, 1, 0, 0}, pattern(80)}));
    jumbogram[4] = jumbogram[5] = 0;
    CHECK(error_of(jumbogram) == Drop::ip_bad_total_length);
}

TEST_CASE("addresses that no IPv6 packet on a link may have are refused") {
    for (const auto* source : {"::", "::1", "ff02::1", "ff0e::1", "::ffff:10.0.0.1"}) CHECK(addresses(source, "2001:db8::1") == Drop::ip_bad_source);
    for (const auto* destination : {"::", "::1", "ff00::1", "ff01::1", "ff11::1", "::ffff:10.0.0.1"}) CHECK(addresses("2001:db8::1", destination) == Drop::ip_bad_destination);
    for (const auto* destination : {"2001:db8::2", "fe80::1", "fd00::1", "ff02::1", "ff05::2", "ff3e::8000:1"}) CHECK(addresses("2001:db8::1", destination) == Drop::none);
}

TEST_CASE("GRE leads into IPv6 as into IPv4") {
    const Bytes inner = ipv6(kIp, pattern(5));
    const auto extent = check_inner(gre(0, kEtherTypeIpv6, concat({inner, Bytes(3, 0)})), std::nullopt);
    REQUIRE(extent);
    CHECK(extent->ip_length == 45);
    CHECK(check_inner(gre(0, kEtherTypeIpv6, ipv6({.source = "::1", .destination = "2001:db8::1"}, {})), std::nullopt).error() == Drop::ip_bad_source);
    CHECK(check_inner(gre(0, kEtherTypeIpv4, inner), std::nullopt).error() == Drop::ip_bad_version);
}

TEST_CASE("the upper layer is found behind the extension headers of RFC 8200, in the first fragment too") {
    const auto plain = find_upper_layer(ipv6(kIp, pattern(8)));
    REQUIRE(plain);
    CHECK((plain->protocol == kProtocolUdp && plain->offset == 40 && plain->is_first_fragment));
    const Bytes options = concat({extension(kProtocolDestinationOptions), extension(kProtocolRouting, 16), extension(kProtocolFragment, 24)});
    const Bytes chain = concat({options, fragment_header(kProtocolTcp, 0), pattern(20)});
    const auto behind = find_upper_layer(with_next_header(kProtocolHopByHop, chain));
    REQUIRE(behind);
    CHECK((behind->protocol == kProtocolTcp && behind->offset == 40 + 56 && behind->is_first_fragment));
    const auto later = find_upper_layer(with_next_header(kProtocolFragment, concat({fragment_header(kProtocolHopByHop, 1232), pattern(20)})));
    REQUIRE(later);
    CHECK((later->protocol == kProtocolHopByHop && !later->is_first_fragment));
}

TEST_CASE("a chain of extension headers that is cut, lies about its length or does not end is followed no further") {
    const Bytes whole = with_next_header(kProtocolHopByHop, concat({extension(kProtocolRouting, 16), extension(kProtocolUdp)}));
    CHECK(find_upper_layer(whole)->offset == whole.size());
    for (std::size_t size = 40; size < whole.size(); ++size) CHECK_FALSE(find_upper_layer(ByteView{whole}.first(size)));
    Bytes lying = whole;
    lying[41] = 255;
    CHECK_FALSE(find_upper_layer(lying));
    Bytes endless;
    for (int i = 0; i < 100; ++i) endless = concat({endless, extension(kProtocolDestinationOptions)});
    CHECK_FALSE(find_upper_layer(with_next_header(kProtocolDestinationOptions, endless)));
}

TEST_CASE("an ICMPv6 error quotes as much as the minimum MTU has room for, with the MTU and a right checksum") {
    const Bytes about = ipv6(kIp, pattern(1500));
    Bytes out(kIcmpv6ErrorMax);
    out.resize(write_icmp_error(kTooBig, IpAddress::parse("2001:db8:1::1").value(), about, out));
    CHECK(out.size() == 1280);
    CHECK(*check_ipv6(out) == 1280);
    CHECK(ipv6_of(out).source == ipv6_address("2001:db8:1::1"));
    CHECK(ipv6_of(out).destination == ipv6_address("2001:db8:1::9"));
    CHECK(Bytes{out.begin() + 40, out.begin() + 42} == Bytes{2, 0});
    CHECK(Bytes{out.begin() + 44, out.begin() + 48} == Bytes{0, 0, 1400 >> 8, 1400 & 0xff});
    CHECK(ipv6_checksum(ipv6_of(out), kProtocolIcmpv6, ByteView{out}.subspan(40)) == 0);
    CHECK(tail(out, 48) == Bytes{about.begin(), about.begin() + 1232});
}

TEST_CASE("the types and codes are those of RFC 4443") {
    const Bytes about = ipv6(kIp, pattern(8));
    const auto words = [&](const IcmpError& error) {
        Bytes out(kIcmpv6ErrorMax);
        write_icmp_error(error, IpAddress::parse("2001:db8:1::1").value(), about, out);
        return Bytes{out.begin() + 40, out.begin() + 42};
    };
    CHECK(words(kNoRoute) == Bytes{1, 0});
    CHECK(words(IcmpError::prohibited()) == Bytes{1, 1});
    CHECK(words(IcmpError::time_exceeded()) == Bytes{3, 0});
}

TEST_CASE("no ICMPv6 error is about an ICMPv6 error or redirect, nor for a source that is not one host (RFC 4443 2.4 (e))") {
    for (const auto type : std::to_array<std::uint8_t>({0, 1, 2, 3, 4, 100, 127, 137})) CHECK_FALSE(may_answer_with_error(kTooBig, icmpv6(type)));
    for (const auto type : std::to_array<std::uint8_t>({128, 129, 135})) CHECK(may_answer_with_error(kTooBig, icmpv6(type)));
    for (const auto* source : {"::", "ff0e::1"}) CHECK_FALSE(may_answer_with_error(kNoRoute, ipv6({.source = source, .destination = kIp.destination}, pattern(8))));
    const Bytes hidden = with_next_header(kProtocolHopByHop, concat({extension(kProtocolIcmpv6), Bytes{1, 0, 0, 0, 0, 0, 0, 0}}));
    CHECK_FALSE(may_answer_with_error(kNoRoute, hidden));
    CHECK_FALSE(may_answer_with_error(kNoRoute, with_next_header(kProtocolIcmpv6, {})));
}

TEST_CASE("only Packet Too Big is said about multicast; a later fragment is answered unless it is one of ICMPv6") {
    const Bytes multicast = ipv6({.source = kIp.source, .destination = "ff0e::1"}, pattern(8));
    CHECK(may_answer_with_error(kTooBig, multicast));
    CHECK_FALSE(may_answer_with_error(kNoRoute, multicast));
    CHECK(may_answer_with_error(kNoRoute, with_next_header(kProtocolFragment, concat({fragment_header(kProtocolUdp, 1232), pattern(20)}))));
    CHECK_FALSE(may_answer_with_error(kNoRoute, with_next_header(kProtocolFragment, concat({fragment_header(kProtocolIcmpv6, 1232), pattern(20)}))));
}

TEST_CASE("the MSS of an IPv6 SYN leaves room for its larger header, behind extension headers too, and the checksum stays right") {
    Ip6 ip = kIp;
    ip.next_header = kProtocolTcp;
    Bytes packet = tcp_syn6(ip, 1440);
    CHECK(clamp_mss(packet, 1400));
    CHECK(packet == tcp_syn6(ip, 1340));
    ip.next_header = kProtocolDestinationOptions;
    packet = tcp_syn6(ip, 1440, extension(kProtocolTcp, 16));
    CHECK(clamp_mss(packet, 1400));
    CHECK(packet == tcp_syn6(ip, 1340, extension(kProtocolTcp, 16)));
    CHECK_FALSE(clamp_mss(packet, 1400));
}

TEST_CASE("a cut IPv6 SYN and a later fragment are left alone") {
    Ip6 ip = kIp;
    ip.next_header = kProtocolTcp;
    const Bytes packet = tcp_syn6(ip, 1440);
    for (std::size_t size = 40; size < packet.size(); ++size) {
        Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK_FALSE(clamp_mss(cut, 1400));
    }
    ip.next_header = kProtocolFragment;
    Bytes later = tcp_syn6(ip, 1440, fragment_header(kProtocolTcp, 8));
    CHECK_FALSE(clamp_mss(later, 1400));
}

TEST_CASE("a peer's sources hold by family, prefix by prefix") {
    SetPeer command{};
    for (const auto* source : {"2001:db8:1::/48", "10.1.0.0/16", "fe80::1/128", "2001:db8:7::/65"}) command.sources[command.source_count++] = Prefix::parse(source).value();
    Peer peer{};
    peer.set_sources(command);
    for (const auto* good : {"2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", "fe80::1", "2001:db8:7:0:7fff::1"}) CHECK(peer.permits(ipv6_address(good)));
    for (const auto* bad : {"2001:db8:0:ffff::1", "2001:db8:2::", "fe80::2", "fe80:0:0:1::1", "2001:db8:7:0:8000::1", "::"}) CHECK_FALSE(peer.permits(ipv6_address(bad)));
    CHECK(peer.permits(address("10.1.2.3")));
    CHECK_FALSE(peer.permits(address("10.2.2.3")));
    command.sources[0] = Prefix::parse("::/0").value();
    peer.set_sources(command);
    CHECK(peer.permits(ipv6_address("2001:db8:2::")));
    CHECK_FALSE(peer.permits(address("10.2.2.3")));
}
