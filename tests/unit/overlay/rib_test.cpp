// Tests of a route table: which source wins, and what the dataplane is told.
#include "controlplane/overlay/rib.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace nave;
using namespace nave::overlay;

namespace {

Prefix prefix(const char* text) { return *Prefix::parse(text); }
IpAddress ip(const char* text) { return *IpAddress::parse(text); }
TunnelAddress tunnel_address(const char* text) { return {ip(text)}; }
ToPeer to(std::uint32_t peer, const char* next_hop) { return {PeerId{peer}, tunnel_address(next_hop)}; }
RouteTarget target(std::uint32_t peer) { return {RouteTarget::Kind::peer, peer}; }
const TunnelId kTunnel{0}, kOther{1};
const ToTarget kTwin{{RouteTarget::Kind::twin, 0}};

/// A table, and the dataplane's copy of it made from the commands alone.
struct Table {
    Rib rib{TableId{3}};
    Outbox out;
    std::map<Prefix, RouteTarget> installed;

    void apply() {
        for (const Action& action : out) {
            const Command& command = std::get<Dataplane>(action).command;
            if (const auto* set = std::get_if<SetRoute>(&command)) installed[set->prefix] = set->target;
            if (const auto* remove = std::get_if<RemoveRoute>(&command)) installed.erase(remove->prefix);
        }
        out.clear();
    }
    RouteTarget at(const char* text) {
        apply();
        return installed.at(prefix(text));
    }
};

}  // namespace

TEST_CASE("the longest prefix wins whatever its source") {
    Table t;
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/16"), to(1, "10.255.0.1"), t.out);
    t.rib.set(kTunnel, RouteSource::registration, prefix("10.1.2.0/24"), to(2, "10.255.0.2"), t.out);
    CHECK(t.rib.lookup(ip("10.1.2.3"))->target == target(2));
    CHECK(t.rib.lookup(ip("10.1.3.3"))->target == target(1));
    CHECK_FALSE(t.rib.lookup(ip("10.2.0.1")));
}

TEST_CASE("of equal prefixes the kernel's inside route wins over a shortcut over a registration") {
    Table t;
    t.rib.set(kTunnel, RouteSource::registration, prefix("10.1.0.0/24"), to(1, "10.255.0.1"), t.out);
    CHECK(t.at("10.1.0.0/24") == target(1));
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    CHECK(t.at("10.1.0.0/24") == target(2));
    t.rib.set(kTunnel, RouteSource::inside, prefix("10.1.0.0/24"), kTwin, t.out);
    CHECK(t.at("10.1.0.0/24") == kTwin.target);
}

TEST_CASE("when the best source withdraws, the next one takes over without a gap") {
    Table t;
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.1.0.0/24"), to(1, "10.255.0.1"), t.out);
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.apply();
    t.rib.remove(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), t.out);
    REQUIRE(t.out.size() == 1);
    CHECK(std::holds_alternative<SetRoute>(std::get<Dataplane>(t.out[0]).command));
    CHECK(t.at("10.1.0.0/24") == target(1));
}

TEST_CASE("the last source's withdrawal removes the route") {
    Table t;
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.rib.remove(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), t.out);
    t.apply();
    CHECK(t.installed.empty());
    CHECK(t.rib.size() == 0);
    CHECK_FALSE(t.rib.lookup(ip("10.1.0.1")));
}

TEST_CASE("removing what was never set says nothing") {
    Table t;
    t.rib.remove(kTunnel, RouteSource::kernel, prefix("10.1.0.0/24"), t.out);
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.apply();
    t.rib.remove(kTunnel, RouteSource::kernel, prefix("10.1.0.0/24"), t.out);
    CHECK(t.out.empty());
}

TEST_CASE("the dataplane is told a route once, not at every repetition") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.apply();
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.1.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.1.0.0/24"), to(1, "10.255.0.1"), t.out);
    CHECK(t.out.empty());
}

TEST_CASE("commands name the tunnel's table") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.1.0.0/24"), kTwin, t.out);
    CHECK(std::get<SetRoute>(std::get<Dataplane>(t.out.at(0)).command).table == TableId{3});
}

