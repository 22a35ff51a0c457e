// Plays of IPv6: the four mixes of inside and underlay, and spokes of both underlays in one cloud.
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Way = Fleet::Way;

/// The fleet's addresses as the last 32 bits of IPv6 ones.
IpAddress in_ipv6(const IpAddress& address, std::uint8_t first) {
    std::array<std::uint8_t, 16> bytes{first};
    std::ranges::copy(address.bytes(), bytes.begin() + 12);
    return IpAddress::v6(bytes);
}
NbmaAddress outside(const NbmaAddress& address) { return {in_ipv6(address.value, 0x20)}; }
IpAddress inside(const IpAddress& address) { return in_ipv6(address, 0xfd); }
void put_inside(std::vector<Prefix>& prefixes) {
    for (Prefix& prefix : prefixes) prefix = {inside(prefix.address), static_cast<std::uint8_t>(prefix.length + 96)};
}

void to_ipv6_inside(Blueprint& blueprint) {
    overlay::Tunnel& tunnel = blueprint.settings.tunnels[0];
    tunnel.address = {inside(tunnel.address.value)}, tunnel.address_length += 96;
    put_inside(tunnel.routes), put_inside(blueprint.lan);
    for (overlay::AccessRule& rule : tunnel.access) put_inside(rule.tunnel_addresses), put_inside(rule.prefixes);
    blueprint.host = inside(blueprint.host);
}

void to_ipv6_outside(Blueprint& blueprint) {
    blueprint.underlay = outside(blueprint.underlay);
    for (overlay::Hub& hub : blueprint.settings.tunnels[0].hubs) hub.address = outside(hub.address);
}

struct Play {
    explicit Play(FleetPlan plan) : world{21, Weather::fair()}, fleet{world, plan} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
        fleet.start_all();
        REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    World world;
    Fleet fleet;
};

/// A hub with both underlay addresses; spokes of even numbers have IPv4, the others IPv6.
FleetPlan both_underlays(std::size_t spokes) {
    return {.spokes = spokes, .adapt = [](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (is_hub) blueprint.second_underlay = outside(blueprint.underlay);
        else if (number % 2 == 1) to_ipv6_outside(blueprint);
    }};
}
}  // namespace

TEST_CASE("spokes register, are relayed, redirected and go direct in each mix of IPv4 and IPv6, and rekeys lose nothing") {
    for (const auto& [is_v6_inside, is_v6_outside] : {std::pair{false, true}, std::pair{true, false}, std::pair{true, true}}) {
        INFO("IPv6 inside: " << is_v6_inside << ", outside: " << is_v6_outside);
        Play play{{.adapt = [&](bool, std::size_t, Blueprint& blueprint) {
            if (is_v6_inside) to_ipv6_inside(blueprint);
            if (is_v6_outside) to_ipv6_outside(blueprint);
            blueprint.settings.ike.profiles[0].child_lifetime = 30s;
        }}};
        CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 5s));
        REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::direct, 60s));
        std::vector<std::size_t> sent;
        for (int i = 0; i < 450; ++i) {
            sent.push_back(play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1)));
            play.world.run_for(200ms);
        }
        CHECK(std::ranges::count_if(sent, [&](std::size_t id) { return !play.world.trace(id).path; }) == 0);
    }
}

TEST_CASE("in a cloud of both underlays spokes of one kind go direct, and those of different kinds stay on the hub without an attempt") {
    Play play{both_underlays(4)};
    const auto spoke = [&](std::size_t number) { return play.fleet.spoke(number); };
    CHECK(play.fleet.reaches(spoke(0), spoke(2), Way::direct, 60s));
    CHECK(play.fleet.reaches(spoke(1), spoke(3), Way::direct, 60s));
    for (int i = 0; i < 150; ++i) {
        const auto there = play.world.ping(spoke(0), spoke(1)), back = play.world.ping(spoke(1), spoke(0));
        play.world.run_for(200ms);
        CHECK(play.world.trace(there).relayed());
        CHECK(play.world.trace(back).relayed());
    }
    for (const std::size_t each : {spoke(0), spoke(1)}) {
        CHECK(play.world.gateway(each).ike(play.world.now()).size() == 2);  // with the hub, and the spoke of its kind
        CHECK(play.world.counter(each, "nhrp-resolutions-refused") == 1);
        CHECK(play.world.counter(each, "nhrp-malformed") == 0);
    }
}

TEST_CASE("a spoke keeps its hub of one IP version when its address of the other goes") {
    Play play{{.adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.second_underlay = outside(blueprint.underlay); }}};
    play.world.with(play.fleet.spoke(0), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_underlay_address(PortId{0}, Family::v6, std::nullopt, now, out);
    });
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 1s));
    CHECK(play.fleet.is_registered(0));
}
