// Whether an underlay address is one of a peer's, without a lookup among the peers.
#pragma once

#include "common/headers.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// Counts addresses by hash. Its worker alone touches it.
class KnownAddresses {
public:
    /// `seeds`: random, so that nobody finds strangers' addresses which share a count, or a digest, with a peer's.
    explicit KnownAddresses(const std::array<std::uint64_t, 4>& seeds) : factors_{seeds} { factors_[0] |= 1; }

    /// An IPv6 address as the 32 bits by which it is compared and counted: two share them by a chance of 2^-32 (multiply-shift over the
    /// four words with random factors).
    std::uint32_t digest(const Ipv6Bytes& address) const {
        const auto words = std::bit_cast<std::array<std::uint32_t, 4>>(address);
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < words.size(); ++i) sum += factors_[i] * words[i];
        return static_cast<std::uint32_t>(sum >> 32);
    }

    void add(std::uint32_t address) { ++counts_[place(address)]; }
    /// Of an address that was added.
    void remove(std::uint32_t address) { --counts_[place(address)]; }
    /// True for all that were added, and for few others.
    bool may_contain(std::uint32_t address) const { return counts_[place(address)] != 0; }

private:
    static constexpr unsigned kBits = 16;
    /// The upper bits of a product with a random odd number spread evenly.
    std::size_t place(std::uint32_t address) const { return (address + std::uint64_t{1}) * factors_[0] >> (64 - kBits); }

    std::array<std::uint64_t, 4> factors_;
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(std::size_t{1} << kBits);
};

}  // namespace nave::dataplane
