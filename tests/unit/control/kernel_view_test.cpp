// Tests of what the mirrored kernel means for the gateway, and of the changes that it is told.
#include "controlplane/kernel/announcer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }
MacAddress mac(std::uint8_t last) { return {{2, 0, 0, 0, 0, last}}; }

constexpr InterfaceIndex kWan = 11, kLan = 12, kTun = 13;
constexpr PortId kWanPort{0}, kLanPort{1};
constexpr TunnelId kTunnel{0};

/// One underlay port, one inside port, one tunnel: a usual spoke.
Plan spoke() {
    Plan plan;
    plan.ports.push_back({.port = kWanPort, .twin = "wan", .mac = mac(1), .index = kWan});
    plan.ports.push_back({.port = kLanPort, .twin = "lan", .mac = mac(2), .tunnel = kTunnel, .table = 1000, .index = kLan});
    plan.tunnels.push_back({.tunnel = kTunnel, .twin = "nave0", .table = 1000, .address = {ip("10.255.0.2"), 24}, .index = kTun});
    return plan;
}

/// A mirror that the test fills, and what is announced of it.
struct Bench {
    Plan plan = spoke();
    Mirror mirror;
    Announcer announcer{2, 1};

    Bench() {
        mirror.watch({kWan, kLan, kTun}, {kMainTable, 1000});
        for (const InterfaceIndex index : {kWan, kLan, kTun}) link(index, true);
    }
    void link(InterfaceIndex index, bool up) { mirror.apply({Link{.index = index, .up = up, .mtu = 1500}}); }
    void address(InterfaceIndex index, const char* text, std::uint8_t length, bool present = true) {
        mirror.apply({Address{.index = index, .address = ip(text), .length = length}, present});
    }
    void neighbour(InterfaceIndex index, const char* text, std::optional<MacAddress> is_at, bool present = true) {
        mirror.apply({Neighbour{.index = index, .address = ip(text), .mac = is_at, .failed = !is_at}, present});
    }
    void route(TableNumber table, const char* to, const char* gateway, InterfaceIndex index, std::uint32_t metric = 0, bool present = true) {
        mirror.apply({Route{.table = table, .prefix = prefix(to), .metric = metric, .protocol = 4,
                            .next_hops = {{index, gateway ? std::optional{ip(gateway)} : std::nullopt}}}, present});
    }
    View view() const { return view_of(mirror, plan); }
    std::vector<Change> announce() { return announcer.announce(view(), {.everything = true}, plan); }
    /// As the dataplane acknowledges it.
    void gone(const RemoveAdjacency& remove) {
        for (const WorkerId by : {WorkerId{0}, kRouteWriter}) announcer.on_removed(AdjacencyRemoved{remove.adjacency, remove.removal, by});
    }
};

template <class T, class Variant>
constexpr bool kHolds = false;
template <class T, class... Alternatives>
constexpr bool kHolds<T, std::variant<Alternatives...>> = (std::is_same_v<T, Alternatives> || ...);

/// Position of the first change of a kind; beyond the end when there is none.
template <class T>
std::size_t position(const std::vector<Change>& changes) {
    return static_cast<std::size_t>(std::ranges::find_if(changes, [](const Change& change) {
        if constexpr (kHolds<T, Command>) {
            const auto* command = std::get_if<Command>(&change);
            return command && std::holds_alternative<T>(*command);
        } else {
            return std::holds_alternative<T>(change);
        }
    }) - changes.begin());
}

template <class T>
T only(const std::vector<Change>& changes) {
    const std::size_t at = position<T>(changes);
    REQUIRE(at < changes.size());
    if constexpr (kHolds<T, Command>) {
        return std::get<T>(std::get<Command>(changes[at]));
    } else {
        return std::get<T>(changes[at]);
    }
}

}  // namespace

TEST_CASE("the underlay address is the first global primary one") {
    Bench bench;
    bench.mirror.apply({Address{.index = kWan, .address = ip("169.254.3.4"), .length = 16, .global = false}});
    bench.mirror.apply({Address{.index = kWan, .address = ip("192.0.2.8"), .length = 24, .secondary = true}});
    bench.address(kWan, "192.0.2.7", 24);
    bench.address(kWan, "198.51.100.1", 24);
    CHECK(bench.view().interfaces.underlay_addresses.at({kWanPort, Family::v4}) == ip("192.0.2.7"));
    CHECK(bench.view().interfaces.local_addresses.size() == 4);
}

