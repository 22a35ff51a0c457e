// The Internet checksum (RFC 1071), over bytes that lie anywhere, and with the pseudo-header of IPv6.
#pragma once

#include "common/bytes.hpp"
#include "common/endian.hpp"
#include "common/headers.hpp"

namespace nave {

/// Folds a running sum to 16 bits, not complemented.
constexpr std::uint16_t checksum_fold(std::uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);  // at most 33 bits
    sum = (sum & 0xffff) + (sum >> 16);      // 18
    sum = (sum & 0xffff) + (sum >> 16);      // 17
    return static_cast<std::uint16_t>(sum + (sum >> 16));
}

/// Adds bytes to a running one's-complement sum; an odd tail counts as if one zero byte followed.
inline std::uint64_t checksum_add(std::uint64_t sum, ByteView bytes) {
    // The sum does not depend on the byte order (RFC 1071 §2 (B)): eight bytes at a time as they lie, the carry brought round,
    // and swapped once.
    std::uint64_t native = 0;
    const auto add = [&]<class Word>(Word word, std::size_t size) {
        std::memcpy(&word, bytes.data(), size);
        native += word;
        native += native < word;
        bytes = bytes.subspan(size);
    };
    while (bytes.size() >= 8) add(std::uint64_t{0}, 8);
    if (bytes.size() >= 4) add(std::uint32_t{0}, 4);
    if (bytes.size() >= 2) add(std::uint16_t{0}, 2);
    if (!bytes.empty()) add(std::uint16_t{0}, 1);
    return sum + be16::from_wire(checksum_fold(native)).host();
}

/// The same, for bytes so many that four sums which need no carry are worth their folding.
inline std::uint64_t checksum_add_long(std::uint64_t sum, ByteView bytes) {
    std::array<std::uint64_t, 4> lanes{};
    for (; bytes.size() >= sizeof lanes; bytes = bytes.subspan(sizeof lanes)) {
        std::array<std::uint64_t, 4> words;
        std::memcpy(words.data(), bytes.data(), sizeof words);
        for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] += (words[i] & 0xffffffff) + (words[i] >> 32);
    }
    const std::uint64_t native = lanes[0] + lanes[1] + lanes[2] + lanes[3];
    return checksum_add(sum + be16::from_wire(checksum_fold(native)).host(), bytes);
}

/// The checksum to store for `bytes`, whose checksum field holds zero; 0 when called on bytes with a right checksum inside.
inline std::uint16_t internet_checksum(ByteView bytes) { return static_cast<std::uint16_t>(~checksum_fold(checksum_add(0, bytes))); }

/// The sum over the pseudo-header of RFC 8200 §8.1; `length` of the `protocol`'s header and data, in bytes.
inline std::uint64_t ipv6_pseudo_header_sum(const Ipv6Header& ip, std::uint8_t protocol, std::size_t length) {
    return checksum_add(0, ip.source) + checksum_add(0, ip.destination) + protocol + length;
}
/// The checksum of ICMPv6, TCP or UDP over IPv6, used as internet_checksum() is. UDP stores 0xffff where this says 0 (RFC 8200 §8.1).
inline std::uint16_t ipv6_checksum(const Ipv6Header& ip, std::uint8_t protocol, ByteView bytes) {
    return static_cast<std::uint16_t>(~checksum_fold(checksum_add(ipv6_pseudo_header_sum(ip, protocol, bytes.size()), bytes)));
}

}  // namespace nave
