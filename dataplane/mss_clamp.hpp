// TCP MSS clamping: a pure function over an IP packet's bytes.
#pragma once

#include <cstdint>
#include <span>

namespace nave::dataplane {

/// Lowers the MSS option of a TCP SYN (RFC 9293 §3.7.1) so that full segments fit into `mtu` (IP bytes), and keeps the TCP
/// checksum right. True if something changed. The IP header was checked; everything else, options and
/// extension headers included, may be broken.
bool clamp_mss(std::span<std::uint8_t> ip_packet, std::uint16_t mtu);

}  // namespace nave::dataplane
