// Tells how often a pair of source and destination is worth a redirect.
#pragma once

#include "dataplane/ipv6_words.hpp"

#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// Remembers when a pair was last told, in a fixed table without chains: a collision only tells a pair early. One owner. `Address`: of IPv4 in
/// host order, or Ipv6Bytes.
template <class Address>
class RedirectLimiter {
public:
    /// `interval` in cycles.
    explicit RedirectLimiter(std::uint64_t interval) : interval_{interval}, told_(std::size_t{1} << kPairsLog2) {}

    /// True if the pair was not told within the interval; it is told then.
    [[nodiscard]] bool tell(const Address& source, const Address& destination, std::uint64_t now) {
        Told& told = told_[(mix(source) << 32 ^ mix(destination)) * 0x9e3779b97f4a7c15u >> (64 - kPairsLog2)];
        if (told.valid && told.source == source && told.destination == destination && now - told.when < interval_) return false;
        told = {source, destination, now, true};
        return true;
    }

private:
    static constexpr int kPairsLog2 = 12;
    struct Told {
        Address source{}, destination{};
        std::uint64_t when = 0;
        bool valid = false;
    };
    static constexpr std::uint64_t mix(std::uint32_t address) { return address; }
    static constexpr std::uint64_t mix(const Ipv6Bytes& address) {
        const Ipv6Words words{address};
        return (words.front ^ words.back * 0xff51afd7ed558ccdu) * 0xc4ceb9fe1a85ec53u >> 32;
    }
    std::uint64_t interval_;
    std::vector<Told> told_;
};

}  // namespace nave::dataplane
