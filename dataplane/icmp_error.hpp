// ICMP errors that the dataplane answers itself (RFC 792, RFC 1812 §4.3); pure functions over bytes.
#pragma once

#include "common/bytes.hpp"

#include <cstdint>
#include <span>

namespace nave::dataplane {

/// What to tell; `mtu` only with fragmentation_needed (RFC 1191 §4).
struct IcmpError {
    std::uint8_t type = 3, code = 0;
    std::uint16_t mtu = 0;

    static constexpr IcmpError net_unreachable() { return {3, 0, 0}; }
    static constexpr IcmpError fragmentation_needed(std::uint16_t mtu) { return {3, 4, mtu}; }
    static constexpr IcmpError prohibited() { return {3, 13, 0}; }
    static constexpr IcmpError time_exceeded() { return {11, 0, 0}; }
};

/// Never about an ICMP error, a fragment but the first, or a packet to or from an address that is not one host's
/// (RFC 1812 §4.3.2.7). The packet's IPv4 header was checked.
bool may_answer_with_error(ByteView ip_packet);

/// An error is at most this long, header and all (RFC 1812 §4.3.2.3).
inline constexpr std::size_t kIcmpErrorMax = 576;

/// Writes an IPv4 packet from `source` (host order) to the sender of `ip_packet`, with as much of that as fits.
/// `out` has kIcmpErrorMax bytes; returns the length.
std::size_t write_icmp_error(const IcmpError& error, std::uint32_t source, ByteView ip_packet, std::span<std::uint8_t> out);

}  // namespace nave::dataplane
