// Tests of UDP datagrams on the underlay: frames that we build, packets that we are handed.
#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"
#include "tests/unit/control/kernel_datagrams.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

const NbmaEndpoint kLocal{{IpAddress::v4(0xc0000201)}, 500}, kRemote{{IpAddress::v4(0xc0000264)}, 4500};
const FrameShape kShape{.source = *MacAddress::parse("02:00:00:00:00:01"), .destination = *MacAddress::parse("02:00:00:00:00:02"), .identification = 77};

Ipv4Header ip_of(const Bytes& frame) {
    Ipv4Header header;
    std::memcpy(&header, frame.data() + sizeof(EthernetHeader), sizeof header);
    return header;
}

Bytes packet_of(std::size_t payload_size) { return Way{kShape, kLocal, kRemote}.packet(payload_size); }

void write_ip_checksum(Bytes& packet) {
    packet[10] = packet[11] = 0;
    const std::uint16_t sum = internet_checksum(ByteView{packet}.first(20));
    packet[10] = static_cast<std::uint8_t>(sum >> 8);
    packet[11] = static_cast<std::uint8_t>(sum);
}

}  // namespace

TEST_CASE("a datagram's frame carries MACs, lengths, TTL 64 and no DF") {
    const auto frames = datagram_frames(kShape, kLocal, kRemote, payload_of(100));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].size() == 14 + 20 + 8 + 100);
    CHECK(frames[0][5] == 2);
    CHECK(frames[0][11] == 1);
    const Ipv4Header ip = ip_of(frames[0]);
    CHECK(ip.total_length.host() == 128);
    CHECK(ip.time_to_live == 64);
    CHECK(ip.fragment.host() == 0);
    CHECK(ip.source.host() == 0xc0000201);
    CHECK(ip.destination.host() == 0xc0000264);
}

TEST_CASE("a frame's IPv4 header sums to zero") {
    for (const std::size_t size : {0u, 1u, 99u, 1472u}) CHECK(internet_checksum(ByteView{packet_of(size)}.first(20)) == 0);
}

TEST_CASE("what we build is what a receiver reads, for even and odd payloads") {
    Way{kShape, kLocal, kRemote}.check_that_a_receiver_reads({0, 1, 2, 333, 1000, 1472});
}

TEST_CASE("a UDP checksum that would be zero is sent as all ones (RFC 768)") {
    // One of the 65536 values of these two bytes makes the sum zero.
    bool met = false;
    for (std::uint32_t value = 0; value < 0x10000 && !met; ++value) {
        const Bytes payload{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
        const Bytes frame = datagram_frames(kShape, kLocal, kRemote, payload).at(0);
        const auto checksum = static_cast<std::uint16_t>(frame[14 + 26] << 8 | frame[14 + 27]);
        REQUIRE(checksum != 0);
        met = checksum == 0xffff;
    }
    CHECK(met);
}

TEST_CASE("a datagram beyond the MTU leaves in fragments that join without gap") {
    const auto frames = datagram_frames(kShape, kLocal, kRemote, payload_of(4000));
    REQUIRE(frames.size() == 3);
    std::size_t expected_offset = 0;
    Bytes joined;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Ipv4Header ip = ip_of(frames[i]);
        CHECK(frames[i].size() <= 14u + 1500u);
        CHECK(ip.identification.host() == 77);
        CHECK((ip.fragment.host() & Ipv4Header::kOffsetMask) * 8u == expected_offset);
        CHECK(((ip.fragment.host() & Ipv4Header::kMoreFragments) != 0) == (i + 1 < frames.size()));
        CHECK(internet_checksum(ByteView{frames[i]}.subspan(14, 20)) == 0);
        expected_offset += frames[i].size() - 34;
        joined.insert(joined.end(), frames[i].begin() + 34, frames[i].end());
    }
    REQUIRE(joined.size() == 4008);
    CHECK(Bytes{joined.begin() + 8, joined.end()} == payload_of(4000));
}

