// The classes that share the line of a peer with a limited rate, and which DSCP belongs to which (RFC 4594).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nave {

enum class TrafficClass : std::uint8_t {
    priority,     // voice and what keeps the network alive: EF, VOICE-ADMIT, CS5, CS6, CS7
    assured,      // video, signalling, transactions: AF2x, AF3x, AF4x, CS2, CS3, CS4
    best_effort,  // everything else
    scavenger,    // what may wait: CS1, LE (RFC 8622)
    count
};
inline constexpr std::size_t kTrafficClasses = static_cast<std::size_t>(TrafficClass::count);

constexpr std::string_view name(TrafficClass traffic) {
    switch (traffic) {
    case TrafficClass::priority: return "priority";
    case TrafficClass::assured: return "assured";
    case TrafficClass::best_effort: return "best_effort";
    case TrafficClass::scavenger: return "scavenger";
    case TrafficClass::count: break;
    }
    return "unknown";
}

/// Of a packet with this type of service or traffic class octet: its upper six bits are the DSCP.
constexpr TrafficClass traffic_class_of(std::uint8_t type_of_service) {
    const int dscp = type_of_service >> 2;
    if (dscp >= 40) {
        const bool selector = dscp % 8 == 0, voice = dscp == 44 || dscp == 46;
        return selector || voice ? TrafficClass::priority : TrafficClass::best_effort;
    }
    const int row = dscp / 8, column = dscp % 8;
    if (dscp == 1 || dscp == 8) return TrafficClass::scavenger;
    if (row >= 2 && column <= 6 && column % 2 == 0) return TrafficClass::assured;
    return TrafficClass::best_effort;
}

}  // namespace nave
