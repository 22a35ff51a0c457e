// What a check found, or why the packet must be dropped.
#pragma once

#include "common/drop.hpp"

namespace nave::dataplane {

/// As std::expected<T, Drop> for small plain T, but an aggregate: g++ 12 keeps the union in std::expected in memory, and each
/// check then waits for its own stores, some ten cycles a packet and check.
template <class T>
struct Found {
    T value{};
    Drop reason = Drop::none;

    constexpr Found(const T& found) : value{found} {}               // NOLINT(google-explicit-constructor)
    constexpr Found(Drop why) : reason{why} {}                      // NOLINT(google-explicit-constructor)
    constexpr explicit operator bool() const { return reason == Drop::none; }
    constexpr Drop error() const { return reason; }
    constexpr const T& operator*() const { return value; }
    constexpr const T* operator->() const { return &value; }
};

}  // namespace nave::dataplane
