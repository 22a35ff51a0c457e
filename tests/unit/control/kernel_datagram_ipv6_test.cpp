// Tests of UDP datagrams over IPv6: frames that we build, packets that we are handed.
#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"
#include "tests/unit/control/kernel_datagrams.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

const NbmaEndpoint kLocal{{*IpAddress::parse("2001:db8::1")}, 500}, kRemote{{*IpAddress::parse("2001:db8:1::64")}, 4500};
const FrameShape kShape{.source = *MacAddress::parse("02:00:00:00:00:01"), .destination = *MacAddress::parse("02:00:00:00:00:02"), .identification = 0x12345678};
constexpr std::size_t kIp = sizeof(EthernetHeader), kUdp = kIp + sizeof(Ipv6Header);

Ipv6Header ip_of(const Bytes& frame) {
    Ipv6Header header;
    std::memcpy(&header, frame.data() + kIp, sizeof header);
    return header;
}

Bytes packet_of(std::size_t payload_size) { return Way{kShape, kLocal, kRemote}.packet(payload_size); }

DatagramError error_with(std::size_t offset, std::uint8_t value) {
    Bytes packet = packet_of(40);
    packet[offset] = value;
    return parse_datagram(packet).error();
}

}  // namespace

TEST_CASE("a datagram over IPv6 carries its lengths, hop limit 64 and addresses, behind the right EtherType") {
    const auto frames = datagram_frames(kShape, kLocal, kRemote, payload_of(100));
    REQUIRE(frames.size() == 1);
    CHECK((frames[0][12] << 8 | frames[0][13]) == kEtherTypeIpv6);
    const Ipv6Header ip = ip_of(frames[0]);
    CHECK(ip.version() == 6);
    CHECK(ip.payload_length.host() == 108);
    CHECK(ip.next_header == kProtocolUdp);
    CHECK(ip.hop_limit == 64);
    CHECK(IpAddress::v6(ip.source) == kLocal.address.value);
    CHECK(IpAddress::v6(ip.destination) == kRemote.address.value);
    CHECK(ipv6_checksum(ip, kProtocolUdp, ByteView{frames[0]}.subspan(kUdp)) == 0);
}

TEST_CASE("what we build over IPv6 is what a receiver reads, for even and odd payloads") {
    Way{kShape, kLocal, kRemote}.check_that_a_receiver_reads({0, 1, 2, 333, 1452});
}

TEST_CASE("a datagram beyond the MTU leaves behind fragment headers that join without gap (RFC 8200 section 4.5)") {
    const auto frames = datagram_frames(kShape, kLocal, kRemote, payload_of(4000));
    REQUIRE(frames.size() == 3);
    Bytes joined;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Ipv6Header ip = ip_of(frames[i]);
        Ipv6FragmentHeader fragment;
        std::memcpy(&fragment, frames[i].data() + kUdp, sizeof fragment);
        CHECK(frames[i].size() <= 14u + 1500u);
        CHECK(ip.next_header == kProtocolFragment);
        CHECK(ip.payload_length.host() == frames[i].size() - kUdp);
        CHECK(fragment.next_header == kProtocolUdp);
        CHECK(fragment.identification.host() == 0x12345678);
        CHECK((fragment.fragment.host() & Ipv6FragmentHeader::kOffsetMask) == joined.size());
        CHECK((fragment.fragment.host() & Ipv6FragmentHeader::kMoreFragments) == (i + 1 < frames.size() ? 1 : 0));
        joined.insert(joined.end(), frames[i].begin() + kUdp + sizeof fragment, frames[i].end());
    }
    CHECK(Bytes{joined.begin() + 8, joined.end()} == payload_of(4000));
    CHECK(ipv6_checksum(ip_of(frames[0]), kProtocolUdp, joined) == 0);
}

TEST_CASE("no frame is built for what does not fit IPv6") {
    CHECK(datagram_frames(kShape, kLocal, kRemote, payload_of(65528)).empty());
    CHECK(datagram_frames(kShape, kLocal, kRemote, payload_of(65527)).size() > 40);
    FrameShape tiny = kShape;
    tiny.mtu = 55;
    CHECK(datagram_frames(tiny, kLocal, kRemote, payload_of(10)).empty());
}

TEST_CASE("a packet over IPv6 cut at any byte is refused, and never read beyond its end") {
    const Bytes packet = packet_of(40);
    for (std::size_t size = 0; size < packet.size(); ++size) REQUIRE_FALSE(parse_datagram(Bytes{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)}));
}

TEST_CASE("padding behind a short packet of IPv6 is passed over") {
    Bytes packet = packet_of(1);
    packet.resize(packet.size() + 5, 0xee);
    CHECK(parse_datagram(packet)->payload.size() == 1);
}

TEST_CASE("over IPv6 a UDP checksum of zero is as wrong as any other (RFC 8200 section 8.1)") {
    Bytes packet = packet_of(40);
    packet.back() ^= 1;
    CHECK(parse_datagram(packet).error() == DatagramError::bad_udp_checksum);
    packet = packet_of(40);
    packet[46] = packet[47] = 0;
    CHECK(parse_datagram(packet).error() == DatagramError::bad_udp_checksum);
}

TEST_CASE("each lie of the IPv6 header has its name") {
    CHECK(error_with(0, 0x50) == DatagramError::bad_version);
    CHECK(error_with(4, 0xff) == DatagramError::bad_total_length);
    CHECK(error_with(6, kProtocolFragment) == DatagramError::fragment);
    CHECK(error_with(6, kProtocolHopByHop) == DatagramError::extension_header);
    CHECK(error_with(6, kProtocolRouting) == DatagramError::extension_header);
    CHECK(error_with(6, 6) == DatagramError::not_udp);
    CHECK(error_with(8, 0xff) == DatagramError::bad_udp_checksum);
    CHECK(error_with(44, 0xff) == DatagramError::bad_udp_length);
    CHECK(error_with(45, 7) == DatagramError::bad_udp_length);
}
