// What forwarding asks of the header of an inner packet, one answer for each IP version.
#pragma once

#include "common/headers.hpp"
#include "dataplane/ecn.hpp"

#include <type_traits>

namespace nave::dataplane {

template <class Header>
inline constexpr bool kIsIpv6 = std::is_same_v<Header, Ipv6Header>;
template <class Header>
inline constexpr std::uint16_t kEtherTypeOf = kIsIpv6<Header> ? kEtherTypeIpv6 : kEtherTypeIpv4;

/// False at the end of its time to live (IPv4) or hop limit (IPv6); else it has one hop less, and a right checksum.
constexpr bool spend_one_hop(Ipv4Header& ip) {
    if (ip.time_to_live <= 1) return false;
    decrement_ttl(ip);
    return true;
}
constexpr bool spend_one_hop(Ipv6Header& ip) {
    if (ip.hop_limit <= 1) return false;
    --ip.hop_limit;
    return true;
}

/// As a key of RedirectLimiter.
constexpr std::uint32_t source_of(const Ipv4Header& ip) { return ip.source.host(); }
constexpr const Ipv6Bytes& source_of(const Ipv6Header& ip) { return ip.source; }
constexpr std::uint32_t destination_of(const Ipv4Header& ip) { return ip.destination.host(); }
constexpr const Ipv6Bytes& destination_of(const Ipv6Header& ip) { return ip.destination; }

/// False if there is no TCP in the packet, without looking at extension headers: then there may be.
constexpr bool may_be_tcp(const Ipv4Header& ip) { return ip.protocol == kProtocolTcp; }
constexpr bool may_be_tcp(const Ipv6Header& ip) {
    return ip.next_header == kProtocolTcp || ip.next_header == kProtocolHopByHop || ip.next_header == kProtocolRouting || ip.next_header == kProtocolFragment ||
           ip.next_header == kProtocolDestinationOptions;
}

}  // namespace nave::dataplane
