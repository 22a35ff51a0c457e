// Deriving the view from the mirror.
#include "controlplane/kernel/view.hpp"

#include <algorithm>

namespace nave::kernel {

namespace {

const PortPlan* port_at(const Plan& plan, InterfaceIndex index) {
    const auto found = std::ranges::find(plan.ports, index, &PortPlan::index);
    return index == 0 || found == plan.ports.end() ? nullptr : &*found;
}

const TunnelPlan* tunnel_at(const Plan& plan, InterfaceIndex index) {
    const auto found = std::ranges::find(plan.tunnels, index, &TunnelPlan::index);
    return index == 0 || found == plan.tunnels.end() ? nullptr : &*found;
}

const TunnelPlan* tunnel_of_table(const Plan& plan, TableNumber table) {
    const auto found = std::ranges::find(plan.tunnels, table, &TunnelPlan::table);
    return found == plan.tunnels.end() ? nullptr : &*found;
}

void read_ports(const Mirror& mirror, const Plan& plan, View& view) {
    for (const PortPlan& port : plan.ports) {
        const Link* link = port.index == 0 ? nullptr : mirror.link(port.index);
        if (!link) continue;
        const auto mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(link->mtu, 65535));
        view.port_mtus[port.port] = mtu;
        if (port.tunnel || !link->up) continue;
        UnderlayPort& underlay = view.underlay.ports[port.port];
        underlay.mac = port.mac;
        underlay.mtu = mtu;
        // Weaker than any route of the kernel's, which may not have it because another interface's default route is in the way.
        for (const IpAddress& gateway : port.gateways) underlay.routes.push_back({.prefix = Prefix::of(gateway, 0), .metric = UINT32_MAX, .gateway = gateway});
    }
}

void read_inside_address(const Address& address, const PortPlan& port, View& view) {
    if (!address.global) return;
    const std::pair key{*port.tunnel, address.network()};
    view.local_prefixes.insert(key);
    view.inside_routes.insert_or_assign(key, InsideTarget{.kind = InsideTarget::Kind::twin, .port = port.port, .address = {}});
}

void read_addresses(const Mirror& mirror, const Plan& plan, View& view) {
    for (const Address& address : mirror.addresses()) {
        if (!mirror.is_up(address.index)) continue;
        if (const TunnelPlan* tunnel = tunnel_at(plan, address.index)) {
            if (address.global) view.tunnel_addresses.insert({tunnel->tunnel, address.address});
            continue;
        }
        const PortPlan* port = port_at(plan, address.index);
        if (!port) continue;
        view.local_addresses.insert({port->port, address.address});
        if (port->tunnel) read_inside_address(address, *port, view);
    }
}

/// The first of each family that is fit to be known by; a deprecated one only where there is no other.
void choose_underlay_addresses(const Mirror& mirror, const Plan& plan, View& view) {
    for (const bool deprecated : {false, true}) {
        for (const Address& address : mirror.addresses()) {
            const PortPlan* port = port_at(plan, address.index);
            if (!port || port->tunnel || !mirror.is_up(address.index) || address.deprecated != deprecated) continue;
            if (address.global && !address.secondary && !address.tentative) view.underlay_addresses.try_emplace({port->port, address.address.family()}, address.address);
        }
    }
}

void read_neighbours(const Mirror& mirror, const Plan& plan, View& view) {
    for (const auto& [key, neighbour] : mirror.neighbours()) {
        const PortPlan* port = port_at(plan, neighbour.index);
        if (!port || !mirror.is_up(neighbour.index)) continue;
        if (!port->tunnel) {
            view.underlay.neighbours[{port->port, neighbour.address}] = {.mac = neighbour.mac, .failed = neighbour.failed};
            continue;
        }
        // A neighbour outside every connected network is of no use as a route of its own.
        const bool connected = std::ranges::any_of(view.local_prefixes, [&](const auto& local) {
            return local.first == *port->tunnel && local.second.contains(neighbour.address);
        });
        if (!neighbour.mac || !connected || view.local_addresses.contains({port->port, neighbour.address})) continue;
        view.adjacencies[{port->port, neighbour.address}] = *neighbour.mac;
        view.inside_routes[{*port->tunnel, Prefix::host(neighbour.address)}] = {
            .kind = InsideTarget::Kind::neighbour, .port = port->port, .address = neighbour.address};
    }
}

/// A router's link-local address (RFC 4861) is in no connected network, and is worth an adjacency when routes lead to it.
void know_gateway(const IpAddress& gateway, const PortPlan& port, const Mirror& mirror, View& view) {
    const auto neighbour = mirror.neighbours().find({port.index, gateway});
    if (gateway.is_link_local() && neighbour != mirror.neighbours().end() && neighbour->second.mac) view.adjacencies[{port.port, gateway}] = *neighbour->second.mac;
}

/// Whether the route leads a peer into a tunnel; it is noted then.
bool is_recursive(const Route& route, const NextHop& hop, const GuardedPeers& peers, View& view) {
    const auto peer = peers.captured_by(route.prefix, view.underlay);
    if (peer) view.refused.insert({.table = route.table, .prefix = route.prefix, .gateway = hop.gateway, .peer = *peer});
    return peer.has_value();
}

void read_overlay_route(const Route& route, const TunnelPlan& tunnel, const Mirror& mirror, const Plan& plan, const GuardedPeers& peers, View& view) {
    const std::pair key{tunnel.tunnel, route.prefix};
    if (view.inside_routes.contains(key) || view.tunnel_routes.contains(key)) return;  // a better one came before
    if (route.kind == Route::Kind::reject) {
        view.inside_routes.emplace_hint(view.inside_routes.end(), key, InsideTarget{.kind = InsideTarget::Kind::reject, .port = {}, .address = {}});
        return;
    }
    for (const NextHop& hop : route.next_hops) {
        if (!mirror.is_up(hop.index)) continue;
        if (hop.index == tunnel.index) {
            if (is_recursive(route, hop, peers, view)) return;
            view.tunnel_routes.emplace_hint(view.tunnel_routes.end(), key, hop.gateway ? std::optional{TunnelAddress{*hop.gateway}} : std::nullopt);
            return;
        }
        const PortPlan* port = port_at(plan, hop.index);
        if (!port || port->tunnel != tunnel.tunnel) continue;
        InsideTarget target{.kind = InsideTarget::Kind::twin, .port = port->port, .address = {}};
        if (hop.gateway) {
            view.wanted.insert({port->port, *hop.gateway});
            know_gateway(*hop.gateway, *port, mirror, view);
            if (view.adjacencies.contains({port->port, *hop.gateway})) {
                target.kind = InsideTarget::Kind::neighbour;
                target.address = *hop.gateway;
            }
        }
        view.inside_routes.emplace_hint(view.inside_routes.end(), key, target);
        return;
    }
}

void read_underlay_route(const Route& route, const Plan& plan, View& view) {
    if (route.kind != Route::Kind::unicast) return;
    for (const PortPlan& port : plan.ports) {
        const auto underlay = view.underlay.ports.find(port.port);
        if (port.table != route.table || underlay == view.underlay.ports.end()) continue;
        const auto hop = std::ranges::find(route.next_hops, port.index, &NextHop::index);
        if (hop == route.next_hops.end()) continue;
        underlay->second.routes.push_back({.prefix = route.prefix, .metric = route.metric, .gateway = hop->gateway});
    }
}

/// A route of the underlay's table into a tunnel is no way for ESP, whose port it does not lead out of; who made it must hear of it.
void refuse_underlay_route(const Route& route, const Plan& plan, const GuardedPeers& peers, View& view) {
    for (const NextHop& hop : route.next_hops)
        if (tunnel_at(plan, hop.index)) is_recursive(route, hop, peers, view);
}

/// Without a route of the kernel's (an address that brings none), what shares our network is still on the link.
void add_connected_underlay(const Mirror& mirror, const Plan& plan, View& view) {
    for (const Address& address : mirror.addresses()) {
        const PortPlan* port = port_at(plan, address.index);
        if (!port || !address.global) continue;
        const auto underlay = view.underlay.ports.find(port->port);
        if (underlay == view.underlay.ports.end()) continue;
        underlay->second.routes.push_back({.prefix = address.network(), .metric = UINT32_MAX, .gateway = {}});
    }
}

}  // namespace