TEST_CASE("a spoke's routes follow the best hub, and are rejected while there is none") {
    Table t;
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.0.0.0/8"), ToBestHub{}, t.out);
    CHECK(t.at("10.0.0.0/8").kind == RouteTarget::Kind::reject);
    t.rib.set_best_hub(kTunnel, to(4, "10.255.0.1"), t.out);
    CHECK(t.at("10.0.0.0/8") == target(4));
    t.rib.set_best_hub(kTunnel, to(5, "10.255.0.2"), t.out);
    CHECK(t.at("10.0.0.0/8") == target(5));
    t.rib.set_best_hub(kTunnel, std::nullopt, t.out);
    CHECK(t.at("10.0.0.0/8").kind == RouteTarget::Kind::reject);
}

TEST_CASE("a kernel route's gateway is found through its binding, and lost with it") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    CHECK(t.at("10.9.0.0/16").kind == RouteTarget::Kind::reject);
    t.rib.bind_gateway(kTunnel, tunnel_address("10.255.0.7"), PeerId{7}, t.out);
    CHECK(t.at("10.9.0.0/16") == target(7));
    CHECK(t.rib.lookup(ip("10.9.1.1"))->next_hop == tunnel_address("10.255.0.7"));
    t.rib.unbind_gateway(kTunnel, tunnel_address("10.255.0.7"), t.out);
    CHECK(t.at("10.9.0.0/16").kind == RouteTarget::Kind::reject);
}

TEST_CASE("on a spoke a route through an unknown gateway goes to the best hub until the gateway is known") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    t.rib.set_best_hub(kTunnel, to(1, "10.255.0.1"), t.out);
    CHECK(t.at("10.9.0.0/16") == target(1));
    t.rib.bind_gateway(kTunnel, tunnel_address("10.255.0.7"), PeerId{7}, t.out);
    CHECK(t.at("10.9.0.0/16") == target(7));
    t.rib.set_best_hub(kTunnel, to(2, "10.255.0.2"), t.out);
    CHECK(t.at("10.9.0.0/16") == target(7));
    t.rib.unbind_gateway(kTunnel, tunnel_address("10.255.0.7"), t.out);
    CHECK(t.at("10.9.0.0/16") == target(2));
}

TEST_CASE("a kernel route that leads nowhere leaves the prefix to a registration") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    t.rib.set(kTunnel, RouteSource::registration, prefix("10.9.0.0/16"), to(3, "10.255.0.3"), t.out);
    CHECK(t.at("10.9.0.0/16") == target(3));
}

TEST_CASE("a prefix whose only route leads nowhere is rejected, not left to a shorter one") {
    Table t;
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.0.0.0/8"), to(1, "10.255.0.1"), t.out);
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    CHECK(t.rib.lookup(ip("10.9.0.1"))->target.kind == RouteTarget::Kind::reject);
}

TEST_CASE("a prefix whose source changes its mind no longer follows the old gateway") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), kTwin, t.out);
    t.apply();
    t.rib.bind_gateway(kTunnel, tunnel_address("10.255.0.7"), PeerId{7}, t.out);
    CHECK(t.out.empty());
    CHECK(t.rib.prefixes_through({kTunnel, tunnel_address("10.255.0.7")}).empty());
}

TEST_CASE("two sources that share a gateway keep following it when one withdraws") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToBestHub{}, t.out);
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.9.0.0/16"), ToBestHub{}, t.out);
    t.rib.remove(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), t.out);
    t.rib.set_best_hub(kTunnel, to(2, "10.255.0.2"), t.out);
    CHECK(t.at("10.9.0.0/16") == target(2));
}

TEST_CASE("lookups work for IPv6 and do not mix the families") {
    Table t;
    t.rib.set(kTunnel, RouteSource::registration, prefix("2001:db8::/32"), to(6, "10.255.0.6"), t.out);
    t.rib.set(kTunnel, RouteSource::registration, prefix("0.0.0.0/0"), to(4, "10.255.0.4"), t.out);
    CHECK(t.rib.lookup(ip("2001:db8::1"))->target == target(6));
    CHECK(t.rib.lookup(ip("192.0.2.1"))->target == target(4));
    CHECK_FALSE(t.rib.lookup(ip("2001:db9::1")));
}

TEST_CASE("the list of routes is in order and names each source") {
    Table t;
    t.rib.set(kTunnel, RouteSource::shortcut, prefix("10.2.0.0/24"), to(2, "10.255.0.2"), t.out);
    t.rib.set(kTunnel, RouteSource::connected, prefix("10.1.0.0/24"), kTwin, t.out);
    const auto rows = t.rib.routes();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].prefix == prefix("10.1.0.0/24"));
    CHECK(name(rows[0].source) == "connected");
    CHECK(name(rows[1].source) == "shortcut");
}

