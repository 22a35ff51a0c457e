// Finds the MSS option and rewrites it.
#include "dataplane/mss_clamp.hpp"

#include "dataplane/ecn.hpp"
#include "dataplane/ipv6_checks.hpp"

#include <bit>

namespace nave::dataplane {

namespace {

constexpr std::uint8_t kOptionEnd = 0, kOptionNop = 1, kOptionMss = 2;
constexpr std::size_t kMssOptionSize = 4;

/// Offset of the MSS option in the TCP header; 0 when there is none.
std::size_t find_mss(std::span<const std::uint8_t> tcp) {
    for (std::size_t at = sizeof(TcpHeader); at + 1 < tcp.size();) {
        if (tcp[at] == kOptionEnd) return 0;
        if (tcp[at] == kOptionNop) {
            ++at;
            continue;
        }
        const std::size_t size = tcp[at + 1];
        if (size < 2 || at + size > tcp.size()) return 0;
        if (tcp[at] == kOptionMss) return size == kMssOptionSize ? at : 0;
        at += size;
    }
    return 0;
}

/// Where the TCP header begins, and the size of the IP header without options, as RFC 9293 §3.7.1 reckons; zeros if no TCP header begins here.
struct Place {
    std::size_t offset = 0, ip_header = 0;
};
Place find_tcp(ByteView ip_packet) {
    if (ip_packet.size() >= sizeof(Ipv6Header) && ip_packet[0] >> 4 == 6) {
        const auto upper = find_upper_layer(ip_packet);
        if (!upper || upper->protocol != kProtocolTcp || !upper->is_first_fragment) return {};
        return {upper->offset, sizeof(Ipv6Header)};
    }
    if (ip_packet.size() < sizeof(Ipv4Header)) return {};
    const auto* ip = reinterpret_cast<const Ipv4Header*>(ip_packet.data());
    if (ip->protocol != kProtocolTcp || (ip->fragment.host() & Ipv4Header::kOffsetMask) != 0) return {};
    return {ip->header_length(), sizeof(Ipv4Header)};
}

}  // namespace

bool clamp_mss(std::span<std::uint8_t> ip_packet, std::uint16_t mtu) {
    const Place place = find_tcp(ip_packet);
    if (place.offset == 0 || ip_packet.size() < place.offset + sizeof(TcpHeader)) return false;
    auto tcp_bytes = ip_packet.subspan(place.offset);
    auto* tcp = reinterpret_cast<TcpHeader*>(tcp_bytes.data());
    if ((tcp->flags & TcpHeader::kSyn) == 0 || tcp->header_length() < sizeof(TcpHeader) || tcp->header_length() > tcp_bytes.size()) return false;
    const std::size_t at = find_mss(tcp_bytes.first(tcp->header_length()));
    if (at == 0 || mtu <= place.ip_header + sizeof(TcpHeader)) return false;
    be16 mss;
    std::memcpy(&mss, &tcp_bytes[at + 2], sizeof mss);
    const auto most = static_cast<std::uint16_t>(mtu - place.ip_header - sizeof(TcpHeader));
    if (mss.host() <= most) return false;
    // An option behind an odd number of NOPs straddles the checksum's words: there the bytes count the other way round.
    const bool odd = at % 2 != 0;
    const auto word = [odd](std::uint16_t value) { return odd ? std::byteswap(value) : value; };
    tcp->checksum = checksum_update(tcp->checksum, word(mss.host()), word(most));
    const be16 lowered{most};
    std::memcpy(&tcp_bytes[at + 2], &lowered, sizeof lowered);
    return true;
}

}  // namespace nave::dataplane
