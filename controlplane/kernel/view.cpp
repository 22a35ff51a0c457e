// Deriving the view from the mirror.
#include "controlplane/kernel/view.hpp"

#include <algorithm>
#include <ranges>

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

bool is_of_tunnel(const Plan& plan, TableNumber table) { return std::ranges::find(plan.tunnels, table, &TunnelPlan::table) != plan.tunnels.end(); }

void read_ports(const Mirror& mirror, const Plan& plan, View& view) {
    for (const PortPlan& port : plan.ports) {
        const Link* link = port.index == 0 ? nullptr : mirror.link(port.index);
        if (!link) continue;
        const auto mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(link->mtu, 65535));
        view.interfaces.port_mtus[port.port] = mtu;
        if (!port.tunnel && link->up) view.underlay.ports[port.port] = {.mac = port.mac, .mtu = mtu};
    }
}

void read_addresses(const Mirror& mirror, const Plan& plan, Interfaces& interfaces) {
    for (const Address& address : mirror.addresses()) {
        if (!mirror.is_up(address.index)) continue;
        if (const TunnelPlan* tunnel = tunnel_at(plan, address.index)) {
            if (address.global) interfaces.tunnel_addresses.insert({tunnel->tunnel, address.address});
            continue;
        }
        const PortPlan* port = port_at(plan, address.index);
        if (!port) continue;
        interfaces.local_addresses.insert({port->port, address.address});
        if (port->tunnel && address.global) interfaces.local_prefixes.insert({*port->tunnel, address.network()});
    }
}

/// The first of each family that is fit to be known by; a deprecated one only where there is no other.
void choose_underlay_addresses(const Mirror& mirror, const Plan& plan, Interfaces& interfaces) {
    for (const bool deprecated : {false, true}) {
        for (const Address& address : mirror.addresses()) {
            const PortPlan* port = port_at(plan, address.index);
            if (!port || port->tunnel || !mirror.is_up(address.index) || address.deprecated != deprecated) continue;
            if (address.global && !address.secondary && !address.tentative) interfaces.underlay_addresses.try_emplace({port->port, address.address.family()}, address.address);
        }
    }
}

/// Names all that a view can have a route to or a neighbour of.
Touched all_of(const Mirror& mirror, const Plan& plan) {
    Touched all;
    for (const PortPlan& port : plan.ports)
        for (const IpAddress& gateway : port.gateways) all.routes.push_back({port.table, Prefix::of(gateway, 0)});
    for (const Address& address : mirror.addresses())
        if (const PortPlan* port = port_at(plan, address.index)) all.routes.push_back({port->table, address.network()});
    for (const auto& [key, neighbour] : mirror.neighbours()) all.neighbours.push_back(key);
    for (const auto& [key, route] : mirror.routes()) all.routes.push_back({route.table, route.prefix});
    return all;
}

/// The router that a route waits for; not a neighbour that is a route itself.
std::optional<NeighbourKey> router_of(const RouteKey& key, const Way& way) {
    const auto* inside = std::get_if<InsideTarget>(&way);
    if (!inside || inside->kind != InsideTarget::Kind::neighbour || key.second == Prefix::host(inside->address)) return std::nullopt;
    return NeighbourKey{inside->port, inside->address};
}

class Follower {
public:
    Follower(View& view, const Mirror& mirror, const Plan& plan, const GuardedPeers& peers) : view_{view}, mirror_{mirror}, plan_{plan}, peers_{peers} {}
    ViewChanges follow(Touched touched);

private:
    struct Outcome {
        std::optional<Way> way{};
        std::vector<RecursiveRoute> refused{};
    };

    /// What one prefix of a table comes to, out of the mirror, interfaces and underlay; the only place that knows.
    Outcome outcome(const RouteKey& key) const;
    std::optional<Way> connected(const RouteKey& key) const;
    std::optional<Way> choose(const Route& route, std::vector<RecursiveRoute>& refused) const;
    bool refuse(const Route& route, const NextHop& hop, std::vector<RecursiveRoute>& refused) const;
    std::optional<NextHop> underlay_hop(const PortPlan& port, const Prefix& prefix) const;
    const Neighbour* neighbour(InterfaceIndex index, const IpAddress& address) const;
    bool is_connected(const PortPlan& port, const IpAddress& address) const;

