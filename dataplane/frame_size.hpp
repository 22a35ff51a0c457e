// How large the slots are that hold one received frame.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace nave::dataplane {

/// Bytes of a receive slot for packets of `mtu` IP bytes: a power of two, at least 2048, with room for Ethernet, two VLAN
/// tags and the header that a packet socket writes in front.
constexpr std::size_t frame_bytes(std::uint16_t mtu) {
    constexpr std::size_t kFrontRoom = 128, kSmallest = 2048;
    return std::max(kSmallest, std::bit_ceil(mtu + kFrontRoom));
}

}  // namespace nave::dataplane
