// Property of following: whatever the order of changes, the view that follows them one by one is the one made of the mirror from nothing, and
// who hears the announcements alone knows as much as who is told all at once.
#include "controlplane/kernel/announcer.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

constexpr InterfaceIndex kWan = 11, kFar = 12, kLan = 13, kLab = 14, kTun = 15, kTwo = 16;

/// Two underlay ports, the second with a table of its own; two tunnels, each with an inside port.
Plan gateway_plan() {
    Plan plan;
    plan.ports.push_back({.port = PortId{0}, .twin = "wan", .mac = {{2, 0, 0, 0, 0, 1}}, .gateways = {ip("192.0.2.253")}, .index = kWan});
    plan.ports.push_back({.port = PortId{1}, .twin = "far", .mac = {{2, 0, 0, 0, 0, 2}}, .table = 50, .index = kFar});
    plan.ports.push_back({.port = PortId{2}, .twin = "lan", .mac = {{2, 0, 0, 0, 0, 3}}, .tunnel = TunnelId{0}, .table = 100, .index = kLan});
    plan.ports.push_back({.port = PortId{3}, .twin = "lab", .mac = {{2, 0, 0, 0, 0, 4}}, .tunnel = TunnelId{1}, .table = 200, .index = kLab});
    plan.tunnels.push_back({.tunnel = TunnelId{0}, .twin = "nave0", .table = 100, .address = {ip("10.255.0.2"), 24}, .index = kTun});
    plan.tunnels.push_back({.tunnel = TunnelId{1}, .twin = "nave1", .table = 200, .address = {ip("10.254.0.2"), 24}, .index = kTwo});
    return plan;
}

/// What somebody knows who hears the announcements, with adjacencies in place of their numbers.
struct Listener {
    std::map<std::uint32_t, std::pair<PortId, MacAddress>> adjacencies;
    std::map<std::pair<TunnelId, Prefix>, RouteTarget> inside;
    std::map<std::pair<TunnelId, Prefix>, std::optional<TunnelAddress>> tunnel;

    void hear(const std::vector<Change>& changes, Announcer& announcer) {
        for (const Change& change : changes) {
            if (const auto* route = std::get_if<InsideRouteChange>(&change)) hear(*route);
            if (const auto* route = std::get_if<TunnelRouteChange>(&change)) {
                if (route->present) tunnel[{route->tunnel, route->prefix}] = route->gateway;
                else CHECK(tunnel.erase({route->tunnel, route->prefix}) == 1);
            }
            const auto* command = std::get_if<Command>(&change);
            if (!command) continue;
            if (const auto* set = std::get_if<SetAdjacency>(command)) adjacencies[set->adjacency.value] = {set->port, set->destination_mac};
            if (const auto* remove = std::get_if<RemoveAdjacency>(command)) hear(*remove, announcer);
        }
    }
    void hear(const InsideRouteChange& route) {
        if (!route.present) {
            CHECK(inside.erase({route.tunnel, route.prefix}) == 1);
            return;
        }
        if (route.target.kind == RouteTarget::Kind::adjacency) CHECK(adjacencies.contains(route.target.index));
        inside[{route.tunnel, route.prefix}] = route.target;
    }
    void hear(const RemoveAdjacency& remove, Announcer& announcer) {
        adjacencies.erase(remove.adjacency.value);
        for (const auto& [key, target] : inside) CHECK_FALSE((target.kind == RouteTarget::Kind::adjacency && target.index == remove.adjacency.value));
        for (const WorkerId by : {WorkerId{0}, kRouteWriter}) announcer.on_removed({remove.adjacency, remove.removal, by});
    }
    auto knows() const {
        std::map<std::pair<TunnelId, Prefix>, std::pair<RouteTarget::Kind, std::optional<std::pair<PortId, MacAddress>>>> routes;
        for (const auto& [key, target] : inside)
            routes[key] = {target.kind, target.kind == RouteTarget::Kind::adjacency ? std::optional{adjacencies.at(target.index)} : std::nullopt};
        return std::pair{routes, tunnel};
    }
};

/// Random changes of a small world, so that they meet.
struct World {
    std::mt19937 random;
    Plan plan = gateway_plan();
    Mirror mirror;
    GuardedPeers peers;
    Touched touched;

