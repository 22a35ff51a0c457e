// How many there are of something, in all and per source; one entry per source that has any.
#pragma once

#include "common/addresses.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace nave::ike {

/// A source is an IPv4 address or the prefix of an IPv6 address.
class AddressTally {
public:
    explicit AddressTally(std::uint8_t ipv6_bits) : ipv6_bits_{ipv6_bits} {}

    std::size_t total() const { return total_; }
    std::size_t at(const NbmaAddress& address) const {
        const auto found = sources_.find(source_of(address));
        return found == sources_.end() ? 0 : found->second;
    }
    void add(const NbmaAddress& address) {
        ++total_;
        ++sources_[source_of(address)];
    }
    void remove(const NbmaAddress& address) {
        const auto found = sources_.find(source_of(address));
        if (found == sources_.end()) return;
        --total_;
        if (--found->second == 0) sources_.erase(found);
    }

private:
    Prefix source_of(const NbmaAddress& address) const { return Prefix::of(address.value, address.value.is_v4() ? address.value.bit_count() : ipv6_bits_); }

    std::uint8_t ipv6_bits_;
    std::size_t total_ = 0;
    std::unordered_map<Prefix, std::size_t> sources_;
};

}  // namespace nave::ike
