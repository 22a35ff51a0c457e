// Tests of recursive routing: routes into a tunnel that cover a peer of it.
#include "controlplane/kernel/view.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

constexpr InterfaceIndex kWan = 11, kTun = 13;
constexpr TableNumber kOverlay = 100;

/// A spoke at 192.0.2.7/24, whose hub is at 203.0.113.1 behind the gateway, and a peer at 192.0.2.9 on the link.
struct Bench {
    Plan plan;
    Mirror mirror;
    GuardedPeers peers;

    Bench() {
        plan.ports.push_back({.port = PortId{0}, .twin = "wan", .mac = {{2, 0, 0, 0, 0, 1}}, .index = kWan});
        plan.tunnels.push_back({.tunnel = TunnelId{0}, .twin = "nave0", .table = kOverlay, .address = {ip("10.255.0.2"), 24}, .index = kTun});
        mirror.watch({kWan, kTun}, {kMainTable, kOverlay});
        for (const InterfaceIndex index : {kWan, kTun}) mirror.apply({Link{.index = index, .up = true, .mtu = 1500}});
        mirror.apply({Address{.index = kWan, .address = ip("192.0.2.7"), .length = 24}});
        route(kMainTable, "0.0.0.0/0", "192.0.2.254", kWan);
        peers.add(PeerId{1}, PortId{0}, ip("203.0.113.1"));
        peers.add(PeerId{2}, PortId{0}, ip("192.0.2.9"));
    }
    void route(TableNumber table, const char* to, const char* gateway, InterfaceIndex index = kTun) {
        mirror.apply({Route{.table = table, .prefix = prefix(to), .protocol = 186, .next_hops = {{index, ip(gateway)}}}});
    }
    View view() const { return view_of(mirror, plan, peers); }
    bool follows(const char* to) const { return view().routes.contains({kOverlay, prefix(to)}); }
};

}  // namespace

TEST_CASE_METHOD(Bench, "a route into the tunnel that covers a peer more specifically than the underlay does is refused by name") {
    route(kOverlay, "203.0.113.0/24", "10.255.0.1");
    CHECK_FALSE(follows("203.0.113.0/24"));
    REQUIRE(view().refused.size() == 1);
    const std::string text = view().refused.begin()->text();
    CHECK(text.find("203.0.113.0/24 via 10.255.0.1 in table 100") != std::string::npos);
    CHECK(text.find("203.0.113.1 of a peer") != std::string::npos);
}

TEST_CASE_METHOD(Bench, "a route into the tunnel that covers no peer, and the default route, are followed") {
    for (const char* to : {"0.0.0.0/0", "203.0.112.0/24", "203.0.113.2/32"}) {
        route(kOverlay, to, "10.255.0.1");
        CHECK(follows(to));
    }
    CHECK(view().refused.empty());
}

TEST_CASE_METHOD(Bench, "the network of our own link is not followed into the tunnel, but a summary around it is") {
    route(kOverlay, "192.0.2.0/24", "10.255.0.1");
    CHECK_FALSE(follows("192.0.2.0/24"));
    peers.remove(PeerId{1});
    route(kOverlay, "192.0.0.0/16", "10.255.0.1");
    CHECK(follows("192.0.0.0/16"));
}

TEST_CASE_METHOD(Bench, "a more specific route of the underlay to the peer lets a summary be followed") {
    route(kOverlay, "203.0.0.0/16", "10.255.0.1");
    CHECK_FALSE(follows("203.0.0.0/16"));
    route(kMainTable, "203.0.113.0/24", "192.0.2.254", kWan);
    CHECK(follows("203.0.0.0/16"));
}

TEST_CASE_METHOD(Bench, "a route of the underlay's table into the tunnel is no way to a peer") {
    route(kMainTable, "203.0.113.1/32", "10.255.0.1");
    const View seen = view();
    REQUIRE(seen.refused.size() == 1);
    CHECK(seen.refused.begin()->table == kMainTable);
    CHECK_FALSE(seen.underlay.ports.at(PortId{0}).routes.contains(prefix("203.0.113.1/32")));
}

TEST_CASE_METHOD(Bench, "what is refused follows the peers that come and go, and not where their packets come from later") {
    route(kOverlay, "198.51.100.0/24", "10.255.0.1");
    CHECK(follows("198.51.100.0/24"));
    CHECK(routes_around(mirror, plan, prefix("198.51.100.8/32")) == std::vector{RouteKey{kOverlay, prefix("198.51.100.0/24")}});
    CHECK(routes_around(mirror, plan, prefix("198.51.101.8/32")).empty());
    peers.add(PeerId{3}, PortId{0}, ip("198.51.101.8"));
    peers.add(PeerId{3}, PortId{0}, ip("198.51.100.8"));
    CHECK(follows("198.51.100.0/24"));
    peers.remove(PeerId{3});
    peers.add(PeerId{3}, PortId{0}, ip("198.51.100.8"));
    CHECK_FALSE(follows("198.51.100.0/24"));
    peers.remove(PeerId{3});
    CHECK(follows("198.51.100.0/24"));
}
