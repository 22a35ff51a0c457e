// Tests of IPv6 in what the kernel's mirror means, in front-door separation and in netlink messages.
#include "common/headers.hpp"
#include "controlplane/kernel/announcer.hpp"
#include "controlplane/kernel/separation.hpp"
#include "controlplane/kernel/twin.hpp"
#include "controlplane/kernel/underlay.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }
constexpr MacAddress kMac{{2, 0, 0, 0, 0, 5}};

constexpr InterfaceIndex kWan = 11, kLan = 12, kTun = 13;
constexpr PortId kWanPort{0}, kLanPort{1};
constexpr TunnelId kTunnel{0};

struct Bench {
    Plan plan;
    Mirror mirror;

    Bench() {
        plan.ports.push_back({.port = kWanPort, .twin = "wan", .mac = {}, .index = kWan});
        plan.ports.push_back({.port = kLanPort, .twin = "lan", .mac = {}, .tunnel = kTunnel, .table = 1000, .index = kLan});
        plan.tunnels.push_back({.tunnel = kTunnel, .twin = "nave0", .table = 1000, .address = {}, .index = kTun});
        mirror.watch({kWan, kLan, kTun}, {kMainTable, 1000});
        for (const InterfaceIndex index : {kWan, kLan, kTun}) mirror.apply({Link{.index = index, .up = true, .mtu = 1500}});
    }
    void put(const Address& address) { mirror.apply({address}); }
    void neighbour(InterfaceIndex index, const char* text) { mirror.apply({Neighbour{.index = index, .address = ip(text), .mac = kMac}}); }
    void route(TableNumber table, const char* to, const char* gateway, InterfaceIndex index) {
        mirror.apply({Route{.table = table, .prefix = prefix(to), .metric = 1024, .protocol = 9, .next_hops = {{index, ip(gateway)}}}});
    }
    View view() const { return view_of(mirror, plan); }
    bool has(auto&& matches) const { return std::ranges::any_of(rules_for(mirror, plan), matches); }
};

}  // namespace

TEST_CASE("a port has an underlay address of each family: none that is tentative, temporary or link-local, a deprecated one last") {
    Bench bench;
    bench.put({.index = kWan, .address = ip("192.0.2.7"), .length = 24});
    bench.put({.index = kWan, .address = ip("fe80::7"), .length = 64, .global = false});
    bench.put({.index = kWan, .address = ip("2001:db8::6"), .length = 64, .tentative = true});
    bench.put({.index = kWan, .address = ip("2001:db8::5"), .length = 64, .secondary = true});
    CHECK(bench.view().interfaces.underlay_addresses == std::map<std::pair<PortId, Family>, IpAddress>{{{kWanPort, Family::v4}, ip("192.0.2.7")}});
    bench.put({.index = kWan, .address = ip("2001:db8::4"), .length = 64, .deprecated = true});
    CHECK(bench.view().interfaces.underlay_addresses.at({kWanPort, Family::v6}) == ip("2001:db8::4"));
    bench.put({.index = kWan, .address = ip("2001:db8::3"), .length = 64});
    CHECK(bench.view().interfaces.underlay_addresses.at({kWanPort, Family::v6}) == ip("2001:db8::3"));
    bench.put({.index = kWan, .address = ip("2001:db8::6"), .length = 64});
    CHECK(bench.view().interfaces.underlay_addresses.at({kWanPort, Family::v6}) == ip("2001:db8::6"));
    CHECK(bench.view().interfaces.local_addresses.contains({kWanPort, ip("fe80::7")}));
}

TEST_CASE("one family's address that goes is no change of the other's") {
    Bench bench;
    Announcer announcer{2, 1};
    bench.put({.index = kWan, .address = ip("192.0.2.7"), .length = 24});
    const Address six{.index = kWan, .address = ip("2001:db8::3"), .length = 64};
    bench.put(six);
    announcer.announce(bench.view(), {.everything = true}, bench.plan);
    bench.mirror.apply({six, false});
    std::vector<UnderlayAddressChange> told;
    for (const Change& change : announcer.announce(bench.view(), {.everything = true}, bench.plan))
        if (const auto* each = std::get_if<UnderlayAddressChange>(&change)) told.push_back(*each);
    REQUIRE(told.size() == 1);
    CHECK(told[0].family == Family::v6);
    CHECK_FALSE(told[0].address);
}

TEST_CASE("the underlay's next hop may be a router's link-local address") {
    Bench bench;
    bench.put({.index = kWan, .address = ip("2001:db8::3"), .length = 64});
    bench.neighbour(kWan, "fe80::1");
    bench.route(kMainTable, "::/0", "fe80::1", kWan);
    const View view = bench.view();
    const RouteChoice choice{view.underlay.ports.at(kWanPort).routes};
    CHECK(choice.next_hop(ip("2001:db8:9::1")) == ip("fe80::1"));
    CHECK(choice.next_hop(ip("2001:db8::9")) == ip("2001:db8::9"));
    CHECK(view.underlay.neighbours.at({kWanPort, ip("fe80::1")}).mac == kMac);
}

