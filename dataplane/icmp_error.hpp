// ICMP errors that the dataplane answers itself (RFC 792 and RFC 1812 §4.3, RFC 4443 §3); pure functions over bytes.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"

#include <cstdint>
#include <span>

namespace nave::dataplane {

/// What to tell, in the words of ICMP for IPv4 and for IPv6; `mtu` only with fragmentation_needed.
struct IcmpError {
    struct Words {
        std::uint8_t type = 0, code = 0;
    };
    Words v4, v6;
    std::uint16_t mtu = 0;

    /// No route to the destination.
    static constexpr IcmpError net_unreachable() { return {{3, 0}, {1, 0}}; }
    /// RFC 1191 §4; with IPv6 Packet Too Big.
    static constexpr IcmpError fragmentation_needed(std::uint16_t mtu) { return {{3, 4}, {2, 0}, mtu}; }
    static constexpr IcmpError prohibited() { return {{3, 13}, {1, 1}}; }
    static constexpr IcmpError time_exceeded() { return {{11, 0}, {3, 0}}; }
};

/// Never about an ICMP error, a fragment but the first, or a packet to or from an address that is not one host's (RFC 1812 §4.3.2.7). Of
/// IPv6: nor about an ICMPv6 redirect or what may be an error; about a later fragment of something else yes, and multicast that is too
/// long too (RFC 4443 §2.4 (e)). The packet's IP header was checked.
bool may_answer_with_error(const IcmpError& error, ByteView ip_packet);

/// An error is at most this long, header and all: RFC 1812 §4.3.2.3, and the minimum MTU of IPv6 (RFC 4443 §2.4 (c)).
inline constexpr std::size_t kIcmpErrorMax = 576, kIcmpv6ErrorMax = 1280;

/// Writes an IP packet from `source`, which is of the packet's version, to the sender of `ip_packet`, with as much of that as fits.
/// `out` has kIcmpErrorMax or kIcmpv6ErrorMax bytes; returns the length.
std::size_t write_icmp_error(const IcmpError& error, const IpAddress& source, ByteView ip_packet, std::span<std::uint8_t> out);

}  // namespace nave::dataplane