    explicit World(std::uint32_t seed) : random{seed} {
        mirror.watch({kWan, kFar, kLan, kLab, kTun, kTwo}, {kMainTable, 50, 100, 200});
        for (InterfaceIndex index = kWan; index <= kTwo; ++index) apply({Link{.index = index, .up = true, .mtu = 1500}});
        for (const auto& [index, text] : {std::pair{kWan, "192.0.2.7"}, {kLan, "10.1.0.1"}, {kLab, "10.1.0.1"}})
            apply({Address{.index = index, .address = ip(text), .length = 24}});
    }
    ViewChanges follow(View& view) { return kernel::follow(view, mirror, plan, peers, std::exchange(touched, {.everything = false})); }
    bool coin() { return random() % 2 == 0; }
    template <class T>
    T one_of(std::initializer_list<T> choices) { return choices.begin()[random() % choices.size()]; }
    InterfaceIndex interface() { return static_cast<InterfaceIndex>(kWan + random() % 6); }
    void apply(const ObjectChange& change) {
        if (mirror.apply(change)) touched.note(change.object);
    }
    void suspect(const IpAddress& address) {
        for (const RouteKey& key : routes_around(mirror, plan, Prefix::host(address))) touched.routes.push_back(key);
    }
    std::vector<NextHop> hops() {
        std::vector<NextHop> hops;
        for (auto count = 1 + random() % 2; count > 0; --count) {
            const char* gateway = one_of<const char*>({nullptr, "10.1.0.254", "10.1.0.5", "192.0.2.254", "10.255.0.1", "fe80::6", "fd00:1::6"});
            hops.push_back({interface(), gateway ? std::optional{ip(gateway)} : std::nullopt});
        }
        return hops;
    }
    void change_route() {
        const char* to = one_of({"0.0.0.0/0", "10.1.0.0/24", "10.1.0.5/32", "10.1.0.254/32", "10.50.0.0/16", "203.0.0.0/16", "203.0.113.0/24", "203.0.113.128/25",
                                 "192.0.2.0/24", "192.0.0.0/16", "192.0.2.9/32", "::/0", "fd00:1::/64", "fd00:1::5/128", "2001:db8::/32", "2001:db8:1::/48"});
        apply({Route{.table = one_of<TableNumber>({kMainTable, 50, 100, 100, 200}), .prefix = prefix(to), .metric = one_of<std::uint32_t>({0, 20}),
                     .protocol = one_of<std::uint8_t>({186, 186, 186, kOurProtocol}), .kind = random() % 8 == 0 ? Route::Kind::reject : Route::Kind::unicast, .next_hops = hops()},
               random() % 3 != 0});
    }
    void change_neighbour() {
        const char* address = one_of({"10.1.0.1", "10.1.0.5", "10.1.0.254", "192.0.2.254", "192.0.2.9", "fe80::6", "fd00:1::5", "fd00:1::6"});
        const auto mac = coin() ? std::optional{MacAddress{{2, 0, 0, 0, 1, static_cast<std::uint8_t>(random() % 2)}}} : std::nullopt;
        apply({Neighbour{.index = interface(), .address = ip(address), .mac = mac, .failed = !mac && coin()}, random() % 4 != 0});
    }
    void change_peer() {
        const PeerId peer{static_cast<std::uint32_t>(random() % 3)};
        if (coin()) {
            const IpAddress address = ip(one_of({"203.0.113.1", "203.0.113.200", "192.0.2.9", "2001:db8:1::1"}));
            if (peers.add(peer, PortId{static_cast<std::uint16_t>(random() % 2)}, address)) suspect(address);
        } else if (const auto address = peers.remove(peer)) {
            suspect(*address);
        }
    }
    void change_interface() {
        if (coin()) return apply({Link{.index = interface(), .up = random() % 4 != 0, .mtu = 1500}});
        const char* address = one_of({"10.1.0.1", "192.0.2.7", "192.0.2.8", "fd00:1::1", "203.0.113.129"});
        apply({Address{.index = interface(), .address = ip(address), .length = one_of<std::uint8_t>({24, 32})}, coin()});
    }
    void change() {
        switch (random() % 16) {
        case 0: return change_interface();
        case 1: case 2: return change_peer();
        case 3: case 4: case 5: case 6: return change_neighbour();
        default: return change_route();
        }
    }
};

}  // namespace

