// Finds the MSS option and rewrites it.
#include "dataplane/mss_clamp.hpp"

#include "dataplane/ecn.hpp"

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

}  // namespace

bool clamp_mss(std::span<std::uint8_t> ip_packet, std::uint16_t mtu) {
    if (ip_packet.size() < sizeof(Ipv4Header)) return false;
    const auto* ip = reinterpret_cast<const Ipv4Header*>(ip_packet.data());
    if (ip->protocol != kProtocolTcp || (ip->fragment.host() & Ipv4Header::kOffsetMask) != 0) return false;
    const std::size_t offset = ip->header_length();
    if (ip_packet.size() < offset + sizeof(TcpHeader)) return false;
    auto tcp_bytes = ip_packet.subspan(offset);
    auto* tcp = reinterpret_cast<TcpHeader*>(tcp_bytes.data());
    if ((tcp->flags & TcpHeader::kSyn) == 0 || tcp->header_length() < sizeof(TcpHeader) || tcp->header_length() > tcp_bytes.size()) return false;
    const std::size_t at = find_mss(tcp_bytes.first(tcp->header_length()));
    if (at == 0 || mtu <= sizeof(Ipv4Header) + sizeof(TcpHeader)) return false;
    be16 mss;
    std::memcpy(&mss, &tcp_bytes[at + 2], sizeof mss);
    const auto most = static_cast<std::uint16_t>(mtu - sizeof(Ipv4Header) - sizeof(TcpHeader));
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
