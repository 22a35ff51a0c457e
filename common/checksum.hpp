// The Internet checksum (RFC 1071), over bytes that lie anywhere.
#pragma once

#include "common/bytes.hpp"

namespace nave {

/// Adds bytes to a running one's-complement sum; an odd tail counts as if one zero byte followed.
inline std::uint64_t checksum_add(std::uint64_t sum, ByteView bytes) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) sum += static_cast<std::uint64_t>(bytes[i]) << 8 | bytes[i + 1];
    if (i < bytes.size()) sum += static_cast<std::uint64_t>(bytes[i]) << 8;
    return sum;
}

/// Folds a running sum to 16 bits, not complemented.
constexpr std::uint16_t checksum_fold(std::uint64_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

/// The checksum to store for `bytes`, whose checksum field holds zero; 0 when called on bytes with a right checksum inside.
inline std::uint16_t internet_checksum(ByteView bytes) { return static_cast<std::uint16_t>(~checksum_fold(checksum_add(0, bytes))); }

}  // namespace nave
