// Bytes of ICMP errors, and when to keep silent.
#include "dataplane/icmp_error.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "dataplane/inner_checks.hpp"

#include <algorithm>

namespace nave::dataplane {

bool may_answer_with_error(ByteView ip_packet) {
    const auto* ip = reinterpret_cast<const Ipv4Header*>(ip_packet.data());
    if ((ip->fragment.host() & Ipv4Header::kOffsetMask) != 0) return false;
    const std::uint32_t destination = ip->destination.host();
    if (is_multicast(destination) || is_limited_broadcast(destination)) return false;
    if (check_ipv4_addresses(ip->source.host(), destination) != Drop::none) return false;
    if (ip->protocol != kProtocolIcmp) return true;
    // Only queries are answered; what we do not know may be an error (RFC 1122 §3.2.2).
    if (ip_packet.size() <= ip->header_length()) return false;
    const std::uint8_t type = ip_packet[ip->header_length()];
    return type == 0 || type == 8 || type == 13 || type == 14;
}

std::size_t write_icmp_error(const IcmpError& error, std::uint32_t source, ByteView ip_packet, std::span<std::uint8_t> out) {
    const std::size_t quoted = std::min(ip_packet.size(), kIcmpErrorMax - sizeof(Ipv4Header) - sizeof(IcmpHeader));
    const std::size_t length = sizeof(Ipv4Header) + sizeof(IcmpHeader) + quoted;
    const auto* about = reinterpret_cast<const Ipv4Header*>(ip_packet.data());
    Ipv4Header ip{};
    ip.version_and_length = 0x45;
    ip.type_of_service = 0xc0;  // internetwork control (RFC 1812 §4.3.2.5)
    ip.total_length = be16(static_cast<std::uint16_t>(length));
    ip.time_to_live = 64;
    ip.protocol = kProtocolIcmp;
    ip.source = be32(source);
    ip.destination = about->source;
    ip.checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip}));
    IcmpHeader icmp{};
    icmp.type = error.type, icmp.code = error.code;
    icmp.next_hop_mtu = be16(error.mtu);
    std::memcpy(out.data(), &ip, sizeof ip);
    std::memcpy(out.data() + sizeof ip, &icmp, sizeof icmp);
    std::memcpy(out.data() + sizeof ip + sizeof icmp, ip_packet.data(), quoted);
    icmp.checksum = be16(internet_checksum(out.subspan(sizeof ip, length - sizeof ip)));
    std::memcpy(out.data() + sizeof ip, &icmp, sizeof icmp);
    return length;
}

}  // namespace nave::dataplane