TEST_CASE("a port that is down has no underlay address") {
    Bench bench;
    bench.address(kWan, "192.0.2.7", 24);
    CHECK(only<UnderlayAddressChange>(bench.announce()).address->value == ip("192.0.2.7"));
    bench.link(kWan, false);
    CHECK_FALSE(only<UnderlayAddressChange>(bench.announce()).address);
}

TEST_CASE("a lease that changes is one change of the underlay address") {
    Bench bench;
    bench.address(kWan, "192.0.2.7", 24);
    bench.announce();
    bench.address(kWan, "192.0.2.7", 24, false);
    bench.address(kWan, "192.0.2.99", 24);
    const auto changes = bench.announce();
    CHECK(std::ranges::count_if(changes, [](const Change& change) { return std::holds_alternative<UnderlayAddressChange>(change); }) == 1);
    CHECK(only<UnderlayAddressChange>(changes).address->value == ip("192.0.2.99"));
    CHECK(only<RemoveLocalAddress>(changes).address == ip("192.0.2.7"));
    CHECK(only<AddLocalAddress>(changes).address == ip("192.0.2.99"));
}

TEST_CASE("what is connected on an inside port is a local prefix, and a route to the twin") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    const auto changes = bench.announce();
    CHECK(only<LocalPrefixChange>(changes).prefix == prefix("10.1.0.0/24"));
    CHECK(only<InsideRouteChange>(changes).target.kind == RouteTarget::Kind::twin);
    CHECK(only<AddLocalAddress>(changes).port == kLanPort);
    CHECK(position<UnderlayAddressChange>(changes) == changes.size());
}

TEST_CASE("an inside neighbour becomes an adjacency and a host route, in this order") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.announce();
    bench.neighbour(kLan, "10.1.0.5", mac(5));
    const auto changes = bench.announce();
    REQUIRE(changes.size() == 2);
    const auto adjacency = only<SetAdjacency>(changes);
    CHECK(adjacency.source_mac == mac(2));
    CHECK(adjacency.destination_mac == mac(5));
    const auto route = only<InsideRouteChange>(changes);
    CHECK(route.prefix == prefix("10.1.0.5/32"));
    CHECK(route.target == RouteTarget{RouteTarget::Kind::adjacency, adjacency.adjacency.value});
    CHECK(position<SetAdjacency>(changes) < position<InsideRouteChange>(changes));
}

TEST_CASE("a neighbour that goes takes its route before its adjacency") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.neighbour(kLan, "10.1.0.5", mac(5));
    bench.announce();
    bench.neighbour(kLan, "10.1.0.5", {});
    const auto changes = bench.announce();
    CHECK_FALSE(only<InsideRouteChange>(changes).present);
    CHECK(position<InsideRouteChange>(changes) < position<RemoveAdjacency>(changes));
}

TEST_CASE("a neighbour with another MAC keeps its adjacency's number") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.neighbour(kLan, "10.1.0.5", mac(5));
    const auto before = only<SetAdjacency>(bench.announce());
    bench.neighbour(kLan, "10.1.0.5", mac(6));
    const auto changes = bench.announce();
    REQUIRE(changes.size() == 1);
    CHECK(only<SetAdjacency>(changes).adjacency == before.adjacency);
    CHECK(only<SetAdjacency>(changes).destination_mac == mac(6));
}

TEST_CASE("neighbours beyond the dataplane's room stay with the kernel, and are counted once") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    for (const char* host : {"10.1.0.5", "10.1.0.6", "10.1.0.7"}) bench.neighbour(kLan, host, mac(5));
    bench.announce();
    bench.announce();
    CHECK(bench.announcer.adjacencies_refused() == 1);
    bench.neighbour(kLan, "10.1.0.5", {});
    bench.gone(only<RemoveAdjacency>(bench.announce()));
    CHECK(only<InsideRouteChange>(bench.announce()).target.kind == RouteTarget::Kind::adjacency);
}