TEST_CASE("the view that follows changes is the one made of the mirror, and so is what is announced of it") {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        World world{seed};
        View view;
        Announcer announcer{100, 1};
        Listener listener;
        for (int step = 0; step < 60; ++step) {
            for (auto count = 1 + world.random() % 3; count > 0; --count) world.change();
            listener.hear(announcer.announce(view, world.follow(view), world.plan), announcer);
            INFO("seed " << seed << " step " << step);
            REQUIRE(view == view_of(world.mirror, world.plan, world.peers));
            Announcer anew{100, 1};
            Listener newcomer;
            newcomer.hear(anew.announce(view, {.everything = true}, world.plan), anew);
            REQUIRE(listener.knows() == newcomer.knows());
        }
    }
}

TEST_CASE("with too few numbers for neighbours, routes lead to those that have one") {
    for (std::uint32_t seed = 0; seed < 60; ++seed) {
        World world{seed};
        View view;
        Announcer announcer{1, 1};
        Listener listener;
        for (int step = 0; step < 60; ++step) {
            world.change();
            listener.hear(announcer.announce(view, world.follow(view), world.plan), announcer);
        }
        INFO("seed " << seed);
        CHECK(listener.adjacencies.size() <= 1);
    }
}

TEST_CASE("a neighbour for whom there was no number gets the next one that is free, and what leads to it follows") {
    World world{0};
    View view;
    Announcer announcer{1, 1};
    Listener listener;
    const auto tell = [&] { listener.hear(announcer.announce(view, world.follow(view), world.plan), announcer); };
    const MacAddress mac{{2, 0, 0, 0, 1, 1}};
    for (const char* address : {"10.1.0.5", "10.1.0.254"}) {
        world.apply({Neighbour{.index = kLan, .address = ip(address), .mac = mac}});
        tell();
    }
    world.apply({Route{.table = 100, .prefix = prefix("10.50.0.0/16"), .protocol = 186, .next_hops = {{kLan, ip("10.1.0.254")}}}});
    tell();
    CHECK(listener.inside.at({TunnelId{0}, prefix("10.50.0.0/16")}).kind == RouteTarget::Kind::twin);
    world.apply({Neighbour{.index = kLan, .address = ip("10.1.0.5")}, false});
    tell();
    world.apply({Route{.table = 100, .prefix = prefix("10.60.0.0/16"), .protocol = 186, .next_hops = {{kTun, ip("10.255.0.1")}}}});
    tell();
    CHECK(listener.inside.at({TunnelId{0}, prefix("10.50.0.0/16")}).kind == RouteTarget::Kind::adjacency);
    CHECK(listener.inside.at({TunnelId{0}, prefix("10.1.0.254/32")}).kind == RouteTarget::Kind::adjacency);
}

TEST_CASE("one route, neighbour or peer beside thousands of routes touches one prefix") {
    World world{0};
    View view;
    for (std::uint32_t i = 0; i < 5000; ++i)
        world.apply({Route{.table = 100, .prefix = Prefix::of(IpAddress::v4(0x14000000u + (i << 8)), 24), .protocol = 186, .next_hops = {{kTun, ip("10.255.0.1")}}}});
    world.follow(view);
    CHECK(view.routes.size() > 5000);
    world.apply({Route{.table = 100, .prefix = prefix("203.0.113.0/24"), .protocol = 186, .next_hops = {{kTun, ip("10.255.0.1")}}}});
    const ViewChanges changes = world.follow(view);
    CHECK_FALSE(changes.everything);
    CHECK(changes.routes == std::vector{RouteKey{100, prefix("203.0.113.0/24")}});
    world.apply({Neighbour{.index = kLan, .address = ip("10.1.0.5"), .mac = MacAddress{{2, 0, 0, 0, 1, 1}}}});
    CHECK(world.follow(view).routes == std::vector{RouteKey{100, prefix("10.1.0.5/32")}});
    // A peer that it captures, and the underlay's way to that peer, concern it alone.
    world.peers.add(PeerId{1}, PortId{0}, ip("203.0.113.1"));
    world.suspect(ip("203.0.113.1"));
    const ViewChanges captured = world.follow(view);
    CHECK(captured.routes == changes.routes);
    CHECK(captured.refused.size() == 1);
    world.apply({Route{.table = kMainTable, .prefix = prefix("203.0.113.0/25"), .protocol = 3, .next_hops = {{kWan, ip("192.0.2.254")}}}});
    CHECK(world.follow(view).routes == changes.routes);
    CHECK(view.refused.empty());
}
