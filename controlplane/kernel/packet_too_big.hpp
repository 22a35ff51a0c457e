// ICMPv6 Packet Too Big (RFC 4443 §3.2) about what we sent to another gateway. Pure.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/ids.hpp"

#include <cstdint>
#include <optional>

namespace nave::kernel {

struct PacketTooBig {
    NbmaAddress local, remote;  // of the packet that was too big
    std::uint32_t mtu = 0;      // IP bytes that its way carries, as the message says
    Spi spi{};                  // of the SA that it belongs to: whoever is not on the way does not know it
};

/// Reads an Ethernet frame that is for the kernel; nothing unless it is such a message with a right checksum, to the host that sent the
/// quoted packet, and that packet is ESP, in UDP or not.
std::optional<PacketTooBig> parse_packet_too_big(ByteView frame);

}  // namespace nave::kernel
