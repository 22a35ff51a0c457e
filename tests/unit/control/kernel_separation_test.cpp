// Tests of front-door separation: the rules and routes that keep tunnel and underlay apart in the kernel.
#include "controlplane/kernel/separation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }

constexpr InterfaceIndex kWan = 11, kLan = 12, kTun = 13;

struct Bench {
    Plan plan;
    Mirror mirror;

    Bench() {
        plan.ports.push_back({.port = PortId{0}, .twin = "wan", .mac = {}, .index = kWan});
        plan.ports.push_back({.port = PortId{1}, .twin = "lan", .mac = {}, .tunnel = TunnelId{0}, .table = 1000, .index = kLan});
        plan.tunnels.push_back({.tunnel = TunnelId{0}, .twin = "nave0", .table = 1000, .address = {}, .routes = {prefix("10.0.0.0/8")}, .index = kTun});
        mirror.watch({kWan, kLan, kTun}, {kMainTable, 1000});
        for (const InterfaceIndex index : {kWan, kLan, kTun}) mirror.apply({Link{.index = index, .up = true}});
        address(kWan, "192.0.2.7");
        address(kLan, "10.1.0.1");
        address(kTun, "10.255.0.2");
    }
    void address(InterfaceIndex index, const char* text) { mirror.apply({Address{.index = index, .address = ip(text), .length = 24}}); }
    bool has(auto&& matches) const { return std::ranges::any_of(rules_for(mirror, plan), matches); }
};

}  // namespace

TEST_CASE("what comes from the tunnel or an inside port is looked up in the tunnel's table only") {
    const Bench bench;
    for (const char* name : {"nave0", "lan"}) {
        CHECK(bench.has([&](const Rule& rule) { return rule.incoming == name && rule.action == Rule::Action::lookup && rule.table == 1000; }));
        CHECK(bench.has([&](const Rule& rule) { return rule.incoming == name && rule.action == Rule::Action::unreachable; }));
    }
}

TEST_CASE("each lookup is followed by an end that lets nothing fall through to the underlay") {
    const Bench bench;
    const auto rules = rules_for(bench.mirror, bench.plan);
    for (Rule rule : rules) {
        if (rule.action != Rule::Action::lookup || rule.priority == kLinkLocalPriority) continue;
        rule.action = rule.family == Family::v6 && !rule.incoming.empty() ? Rule::Action::blackhole : Rule::Action::unreachable;
        ++rule.priority;
        CHECK(rules.contains(rule));
    }
    CHECK(rules.size() % 2 == 1);
    CHECK(kLinkLocalPriority < lookup_priority(Says::interface));
    CHECK(rules.rbegin()->priority < 32766);
}

TEST_CASE("where prefixes of two tunnels overlap, the interface decides before our address, and that before the prefix") {
    const Bench bench;
    for (const Rule& rule : rules_for(bench.mirror, bench.plan)) {
        if (rule.priority == kLinkLocalPriority) continue;
        const bool by_interface = !rule.incoming.empty() || !rule.outgoing.empty(), by_our_address = rule.from && rule.from->is_host();
        CAPTURE(rule.priority, rule.incoming, rule.outgoing);
        CHECK(rule.priority / 2 == (by_interface ? 955u : by_our_address ? 956u : 957u));
    }
    CHECK(bench.has([](const Rule& rule) { return rule.from == prefix("10.1.0.1/32") && rule.table == 1000; }));
}

TEST_CASE("the gateway's own packets from tunnel and inside addresses use the tunnel's table") {
    const Bench bench;
    CHECK(bench.has([](const Rule& rule) { return rule.from == prefix("10.255.0.2/32"); }));
    CHECK(bench.has([](const Rule& rule) { return rule.from == prefix("10.1.0.0/24"); }));
    CHECK(bench.has([](const Rule& rule) { return rule.to == prefix("10.255.0.0/24"); }));
    CHECK(bench.has([](const Rule& rule) { return rule.outgoing == "nave0"; }));
}

TEST_CASE("what lies behind the hubs never leaves by the underlay, even from an unbound socket of the gateway") {
    Bench bench;
    bench.plan.tunnels[0].routes = {prefix("172.16.0.0/12")};
    CHECK(bench.has([](const Rule& rule) { return rule.to == prefix("172.16.0.0/12") && rule.action == Rule::Action::unreachable; }));
}

TEST_CASE("an underlay port in the main table needs no rule") {
    const Bench bench;
    CHECK_FALSE(bench.has([](const Rule& rule) { return rule.incoming == "wan" || rule.outgoing == "wan" || rule.from == prefix("192.0.2.7/32"); }));
}

TEST_CASE("an underlay port with its own table gets rules and routes for it") {
    Bench bench;
    bench.plan.ports[0].table = 77;
    bench.plan.ports[0].gateways = {ip("192.0.2.254")};
    CHECK(bench.has([](const Rule& rule) { return rule.outgoing == "wan" && rule.table == 77; }));
    CHECK(bench.has([](const Rule& rule) { return rule.from == prefix("192.0.2.7/32") && rule.table == 77; }));
    const auto routes = routes_for(bench.mirror, bench.plan);
    CHECK(routes.at({77, prefix("192.0.2.0/24")}).index == kWan);
    CHECK(routes.at({77, prefix("0.0.0.0/0")}).gateway == ip("192.0.2.254"));
}