View view_of(const Mirror& mirror, const Plan& plan, const GuardedPeers& peers) {
    View view;
    read_ports(mirror, plan, view);
    read_addresses(mirror, plan, view);
    choose_underlay_addresses(mirror, plan, view);
    read_neighbours(mirror, plan, view);
    add_connected_underlay(mirror, plan, view);
    for (const auto& [key, route] : mirror.routes()) read_underlay_route(route, plan, view);
    // The mirror's order is table, prefix, metric: the best of each prefix comes first, and each goes to the end of the view, which makes
    // tens of thousands cheap.
    for (const auto& [key, route] : mirror.routes()) {
        if (const TunnelPlan* tunnel = tunnel_of_table(plan, route.table)) read_overlay_route(route, *tunnel, mirror, plan, peers, view);
        else refuse_underlay_route(route, plan, peers, view);
    }
    return view;
}

bool leads_into_tunnel(const Mirror& mirror, const Plan& plan, const IpAddress& address) {
    std::set<TableNumber> tables;
    for (const TunnelPlan& tunnel : plan.tunnels) tables.insert(tunnel.table);
    for (const PortPlan& port : plan.ports) tables.insert(port.table);
    for (const TableNumber table : tables) {
        for (std::uint8_t length = 1; length <= address.bit_count(); ++length) {
            const Prefix prefix = Prefix::of(address, length);
            const auto route = mirror.routes().lower_bound({table, prefix, 0});
            if (route == mirror.routes().end() || std::get<1>(route->first) != prefix || std::get<0>(route->first) != table) continue;
            if (std::ranges::any_of(route->second.next_hops, [&](const NextHop& hop) { return tunnel_at(plan, hop.index) != nullptr; })) return true;
        }
    }
    return false;
}

}  // namespace nave::kernel
