// Fragmentation: of inner IPv4 before encryption or on the way to an inside neighbour (RFC 791 §3.2), and of what goes to a peer behind it.
#pragma once

#include "dataplane/packet_pools.hpp"

namespace nave::dataplane {

/// Cuts a packet that may be fragmented (DF clear) into pieces of at most `mtu` bytes. Pieces have their header in a buffer
/// of their own and share the payload; metadata is copied. True: the pieces are in `out` and the packet is freed; false:
/// nothing happened (no buffers, `mtu` below 68, or more than 64 pieces).
[[nodiscard]] [[gnu::cold, gnu::noinline]] bool fragment(Packet& packet, std::uint16_t mtu, PacketPools& pools, Burst& out);
/// The same with an IPv6 packet of our own (RFC 8200 §4.5) without extension headers; false also for an `mtu` below 1280.
[[nodiscard]] [[gnu::cold, gnu::noinline]] bool fragment_ipv6(Packet& packet, std::uint16_t mtu, std::uint32_t identification, PacketPools& pools, Burst& out);

}  // namespace nave::dataplane
