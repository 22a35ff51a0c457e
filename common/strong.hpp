// Distinct types for things of one representation that must never be swapped.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace nave {

/// A value of type T that converts to no other tag's value. Compares and hashes as T does.
template <class Tag, class T>
struct Strong {
    using Value = T;
    T value{};
    constexpr auto operator<=>(const Strong&) const = default;
};

}  // namespace nave

template <class Tag, class T>
struct std::hash<nave::Strong<Tag, T>> {
    std::size_t operator()(const nave::Strong<Tag, T>& strong) const noexcept { return std::hash<T>{}(strong.value); }
};
