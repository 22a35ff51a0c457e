// Completing checksums that a kernel left to hardware, and leaving all else alone.
#include "dataplane/checksum_repair.hpp"

#include "common/bytes.hpp"
#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using nave::dataplane::complete_partial_checksum;

namespace {

constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40;

enum class Field { partial, complete, zero };

Bytes payload_of(std::size_t size) {
    Bytes payload(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(i * 37 + 11);
    return payload;
}

std::uint64_t pseudo_sum(ByteView addresses, std::uint8_t protocol, std::size_t size) { return checksum_add(protocol + size, addresses); }

/// A TCP or UDP header with `payload` behind it, its checksum field as wanted.
Bytes transport(std::uint8_t protocol, ByteView addresses, const Bytes& payload, Field field) {
    const bool udp = protocol == kProtocolUdp;
    ByteWriter out;
    out.u16(500), out.u16(4500);
    if (udp) {
        out.u16(static_cast<std::uint16_t>(8 + payload.size())), out.u16(0);
    } else {
        out.u32(1), out.u32(2), out.u8(5 << 4), out.u8(TcpHeader::kSyn), out.u16(65535), out.u16(0), out.u16(0);
    }
    out.bytes(payload);
    const auto partial = pseudo_sum(addresses, protocol, out.size());
    const auto complete = static_cast<std::uint16_t>(~checksum_fold(checksum_add(partial, out.view())));
    const std::uint16_t stored = field == Field::zero ? std::uint16_t{0} : field == Field::partial ? checksum_fold(partial) : complete == 0 ? std::uint16_t{0xffff} : complete;
    out.patch_u16(udp ? 6 : 16, stored);
    return out.take();
}

Bytes ipv4_frame(std::uint8_t protocol, const Bytes& payload, Field field, std::uint16_t fragment = 0, Bytes tags = {}) {
    const Bytes addresses{192, 0, 2, 1, 198, 51, 100, 2};
    const Bytes inner = transport(protocol, addresses, payload, field);
    ByteWriter out;
    out.zeros(12), out.bytes(tags), out.u16(kEtherTypeIpv4);
    out.u8(0x45), out.u8(0), out.u16(static_cast<std::uint16_t>(kIpv4 + inner.size())), out.u16(1), out.u16(fragment), out.u8(64), out.u8(protocol), out.u16(0);
    out.bytes(addresses), out.bytes(inner);
    return out.take();
}

Bytes ipv6_frame(std::uint8_t protocol, const Bytes& payload, Field field) {
    const Bytes addresses = payload_of(32);
    const Bytes inner = transport(protocol, addresses, payload, field);
    ByteWriter out;
    out.zeros(12), out.u16(kEtherTypeIpv6);
    out.u32(0x60000000), out.u16(static_cast<std::uint16_t>(inner.size())), out.u8(protocol), out.u8(64), out.bytes(addresses), out.bytes(inner);
    return out.take();
}

bool stays_as_it_is(Bytes frame) {
    const Bytes before = frame;
    return !complete_partial_checksum(frame) && frame == before;
}

}  // namespace

TEST_CASE("a UDP checksum that a kernel left unfinished is completed") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(100), Field::partial);
    CHECK(complete_partial_checksum(frame));
    CHECK(frame == ipv4_frame(kProtocolUdp, payload_of(100), Field::complete));
}

TEST_CASE("a TCP checksum that a kernel left unfinished is completed") {
    auto frame = ipv4_frame(kProtocolTcp, payload_of(1400), Field::partial);
    CHECK(complete_partial_checksum(frame));
    CHECK(frame == ipv4_frame(kProtocolTcp, payload_of(1400), Field::complete));
}

TEST_CASE("an unfinished checksum is completed whatever the length, odd ones and none included") {
    for (const std::uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
        for (std::size_t size = 0; size < 70; ++size) {
            auto frame = ipv4_frame(protocol, payload_of(size), Field::partial);
            complete_partial_checksum(frame);
            CHECK(frame == ipv4_frame(protocol, payload_of(size), Field::complete));
        }
    }
}