    void follow_neighbour(const PortPlan& port, const IpAddress& address);
    void follow_adjacency(const PortPlan& port, const IpAddress& address);
    /// Whether a way over the underlay is another now.
    bool follow_underlay(const RouteKey& key);
    void follow_route(const RouteKey& key);
    void follow_refusals(const RouteKey& key, const std::vector<RecursiveRoute>& refused);
    void unlink_router(const RouteKey& key, const Way& way);
    void link_router(const RouteKey& key, const Way& way);

    View& view_;
    const Mirror& mirror_;
    const Plan& plan_;
    const GuardedPeers& peers_;
    ViewChanges changes_;
    std::vector<NeighbourKey> routers_;  // that came or went
};

ViewChanges Follower::follow(Touched touched) {
    changes_.everything = touched.everything;
    if (touched.everything) {
        changes_.underlay = true;
        view_ = View{};
        read_ports(mirror_, plan_, view_);
        read_addresses(mirror_, plan_, view_.interfaces);
        choose_underlay_addresses(mirror_, plan_, view_.interfaces);
        touched = all_of(mirror_, plan_);
    }
    for (const auto& [index, address] : touched.neighbours) {
        const PortPlan* port = port_at(plan_, index);
        if (!port) continue;
        follow_neighbour(*port, address);
        if (port->tunnel) touched.routes.push_back({port->table, Prefix::host(address)});
    }
    // The underlay first: what it has decides what is refused.
    for (std::size_t i = 0, count = touched.routes.size(); i < count; ++i) {
        const RouteKey key = touched.routes[i];
        if (follow_underlay(key) && !changes_.everything) std::ranges::copy(routes_around(mirror_, plan_, key.second), std::back_inserter(touched.routes));
    }
    for (const RouteKey& key : touched.routes) follow_route(key);
    changes_.routers = !routers_.empty();
    for (const auto& [port, address] : routers_)
        if (address.is_link_local()) follow_adjacency(plan_.ports[port.value], address);
    return std::move(changes_);
}

const Neighbour* Follower::neighbour(InterfaceIndex index, const IpAddress& address) const {
    const auto found = mirror_.neighbours().find({index, address});
    return found == mirror_.neighbours().end() || !mirror_.is_up(index) ? nullptr : &found->second;
}

/// A neighbour outside every connected network is of no use as a route of its own.
bool Follower::is_connected(const PortPlan& port, const IpAddress& address) const {
    const auto covers = [&](const auto& local) { return local.first == *port.tunnel && local.second.contains(address); };
    return !view_.interfaces.local_addresses.contains({port.port, address}) && std::ranges::any_of(view_.interfaces.local_prefixes, covers);
}

void Follower::follow_neighbour(const PortPlan& port, const IpAddress& address) {
    if (port.tunnel) return follow_adjacency(port, address);
    changes_.underlay = true;
    if (const Neighbour* known = neighbour(port.index, address)) view_.underlay.neighbours[{port.port, address}] = {.mac = known->mac, .failed = known->failed};
    else view_.underlay.neighbours.erase({port.port, address});
}

/// A router's link-local address (RFC 4861) is in no connected network, and is worth an adjacency when routes lead to it.
void Follower::follow_adjacency(const PortPlan& port, const IpAddress& address) {
    const NeighbourKey key{port.port, address};
    const Neighbour* known = neighbour(port.index, address);
    const bool is_of_use = is_connected(port, address) || (address.is_link_local() && view_.wanted.contains(key));
    if (known && known->mac && is_of_use) view_.adjacencies.insert_or_assign(key, *known->mac);
    else view_.adjacencies.erase(key);
    changes_.adjacencies.push_back(key);
}

