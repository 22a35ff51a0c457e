// What the mirrored kernel means for the gateway: addresses, prefixes, routes and neighbours in the gateway's own words. Pure.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "controlplane/kernel/mirror.hpp"
#include "controlplane/kernel/plan.hpp"
#include "controlplane/kernel/recursion.hpp"
#include "controlplane/kernel/underlay_view.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace nave::kernel {

/// Where a route out of an inside port leads.
struct InsideTarget {
    enum class Kind : std::uint8_t {
        twin,       // the kernel sorts it out
        neighbour,  // to `address` on `port`; by the twin as long as View::adjacencies lacks it
        reject,
    } kind = Kind::twin;
    PortId port;
    IpAddress address;
    auto operator<=>(const InsideTarget&) const = default;
};

/// Where a route into a tunnel leads; without a gateway to whoever is the best hub.
struct TunnelWay {
    TunnelId tunnel;
    std::optional<TunnelAddress> gateway{};
    auto operator<=>(const TunnelWay&) const = default;
};

using Way = std::variant<InsideTarget, TunnelWay>;
/// A prefix in a kernel table that is a tunnel's or an underlay's.
using RouteKey = std::pair<TableNumber, Prefix>;
/// A neighbour on a port.
using NeighbourKey = std::pair<PortId, IpAddress>;

/// What follows from links and addresses alone.
struct Interfaces {
    std::map<PortId, std::uint16_t> port_mtus;                           // IP bytes, of ports whose twin exists
    std::set<std::pair<PortId, IpAddress>> local_addresses;
    std::set<std::pair<TunnelId, IpAddress>> tunnel_addresses;
    std::map<std::pair<PortId, Family>, IpAddress> underlay_addresses;   // the primary one of each family of each underlay port that is up
    std::set<std::pair<TunnelId, Prefix>> local_prefixes;                // connected on inside ports

    bool operator==(const Interfaces&) const = default;
};

struct View {
    Interfaces interfaces;
    std::map<NeighbourKey, MacAddress> adjacencies;                      // neighbours on inside ports
    std::map<RouteKey, Way> routes;                                      // of the tunnels' tables
    std::map<NeighbourKey, std::set<RouteKey>> wanted;                   // routers on inside ports whose MAC should be known, and what leads to them
    UnderlayView underlay;
    std::set<RecursiveRoute> refused;

    bool operator==(const View&) const = default;
};

/// What became of the mirror or the guarded peers since a view was derived of them; may name more than changed.
struct Touched {
    bool everything = true;  // links, addresses, the plan; of a view that is empty
    std::vector<RouteKey> routes{};
    std::vector<std::pair<InterfaceIndex, IpAddress>> neighbours{};
    /// The mirror has another such object than before.
    void note(const Object& object);
    bool any() const { return everything || !routes.empty() || !neighbours.empty(); }
};

/// What may differ in a view from what it was before.
struct ViewChanges {
    bool everything = false, underlay = false;
    bool routers = false;                   // those wanted
    std::vector<RouteKey> routes{};
    std::vector<NeighbourKey> adjacencies{};
    std::vector<RecursiveRoute> refused{};  // that were not before
};

/// Brings a view up to date with the mirror, in which so much was touched since. Costs as much as was touched, however large the tables are.
/// Interfaces that `plan` has no index for do not exist yet. Routes that lead `peers` into a tunnel are left out.
ViewChanges follow(View& view, const Mirror& mirror, const Plan& plan, const GuardedPeers& peers, Touched touched);
/// The same from nothing.
View view_of(const Mirror& mirror, const Plan& plan, const GuardedPeers& peers = {});
/// The routes in the tables of tunnels and underlays that cover all of this prefix, but for default routes: those that a peer there, or an
/// underlay's route to it, may matter to.
std::vector<RouteKey> routes_around(const Mirror& mirror, const Plan& plan, const Prefix& prefix);

}  // namespace nave::kernel
