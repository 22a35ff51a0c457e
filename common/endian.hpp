// Byte order as a type: a big-endian integer cannot be used as a host integer by accident.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace nave {

/// An unsigned integer stored in network byte order, without alignment needs, so that packed headers can hold it.
template <std::unsigned_integral T>
class BigEndian {
public:
    constexpr BigEndian() = default;
    constexpr explicit BigEndian(T host) : raw_{std::bit_cast<Raw>(swap(host))} {}
    /// From bytes that are in network order already, as a load from a packet gives them.
    static constexpr BigEndian from_wire(T loaded) {
        BigEndian value;
        value.raw_ = std::bit_cast<Raw>(loaded);
        return value;
    }
    /// The value in host order, to compute with.
    constexpr T host() const { return swap(std::bit_cast<T>(raw_)); }
    constexpr bool operator==(const BigEndian&) const = default;

private:
    struct Raw {
        std::uint8_t bytes[sizeof(T)];
        constexpr bool operator==(const Raw&) const = default;
    };
    static constexpr T swap(T value) {
        if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
        return value;
    }
    Raw raw_{};
};

using be16 = BigEndian<std::uint16_t>;
using be32 = BigEndian<std::uint32_t>;
using be64 = BigEndian<std::uint64_t>;

static_assert(sizeof(be16) == 2 && alignof(be16) == 1);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);
static_assert(sizeof(be64) == 8 && alignof(be64) == 1);

}  // namespace nave
