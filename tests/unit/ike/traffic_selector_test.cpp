// Traffic selectors: how the wishes of two ends meet (RFC 7296 §2.9, §3.13).
#include "controlplane/ike/traffic_selector.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

constexpr std::uint8_t kGre = 47;
TrafficSelector range(const char* first, const char* last, std::uint8_t protocol = 0) { return {protocol, 0, 65535, ip(first), ip(last)}; }
const TrafficSelector kHost = TrafficSelector::host(ip("192.0.2.1"), kGre);

TrafficSelector with_ports(TrafficSelector selector, std::uint16_t first, std::uint16_t last) {
    selector.first_port = first;
    selector.last_port = last;
    return selector;
}

}  // namespace

TEST_CASE("two ranges meet where both hold, in addresses, protocol and ports") {
    const auto both = intersect(with_ports(range("10.0.0.0", "10.0.0.9"), 10, 20), with_ports(range("10.0.0.5", "10.0.1.0", kGre), 15, 30));
    CHECK(both == with_ports(range("10.0.0.5", "10.0.0.9", kGre), 15, 20));
}

TEST_CASE("selectors without a packet in common do not meet") {
    CHECK_FALSE(intersect(range("10.0.0.0", "10.0.0.4"), range("10.0.0.5", "10.0.0.9")));
    CHECK_FALSE(intersect(range("10.0.0.0", "10.0.0.4", 6), range("10.0.0.0", "10.0.0.4", kGre)));
    CHECK_FALSE(intersect(with_ports(kHost, 0, 9), with_ports(kHost, 10, 19)));
    CHECK_FALSE(intersect(range("0.0.0.0", "255.255.255.255"), range("::", "::ffff")));
}

TEST_CASE("all ports include OPAQUE, a port range does not") {
    const TrafficSelector opaque = with_ports(kHost, 65535, 0);
    CHECK(opaque.is_opaque());
    CHECK(intersect(kHost, opaque) == opaque);
    CHECK(intersect(opaque, opaque) == opaque);
    CHECK_FALSE(intersect(with_ports(kHost, 1, 2), opaque));
    CHECK(kHost.contains(opaque));
    CHECK_FALSE(opaque.contains(kHost));
}

TEST_CASE("a selector contains what it describes and no more") {
    CHECK(range("10.0.0.0", "10.255.255.255").contains(TrafficSelector::host(ip("10.1.2.3"), kGre)));
    CHECK_FALSE(TrafficSelector::host(ip("10.1.2.3"), kGre).contains(range("10.1.2.3", "10.1.2.3")));
    CHECK_FALSE(range("10.0.0.0", "10.0.0.9").contains(range("10.0.0.9", "10.0.0.10")));
}

TEST_CASE("narrowing answers with all of what we accept when one offered selector covers it") {
    // strongSwan puts the packet that triggered the SA in front: host with GRE and the key as port, then the whole host.
    const std::vector offered{with_ports(kHost, 42, 42), kHost};
    CHECK(narrow(offered, kHost) == kHost);
    CHECK(narrow(std::vector{range("0.0.0.0", "255.255.255.255")}, kHost) == kHost);
}

TEST_CASE("narrowing answers with the first common part otherwise, and with nothing when there is none") {
    CHECK(narrow(std::vector{with_ports(kHost, 42, 42)}, kHost) == with_ports(kHost, 42, 42));
    CHECK(narrow(std::vector{TrafficSelector::host(ip("192.0.2.9"), kGre), with_ports(kHost, 65535, 0)}, kHost) == with_ports(kHost, 65535, 0));
    CHECK_FALSE(narrow(std::vector{TrafficSelector::host(ip("192.0.2.9"), kGre)}, kHost));
    CHECK_FALSE(narrow({}, kHost));
}

TEST_CASE("behind a NAT a selector moves to the address that the packets show") {
    const auto moved = with_ports(TrafficSelector::host(ip("10.0.0.5"), kGre), 65535, 0).moved_to(ip("198.51.100.7"));
    CHECK(moved == with_ports(TrafficSelector::host(ip("198.51.100.7"), kGre), 65535, 0));
}

TEST_CASE("a selector prints addresses, protocol and ports") {
    CHECK(kHost.to_string() == "192.0.2.1[47]");
    CHECK(with_ports(range("10.0.0.0", "10.0.0.9", 6), 80, 443).to_string() == "10.0.0.0-10.0.0.9[6/80-443]");
    CHECK(with_ports(kHost, 42, 42).to_string() == "192.0.2.1[47/42]");
    CHECK(with_ports(kHost, 65535, 0).to_string() == "192.0.2.1[47/opaque]");
}

TEST_CASE("IPv4 and IPv6 ranges go through the wire format") {
    const TrafficSelectors payload{Role::responder, {with_ports(kHost, 65535, 0), with_ports(range("2001:db8::1", "2001:db8::ffff", 17), 1, 2)}};
    ByteWriter out;
    encode_traffic_selectors(payload, out);
    CHECK(out.size() == 4 + 16 + 40);
    CHECK(decode_traffic_selectors(out.view(), Role::responder) == payload);
}

TEST_CASE("a selector of an unknown type is left out") {
    const Bytes body = hex("02000000 0a00000811223344 072f0010 0000ffff c0000201 c0000201");  // RFC 9478's security label, then a host
    CHECK(decode_traffic_selectors(body, Role::initiator)->selectors == std::vector{kHost});
}

TEST_CASE("selectors that lie are refused with a reason") {
    const auto reason = [](const char* body) { return decode_traffic_selectors(hex(body), Role::initiator).error(); };
    CHECK(reason("0100") == Malformed::truncated);
    CHECK(reason("01000000") == Malformed::substructure_length);
    CHECK(reason("01000000 072f0011 0000ffff c0000201 c0000201") == Malformed::substructure_length);
    CHECK(reason("01000000 072f000f 0000ffff c0000201 c0000201") == Malformed::substructure_length);
    CHECK(reason("01000000 082f0010 0000ffff c0000201 c0000201") == Malformed::substructure_length);
    CHECK(reason("01000000 0a2f0003") == Malformed::substructure_length);
    CHECK(reason("00000000 072f0010 0000ffff c0000201 c0000201") == Malformed::trailing_bytes);
    CHECK(reason("01000000 072f0010 0000ffff c0000202 c0000201") == Malformed::selector_range);
    CHECK(reason("01000000 072f0010 00020001 c0000201 c0000201") == Malformed::selector_range);
    CHECK(reason("ff000000") == Malformed::too_many_selectors);
}