TEST_CASE("the fragments' UDP checksum covers the whole datagram") {
    const auto frames = datagram_frames(kShape, kLocal, kRemote, payload_of(2000));
    Bytes packet{frames.at(0).begin() + 14, frames.at(0).begin() + 34};
    for (const Bytes& frame : frames) packet.insert(packet.end(), frame.begin() + 34, frame.end());
    packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
    packet[3] = static_cast<std::uint8_t>(packet.size());
    packet[6] = packet[7] = 0;
    write_ip_checksum(packet);
    CHECK(parse_datagram(packet));
}

TEST_CASE("no frame is built for what does not fit IPv4, or goes from one family to the other") {
    CHECK(datagram_frames(kShape, kLocal, kRemote, payload_of(65508)).empty());
    CHECK(datagram_frames(kShape, kLocal, kRemote, payload_of(65507)).size() > 40);
    CHECK(datagram_frames(kShape, {{IpAddress::v6({1})}, 500}, kRemote, payload_of(10)).empty());
    FrameShape tiny = kShape;
    tiny.mtu = 27;
    CHECK(datagram_frames(tiny, kLocal, kRemote, payload_of(10)).empty());
}

TEST_CASE("a packet cut at any byte is refused, and never read beyond its end") {
    const Bytes packet = packet_of(40);
    for (std::size_t size = 0; size < packet.size(); ++size) {
        const Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        REQUIRE_FALSE(parse_datagram(cut));
    }
}

TEST_CASE("a packet whose length fields were cut with it is refused unless it is whole") {
    const Bytes packet = packet_of(40);
    for (std::size_t size = 20; size < packet.size(); ++size) {
        Bytes cut{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
        cut[2] = 0;
        cut[3] = static_cast<std::uint8_t>(size);
        write_ip_checksum(cut);
        const auto parsed = parse_datagram(cut);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error() == (size < 28 ? DatagramError::runt : DatagramError::bad_udp_length));
    }
}

TEST_CASE("padding behind a short packet is passed over") {
    Bytes packet = packet_of(1);
    packet.resize(packet.size() + 17, 0xee);
    const auto datagram = parse_datagram(packet);
    REQUIRE(datagram);
    CHECK(datagram->payload.size() == 1);
}

TEST_CASE("a datagram with a wrong UDP checksum is refused, with none it is taken") {
    Bytes packet = packet_of(40);
    packet.back() ^= 1;
    REQUIRE(parse_datagram(packet).error() == DatagramError::bad_udp_checksum);
    packet[26] = packet[27] = 0;
    CHECK(parse_datagram(packet));
}

TEST_CASE("each lie of the IPv4 header has its name") {
    const auto error_with = [](std::size_t offset, std::uint8_t value, bool fix_checksum) {
        Bytes packet = packet_of(40);
        packet[offset] = value;
        if (fix_checksum) write_ip_checksum(packet);
        return parse_datagram(packet).error();
    };
    CHECK(error_with(0, 0x75, true) == DatagramError::bad_version);
    CHECK(error_with(0, 0x44, true) == DatagramError::bad_header_length);
    CHECK(error_with(0, 0x4f, false) == DatagramError::bad_ip_checksum);
    CHECK(error_with(2, 0xff, true) == DatagramError::bad_total_length);
    CHECK(error_with(3, 19, true) == DatagramError::bad_total_length);
    CHECK(error_with(6, 0x20, true) == DatagramError::fragment);
    CHECK(error_with(7, 0x01, true) == DatagramError::fragment);
    CHECK(error_with(9, 6, true) == DatagramError::not_udp);
    CHECK(error_with(8, 63, false) == DatagramError::bad_ip_checksum);
    CHECK(error_with(24, 0xff, true) == DatagramError::bad_udp_length);
    CHECK(error_with(25, 7, true) == DatagramError::bad_udp_length);
}
