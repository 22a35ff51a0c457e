// Whether an underlay address is one of a peer's, without a lookup among the peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// Counts addresses by hash. Its worker alone touches it.
class KnownAddresses {
public:
    /// `seed`: random, so that nobody finds strangers' addresses which share a count with a peer's.
    explicit KnownAddresses(std::uint64_t seed) : factor_{seed | 1} {}

    void add(std::uint32_t address) { ++counts_[place(address)]; }
    /// Of an address that was added.
    void remove(std::uint32_t address) { --counts_[place(address)]; }
    /// True for all that were added, and for few others.
    bool may_contain(std::uint32_t address) const { return counts_[place(address)] != 0; }

private:
    static constexpr unsigned kBits = 16;
    /// The upper bits of a product with a random odd number spread evenly.
    std::size_t place(std::uint32_t address) const { return (address + std::uint64_t{1}) * factor_ >> (64 - kBits); }

    std::uint64_t factor_;
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(std::size_t{1} << kBits);
};

}  // namespace nave::dataplane