TEST_CASE("a neighbour's number goes to another only after every worker and the route writer have acknowledged its removal") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    for (const char* host : {"10.1.0.5", "10.1.0.6"}) bench.neighbour(kLan, host, mac(5));
    bench.announce();
    bench.neighbour(kLan, "10.1.0.5", {});
    const auto removed = only<RemoveAdjacency>(bench.announce());
    bench.neighbour(kLan, "10.1.0.7", mac(7));
    // Numbers have run out: the removal is asked for again, as its acknowledgement may be lost.
    CHECK(only<RemoveAdjacency>(bench.announce()).removal == removed.removal);
    bench.announcer.on_removed(AdjacencyRemoved{removed.adjacency, removed.removal, kRouteWriter});
    bench.announcer.on_removed(AdjacencyRemoved{removed.adjacency, removed.removal, kRouteWriter});
    bench.announcer.on_removed(AdjacencyRemoved{removed.adjacency, removed.removal + 1, WorkerId{0}});
    CHECK(position<SetAdjacency>(bench.announce()) == bench.announce().size());
    bench.announcer.on_removed(AdjacencyRemoved{removed.adjacency, removed.removal, WorkerId{0}});
    const auto set = only<SetAdjacency>(bench.announce());
    CHECK(set.adjacency == removed.adjacency);
    CHECK(set.destination_mac == mac(7));
}

TEST_CASE("a neighbour outside the connected networks is no host route") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.neighbour(kLan, "10.9.0.5", mac(5));
    bench.neighbour(kLan, "fe80::1", mac(6));
    CHECK(bench.view().routes.size() == 1);
    CHECK(bench.view().adjacencies.empty());
}

TEST_CASE("a route of the tunnel's table through an inside gateway waits at the twin until the gateway is known") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.route(1000, "10.50.0.0/16", "10.1.0.254", kLan);
    CHECK(bench.view().wanted.contains({kLanPort, ip("10.1.0.254")}));
    for (const Change& change : bench.announce())
        if (const auto* route = std::get_if<InsideRouteChange>(&change)) CHECK(route->target.kind == RouteTarget::Kind::twin);
    bench.neighbour(kLan, "10.1.0.254", mac(9));
    const auto changes = bench.announce();
    CHECK(std::ranges::count_if(changes, [](const Change& change) {
        const auto* route = std::get_if<InsideRouteChange>(&change);
        return route && route->target.kind == RouteTarget::Kind::adjacency;
    }) == 2);
}

TEST_CASE("routes of the tunnel's table into the tunnel carry their gateway, if they have one") {
    Bench bench;
    bench.route(1000, "10.2.0.0/16", "10.255.0.9", kTun);
    bench.route(1000, "0.0.0.0/0", nullptr, kTun);
    const auto routes = bench.view().routes;
    CHECK(routes.at({1000, prefix("10.2.0.0/16")}) == Way{TunnelWay{kTunnel, TunnelAddress{ip("10.255.0.9")}}});
    CHECK(routes.at({1000, prefix("0.0.0.0/0")}) == Way{TunnelWay{kTunnel, {}}});
}

TEST_CASE("a tunnel route with another gateway replaces the one before") {
    Bench bench;
    bench.route(1000, "10.2.0.0/16", "10.255.0.9", kTun);
    bench.announce();
    bench.route(1000, "10.2.0.0/16", "10.255.0.10", kTun);
    const auto changes = bench.announce();
    REQUIRE(changes.size() == 1);
    CHECK(std::get<TunnelRouteChange>(changes[0]).present);
    CHECK(std::get<TunnelRouteChange>(changes[0]).gateway == TunnelAddress{ip("10.255.0.10")});
}

TEST_CASE("among equal prefixes the lowest metric wins, whether it leads inside or into the tunnel") {
    Bench bench;
    bench.address(kLan, "10.1.0.1", 24);
    bench.route(1000, "10.50.0.0/16", nullptr, kTun, 20);
    bench.route(1000, "10.50.0.0/16", "10.1.0.254", kLan, 10);
    CHECK(std::holds_alternative<InsideTarget>(bench.view().routes.at({1000, prefix("10.50.0.0/16")})));
}

TEST_CASE("the underlay's routes never become the tunnel's, nor the other way round") {
    Bench bench;
    bench.route(kMainTable, "0.0.0.0/0", "192.0.2.254", kWan);
    bench.route(1000, "0.0.0.0/0", nullptr, kTun);
    const View view = bench.view();
    CHECK(view.underlay.ports.at(kWanPort).routes.size() == 1);
    CHECK(view.underlay.ports.at(kWanPort).routes.at(prefix("0.0.0.0/0")) == ip("192.0.2.254"));
    CHECK(view.routes.size() == 1);
    CHECK(view.routes.at({1000, prefix("0.0.0.0/0")}) == Way{TunnelWay{kTunnel, {}}});
}

