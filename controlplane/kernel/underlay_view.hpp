// What is known of the underlay behind our ports: their link, routes and neighbours.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace nave::kernel {

struct UnderlayPort {
    MacAddress mac;
    std::uint16_t mtu = 1500;  // IP bytes
    std::map<Prefix, std::optional<IpAddress>> routes{};  // the best one's gateway; nothing: on the link
    bool operator==(const UnderlayPort&) const = default;
};

struct UnderlayNeighbour {
    std::optional<MacAddress> mac{};
    bool failed = false;  // nobody answered
    bool operator==(const UnderlayNeighbour&) const = default;
};

struct UnderlayView {
    std::map<PortId, UnderlayPort> ports;  // those that are up
    std::map<std::pair<PortId, IpAddress>, UnderlayNeighbour> neighbours;
    bool operator==(const UnderlayView&) const = default;
};

}  // namespace nave::kernel