TEST_CASE("connected networks and configured routes stand in the tunnel's table") {
    const Bench bench;
    const auto routes = routes_for(bench.mirror, bench.plan);
    CHECK(routes.at({1000, prefix("10.255.0.0/24")}).index == kTun);
    CHECK(routes.at({1000, prefix("10.1.0.0/24")}).preferred_source == ip("10.1.0.1"));
    CHECK(routes.at({1000, prefix("10.0.0.0/8")}).index == kTun);
    CHECK(routes.size() == 3);
}

TEST_CASE("tunnels with one table share its rules, each has its own network there, and a configured route leads into the first that is up") {
    constexpr InterfaceIndex kOther = 14;
    Bench bench;
    bench.plan.tunnels.push_back({.tunnel = TunnelId{1}, .twin = "nave1", .table = 1000, .address = {}, .routes = {prefix("10.0.0.0/8")}, .index = kOther});
    bench.mirror.watch({kWan, kLan, kTun, kOther}, {kMainTable, 1000});
    for (const InterfaceIndex index : {kWan, kLan, kTun, kOther}) bench.mirror.apply({Link{.index = index, .up = true}});
    bench.address(kTun, "10.255.0.2"), bench.address(kOther, "10.254.0.2");
    for (const char* name : {"nave0", "nave1"})
        CHECK(bench.has([&](const Rule& rule) { return rule.incoming == name && rule.action == Rule::Action::lookup && rule.table == 1000; }));
    const auto index_of = [&](const char* to) { return routes_for(bench.mirror, bench.plan).at({1000, prefix(to)}).index; };
    CHECK(index_of("10.255.0.0/24") == kTun);
    CHECK(index_of("10.254.0.0/24") == kOther);
    CHECK(index_of("10.0.0.0/8") == kTun);
    bench.mirror.apply({Link{.index = kTun, .up = false}});
    CHECK(index_of("10.0.0.0/8") == kOther);
}

TEST_CASE("a configured default gateway of the main table stands beside another's default route") {
    Bench bench;
    bench.plan.ports[0].gateways = {ip("192.0.2.254")};
    CHECK(routes_for(bench.mirror, bench.plan).at({kMainTable, prefix("0.0.0.0/0")}).append);
}

TEST_CASE("rules stay while a twin is down, its routes do not") {
    Bench bench;
    bench.mirror.apply({Link{.index = kTun, .up = false}});
    CHECK(bench.has([](const Rule& rule) { return rule.incoming == "nave0" && rule.action == Rule::Action::unreachable; }));
    CHECK_FALSE(routes_for(bench.mirror, bench.plan).contains({1000, prefix("10.0.0.0/8")}));
}

TEST_CASE("stale rules of a killed predecessor are removed, missing ones are added") {
    const Bench bench;
    auto has = rules_for(bench.mirror, bench.plan);
    const Rule missing = *has.begin();
    has.erase(has.begin());
    const Rule stale{.priority = lookup_priority(Says::network), .table = 1000, .from = prefix("10.99.0.0/24")};
    has.insert(stale);
    const RuleSteps steps = steps_between(has, rules_for(bench.mirror, bench.plan));
    CHECK(steps.add == std::vector{missing});
    CHECK(steps.remove == std::vector{stale});
}

TEST_CASE("stale routes are removed from the tunnel's table, never from the main table") {
    const Bench bench;
    std::map<Mirror::RouteKey, Route> has;
    has[{1000, prefix("10.77.0.0/16"), 0}] = {.table = 1000, .prefix = prefix("10.77.0.0/16"), .protocol = kOurProtocol, .next_hops = {{99, {}}}};
    has[{kMainTable, prefix("10.78.0.0/16"), 0}] = {.prefix = prefix("10.78.0.0/16"), .protocol = kOurProtocol, .next_hops = {{99, {}}}};
    const RouteSteps steps = steps_between(has, routes_for(bench.mirror, bench.plan));
    REQUIRE(steps.remove.size() == 1);
    CHECK(steps.remove[0].prefix == prefix("10.77.0.0/16"));
    CHECK(steps.add.size() == 3);
}

TEST_CASE("a route of ours that leads elsewhere than it should is set again, a right one is left alone") {
    const Bench bench;
    const auto wanted = routes_for(bench.mirror, bench.plan);
    std::map<Mirror::RouteKey, Route> has;
    for (const auto& [key, request] : wanted) {
        has[{key.first, key.second, 0}] = {.table = key.first, .prefix = key.second, .protocol = kOurProtocol, .next_hops = {{request.index, request.gateway}}};
    }
    CHECK(steps_between(has, wanted).add.empty());
    CHECK(steps_between(has, wanted).remove.empty());
    has.begin()->second.next_hops[0].index = 99;
    CHECK(steps_between(has, wanted).add.size() == 1);
}
