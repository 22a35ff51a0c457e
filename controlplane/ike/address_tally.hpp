// How many there are of something, in all and per underlay address; one entry per address that has any.
#pragma once

#include "common/addresses.hpp"

#include <cstddef>
#include <unordered_map>

namespace nave::ike {

class AddressTally {
public:
    std::size_t total() const { return total_; }
    std::size_t at(const NbmaAddress& address) const {
        const auto found = addresses_.find(address);
        return found == addresses_.end() ? 0 : found->second;
    }
    void add(const NbmaAddress& address) {
        ++total_;
        ++addresses_[address];
    }
    void remove(const NbmaAddress& address) {
        const auto found = addresses_.find(address);
        if (found == addresses_.end()) return;
        --total_;
        if (--found->second == 0) addresses_.erase(found);
    }

private:
    std::size_t total_ = 0;
    std::unordered_map<NbmaAddress, std::size_t> addresses_;
};

}  // namespace nave::ike
