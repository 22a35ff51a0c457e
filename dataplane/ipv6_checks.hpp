// Checks of untrusted IPv6 headers as pure functions over bytes; the stages and the fuzz target share them.
#pragma once

#include "common/bytes.hpp"
#include "common/drop.hpp"
#include "common/headers.hpp"
#include "dataplane/found.hpp"

#include <optional>

namespace nave::dataplane {

/// Version and payload length (RFC 8200 §3). Gives the packet's length, header included, within the bytes given; what lies behind is link
/// padding, for the caller to cut. Jumbograms (RFC 2675) have a payload length of zero and are refused: no link of ours has room for one.
inline Found<std::uint32_t> check_ipv6(ByteView bytes) {
    if (bytes.size() < sizeof(Ipv6Header)) return Drop::ip_runt;
    const auto* ip = reinterpret_cast<const Ipv6Header*>(bytes.data());
    if (ip->version() != 6) return Drop::ip_bad_version;
    const std::uint32_t payload = ip->payload_length.host();
    if (sizeof(Ipv6Header) + payload > bytes.size()) return Drop::ip_bad_total_length;
    if (payload == 0 && ip->next_header == kProtocolHopByHop) return Drop::ip_bad_total_length;
    return static_cast<std::uint32_t>(sizeof(Ipv6Header)) + payload;
}

using nave::is_multicast;  // beside that of IPv4 addresses, which would hide it

/// ff02::/16, with any flags (RFC 4291 §2.7), which no router forwards.
constexpr bool is_link_local_multicast(const Ipv6Bytes& address) { return is_multicast(address) && (address[1] & 0x0f) == 2; }

/// Addresses that no packet on a link may have: RFC 4291 §2.5.2, §2.5.3 and §2.7 (multicast of scope 0, reserved, or 1, which stays within a
/// node), and IPv4-mapped ones (RFC 6890 §2.2.3, table 20). Drop::none if all is well.
Drop check_ipv6_addresses(const Ipv6Bytes& source, const Ipv6Bytes& destination);

/// What an IPv6 packet carries behind its extension headers.
struct UpperLayer {
    std::uint8_t protocol = 0;
    std::uint32_t offset = 0;       // within the packet, at most its size
    bool is_first_fragment = true;  // or the whole packet: the upper layer's header begins at `offset`
};

/// Walks the extension headers of a packet that check_ipv6() passed: each kind once or so (RFC 8200 §4.1), nothing if there are more, or if the
/// packet ends before they do.
std::optional<UpperLayer> find_upper_layer(ByteView ip_packet);

}  // namespace nave::dataplane
