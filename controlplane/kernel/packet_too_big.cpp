// Checks of a message that anybody on the way may have sent.
#include "controlplane/kernel/packet_too_big.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

namespace nave::kernel {

namespace {

constexpr std::uint8_t kTypePacketTooBig = 2;

template <class Header>
bool read(ByteView& bytes, Header& header) {
    if (bytes.size() < sizeof header) return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    bytes = bytes.subspan(sizeof header);
    return true;
}

/// The SPI of the packet quoted, if it is ESP.
std::optional<Spi> spi_of(const Ipv6Header& quoted, ByteView behind) {
    if (quoted.version() != 6) return std::nullopt;
    UdpHeader udp;
    be32 spi;
    if (quoted.next_header == kProtocolUdp && (!read(behind, udp) || udp.source_port.host() != kUdpPortNatTraversal)) return std::nullopt;
    if ((quoted.next_header != kProtocolEsp && quoted.next_header != kProtocolUdp) || !read(behind, spi) || spi.host() == 0) return std::nullopt;
    return Spi{spi.host()};
}

}  // namespace

std::optional<PacketTooBig> parse_packet_too_big(ByteView frame) {
    EthernetHeader ethernet;
    Ipv6Header ip, quoted;
    Icmpv6Header icmp;
    if (!read(frame, ethernet) || ethernet.type.host() != kEtherTypeIpv6 || !read(frame, ip)) return std::nullopt;
    if (ip.version() != 6 || ip.next_header != kProtocolIcmpv6 || ip.payload_length.host() > frame.size()) return std::nullopt;
    const ByteView message = frame.first(ip.payload_length.host());
    ByteView rest = message;
    if (!read(rest, icmp) || icmp.type != kTypePacketTooBig || !read(rest, quoted)) return std::nullopt;
    const auto spi = spi_of(quoted, rest);
    if (!spi || ipv6_checksum(ip, kProtocolIcmpv6, message) != 0 || quoted.source != ip.destination) return std::nullopt;
    return PacketTooBig{.local = {IpAddress::v6(quoted.source)}, .remote = {IpAddress::v6(quoted.destination)}, .mtu = icmp.mtu.host(), .spi = *spi};
}

}  // namespace nave::kernel
