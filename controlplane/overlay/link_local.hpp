// Link-local addresses of tunnels: routing protocols of IPv6 speak from them, and nobody registers them.
#pragma once

#include "common/addresses.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace nave::overlay {

/// fe80:: with the interface identifier of an IPv6 tunnel address (RFC 4291 §2.5.1), so that whoever knows one of the two knows the other;
/// as unique in the tunnel as the address is, where the tunnel's network is a /64 or smaller. Nothing for IPv4.
inline std::optional<TunnelAddress> link_local_of(const TunnelAddress& address) {
    if (address.value.is_v4()) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{0xfe, 0x80};
    std::ranges::copy(address.value.bytes().last(8), bytes.begin() + 8);
    return TunnelAddress{IpAddress::v6(bytes)};
}

}  // namespace nave::overlay
