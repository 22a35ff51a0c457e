// What comes out of ESP is untrusted still: GRE and IPv4 headers, truncated and lying.
#include "dataplane/inner_checks.hpp"
#include "common/checksum.hpp"
#include "tests/unit/dataplane/packets.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::dataplane;
using namespace nave::test;

namespace {

const Ip kIp{.source = "10.1.0.9", .destination = "10.2.0.9"};

Drop ipv4_error(const Bytes& packet) {
    const auto checked = check_ipv4(packet);
    return checked ? Drop::none : checked.error();
}

Drop gre_error(const Bytes& packet, std::optional<std::uint32_t> key = std::nullopt) {
    const auto checked = check_gre(packet, key);
    return checked ? Drop::none : checked.error();
}

/// A keyed GRE packet with checksum.
Bytes summed_gre(ByteView payload) {
    Bytes packet = gre(GreHeader::kChecksum | GreHeader::kKey, kEtherTypeIpv4, concat({Bytes{0, 0, 0, 0, 0, 0, 0, 42}, payload}));
    const std::uint16_t sum = internet_checksum(packet);
    packet[4] = static_cast<std::uint8_t>(sum >> 8), packet[5] = static_cast<std::uint8_t>(sum);
    return packet;
}

}  // namespace

TEST_CASE("a whole IPv4 packet passes and tells its lengths") {
    const auto extent = check_ipv4(ipv4(kIp, pattern(30)));
    REQUIRE(extent);
    CHECK(extent->header_length == 20);
    CHECK(extent->total_length == 50);
}

TEST_CASE("an IPv4 packet cut anywhere is refused") {
    const Bytes packet = ipv4(kIp, pattern(10));
    for (std::size_t size = 0; size < packet.size(); ++size) {
        const Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK(ipv4_error(cut) == (size < 20 ? Drop::ip_runt : Drop::ip_bad_total_length));
    }
}

TEST_CASE("bytes behind the total length are padding, not an error") {
    const auto extent = check_ipv4(concat({ipv4(kIp, pattern(2)), Bytes(24, 0)}));
    REQUIRE(extent);
    CHECK(extent->total_length == 22);
}

TEST_CASE("an IPv4 version other than 4 is refused") {
    Bytes packet = ipv4(kIp, {});
    packet[0] = 0x65;
    CHECK(ipv4_error(fix_checksum(packet)) == Drop::ip_bad_version);
}

TEST_CASE("every lying IPv4 header length is refused") {
    for (const unsigned words : {0u, 1u, 4u, 15u}) {
        Bytes packet = ipv4(kIp, pattern(8));
        packet[0] = static_cast<std::uint8_t>(0x40 | words);
        CHECK(ipv4_error(packet) == Drop::ip_bad_header_length);
    }
}

TEST_CASE("a total length below the header or beyond the packet is refused") {
    for (const auto total : std::to_array<std::uint16_t>({0, 19, 29, 65535})) {
        Bytes packet = ipv4(kIp, pattern(8));
        packet[2] = static_cast<std::uint8_t>(total >> 8), packet[3] = static_cast<std::uint8_t>(total);
        CHECK(ipv4_error(packet) == Drop::ip_bad_total_length);
    }
}

TEST_CASE("a flipped bit in the IPv4 header is refused, unless the device vouches for the checksum") {
    Bytes packet = ipv4(kIp, pattern(8));
    packet[8] ^= 1;
    CHECK(ipv4_error(packet) == Drop::ip_bad_checksum);
    CHECK(check_ipv4(packet, ChecksumCheck::done_by_device));
}

TEST_CASE("source routes are refused, router alert and record route pass") {
    const auto with = [](Bytes options) {
        Ip ip = kIp;
        ip.options = std::move(options);
        return ipv4(ip, pattern(8));
    };
    CHECK(ipv4_error(with({131, 3, 4, 0})) == Drop::ip_options);
    CHECK(ipv4_error(with({1, 137, 3, 4})) == Drop::ip_options);
    CHECK(ipv4_error(with({148, 4, 0, 0})) == Drop::none);
    CHECK(ipv4_error(with({7, 7, 4, 0, 0, 0, 0, 0})) == Drop::none);
}

TEST_CASE("options whose lengths lie are refused") {
    const auto with = [](Bytes options) {
        Ip ip = kIp;
        ip.options = std::move(options);
        return ipv4(ip, pattern(8));
    };
    CHECK(ipv4_error(with({7, 0, 0, 0})) == Drop::ip_options);
    CHECK(ipv4_error(with({7, 1, 0, 0})) == Drop::ip_options);
    CHECK(ipv4_error(with({7, 5, 0, 0})) == Drop::ip_options);
    CHECK(ipv4_error(with({1, 1, 1, 7})) == Drop::ip_options);
}

TEST_CASE("martian addresses are refused (RFC 1812 5.3.7)") {
    const std::uint32_t host = address("10.0.0.1");
    for (const auto* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "239.255.255.255", "240.0.0.1", "255.255.255.255"})
        CHECK(check_ipv4_addresses(address(source), host) == Drop::ip_bad_source);
    for (const auto* destination : {"0.0.0.0", "127.8.8.8", "240.0.0.1", "255.255.255.254"})
        CHECK(check_ipv4_addresses(host, address(destination)) == Drop::ip_bad_destination);
    for (const auto* destination : {"224.0.0.5", "239.1.1.1", "255.255.255.255", "192.0.2.1"})
        CHECK(check_ipv4_addresses(host, address(destination)) == Drop::none);
}

