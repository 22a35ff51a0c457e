// A source of random bytes that a seed replays; for simulations, never for the product.
#pragma once

#include "common/random.hpp"

#include <cstring>

namespace nave::simulation {

/// SplitMix64.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_{seed} {}

    void fill(std::span<std::uint8_t> bytes) override {
        while (!bytes.empty()) {
            const std::uint64_t word = next();
            const std::size_t count = std::min(bytes.size(), sizeof word);
            std::memcpy(bytes.data(), &word, count);
            bytes = bytes.subspan(count);
        }
    }
    /// True with a probability of `percent` of 100.
    bool chance(std::uint32_t percent) { return below(100) < percent; }

private:
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace nave::simulation
