// Bytes of ICMP errors, and when to keep silent.
#include "dataplane/icmp_error.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "dataplane/inner_checks.hpp"

#include <algorithm>

namespace nave::dataplane {

namespace {

bool may_answer_about_ipv4(ByteView ip_packet) {
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

bool may_answer_about_ipv6(ByteView ip_packet, bool is_too_big) {
    const auto* ip = reinterpret_cast<const Ipv6Header*>(ip_packet.data());
    if (is_multicast(ip->destination) && !is_too_big) return false;
    if (check_ipv6_addresses(ip->source, ip->destination) != Drop::none) return false;
    const auto upper = find_upper_layer(ip_packet);
    if (!upper) return false;
    if (upper->protocol != kProtocolIcmpv6) return true;
    if (!upper->is_first_fragment || upper->offset >= ip_packet.size()) return false;
    constexpr std::uint8_t kErrorsEnd = 128, kRedirect = 137;
    const std::uint8_t type = ip_packet[upper->offset];
    return type >= kErrorsEnd && type != kRedirect;
}

template <class Header>
ByteView view(const Header& header) {
    return {reinterpret_cast<const std::uint8_t*>(&header), sizeof header};
}

/// Both headers and behind them what is quoted; `sum` of all but the first becomes ICMP's checksum. Gives the length.
template <class Ip, class Icmp, class Sum>
std::size_t put(const Ip& ip, Icmp icmp, ByteView quoted, std::span<std::uint8_t> out, Sum&& sum) {
    std::memcpy(out.data(), &ip, sizeof ip);
    std::memcpy(out.data() + sizeof ip, &icmp, sizeof icmp);
    std::memcpy(out.data() + sizeof ip + sizeof icmp, quoted.data(), quoted.size());
    icmp.checksum = be16(sum(out.subspan(sizeof ip, sizeof icmp + quoted.size())));
    std::memcpy(out.data() + sizeof ip, &icmp, sizeof icmp);
    return sizeof ip + sizeof icmp + quoted.size();
}

std::size_t write_ipv4(const IcmpError& error, const IpAddress& source, ByteView ip_packet, std::span<std::uint8_t> out) {
    const std::size_t quoted = std::min(ip_packet.size(), kIcmpErrorMax - sizeof(Ipv4Header) - sizeof(IcmpHeader));
    Ipv4Header ip{};
    ip.version_and_length = 0x45;
    ip.type_of_service = 0xc0;  // internetwork control (RFC 1812 §4.3.2.5)
    ip.total_length = be16(static_cast<std::uint16_t>(sizeof ip + sizeof(IcmpHeader) + quoted));
    ip.time_to_live = 64;
    ip.protocol = kProtocolIcmp;
    ip.source = be32(source.v4_host());
    ip.destination = reinterpret_cast<const Ipv4Header*>(ip_packet.data())->source;
    ip.checksum = be16(internet_checksum(view(ip)));
    IcmpHeader icmp{};
    icmp.type = error.v4.type, icmp.code = error.v4.code;
    icmp.next_hop_mtu = be16(error.mtu);
    return put(ip, icmp, ip_packet.first(quoted), out, internet_checksum);
}

std::size_t write_ipv6(const IcmpError& error, const IpAddress& source, ByteView ip_packet, std::span<std::uint8_t> out) {
    const std::size_t quoted = std::min(ip_packet.size(), kIcmpv6ErrorMax - sizeof(Ipv6Header) - sizeof(Icmpv6Header));
    Ipv6Header ip{};
    ip.version_class_flow = be32(6u << 28);
    ip.payload_length = be16(static_cast<std::uint16_t>(sizeof(Icmpv6Header) + quoted));
    ip.next_header = kProtocolIcmpv6;
    ip.hop_limit = 64;
    ip.source = source.v6_bytes();
    ip.destination = reinterpret_cast<const Ipv6Header*>(ip_packet.data())->source;
    Icmpv6Header icmp{};
    icmp.type = error.v6.type, icmp.code = error.v6.code;
    icmp.mtu = be32(error.mtu);
    return put(ip, icmp, ip_packet.first(quoted), out, [&](ByteView message) { return ipv6_checksum(ip, kProtocolIcmpv6, message); });
}

}  // namespace

bool may_answer_with_error(const IcmpError& error, ByteView ip_packet) {
    return ip_packet[0] >> 4 == 6 ? may_answer_about_ipv6(ip_packet, error.mtu != 0) : may_answer_about_ipv4(ip_packet);
}

std::size_t write_icmp_error(const IcmpError& error, const IpAddress& source, ByteView ip_packet, std::span<std::uint8_t> out) {
    return (source.is_v4() ? write_ipv4 : write_ipv6)(error, source, ip_packet, out);
}

}  // namespace nave::dataplane