/// Weaker than any route of the kernel's, which may lack them because of another interface or because an address brings none: the configured
/// gateways, and what shares our network, which is on the link.
std::optional<NextHop> Follower::underlay_hop(const PortPlan& port, const Prefix& prefix) const {
    for (const Route& route : mirror_.routes_to(port.table, prefix)) {
        const auto hop = std::ranges::find(route.next_hops, port.index, &NextHop::index);
        if (route.kind == Route::Kind::unicast && hop != route.next_hops.end()) return *hop;
    }
    for (const IpAddress& gateway : port.gateways)
        if (Prefix::of(gateway, 0) == prefix) return NextHop{port.index, gateway};
    const auto covers = [&](const Address& address) { return address.index == port.index && address.global && address.network() == prefix; };
    if (std::ranges::any_of(mirror_.addresses(), covers)) return NextHop{port.index, {}};
    return std::nullopt;
}

bool Follower::follow_underlay(const RouteKey& key) {
    const auto& [table, prefix] = key;
    bool changed = false;
    for (const PortPlan& port : plan_.ports) {
        const auto underlay = view_.underlay.ports.find(port.port);
        if (port.table != table || underlay == view_.underlay.ports.end()) continue;
        auto& routes = underlay->second.routes;
        if (const auto hop = underlay_hop(port, prefix)) {
            const auto [entry, is_new] = routes.try_emplace(prefix);
            changed |= is_new || entry->second != hop->gateway;
            entry->second = hop->gateway;
        } else {
            changed |= routes.erase(prefix) > 0;
        }
    }
    changes_.underlay |= changed;
    return changed;
}

Follower::Outcome Follower::outcome(const RouteKey& key) const {
    Outcome outcome;
    const auto routes = mirror_.routes_to(key.first, key.second);
    if (!is_of_tunnel(plan_, key.first)) {
        // A route of the underlay's table into a tunnel is no way for ESP, whose port it does not lead out of; who made it must hear of it.
        for (const Route& route : routes)
            for (const NextHop& hop : route.next_hops)
                if (tunnel_at(plan_, hop.index)) refuse(route, hop, outcome.refused);
        return outcome;
    }
    outcome.way = connected(key);
    for (auto route = routes.begin(); !outcome.way && route != routes.end(); ++route) outcome.way = choose(*route, outcome.refused);
    return outcome;
}

/// What needs no route: neighbours and networks on inside ports.
std::optional<Way> Follower::connected(const RouteKey& key) const {
    const auto& [table, prefix] = key;
    for (const PortPlan& port : plan_.ports) {
        if (!port.tunnel || port.table != table || !prefix.is_host() || !is_connected(port, prefix.address)) continue;
        const Neighbour* known = neighbour(port.index, prefix.address);
        if (known && known->mac) return InsideTarget{.kind = InsideTarget::Kind::neighbour, .port = port.port, .address = prefix.address};
    }
    for (const Address& address : mirror_.addresses()) {
        const PortPlan* port = port_at(plan_, address.index);
        if (!port || !port->tunnel || port->table != table || !address.global || address.network() != prefix || !mirror_.is_up(address.index)) continue;
        return InsideTarget{.kind = InsideTarget::Kind::twin, .port = port->port, .address = {}};
    }
    return std::nullopt;
}

/// Where a route of a tunnel's table leads; nothing if a worse one is to be looked at.
std::optional<Way> Follower::choose(const Route& route, std::vector<RecursiveRoute>& refused) const {
    if (route.kind == Route::Kind::reject) return InsideTarget{.kind = InsideTarget::Kind::reject, .port = {}, .address = {}};
    for (const NextHop& hop : route.next_hops) {
        if (!mirror_.is_up(hop.index)) continue;
        if (const TunnelPlan* tunnel = tunnel_at(plan_, hop.index)) {
            if (tunnel->table != route.table) continue;
            if (refuse(route, hop, refused)) return std::nullopt;
            return TunnelWay{tunnel->tunnel, hop.gateway ? std::optional{TunnelAddress{*hop.gateway}} : std::nullopt};
        }
        const PortPlan* port = port_at(plan_, hop.index);
        if (!port || !port->tunnel || port->table != route.table) continue;
        using enum InsideTarget::Kind;
        return InsideTarget{.kind = hop.gateway ? neighbour : twin, .port = port->port, .address = hop.gateway.value_or(IpAddress{})};
    }
    return std::nullopt;
}