TEST_CASE("GRE without options passes where no key is expected") {
    const auto extent = check_gre(gre(0, kEtherTypeIpv4, pattern(20)), std::nullopt);
    REQUIRE(extent);
    CHECK(extent->header_length == 4);
    CHECK(extent->protocol == kEtherTypeIpv4);
}

TEST_CASE("GRE cut within its header is a runt, whatever options it promises") {
    for (const auto flags : std::to_array<std::uint16_t>({0x0000, 0x8000, 0x2000, 0x1000, 0xb000})) {
        const Bytes packet = gre(flags, kEtherTypeIpv4, Bytes(12, 0));
        const std::size_t header = reinterpret_cast<const GreHeader*>(packet.data())->size();
        for (std::size_t size = 0; size < header; ++size)
            CHECK(gre_error({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)}, flags & 0x2000 ? std::optional{0u} : std::nullopt) == Drop::gre_runt);
    }
}

TEST_CASE("GRE of another version, PPTP's for one, is refused") { CHECK(gre_error(gre(0x0001, kEtherTypeIpv4, pattern(20))) == Drop::gre_version); }

TEST_CASE("GRE with routing, strict source route or recursion bits is refused (RFC 2784 2.3)") {
    for (const auto flags : std::to_array<std::uint16_t>({0x4000, 0x0800, 0x0400})) CHECK(gre_error(gre(flags, kEtherTypeIpv4, pattern(20))) == Drop::gre_routing_present);
}

TEST_CASE("a GRE key must be there exactly when the tunnel has one, and be the same") {
    const Bytes keyed = gre(GreHeader::kKey, kEtherTypeIpv4, concat({Bytes{0, 0, 0, 42}, pattern(20)}));
    CHECK(gre_error(keyed, 42) == Drop::none);
    CHECK(gre_error(keyed, 43) == Drop::gre_wrong_key);
    CHECK(gre_error(keyed) == Drop::gre_wrong_key);
    CHECK(gre_error(gre(0, kEtherTypeIpv4, pattern(20)), 42) == Drop::gre_wrong_key);
}

TEST_CASE("a GRE sequence number is tolerated") {
    const auto extent = check_gre(gre(GreHeader::kSequence | GreHeader::kKey, kEtherTypeIpv4, concat({Bytes{0, 0, 0, 42, 9, 9, 9, 9}, pattern(20)})), 42);
    REQUIRE(extent);
    CHECK(extent->header_length == 12);
}

TEST_CASE("a GRE checksum is verified over header and payload") {
    Bytes packet = summed_gre(pattern(21));
    CHECK(gre_error(packet, 42) == Drop::none);
    packet.back() ^= 0x80;
    CHECK(gre_error(packet, 42) == Drop::gre_bad_checksum);
}

TEST_CASE("GRE carries IPv4, IPv6 and NHRP, and nothing else") {
    for (const auto protocol : {kEtherTypeIpv4, kEtherTypeIpv6, kEtherTypeNhrp}) CHECK(gre_error(gre(0, protocol, pattern(20))) == Drop::none);
    CHECK(gre_error(gre(0, 0x6558, pattern(40))) == Drop::gre_unknown_protocol);
}

TEST_CASE("the checks of the fuzz target go through GRE into IPv4") {
    const Bytes inner = ipv4(kIp, pattern(5));
    const auto extent = check_inner(gre(0, kEtherTypeIpv4, inner), std::nullopt);
    REQUIRE(extent);
    CHECK(extent->ip_length == 25);
    CHECK(check_inner(gre(0, kEtherTypeNhrp, inner), std::nullopt)->ip_length == 0);
    const Bytes martian = ipv4({.source = "127.0.0.1", .destination = "10.0.0.1"}, {});
    CHECK(check_inner(gre(0, kEtherTypeIpv4, martian), std::nullopt).error() == Drop::ip_bad_source);
}

TEST_CASE("an ESP trailer tells payload and next header, and its padding counts 1, 2, 3") {
    const auto payload = check_esp_trailer(Bytes{9, 9, 9, 1, 2, 3, 3, 47});
    REQUIRE(payload);
    CHECK(payload->length == 3);
    CHECK(payload->next_header == 47);
    CHECK(check_esp_trailer(Bytes{9, 9, 0, 47})->length == 2);
    CHECK(check_esp_trailer(Bytes{1, 2, 2, 59})->length == 0);
}

TEST_CASE("an ESP trailer that lies is refused") {
    CHECK(check_esp_trailer(Bytes{47}).error() == Drop::esp_runt);
    CHECK(check_esp_trailer(Bytes{9, 9, 3, 47}).error() == Drop::esp_bad_padding);
    CHECK(check_esp_trailer(Bytes{9, 9, 255, 47}).error() == Drop::esp_bad_padding);
    CHECK(check_esp_trailer(Bytes{9, 1, 3, 2, 47}).error() == Drop::esp_bad_padding);
    CHECK(check_esp_trailer(Bytes{0, 0, 0, 3, 47}).error() == Drop::esp_bad_padding);
}
