// Route netlink (rtnetlink(7)) as bytes: kernel messages to objects, wishes to requests. Pure.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/kernel/objects.hpp"

#include <optional>

namespace nave::kernel {

/// The object in one netlink message (header included); nothing for other kinds, for what we do not mirror (cloned routes,
/// other address families) and for malformed ones.
std::optional<ObjectChange> decode_message(ByteView message);

/// A request to the kernel: one netlink message that asks for an acknowledgement; whoever sends it fills in the sequence number.
using Request = Bytes;

/// Sets MAC (when given), MTU and state of an interface.
Request change_link(InterfaceIndex index, std::optional<MacAddress> mac, std::uint32_t mtu, bool up);
/// Puts an address on an interface. `prefix_route`: the kernel also makes the route of its network, in the main table.
Request add_address(const Address& address, bool prefix_route);

/// How a route of ours is put into a table.
struct RouteRequest {
    TableNumber table = kMainTable;
    Prefix prefix{};
    InterfaceIndex index = 0;
    std::optional<IpAddress> gateway{};
    bool on_link = false;                      // the gateway need not be in a connected network
    std::optional<IpAddress> preferred_source{};
    bool append = false;                       // beside an equal route of somebody else; otherwise it takes its place
    bool operator==(const RouteRequest&) const = default;
};
Request add_route(const RouteRequest& route);
Request remove_route(const RouteRequest& route);
Request add_rule(const Rule& rule);
Request remove_rule(const Rule& rule);
/// Has the kernel find out or confirm a neighbour's MAC, as if it had traffic for it (NTF_USE).
Request use_neighbour(InterfaceIndex index, const IpAddress& address);

enum class Kind : std::uint8_t { link, address, neighbour, route, rule };
/// Asks for all objects of a kind, of every family.
Request dump(Kind kind);

}  // namespace nave::kernel
