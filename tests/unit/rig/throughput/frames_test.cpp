// Test packets and ARP on the wire.
#include "tests/rig/throughput/arp.hpp"
#include "tests/rig/throughput/test_packet.hpp"

#include "common/checksum.hpp"

#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

namespace nave::rig::throughput {
namespace {

const MacAddress kOurs{{2, 0, 0, 0, 0, 1}}, kTheirs{{2, 0, 0, 0, 0, 2}};
const TestPacket kPacket{.trial = 7, .stream = 300, .sequence = 0x89abcdef, .sent_at = 0x1234'5678'9abc};
constexpr std::size_t kIp = 14, kUdp = 34, kPayload = 42;

Bytes frame(std::size_t size, const TestPacket& packet = kPacket) {
    const auto head = encode_head({.source_mac = kOurs, .destination_mac = kTheirs, .source = 0x0a000102, .destination = 0x0a000202, .source_port = 50'000}, size);
    const auto signature = encode(packet);
    Bytes bytes(buffer_bytes(size));
    std::ranges::copy(head, bytes.begin());
    std::ranges::copy(signature, bytes.begin() + head.size());
    return bytes;
}

TEST_CASE("a test packet comes back as it was, at the smallest size too") {
    for (const std::size_t size : {std::size_t{64}, std::size_t{65}, std::size_t{1518}, kFrameMax}) CHECK(decode(frame(size), size) == kPacket);
}

TEST_CASE("the headers of a test packet are right") {
    const auto bytes = frame(128);
    CHECK(std::ranges::equal(ByteView{bytes}.first(6), kTheirs.bytes));
    CHECK(internet_checksum(ByteView{bytes}.subspan(kIp, 20)) == 0);
    ByteReader lengths{ByteView{bytes}.subspan(kIp + 2)};
    CHECK(lengths.u16() == 128 - 4 - 14);
    CHECK(bytes[kIp + 6] == 0x40);  // don't fragment
    ByteReader udp{ByteView{bytes}.subspan(kUdp)};
    CHECK(udp.u16() == 50'000);
    CHECK(udp.u16() == 9);
    CHECK(udp.u16() == 128 - 4 - 14 - 20);
    CHECK(udp.u16() == 0);
}

TEST_CASE("a router's changes to a test packet do not matter") {
    auto bytes = frame(64);
    std::ranges::fill(bytes.begin(), bytes.begin() + 12, std::uint8_t{0x42});
    bytes[kIp + 1] = 0xb8;  // DSCP
    bytes[kIp + 8] -= 1;    // TTL
    bytes.resize(bytes.size() + 4);
    CHECK(decode(bytes, 64) == kPacket);
}

TEST_CASE("frames of others, of other sizes, cut or damaged are no test packets") {
    const auto good = frame(64);
    CHECK_FALSE(decode(good, 65));
    CHECK_FALSE(decode(frame(65), 64));
    CHECK_FALSE(decode(ByteView{good}.first(good.size() - 1), 64));
    CHECK_FALSE(decode({}, 64));
    for (const std::size_t at : {kIp - 1, kIp, kIp + 3, kIp + 7, kIp + 9, kPayload, kPayload + 3}) {
        auto bad = good;
        bad[at] ^= 0x21;
        CHECK_FALSE(decode(bad, 64));
    }
}

TEST_CASE("the clock that travels wraps without harm") {
    CHECK(elapsed(0xffff'ffff'fff0, 0x5'0000'0000'0010) == 0x20);
    CHECK(elapsed(100, 130) == 30);
}

TEST_CASE("a fragmentation-needed message names the MTU") {
    Bytes bytes = frame(74);  // the size of the shortest ICMP message with the header of what was refused, and more
    bytes[kIp + 9] = kProtocolIcmp;
    bytes[kUdp] = 3, bytes[kUdp + 1] = 4;
    bytes[kUdp + 6] = 0x05, bytes[kUdp + 7] = 0x78;
    CHECK(fragmentation_needed(bytes) == 1400);
    bytes[kUdp + 1] = 1;
    CHECK_FALSE(fragmentation_needed(bytes));
    CHECK_FALSE(fragmentation_needed(frame(64)));
    CHECK_FALSE(fragmentation_needed(ByteView{bytes}.first(41)));
}

TEST_CASE("ARP messages come back as they were") {
    for (const auto operation : {ArpMessage::Operation::request, ArpMessage::Operation::reply}) {
        const ArpMessage message{operation, kOurs, 0x0a000102, kTheirs, 0x0a000101};
        CHECK(decode_arp(encode(message)) == message);
    }
}

TEST_CASE("an ARP request is what RFC 826 draws, and goes to everybody") {
    const auto bytes = encode(ArpMessage{.sender_mac = kOurs, .sender = 0x0a000102, .target_mac = {}, .target = 0x0a000101});
    const std::vector<std::uint8_t> expected{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6,  //
                                             0, 1, 8, 0, 6, 4, 0, 1,                                      //
                                             2, 0, 0, 0, 0, 1, 10, 0, 1, 2, 0, 0, 0, 0, 0, 0, 10, 0, 1, 1};
    CHECK(std::ranges::equal(ByteView{bytes}.first(expected.size()), expected));
}

TEST_CASE("a reply goes to who asked, with the address that was asked for") {
    const ArpMessage request{.sender_mac = kTheirs, .sender = 0x0a000101, .target_mac = {}, .target = 0x0a000105};
    const auto reply = reply_to(request, kOurs);
    CHECK(reply == ArpMessage{ArpMessage::Operation::reply, kOurs, 0x0a000105, kTheirs, 0x0a000101});
    CHECK(std::ranges::equal(ByteView{encode(reply)}.first(6), kTheirs.bytes));
}

TEST_CASE("what is not ARP for IPv4 over Ethernet is left alone") {
    const auto good = encode(ArpMessage{.sender_mac = kOurs, .sender = 1, .target_mac = {}, .target = 2});
    CHECK_FALSE(decode_arp(ByteView{good}.first(41)));
    for (const std::size_t at : {12u, 14u, 17u, 18u, 19u, 20u, 21u}) {
        auto bad = good;
        bad[at] ^= 0x10;
        CHECK_FALSE(decode_arp(bad));
    }
    CHECK_FALSE(decode_arp(frame(64)));
}

}  // namespace
}  // namespace nave::rig::throughput
