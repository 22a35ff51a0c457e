// Where random bytes come from; pure code is handed one of these, so a test can replay a seed.
#pragma once

#include <cstdint>
#include <span>

namespace nave {

/// A source of random bytes. The product's is cryptographic; a simulation's is seeded.
class Random {
public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::uint8_t> bytes) = 0;

    std::uint32_t u32() {
        std::uint8_t raw[4];
        fill(raw);
        return static_cast<std::uint32_t>(raw[0]) << 24 | static_cast<std::uint32_t>(raw[1]) << 16 | static_cast<std::uint32_t>(raw[2]) << 8 | raw[3];
    }
    std::uint64_t u64() { return static_cast<std::uint64_t>(u32()) << 32 | u32(); }
    /// Uniform enough for jitter in [0, bound); 0 for bound 0.
    std::uint32_t below(std::uint32_t bound) { return bound == 0 ? 0 : static_cast<std::uint32_t>(static_cast<std::uint64_t>(u32()) * bound >> 32); }
};

}  // namespace nave
