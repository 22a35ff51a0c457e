// Plays of a bad spoke: it has the key that all share, an association with its victim, and an access rule that allows the whole block.
#include "controlplane/nhrp/packet.hpp"
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Way = Fleet::Way;

/// Spokes 0 and 1 have shortcuts with each other, and 1 is bad; spoke 2 is the one whose place it wants.
struct Play {
    explicit Play() : world{51, Weather::fair()}, fleet{world, {.spokes = 3}} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
        fleet.start_all();
        REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
        REQUIRE(fleet.reaches(fleet.spoke(0), fleet.spoke(1), Way::direct, 60s));
        REQUIRE(fleet.reaches(fleet.spoke(1), fleet.spoke(0), Way::direct, 60s));
    }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    /// Spoke 0 gets this packet out of spoke 1's SA.
    void forge(const nhrp::Packet& packet) {
        const PeerId liar = *fleet.peer(fleet.spoke(0), "s1.spokes.example")->peer;
        world.with(fleet.spoke(0), [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.on_nhrp(liar, nhrp::encode(packet), now, out); });
        world.run_for(2s);
    }
    void register_as(const TunnelAddress& next_hop, const Prefix& prefix) {
        nhrp::Packet request;
        request.type = nhrp::PacketType::registration_request;
        request.request_id = 4711;
        request.source_nbma = spoke_underlay(1);
        request.source_protocol = next_hop.value;
        request.destination_protocol = spoke_tunnel_address(0).value;
        request.clients.push_back({.prefix_length = prefix.length, .holding_time = 600s, .nbma = spoke_underlay(1), .protocol = prefix.address});
        forge(request);
    }
    bool gets_through(std::size_t from, const IpAddress& source) {
        const auto id = world.ping(from, source, world.blueprint(fleet.spoke(0)).host, fleet.spoke(0));
        world.run_for(500ms);
        return world.trace(id).direct();
    }
    World world;
    Fleet fleet;
};
}  // namespace

TEST_CASE("a spoke cannot send in the name of another one by registering its network at the receiver") {
    Play play;
    const IpAddress stolen = play.world.blueprint(play.fleet.spoke(2)).host;
    play.register_as(spoke_tunnel_address(1), spoke_lan(2));
    play.register_as(spoke_tunnel_address(2), Prefix::host(spoke_tunnel_address(2).value));
    play.register_as(spoke_tunnel_address(2), spoke_lan(2));
    CHECK_FALSE(play.gets_through(play.fleet.spoke(1), stolen));
    CHECK(play.gets_through(play.fleet.spoke(1), play.world.blueprint(play.fleet.spoke(1)).host));
    CHECK(play.world.has_logged(play.fleet.spoke(0), "10.0.2.0/24 by 10.255.0.2 at 198.18.16.1 refused"));
}

TEST_CASE("what a bad spoke claims keeps nobody from the shortcut that is its own") {
    Play play;
    play.register_as(spoke_tunnel_address(2), Prefix::host(spoke_tunnel_address(2).value));
    play.register_as(spoke_tunnel_address(1), spoke_lan(2));
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(2), Way::direct, 60s));
    CHECK(play.fleet.reaches(play.fleet.spoke(2), play.fleet.spoke(0), Way::direct, 60s));
}

TEST_CASE("a purge of a bad spoke ends nobody else's shortcut") {
    Play play;
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(2), Way::direct, 60s));
    nhrp::Packet purge;
    purge.type = nhrp::PacketType::purge_request;
    purge.source_protocol = spoke_tunnel_address(1).value;
    purge.destination_protocol = spoke_tunnel_address(0).value;
    purge.clients.push_back({.prefix_length = 9, .nbma = std::nullopt, .protocol = *IpAddress::parse("10.0.0.0")});
    play.forge(purge);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "10.0.1.0/24 goes through the hub again: purged"));
    CHECK_FALSE(play.world.has_logged(play.fleet.spoke(0), "10.0.2.0/24 goes through the hub again"));
}

TEST_CASE("traffic is back on the hub when the other end confirms us no more, and direct again when it does") {
    Play play;
    play.world.suppress_nhrp([&](std::size_t from, PeerId to, const Bytes& packet) {
        return from == play.fleet.spoke(1) && to != PeerId{0} && packet.size() > 17 && packet[17] == 4;
    });
    const auto is_relayed = [&] {
        const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
        play.world.run_for(500ms);
        return play.world.trace(id).relayed();
    };
    CHECK(play.world.run_until(is_relayed, 6min));
    CHECK(play.world.has_logged(play.fleet.spoke(0), "10.0.1.0/24 goes through the hub again: the other end does not let us in any more"));
    play.world.suppress_nhrp({});
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::direct, 3min));
}

TEST_CASE("a network that moved to another spoke goes straight there on the hub's word, though the old holder says nothing") {
    Play play;
    play.world.suppress_nhrp([&](std::size_t from, PeerId to, const Bytes& packet) {
        return from == play.fleet.spoke(1) && to != PeerId{0} && packet.size() > 17 && packet[17] == 5;
    });
    const Prefix moving = *Prefix::parse("10.77.0.0/24");
    const auto set = [&](std::size_t spoke, bool present) {
        play.world.with(spoke, [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.set_local_prefix(TunnelId{0}, moving, present, now, out); });
        play.world.run_for(5s);
    };
    const auto goes_to = [&](std::size_t spoke) {
        return play.world.run_until([&] {
            const auto id = play.world.ping(play.fleet.spoke(0), play.world.blueprint(play.fleet.spoke(0)).host, *IpAddress::parse("10.77.0.5"), spoke);
            play.world.run_for(500ms);
            return play.world.trace(id).direct();
        }, 60s);
    };
    set(play.fleet.spoke(1), true);
    REQUIRE(goes_to(play.fleet.spoke(1)));
    set(play.fleet.spoke(1), false);
    set(play.fleet.spoke(2), true);
    CHECK(goes_to(play.fleet.spoke(2)));
}

TEST_CASE("a spoke passes on nothing of what another one sends it") {
    Play play;
    nhrp::Packet request;
    request.source_protocol = spoke_tunnel_address(1).value;
    request.destination_protocol = play.world.blueprint(play.fleet.spoke(2)).host;
    request.clients.emplace_back();
    play.forge(request);
    CHECK(play.world.counter(play.fleet.spoke(0), "nhrp-not-a-server") == 1);
}

TEST_CASE("a spoke that says it is the hub becomes neither hub nor peer of another spoke, whatever key they share") {
    World world{52, Weather::fair()};
    Fleet fleet{world, {.spokes = 3, .adapt = [](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (is_hub || number != 2) return;
        blueprint.settings.ike.profiles[0].local = *ike::Identity::parse("hub0.example");
        blueprint.settings.tunnels[0].hubs = {{spoke_underlay(0), *ike::IdentityPattern::parse("s0.spokes.example"), 1}};
    }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.is_registered(0) && fleet.is_registered(1); }, 60s));
    world.run_for(60s);
    CHECK(fleet.peer(fleet.spoke(0), "hub0.example")->nbma == hub_underlay(0).value.to_string() + ":500");
    CHECK(world.counter(fleet.spoke(0), "ike-authentication-failed") > 1);
    CHECK(fleet.is_registered(0));
    CHECK(fleet.reaches(fleet.spoke(0), fleet.spoke(1), Way::direct, 60s));
    CHECK(world.violations() == std::vector<std::string>{});
}
