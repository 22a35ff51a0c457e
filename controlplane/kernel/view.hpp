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

namespace nave::kernel {

/// Where a route out of an inside port leads.
struct InsideTarget {
    enum class Kind : std::uint8_t {
        twin,       // the kernel sorts it out: its own address, or a neighbour that is not known yet
        neighbour,  // `port` and `address` name an entry of View::adjacencies
        reject,
    } kind = Kind::twin;
    PortId port;
    IpAddress address;
    auto operator<=>(const InsideTarget&) const = default;
};

struct View {
    std::map<PortId, std::uint16_t> port_mtus;                           // IP bytes, of ports whose twin exists
    std::set<std::pair<PortId, IpAddress>> local_addresses;
    std::set<std::pair<TunnelId, IpAddress>> tunnel_addresses;
    std::map<std::pair<PortId, Family>, IpAddress> underlay_addresses;   // the primary one of each family of each underlay port that is up
    std::set<std::pair<TunnelId, Prefix>> local_prefixes;                // connected on inside ports
    std::map<std::pair<PortId, IpAddress>, MacAddress> adjacencies;      // neighbours on inside ports
    std::map<std::pair<TunnelId, Prefix>, InsideTarget> inside_routes;
    std::map<std::pair<TunnelId, Prefix>, std::optional<TunnelAddress>> tunnel_routes;
    std::set<std::pair<PortId, IpAddress>> wanted;                       // inside neighbours whose MAC should be known
    UnderlayView underlay;
    std::set<RecursiveRoute> refused;

    bool operator==(const View&) const = default;
};

/// Reads the mirror. Interfaces that `plan` has no index for do not exist yet. Routes that lead `peers` into a tunnel are left out.
View view_of(const Mirror& mirror, const Plan& plan, const GuardedPeers& peers = {});
/// Whether some route of the mirror leads into a tunnel and covers this address; sparing for whoever asks before a view.
bool leads_into_tunnel(const Mirror& mirror, const Plan& plan, const IpAddress& address);

}  // namespace nave::kernel
