// What is known of the underlay behind our ports: their link, routes and neighbours.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace nave::kernel {

struct UnderlayRoute {
    Prefix prefix;
    std::uint32_t metric = 0;
    std::optional<IpAddress> gateway{};  // nothing: on the link
    bool operator==(const UnderlayRoute&) const = default;
};

struct UnderlayPort {
    MacAddress mac;
    std::uint16_t mtu = 1500;  // IP bytes
    std::vector<UnderlayRoute> routes{};
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
