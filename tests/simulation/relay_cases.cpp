// Plays of hubs that tell each other of their spokes, each of which is at one hub only.
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {

overlay::Hub hub_entry(std::size_t hub) {
    return {.address = hub_underlay(hub), .identity = *ike::IdentityPattern::parse(fmt::format("hub{}.example", hub)), .priority = static_cast<std::uint8_t>(hub + 1)};
}

/// Three hubs that name each other. Spoke s is configured with `homes(s)`.
struct Relays {
    static constexpr std::size_t kHubs = 3;
    using Homes = std::function<std::vector<std::size_t>(std::size_t spoke)>;
    static std::vector<std::size_t> one_each(std::size_t spoke) { return {spoke % kHubs}; }

    explicit Relays(std::size_t spokes, const Homes& homes = one_each, bool shortcut = false)
        : world{71, Weather::fair()}, fleet{world, {.hubs = kHubs, .spokes = spokes, .adapt = [&](bool is_hub, std::size_t number, Blueprint& blueprint) {
              overlay::Tunnel& tunnel = blueprint.settings.tunnels[0];
              tunnel.hubs.clear();
              if (!is_hub) {
                  for (const std::size_t hub : homes(number)) tunnel.hubs.push_back(hub_entry(hub));
                  tunnel.hub_connections = 1, tunnel.shortcut = shortcut;
                  return;
              }
              tunnel.relay = true;
              for (std::size_t hub = 0; hub < kHubs; ++hub) {
                  if (hub == number) continue;
                  tunnel.hubs.push_back(hub_entry(hub));
                  tunnel.access.insert(tunnel.access.begin(), {*tunnel.hubs.back().identity, {*Prefix::parse("10.255.0.0/16")}, {*Prefix::parse("0.0.0.0/0")}, GroupId{}, true});
              }
          }}} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
    }
    ~Relays() { CHECK(world.violations() == std::vector<std::string>{}); }

    /// The hubs that one packet passes; nothing when it is lost.
    std::optional<std::vector<std::size_t>> hubs_between(std::size_t from, std::size_t to) {
        const auto id = world.ping(fleet.spoke(from), fleet.spoke(to));
        world.run_for(500ms);
        const auto& path = world.trace(id).path;
        return path ? std::optional{std::vector(path->begin() + 1, path->end() - 1)} : std::nullopt;
    }
    bool arrives_within(std::size_t from, std::size_t to, Duration limit) {
        return world.run_until([&] { return hubs_between(from, to).has_value(); }, limit);
    }
    World world;
    Fleet fleet;
};

using Path = std::vector<std::size_t>;

}  // namespace

TEST_CASE("spokes of different hubs reach each other through both, then by a shortcut") {
    Relays play{3, Relays::one_each, true};
    play.fleet.start_all();
    play.world.run_for(10s);
    CHECK(play.hubs_between(0, 1) == Path{0, 1});
    CHECK(play.hubs_between(2, 0) == Path{2, 0});
    for (const auto& [from, to] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, 0}, {2, 0}})
        CHECK(play.fleet.reaches(play.fleet.spoke(from), play.fleet.spoke(to), Fleet::Way::direct, 20s));
}

TEST_CASE("hubs reach each other's own networks, and spokes those of a hub that is not theirs") {
    Relays play{3};
    play.fleet.start_all();
    play.world.run_for(10s);
    const Fleet& fleet = play.fleet;
    for (const auto& [from, to] : {std::pair{fleet.hub(0), fleet.hub(1)}, std::pair{fleet.hub(2), fleet.spoke(0)}, std::pair{fleet.spoke(0), fleet.hub(2)}}) {
        const auto id = play.world.ping(from, to);
        play.world.run_for(500ms);
        CHECK(play.world.trace(id).path);
    }
    CHECK(play.world.kernel_routes(play.fleet.hub(0)).at(spoke_lan(1)) == hub_tunnel_address(1));
}

TEST_CASE("a spoke whose hub dies is reached at the next one by those of all hubs") {
    Relays play{3, [](std::size_t spoke) { return spoke == 0 ? std::vector<std::size_t>{0, 1} : Relays::one_each(spoke); }};
    play.fleet.start_all();
    play.world.run_for(10s);
    REQUIRE(play.hubs_between(2, 0) == Path{2, 0});
    play.world.crash(play.fleet.hub(0));
    CHECK(play.arrives_within(2, 0, 15s));
    CHECK(play.world.kernel_routes(play.fleet.hub(2)).at(spoke_lan(0)) == hub_tunnel_address(1));
    play.world.start(play.fleet.hub(0));
    play.world.run_for(90s);
    CHECK(play.arrives_within(1, 0, 1s));
    CHECK(play.world.kernel_routes(play.fleet.hub(2)).at(spoke_lan(0)) == hub_tunnel_address(0));
}

TEST_CASE("what is for a spoke that has gone ends at the hub of who sends it") {
    Relays play{3};
    play.fleet.start_all();
    play.world.run_for(10s);
    play.world.shut_down(play.fleet.spoke(0));
    play.world.run_for(2s);
    CHECK_FALSE(play.hubs_between(1, 0));
    CHECK_FALSE(play.world.kernel_routes(play.fleet.hub(1)).contains(spoke_lan(0)));
}

