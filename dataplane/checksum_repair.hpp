// Completes TCP and UDP checksums that a sending kernel left to hardware that does not exist.
#pragma once

#include <cstdint>
#include <span>

namespace nave::dataplane {

/// On a virtual interface such as veth, a kernel's own TCP and UDP packets carry a checksum field that only holds the folded
/// sum of the pseudo-header (CHECKSUM_PARTIAL: the rest was for the network card). Whoever checks or forwards such a packet
/// must complete it first. Takes an Ethernet frame, tagged or not, with IPv4 or IPv6 inside; answers whether it changed it.
/// Whole, genuine, fragmented, truncated and foreign packets stay as they are: a genuine checksum that happens to equal the
/// pseudo-header's sum is completed to itself.
bool complete_partial_checksum(std::span<std::uint8_t> frame);

}  // namespace nave::dataplane
