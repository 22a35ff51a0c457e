// What travels on the simulated underlay: IKE datagrams as they are, ESP as a record of what it would seal.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/ids.hpp"

#include <cstdint>
#include <variant>
#include <vector>

namespace nave::simulation {

/// An inner packet of a test, with the gateways that it has passed.
struct Data {
    std::uint64_t id = 0;
    IpAddress source, destination;
    std::uint8_t time_to_live = 64;
    std::vector<std::size_t> path;
};
struct NhrpPacket { Bytes bytes; };

struct Esp {
    Spi spi;
    std::uint64_t sequence = 0;
    Bytes keymat;  // that sealed it: opens only under the same
    std::variant<NhrpPacket, Data> inner;
};
struct IkeDatagram { Bytes payload; };

/// Ports are 0 for plain ESP.
struct UnderlayPacket {
    NbmaEndpoint source, destination;
    std::variant<IkeDatagram, Esp> content;
};

}  // namespace nave::simulation
