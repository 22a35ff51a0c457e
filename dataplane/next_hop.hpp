// What the route tables store and answer.
#pragma once

#include "common/plane_messages.hpp"

#include <cstdint>

namespace nave::dataplane {

/// A route's target in 29 bits: kind in bits 26-28, index below. 0 = no route.
namespace next_hop {
inline constexpr std::uint32_t kNoRoute = 0, kIndexBits = 26;
constexpr std::uint32_t encode(const RouteTarget& target) {
    return (static_cast<std::uint32_t>(target.kind) + 1) << kIndexBits | (target.index & ((1u << kIndexBits) - 1));
}
/// Not for kNoRoute.
constexpr RouteTarget decode(std::uint32_t value) {
    return {static_cast<RouteTarget::Kind>((value >> kIndexBits) - 1), value & ((1u << kIndexBits) - 1)};
}
}  // namespace next_hop

/// What became of a change of a route table.
enum class RouteOutcome : std::uint8_t {
    done,
    refused,  // the table is full or absent, there is no such route, or the target cannot be stored
    wait,     // nothing was changed: some worker may still look at memory that is to be used anew; ask again later
};

}  // namespace nave::dataplane
