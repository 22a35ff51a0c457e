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

bool is_ours(const Ipv6Header& quoted, ByteView behind) {
    if (quoted.version() != 6) return false;
    if (quoted.next_header == kProtocolEsp) return true;
    UdpHeader udp;
    if (quoted.next_header != kProtocolUdp || !read(behind, udp)) return false;
    return udp.source_port.host() == kUdpPortIke || udp.source_port.host() == kUdpPortNatTraversal;
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
    if (!read(rest, icmp) || icmp.type != kTypePacketTooBig || !read(rest, quoted) || !is_ours(quoted, rest)) return std::nullopt;
    if (ipv6_checksum(ip, kProtocolIcmpv6, message) != 0 || quoted.source != ip.destination) return std::nullopt;
    return PacketTooBig{.local = {IpAddress::v6(quoted.source)}, .remote = {IpAddress::v6(quoted.destination)}, .mtu = icmp.mtu.host()};
}

}  // namespace nave::kernel