TEST_CASE("an unreachable route of the tunnel's table rejects") {
    Bench bench;
    bench.mirror.apply({Route{.table = 1000, .prefix = prefix("10.66.0.0/16"), .protocol = 4, .kind = Route::Kind::reject, .next_hops = {}}});
    CHECK(only<InsideRouteChange>(bench.announce()).target.kind == RouteTarget::Kind::reject);
}

TEST_CASE("a configured gateway is the weakest default route") {
    Bench bench;
    bench.plan.ports[0].gateways = {ip("192.0.2.1")};
    CHECK(bench.view().underlay.ports.at(kWanPort).routes.at(prefix("0.0.0.0/0")) == ip("192.0.2.1"));
    bench.route(kMainTable, "0.0.0.0/0", "192.0.2.3", kWan, 500);
    bench.route(kMainTable, "0.0.0.0/0", "192.0.2.2", kWan, 100);
    CHECK(bench.view().underlay.ports.at(kWanPort).routes.at(prefix("0.0.0.0/0")) == ip("192.0.2.2"));
}

TEST_CASE("addresses on the tunnel's twin are tunnel addresses") {
    Bench bench;
    bench.address(kTun, "10.255.0.2", 24);
    const auto changes = bench.announce();
    CHECK(only<AddTunnelAddress>(changes).address.value == ip("10.255.0.2"));
    CHECK(position<LocalPrefixChange>(changes) == changes.size());
}

TEST_CASE("a port's MAC and MTU are told once, and again when the MTU changes") {
    Bench bench;
    const auto first = bench.announce();
    CHECK(only<SetPort>(first).mac == mac(1));
    CHECK(bench.announce().empty());
    bench.mirror.apply({Link{.index = kWan, .up = true, .mtu = 1400}});
    CHECK(only<SetPort>(bench.announce()).mtu == 1400);
}

namespace {
constexpr TunnelId kOtherTunnel{1};
constexpr InterfaceIndex kOtherTun = 24;

/// A spoke in two clouds: a second tunnel has the first one's table.
struct DualBench : Bench {
    DualBench() {
        plan.tunnels.push_back({.tunnel = kOtherTunnel, .twin = "nave1", .table = 1000, .address = {ip("10.254.0.2"), 24}, .index = kOtherTun});
        mirror.watch({kWan, kLan, kTun, kOtherTun}, {kMainTable, 1000});
        for (const InterfaceIndex index : {kWan, kLan, kTun, kOtherTun}) link(index, true);
    }
};
}  // namespace

TEST_CASE("of tunnels with one table the interface of a route says which one it leads into") {
    DualBench bench;
    bench.route(1000, "10.2.0.0/16", "10.255.0.9", kTun);
    bench.route(1000, "10.3.0.0/16", "10.254.0.9", kOtherTun);
    const auto routes = bench.view().routes;
    CHECK(routes.at({1000, prefix("10.2.0.0/16")}) == Way{TunnelWay{kTunnel, TunnelAddress{ip("10.255.0.9")}}});
    CHECK(routes.at({1000, prefix("10.3.0.0/16")}) == Way{TunnelWay{kOtherTunnel, TunnelAddress{ip("10.254.0.9")}}});
}

TEST_CASE("a route that moves to the other tunnel of its table is there before it goes from the first") {
    DualBench bench;
    bench.route(1000, "10.2.0.0/16", "10.255.0.9", kTun);
    bench.announce();
    bench.route(1000, "10.2.0.0/16", "10.254.0.9", kOtherTun);
    const auto changes = bench.announce();
    REQUIRE(changes.size() == 2);
    CHECK((std::get<TunnelRouteChange>(changes[0]).tunnel == kOtherTunnel && std::get<TunnelRouteChange>(changes[0]).present));
    CHECK((std::get<TunnelRouteChange>(changes[1]).tunnel == kTunnel && !std::get<TunnelRouteChange>(changes[1]).present));
}

TEST_CASE("what would lead a peer into the other tunnel of the table is refused as well") {
    DualBench bench;
    bench.address(kWan, "192.0.2.7", 24);
    GuardedPeers peers;
    peers.add(PeerId{1}, kWanPort, ip("198.51.100.1"));
    bench.route(1000, "198.51.100.0/24", "10.254.0.9", kOtherTun);
    const View view = view_of(bench.mirror, bench.plan, peers);
    CHECK(view.refused.size() == 1);
    CHECK(view.routes.empty());
}
