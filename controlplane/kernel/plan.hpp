// What the configuration wants of the kernel: a TAP twin for each port, a TUN twin for each tunnel. And where they are found then.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "controlplane/kernel/objects.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nave::kernel {

/// An address together with the length of its network.
struct NetworkAddress {
    IpAddress address;
    std::uint8_t length = 0;  // bits
    Prefix network() const { return Prefix::of(address, length); }
};

struct PortPlan {
    PortId port;
    std::string twin{};                        // name of the TAP interface
    MacAddress mac;
    std::uint16_t mtu = 1500;                // IP bytes
    std::optional<TunnelId> tunnel{};          // inside ports: the first tunnel of the table; nothing: an underlay
    TableNumber table = kMainTable;          // of an inside port, its tunnel's
    std::vector<NetworkAddress> addresses{};   // at most one of each family; none: whatever the operator's tools put on the twin
    std::vector<IpAddress> gateways{};         // underlay: next hop of what of its family is not on the link; may be link-local
    InterfaceIndex index = 0;                // of the twin, once it is open
};

struct TunnelPlan {
    TunnelId tunnel;
    std::string twin{};                        // name of the TUN interface
    std::uint16_t mtu = 1400;                // IP bytes
    TableNumber table = 1000;
    NetworkAddress address{};
    std::optional<NetworkAddress> link_local{};  // with an IPv6 address: what the kernel's routing daemons speak from
    std::vector<Prefix> routes{};              // configured: what lies behind the hubs
    InterfaceIndex index = 0;                // of the twin, once it is open
};

/// Ports by PortId, tunnels by TunnelId.
struct Plan {
    std::vector<PortPlan> ports;
    std::vector<TunnelPlan> tunnels;
};

}  // namespace nave::kernel