TEST_CASE("over IPv6 unfinished checksums are completed as well") {
    for (const std::uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
        auto frame = ipv6_frame(protocol, payload_of(33), Field::partial);
        CHECK(complete_partial_checksum(frame));
        CHECK(frame == ipv6_frame(protocol, payload_of(33), Field::complete));
    }
}

TEST_CASE("unfinished checksums are found behind one and two VLAN tags") {
    for (const Bytes& tags : {Bytes{0x81, 0, 0, 100}, Bytes{0x88, 0xa8, 0, 7, 0x81, 0, 0, 100}}) {
        auto frame = ipv4_frame(kProtocolUdp, payload_of(9), Field::partial, 0, tags);
        CHECK(complete_partial_checksum(frame));
        CHECK(frame == ipv4_frame(kProtocolUdp, payload_of(9), Field::complete, 0, tags));
    }
}

TEST_CASE("bytes of Ethernet padding behind a short packet are not summed") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(1), Field::partial), wanted = ipv4_frame(kProtocolUdp, payload_of(1), Field::complete);
    frame.resize(60, 0xee), wanted.resize(60, 0xee);
    CHECK(complete_partial_checksum(frame));
    CHECK(frame == wanted);
}

TEST_CASE("packets with a genuine checksum stay as they are") {
    for (std::size_t size = 0; size < 40; ++size) {
        CHECK(stays_as_it_is(ipv4_frame(kProtocolUdp, payload_of(size), Field::complete)));
        CHECK(stays_as_it_is(ipv4_frame(kProtocolTcp, payload_of(size), Field::complete)));
        CHECK(stays_as_it_is(ipv6_frame(kProtocolUdp, payload_of(size), Field::complete)));
    }
}

TEST_CASE("a genuine checksum that happens to equal the pseudo-header's sum stays as it is") {
    // Two payload bytes are chosen so that the complete checksum is the partial one.
    int met = 0;
    for (std::uint32_t tail = 0; tail <= 0xffff; ++tail) {
        const Bytes payload{static_cast<std::uint8_t>(tail >> 8), static_cast<std::uint8_t>(tail)};
        const auto frame = ipv4_frame(kProtocolUdp, payload, Field::complete);
        if (frame != ipv4_frame(kProtocolUdp, payload, Field::partial)) continue;
        ++met;
        CHECK(stays_as_it_is(frame));
    }
    CHECK(met > 0);
}

TEST_CASE("a UDP datagram without a checksum stays without (RFC 768)") { CHECK(stays_as_it_is(ipv4_frame(kProtocolUdp, payload_of(64), Field::zero))); }

TEST_CASE("a completed UDP checksum of zero is sent as all ones (RFC 768)") {
    int met = 0;
    for (std::uint32_t tail = 0; tail <= 0xffff; ++tail) {
        const Bytes payload{static_cast<std::uint8_t>(tail >> 8), static_cast<std::uint8_t>(tail)};
        auto frame = ipv4_frame(kProtocolUdp, payload, Field::partial);
        complete_partial_checksum(frame);
        const auto field = static_cast<std::uint16_t>(frame[kEthernet + kIpv4 + 6] << 8 | frame[kEthernet + kIpv4 + 7]);
        REQUIRE(field != 0);
        met += field == 0xffff;
    }
    CHECK(met > 0);
}

TEST_CASE("a corrupted packet is not blessed with a right checksum") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(100), Field::complete);
    frame[frame.size() - 1] ^= 0x40;
    CHECK(stays_as_it_is(frame));
}

TEST_CASE("fragments stay as they are") {
    CHECK(stays_as_it_is(ipv4_frame(kProtocolUdp, payload_of(100), Field::partial, Ipv4Header::kMoreFragments)));
    CHECK(stays_as_it_is(ipv4_frame(kProtocolUdp, payload_of(100), Field::partial, 185)));
}

