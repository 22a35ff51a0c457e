// Checks of an IPv6 packet on the underlay as pure functions over bytes; the stage and the fuzz target share them.
#pragma once

#include "common/bytes.hpp"
#include "common/drop.hpp"
#include "common/headers.hpp"
#include "dataplane/found.hpp"

namespace nave::dataplane {

/// Extension headers that a host would have to look through (RFC 8200 §4). No peer of ours needs one, and each is a way around filters.
constexpr bool is_extension_header(std::uint8_t protocol) {
    return protocol == kProtocolHopByHop || protocol == kProtocolRouting || protocol == kProtocolFragment || protocol == kProtocolDestinationOptions;
}

/// Router and neighbour solicitation and advertisement, redirect (RFC 4861 §4): ICMPv6 that a neighbour alone may send.
constexpr bool is_neighbour_discovery(std::uint8_t icmp_type) { return icmp_type >= 133 && icmp_type <= 137; }

/// What check_ipv6_fragment found of one fragment.
struct Ipv6FragmentExtent {
    std::uint16_t offset = 0;  // bytes
    bool more = false;
    /// RFC 6946: a whole packet that only looks like a fragment.
    bool is_atomic() const { return offset == 0 && !more; }
};

/// Of a packet that check_ipv6() passed, cut to its length, whose next header is the fragment header (RFC 8200 §4.5). `largest`: the
/// payload that a whole packet may have.
inline Found<Ipv6FragmentExtent> check_ipv6_fragment(ByteView packet, std::size_t largest) {
    constexpr std::size_t kFront = sizeof(Ipv6Header) + sizeof(Ipv6FragmentHeader);
    if (packet.size() <= kFront) return Drop::ip_fragment_invalid;
    const auto* header = reinterpret_cast<const Ipv6FragmentHeader*>(packet.data() + sizeof(Ipv6Header));
    const std::uint16_t word = header->fragment.host();
    const Ipv6FragmentExtent extent{static_cast<std::uint16_t>(word & Ipv6FragmentHeader::kOffsetMask), (word & Ipv6FragmentHeader::kMoreFragments) != 0};
    const std::size_t payload = packet.size() - kFront;
    if (is_extension_header(header->next_header)) return Drop::ipv6_extension_header;
    // All but the last carry a multiple of eight bytes; and nothing larger than we could hold.
    if ((extent.more && payload % 8 != 0) || extent.offset + payload > largest) return Drop::ip_fragment_invalid;
    return extent;
}

}  // namespace nave::dataplane
