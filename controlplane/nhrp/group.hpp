// The NHRP group: a name that a station gives itself, so that a hub can treat stations of one kind alike (quality of service, mostly).
#pragma once

#include "controlplane/nhrp/packet.hpp"

#include <string>
#include <string_view>

namespace nave::nhrp {

inline constexpr std::size_t kGroupMin = 2, kGroupMax = 32;  // printable characters without blanks

/// The group as a vendor-private extension (RFC 2332 §5.3.5) under Cisco's OUI: the name behind it, made even by a zero byte.
Extension encode_group(std::string_view group);

/// The group that the packet names; empty when it names none. What Cisco puts around the name in its extension is published nowhere, so
/// the longest word in it is taken, up to twice kGroupMax. A station names its own group: it says nothing about what that may do.
std::string group_of(const Packet& packet);

}  // namespace nave::nhrp