/// Whether the route leads a peer into a tunnel; it is noted then.
bool Follower::refuse(const Route& route, const NextHop& hop, std::vector<RecursiveRoute>& refused) const {
    const auto peer = peers_.captured_by(route.prefix, view_.underlay);
    if (peer) refused.push_back({.table = route.table, .prefix = route.prefix, .gateway = hop.gateway, .peer = *peer});
    return peer.has_value();
}

void Follower::follow_route(const RouteKey& key) {
    const Outcome now = outcome(key);
    follow_refusals(key, now.refused);
    const auto before = view_.routes.find(key);
    const bool is_known = before != view_.routes.end();
    if (is_known ? now.way == before->second : !now.way) return;
    changes_.routes.push_back(key);
    if (is_known) unlink_router(key, before->second);
    if (!now.way) {
        view_.routes.erase(before);
        return;
    }
    link_router(key, *now.way);
    if (is_known) before->second = *now.way;
    else view_.routes.emplace(key, *now.way);
}

void Follower::follow_refusals(const RouteKey& key, const std::vector<RecursiveRoute>& refused) {
    const auto first = view_.refused.lower_bound({.table = key.first, .prefix = key.second});
    auto last = first;
    while (last != view_.refused.end() && last->table == key.first && last->prefix == key.second) ++last;
    const std::vector before(first, last);
    view_.refused.erase(first, last);
    for (const RecursiveRoute& route : refused)
        if (view_.refused.insert(route).second && std::ranges::find(before, route) == before.end()) changes_.refused.push_back(route);
}

void Follower::unlink_router(const RouteKey& key, const Way& way) {
    const auto router = router_of(key, way);
    if (!router) return;
    const auto users = view_.wanted.find(*router);
    users->second.erase(key);
    if (!users->second.empty()) return;
    view_.wanted.erase(users);
    routers_.push_back(*router);
}

void Follower::link_router(const RouteKey& key, const Way& way) {
    const auto router = router_of(key, way);
    if (!router) return;
    const auto [users, is_new] = view_.wanted.try_emplace(*router);
    users->second.insert(key);
    if (is_new) routers_.push_back(*router);
}

}  // namespace

void Touched::note(const Object& object) {
    if (const auto* route = std::get_if<Route>(&object)) {
        if (route->protocol != kOurProtocol) routes.push_back({route->table, route->prefix});
    } else if (const auto* neighbour = std::get_if<Neighbour>(&object)) {
        neighbours.push_back({neighbour->index, neighbour->address});
    } else if (!std::holds_alternative<Rule>(object) && !std::holds_alternative<NextHopObject>(object)) {
        everything = true;
    }
}

ViewChanges follow(View& view, const Mirror& mirror, const Plan& plan, const GuardedPeers& peers, Touched touched) {
    return Follower{view, mirror, plan, peers}.follow(std::move(touched));
}

View view_of(const Mirror& mirror, const Plan& plan, const GuardedPeers& peers) {
    View view;
    follow(view, mirror, plan, peers, {});
    return view;
}

std::vector<RouteKey> routes_around(const Mirror& mirror, const Plan& plan, const Prefix& prefix) {
    std::set<TableNumber> tables;
    for (const TunnelPlan& tunnel : plan.tunnels) tables.insert(tunnel.table);
    for (const PortPlan& port : plan.ports) tables.insert(port.table);
    std::vector<RouteKey> found;
    for (const TableNumber table : tables) {
        for (std::uint8_t length = 1; length <= prefix.length; ++length) {
            const RouteKey key{table, Prefix::of(prefix.address, length)};
            if (!mirror.routes_to(key.first, key.second).empty()) found.push_back(key);
        }
    }
    return found;
}

}  // namespace nave::kernel
