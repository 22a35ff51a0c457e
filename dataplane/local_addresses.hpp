// Addresses of our own: a port's, a tunnel's, or all of a table.
#pragma once

#include "common/headers.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nave::dataplane {

/// A handful of addresses by IP version, in the form in which packets are compared with them. One owner.
struct LocalAddresses {
    std::vector<std::uint32_t> v4;  // host order
    std::vector<Ipv6Bytes> v6;

    bool contains(std::uint32_t address) const { return std::find(v4.begin(), v4.end(), address) != v4.end(); }
    bool contains(const Ipv6Bytes& address) const { return std::find(v6.begin(), v6.end(), address) != v6.end(); }
    /// The first IPv6 address that means the same beyond one link; nullptr when there is none.
    const Ipv6Bytes* routable_v6() const {
        const auto found = std::ranges::find_if(v6, [](const Ipv6Bytes& address) { return !is_link_local(address); });
        return found == v6.end() ? nullptr : &*found;
    }
    void add(const IpAddress& address) {
        if (address.is_v4() && !contains(address.v4_host())) v4.push_back(address.v4_host());
        if (!address.is_v4() && !contains(address.v6_bytes())) v6.push_back(address.v6_bytes());
    }
    void remove(const IpAddress& address) {
        if (address.is_v4()) std::erase(v4, address.v4_host());
        else std::erase(v6, address.v6_bytes());
    }
    void add(const LocalAddresses& others) {
        v4.insert(v4.end(), others.v4.begin(), others.v4.end());
        v6.insert(v6.end(), others.v6.begin(), others.v6.end());
    }
};

}  // namespace nave::dataplane
