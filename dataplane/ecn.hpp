// Explicit congestion notification across a tunnel (RFC 6040), and the header field it lives in.
#pragma once

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <optional>

namespace nave::dataplane {

enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

constexpr Ecn ecn_of(std::uint8_t type_of_service) { return static_cast<Ecn>(type_of_service & 3); }

/// What the inner header shall say after decapsulation (RFC 6040 §4.2, figure 4); nothing when the packet must be dropped,
/// because congestion was marked on a transport that cannot react to marks.
constexpr std::optional<Ecn> ecn_decap(Ecn inner, Ecn outer) {
    if (inner == Ecn::not_ect) {
        if (outer == Ecn::ce) return std::nullopt;
        return Ecn::not_ect;
    }
    if (outer == Ecn::ce) return Ecn::ce;
    if (inner == Ecn::ect0 && outer == Ecn::ect1) return Ecn::ect1;
    return inner;
}

/// Replaces a 16-bit word that a checksum covers (RFC 1624 §3, equation 3).
constexpr be16 checksum_update(be16 checksum, std::uint16_t before, std::uint16_t after) {
    const std::uint64_t sum = static_cast<std::uint16_t>(~checksum.host()) + std::uint64_t{static_cast<std::uint16_t>(~before)} + after;
    return be16(static_cast<std::uint16_t>(~checksum_fold(sum)));
}

/// Rewrites the type-of-service byte and keeps the header checksum right.
constexpr void set_type_of_service(Ipv4Header& ip, std::uint8_t value) {
    const auto word = [&](std::uint8_t tos) { return static_cast<std::uint16_t>(ip.version_and_length << 8 | tos); };
    ip.checksum = checksum_update(ip.checksum, word(ip.type_of_service), word(value));
    ip.type_of_service = value;
}

constexpr void set_type_of_service(Ipv6Header& ip, std::uint8_t value) { ip.set_traffic_class(value); }
constexpr std::uint8_t type_of_service(const Ipv4Header& ip) { return ip.type_of_service; }
/// IPv6 calls it traffic class.
constexpr std::uint8_t type_of_service(const Ipv6Header& ip) { return ip.traffic_class(); }

/// One hop less, checksum kept right: the word that holds the time to live falls by 0x100, so the checksum rises by as much
/// (RFC 1624 §3). Callers checked that the time to live is at least 1.
constexpr void decrement_ttl(Ipv4Header& ip) {
    const std::uint32_t sum = ip.checksum.host() + 0x100u;
    ip.checksum = be16(static_cast<std::uint16_t>(sum + (sum >= 0xffff)));
    --ip.time_to_live;
}

}  // namespace nave::dataplane