TEST_CASE("of one source the first tunnel that says something about a prefix is followed, then the next one") {
    Table t;
    t.rib.set(kOther, RouteSource::registration, prefix("10.1.0.0/24"), to(2, "10.255.1.2"), t.out);
    CHECK(t.at("10.1.0.0/24") == target(2));
    t.rib.set(kTunnel, RouteSource::registration, prefix("10.1.0.0/24"), to(1, "10.255.0.1"), t.out);
    CHECK(t.at("10.1.0.0/24") == target(1));
    CHECK(t.rib.lookup(ip("10.1.0.1"))->tunnel == kTunnel);
    t.rib.remove(kTunnel, RouteSource::registration, prefix("10.1.0.0/24"), t.out);
    REQUIRE(t.out.size() == 1);
    CHECK(t.at("10.1.0.0/24") == target(2));
    CHECK(t.rib.lookup(ip("10.1.0.1"))->tunnel == kOther);
    CHECK(t.rib.said_by(RouteSource::registration, prefix("10.1.0.0/24"))->next_hop == tunnel_address("10.255.1.2"));
    CHECK_FALSE(t.rib.said_by(RouteSource::kernel, prefix("10.1.0.0/24")));
}

TEST_CASE("a better source in one tunnel wins over a worse one in the other") {
    Table t;
    t.rib.set(kTunnel, RouteSource::configuration, prefix("10.0.0.0/8"), ToBestHub{}, t.out);
    t.rib.set_best_hub(kTunnel, to(1, "10.255.0.1"), t.out);
    t.rib.set(kOther, RouteSource::kernel, prefix("10.0.0.0/8"), ToGateway{tunnel_address("10.255.1.1")}, t.out);
    CHECK(t.at("10.0.0.0/8") == target(1));
    t.rib.bind_gateway(kOther, tunnel_address("10.255.1.1"), PeerId{2}, t.out);
    CHECK(t.at("10.0.0.0/8") == target(2));
}

TEST_CASE("what goes to hubs goes to that of the preferred tunnel, and to the other's while that has none") {
    Table t;
    for (const TunnelId tunnel : {kTunnel, kOther}) t.rib.set(tunnel, RouteSource::configuration, prefix("10.0.0.0/8"), ToBestHub{}, t.out);
    t.rib.set(kOther, RouteSource::configuration, prefix("10.64.0.0/10"), ToBestHub{}, t.out);
    t.rib.set_best_hub(kTunnel, to(1, "10.255.0.1"), t.out);
    CHECK(t.at("10.64.0.0/10").kind == RouteTarget::Kind::reject);
    t.rib.set_best_hub(kOther, to(2, "10.255.1.1"), t.out);
    CHECK(t.at("10.0.0.0/8") == target(1));
    CHECK(t.at("10.64.0.0/10") == target(2));
    t.rib.prefer(Family::v4, kOther, t.out);
    CHECK(t.at("10.0.0.0/8") == target(2));
    t.rib.set_best_hub(kOther, std::nullopt, t.out);
    CHECK(t.at("10.0.0.0/8") == target(1));
}

TEST_CASE("a preference is for one IP version") {
    Table t;
    for (const TunnelId tunnel : {kTunnel, kOther}) {
        for (const char* text : {"10.0.0.0/8", "fd00::/16"}) t.rib.set(tunnel, RouteSource::configuration, prefix(text), ToBestHub{}, t.out);
        t.rib.set_best_hub(tunnel, to(1 + tunnel.value, "10.255.0.1"), t.out);
    }
    t.rib.prefer(Family::v6, kOther, t.out);
    CHECK(t.at("10.0.0.0/8") == target(1));
    CHECK(t.at("fd00::/16") == target(2));
}

TEST_CASE("a gateway's address counts in its own tunnel only") {
    Table t;
    t.rib.set(kTunnel, RouteSource::kernel, prefix("10.9.0.0/16"), ToGateway{tunnel_address("10.255.0.7")}, t.out);
    t.rib.bind_gateway(kOther, tunnel_address("10.255.0.7"), PeerId{66}, t.out);
    CHECK(t.at("10.9.0.0/16").kind == RouteTarget::Kind::reject);
    CHECK(t.rib.prefixes_through({kOther, tunnel_address("10.255.0.7")}).empty());
    t.rib.bind_gateway(kTunnel, tunnel_address("10.255.0.7"), PeerId{7}, t.out);
    CHECK(t.at("10.9.0.0/16") == target(7));
}