TEST_CASE("a hub prefers a spoke's own registration to another hub's word, in whatever order they come") {
    Relays play{2, [](std::size_t) { return std::vector<std::size_t>{0, 1}; }};
    for (std::size_t spoke = 0; spoke < 2; ++spoke) play.world.blueprint(play.fleet.spoke(spoke)).settings.tunnels[0].hub_connections = 0;
    play.fleet.start_all();
    play.world.run_for(10s);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(play.hubs_between(0, 1) == Path{0});
        play.world.crash(play.fleet.hub(1));
        play.world.run_for(15s);
        play.world.start(play.fleet.hub(1));
        play.world.run_for(15s);
    }
}

TEST_CASE("a hub that starts anew is told of all spokes again") {
    Relays play{60};
    play.fleet.start_all();
    play.world.run_for(30s);
    for (const std::size_t spoke : {1u, 31u, 58u}) CHECK(play.arrives_within(0, spoke, 1s));
    play.world.crash(play.fleet.hub(0));
    play.world.run_for(60s);
    play.world.start(play.fleet.hub(0));
    play.world.run_for(30s);
    for (const std::size_t spoke : {1u, 31u, 58u}) CHECK(play.arrives_within(0, spoke, 1s));
}

namespace {
/// Spoke 1, at hub 1, comes last and says that it has this network as well.
struct Greedy : Relays {
    explicit Greedy(const char* lan) : Relays{4} {
        world.blueprint(fleet.spoke(1)).lan.push_back(*Prefix::parse(lan));
        for (const std::size_t each : {fleet.hub(0), fleet.hub(1), fleet.hub(2), fleet.spoke(0), fleet.spoke(2), fleet.spoke(3)}) world.start(each);
        world.run_for(10s);
        world.start(fleet.spoke(1));
        world.run_for(10s);
    }
};
}  // namespace

TEST_CASE("no spoke of another hub takes a part of a network, the very network, or one around it") {
    const char* lan = GENERATE("10.0.0.0/25", "10.0.0.0/24", "10.0.0.0/23");
    CAPTURE(lan);
    Greedy play{lan};
    CHECK(play.hubs_between(2, 0) == Path{2, 0});
    CHECK(play.hubs_between(3, 0) == Path{0});
    CHECK(play.world.kernel_routes(play.fleet.hub(2)).at(spoke_lan(0)) == hub_tunnel_address(0));
    for (std::size_t hub = 0; hub < Relays::kHubs; ++hub)
        CHECK(play.world.kernel_routes(play.fleet.hub(hub)).contains(*Prefix::parse(lan)) == (*Prefix::parse(lan) == spoke_lan(0)));
}

TEST_CASE("a hub that does not take another hub's word names both spokes") {
    Relays play{2};
    play.world.blueprint(play.fleet.spoke(1)).lan.push_back(spoke_lan(0));
    play.fleet.start_all();  // their registrations cross
    play.world.run_for(10s);
    CHECK(play.world.has_logged(play.fleet.hub(0), "s1.spokes.example behind hub1.example may not register 10.0.0.0/24: already-registered by s0.spokes.example"));
}

TEST_CASE("no spoke of another hub takes a part of a hub's own network") {
    Relays play{2};
    for (std::size_t hub = 0; hub < Relays::kHubs; ++hub) play.world.blueprint(play.fleet.hub(hub)).lan = {*Prefix::parse("10.64.0.0/16")};
    play.world.blueprint(play.fleet.hub(0)).host = *IpAddress::parse("10.64.0.5");
    play.world.blueprint(play.fleet.spoke(1)).lan.push_back(*Prefix::parse("10.64.0.0/25"));
    play.fleet.start_all();
    play.world.run_for(10s);
    const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.hub(0));
    play.world.run_for(500ms);
    CHECK(play.world.trace(id).path);
    for (std::size_t hub = 0; hub < Relays::kHubs; ++hub) CHECK_FALSE(play.world.kernel_routes(play.fleet.hub(hub)).contains(*Prefix::parse("10.64.0.0/16")));
}

TEST_CASE("a spoke that comes up at another hub without a goodbye is reached there by third ones at once") {
    Relays play{3, [](std::size_t spoke) { return spoke == 0 ? std::vector<std::size_t>{0} : Relays::one_each(spoke); }};
    play.fleet.start_all();
    play.world.run_for(10s);
    play.world.crash(play.fleet.spoke(0));
    play.world.blueprint(play.fleet.spoke(0)).settings.tunnels[0].hubs = {hub_entry(1)};
    play.world.start(play.fleet.spoke(0));
    play.world.run_for(1500ms);
    CHECK(play.hubs_between(2, 0) == Path{2, 1});
}

TEST_CASE("a spoke that comes up at another hub without a goodbye is reached there by those of its old hub once that has asked it in vain") {
    Relays play{4, [](std::size_t spoke) { return std::vector<std::size_t>{spoke == 0 || spoke == 3 ? 0u : 1u}; }};
    play.fleet.start_all();
    play.world.run_for(10s);
    REQUIRE(play.hubs_between(3, 0) == Path{0});
    play.world.crash(play.fleet.spoke(0));
    play.world.blueprint(play.fleet.spoke(0)).settings.tunnels[0].hubs = {hub_entry(1)};
    play.world.start(play.fleet.spoke(0));
    play.world.run_for(8s);
    CHECK(play.hubs_between(3, 0) == Path{0, 1});
}
