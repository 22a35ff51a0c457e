// An IPv6 address as two words, which are masked and compared in two operations.
#pragma once

#include "common/headers.hpp"

#include <bit>
#include <cstdint>

namespace nave::dataplane {

/// The words as the bytes lie in memory, so without an order of their own.
struct Ipv6Words {
    std::uint64_t front = 0, back = 0;

    constexpr Ipv6Words() = default;
    constexpr Ipv6Words(std::uint64_t first, std::uint64_t second) : front{first}, back{second} {}
    constexpr explicit Ipv6Words(const Ipv6Bytes& address) : Ipv6Words{std::bit_cast<Ipv6Words>(address)} {}
    constexpr bool operator==(const Ipv6Words&) const = default;
    constexpr Ipv6Words operator&(const Ipv6Words& other) const { return {front & other.front, back & other.back}; }
    /// Ones for a prefix of that many bits, 0 to 128.
    static constexpr Ipv6Words mask(std::uint8_t length) {
        const auto half = [](int bits) { return std::bit_cast<std::uint64_t>(be64(bits <= 0 ? 0 : ~std::uint64_t{0} << (64 - (bits < 64 ? bits : 64)))); };
        return {half(length), half(length - 64)};
    }
};
static_assert(sizeof(Ipv6Words) == sizeof(Ipv6Bytes));

}  // namespace nave::dataplane