TEST_CASE("a packet that may not be fragmented is no fragment") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(100), Field::partial, Ipv4Header::kDontFragment);
    CHECK(complete_partial_checksum(frame));
}

TEST_CASE("a frame that is cut anywhere stays as it is") {
    for (const auto& whole : {ipv4_frame(kProtocolUdp, payload_of(40), Field::partial), ipv4_frame(kProtocolTcp, payload_of(40), Field::partial),
                              ipv6_frame(kProtocolUdp, payload_of(40), Field::partial)})
        for (std::size_t size = 0; size < whole.size(); ++size) CHECK(stays_as_it_is(Bytes{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
}

TEST_CASE("lengths that lie leave the frame as it is") {
    const auto lying = [](std::size_t offset, std::uint16_t value) {
        auto frame = ipv4_frame(kProtocolUdp, payload_of(40), Field::partial);
        frame[offset] = static_cast<std::uint8_t>(value >> 8), frame[offset + 1] = static_cast<std::uint8_t>(value);
        return frame;
    };
    for (const std::uint16_t total : std::initializer_list<std::uint16_t>{0, 19, 20, 27, 69, 65535}) CHECK(stays_as_it_is(lying(kEthernet + 2, total)));
    for (const std::uint16_t udp : std::initializer_list<std::uint16_t>{0, 7, 47, 49, 65535}) CHECK(stays_as_it_is(lying(kEthernet + kIpv4 + 4, udp)));
}

TEST_CASE("header lengths that lie leave the frame as it is") {
    for (const std::uint8_t first : Bytes{0x40, 0x44, 0x46, 0x4f, 0x55, 0x65}) {
        auto frame = ipv4_frame(kProtocolTcp, payload_of(2), Field::partial);
        frame[kEthernet] = first;
        CHECK(stays_as_it_is(frame));
    }
}

TEST_CASE("an unfinished checksum behind IPv4 options is completed") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(20), Field::partial), wanted = ipv4_frame(kProtocolUdp, payload_of(20), Field::complete);
    for (auto* bytes : {&frame, &wanted}) {
        bytes->insert(bytes->begin() + kEthernet + kIpv4, 4, std::uint8_t{1});
        (*bytes)[kEthernet] = 0x46;
        (*bytes)[kEthernet + 3] = static_cast<std::uint8_t>((*bytes)[kEthernet + 3] + 4);
    }
    CHECK(complete_partial_checksum(frame));
    CHECK(frame == wanted);
}

TEST_CASE("protocols other than TCP and UDP stay as they are") {
    for (const std::uint8_t protocol : {kProtocolIcmp, kProtocolEsp, kProtocolGre}) {
        auto frame = ipv4_frame(kProtocolUdp, payload_of(40), Field::partial);
        frame[kEthernet + 9] = protocol;
        CHECK(stays_as_it_is(frame));
    }
}

TEST_CASE("frames that are not IP stay as they are") {
    auto frame = ipv4_frame(kProtocolUdp, payload_of(40), Field::partial);
    frame[12] = 0x08, frame[13] = 0x06;
    CHECK(stays_as_it_is(frame));
    CHECK(stays_as_it_is(Bytes(14, 0xff)));
    CHECK(stays_as_it_is({}));
}

TEST_CASE("an IPv6 payload length that lies leaves the frame as it is") {
    for (const std::uint8_t length : Bytes{0, 7, 47, 49, 255}) {
        auto frame = ipv6_frame(kProtocolUdp, payload_of(40), Field::partial);
        frame[kEthernet + 5] = length;
        CHECK(stays_as_it_is(frame));
    }
    CHECK(ipv6_frame(kProtocolUdp, payload_of(40), Field::partial).size() == kEthernet + kIpv6 + 48);
}
