// Our vendor-private extension (RFC 2332 §5.3.5) by which a hub says for whom it registers a prefix at another hub.
#pragma once

#include "controlplane/nhrp/packet.hpp"

#include <string>
#include <string_view>

namespace nave::nhrp {

inline constexpr std::size_t kHolderMax = 1024;  // bytes of an identity in words

/// The identity that the spoke proved to the hub, so that the other hub judges it as if it had come there itself. On the wire, behind the OUI
/// 02-4E-56 (locally administered) and the kind 2: length (2 bytes), the identity in words, made even by a zero byte.
Extension encode_holder(std::string_view identity);
/// Empty when the packet names none, or none that is well-formed: then the hub speaks of itself.
std::string holder_of(const Packet& packet);

}  // namespace nave::nhrp
