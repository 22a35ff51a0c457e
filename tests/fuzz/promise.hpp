// What all fuzz targets hold a part to, and the randomness that they give it.
#pragma once

#include "common/random.hpp"

#include <cstdint>
#include <cstdlib>
#include <span>

namespace nave {

/// A promise on which others build; breaking it is a finding.
inline void must(bool holds) {
    if (!holds) std::abort();
}

/// Bytes that count up, so that an input replays.
class CountingRandom final : public Random {
public:
    explicit CountingRandom(std::uint8_t first = 0) : next_{first} {}
    void fill(std::span<std::uint8_t> bytes) override {
        for (std::uint8_t& byte : bytes) byte = next_++;
    }

private:
    std::uint8_t next_;
};

}  // namespace nave