TEST_CASE("a configured gateway serves its own family") {
    Bench bench;
    bench.plan.ports[0].gateways = {ip("192.0.2.254"), ip("fe80::1")};
    const RouteChoice choice{bench.view().underlay.ports.at(kWanPort).routes};
    CHECK(choice.next_hop(ip("203.0.113.1")) == ip("192.0.2.254"));
    CHECK(choice.next_hop(ip("2001:db8:9::1")) == ip("fe80::1"));
    const auto routes = routes_for(bench.mirror, bench.plan);
    CHECK(routes.at({kMainTable, prefix("::/0")}).gateway == ip("fe80::1"));
    CHECK(routes.at({kMainTable, prefix("0.0.0.0/0")}).gateway == ip("192.0.2.254"));
}

TEST_CASE("inside neighbours of IPv6 become adjacencies: those of the network, and the routers that routes lead to") {
    Bench bench;
    bench.put({.index = kLan, .address = ip("fd00:1::1"), .length = 64});
    for (const char* neighbour : {"fd00:1::5", "fe80::5", "fe80::6"}) bench.neighbour(kLan, neighbour);
    bench.route(1000, "fd00:2::/32", "fe80::6", kLan);
    const View view = bench.view();
    CHECK(view.interfaces.local_prefixes.contains({kTunnel, prefix("fd00:1::/64")}));
    CHECK(view.adjacencies.contains({kLanPort, ip("fd00:1::5")}));
    CHECK(std::get<InsideTarget>(view.routes.at({1000, prefix("fd00:1::5/128")})).kind == InsideTarget::Kind::neighbour);
    CHECK_FALSE(view.adjacencies.contains({kLanPort, ip("fe80::5")}));
    CHECK(view.adjacencies.contains({kLanPort, ip("fe80::6")}));
    CHECK(view.routes.at({1000, prefix("fd00:2::/32")}) == Way{InsideTarget{InsideTarget::Kind::neighbour, kLanPort, ip("fe80::6")}});
    CHECK_FALSE(view.routes.contains({1000, prefix("fe80::6/128")}));
}

TEST_CASE("separation stands for IPv6 as for IPv4, and what comes out of the tunnel is never answered on the underlay") {
    Bench bench;
    bench.put({.index = kLan, .address = ip("fd00:1::1"), .length = 64});
    for (const char* name : {"nave0", "lan"}) {
        const auto six = [&](const Rule& rule) { return rule.family == Family::v6 && rule.incoming == name; };
        CHECK(bench.has([&](const Rule& rule) { return six(rule) && rule.action == Rule::Action::lookup && rule.table == 1000; }));
        CHECK(bench.has([&](const Rule& rule) { return six(rule) && rule.action == Rule::Action::blackhole; }));
        CHECK_FALSE(bench.has([&](const Rule& rule) { return six(rule) && rule.action == Rule::Action::unreachable; }));
        CHECK(bench.has([&](const Rule& rule) { return rule.family == Family::v6 && rule.outgoing == name && rule.action == Rule::Action::unreachable; }));
    }
    CHECK(bench.has([](const Rule& rule) { return rule.family == Family::v6 && rule.from == prefix("fd00:1::/64"); }));
    CHECK(bench.has([](const Rule& rule) { return rule.family == Family::v6 && rule.to == prefix("fe80::/10") && rule.table == kMainTable; }));
}

TEST_CASE("an underlay port with its own table gets rules for both families") {
    Bench bench;
    bench.plan.ports[0].table = 77;
    bench.put({.index = kWan, .address = ip("2001:db8::3"), .length = 64});
    CHECK(bench.has([](const Rule& rule) { return rule.family == Family::v6 && rule.outgoing == "wan" && rule.table == 77; }));
    CHECK(bench.has([](const Rule& rule) { return rule.family == Family::v6 && rule.from == prefix("2001:db8::3/128") && rule.table == 77; }));
    CHECK(routes_for(bench.mirror, bench.plan).at({77, prefix("2001:db8::/64")}).index == kWan);
}

TEST_CASE("no route is asked for from an address that is tentative, and one that the kernel gave its usual metric is left alone") {
    Bench bench;
    Address address{.index = kLan, .address = ip("fd00:1::1"), .length = 64, .tentative = true};
    bench.put(address);
    CHECK(routes_for(bench.mirror, bench.plan).empty());
    address.tentative = false;
    bench.put(address);
    const auto wanted = routes_for(bench.mirror, bench.plan);
    const Route there{.table = 1000, .prefix = prefix("fd00:1::/64"), .metric = 1024, .protocol = kOurProtocol, .next_hops = {{kLan, {}}}};
    CHECK(steps_between({}, wanted).add.size() == 1);
    CHECK(steps_between({{{1000, there.prefix, 1024}, there}}, wanted).add.empty());
}

TEST_CASE("rules and addresses of IPv6 read back from netlink as they were asked for") {
    const Rule rule{.priority = 1911, .action = Rule::Action::blackhole, .table = 1000, .incoming = "nave0", .family = Family::v6};
    CHECK(std::get<Rule>(decode_message(add_rule(rule))->object) == rule);
    const Address address{.index = 3, .address = ip("fe80::1"), .length = 64, .global = false};
    CHECK(std::get<Address>(decode_message(add_address(address, true))->object) == address);
}

TEST_CASE("a link-local address is made of the MAC as RFC 4291 appendix A says") {
    CHECK(link_local_address({{0x00, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e}}) == ip("fe80::21a:2bff:fe3c:4d5e"));
}
