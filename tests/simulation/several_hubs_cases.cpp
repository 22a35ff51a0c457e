// Plays of spokes with several hubs: which of them carries the traffic, how one is lost and taken back, clusters.
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Adapt = std::function<void(overlay::Tunnel&)>;

struct Play {
    explicit Play(std::size_t hubs, std::size_t spokes, const Adapt& adapt = {}, bool shortcut = false, std::uint64_t seed = 31)
        : world{seed, Weather::fair()}, fleet{world, {.hubs = hubs, .spokes = spokes, .adapt = [&](bool is_hub, std::size_t, Blueprint& blueprint) {
              blueprint.settings.tunnels[0].shortcut = shortcut;
              if (!is_hub && adapt) adapt(blueprint.settings.tunnels[0]);
          }}} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
    }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    bool registered(std::size_t hub, Duration limit = 60s) { return world.run_until([&] { return fleet.all_registered(hub); }, limit); }
    /// Sends from each spoke to the next one for so long; gives how many seconds' worth of one spoke's packets was lost at most.
    double lost_seconds(Duration span) {
        constexpr auto kInterval = 10ms;
        std::vector<std::vector<std::size_t>> sent(fleet.spokes());
        for (const TimePoint end = world.now() + span; world.now() < end; world.run_for(kInterval))
            for (std::size_t i = 0; i < fleet.spokes(); ++i) sent[i].push_back(world.ping(fleet.spoke(i), fleet.spoke((i + 1) % fleet.spokes())));
        world.run_for(1s);
        double most = 0;
        for (const auto& packets : sent) {
            const auto lost = std::ranges::count_if(packets, [&](std::size_t id) { return !world.trace(id).path; });
            most = std::max(most, std::chrono::duration<double>(kInterval).count() * static_cast<double>(lost));
        }
        return most;
    }
    /// The hub on the way of one packet; nothing for a direct or a lost one.
    std::optional<std::size_t> hub_on_the_way(std::size_t from = 0, std::size_t to = 1) {
        const auto id = world.ping(fleet.spoke(from), fleet.spoke(to));
        world.run_for(500ms);
        const auto& trace = world.trace(id);
        return trace.relayed() ? std::optional{(*trace.path)[1]} : std::nullopt;
    }
    World world;
    Fleet fleet;
};
}  // namespace

TEST_CASE("when a hub dies its traffic is on the next one within the liveness time") {
    for (std::uint64_t seed = 40; seed < 45; ++seed) {
        Play play{2, 3, {}, false, seed};
        play.fleet.start_all();
        REQUIRE((play.registered(0) && play.registered(1)));
        CHECK(play.lost_seconds(2s) == 0);
        play.world.crash(play.fleet.hub(0));
        const double lost = play.lost_seconds(20s);
        INFO("seed " << seed << ": " << lost << " s lost");
        // 5 s of silence, 1.5 s until a request was repeated twice, up to 1 s for the counters.
        CHECK(lost <= 7.6);
        CHECK(play.hub_on_the_way() == play.fleet.hub(1));
    }
}

TEST_CASE("a preferred hub that comes back after long is taken back without loss") {
    for (std::uint64_t seed = 50; seed < 53; ++seed) {
        Play play{2, 8, {}, false, seed};
        play.fleet.start_all();
        REQUIRE((play.registered(0) && play.registered(1)));
        play.world.crash(play.fleet.hub(0));
        play.world.run_for(10min + std::chrono::seconds{7 * (seed - 50)});
        play.world.start(play.fleet.hub(0));
        INFO("seed " << seed);
        CHECK(play.lost_seconds(100s) == 0);
        CHECK(play.hub_on_the_way() == play.fleet.hub(0));
        CHECK(play.world.has_logged(play.fleet.spoke(0), "goes through hub 198.18.0.1"));
    }
}

TEST_CASE("a hub that does not answer for a moment loses the traffic to the next one, and not its registrations") {
    Play play{2, 2};
    play.fleet.start_all();
    REQUIRE((play.registered(0) && play.registered(1)));
    play.world.run_for(2s);
    play.world.underlay().remove(hub_underlay(0));
    const auto notice = [&] { return play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1)), play.world.has_logged(play.fleet.spoke(0), "hub 198.18.0.1 does not answer"); };
    CHECK(play.world.run_until(notice, 5s));
    CHECK(play.hub_on_the_way() == play.fleet.hub(1));
    play.world.underlay().place(hub_underlay(0), play.fleet.hub(0), std::nullopt);
    play.world.run_for(8s);  // the other spoke has noticed, and both have heard it again
    CHECK(play.lost_seconds(60s) == 0);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "hub 198.18.0.1 answers again"));
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    CHECK_FALSE(play.world.has_logged(play.fleet.spoke(0), "hub 198.18.0.1: registered -> down"));
}

TEST_CASE("a shortcut loses nothing while the hub that led to it is away, nor when that comes back") {
    Play play{2, 2, [](overlay::Tunnel& tunnel) { tunnel.holding_time = 60s; }, true};
    play.fleet.start_all();
    REQUIRE((play.registered(0) && play.registered(1)));
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Fleet::Way::direct, 20s));
    REQUIRE(play.fleet.reaches(play.fleet.spoke(1), play.fleet.spoke(0), Fleet::Way::direct, 20s));
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost_seconds(5min) == 0);
    CHECK_FALSE(play.hub_on_the_way());
    play.world.start(play.fleet.hub(0));
    CHECK(play.lost_seconds(90s) == 0);
    CHECK_FALSE(play.hub_on_the_way());
}

TEST_CASE("of hubs with one priority the first one carries the traffic") {
    Play play{3, 2, [](overlay::Tunnel& tunnel) { for (overlay::Hub& hub : tunnel.hubs) hub.priority = 1; }};
    play.fleet.start_all();
    REQUIRE((play.registered(0) && play.registered(1) && play.registered(2)));
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    CHECK(play.hub_on_the_way(1, 0) == play.fleet.hub(0));
}

TEST_CASE("of a cluster's hubs the best ones are connected to, and the next one when one of them fails") {
    Play play{3, 2, [](overlay::Tunnel& tunnel) { tunnel.hub_connections = 2; }};
    play.fleet.start_all();
    REQUIRE((play.registered(0) && play.registered(1)));
    play.world.run_for(60s);
    CHECK(play.world.gateway(play.fleet.hub(2)).peers(play.world.now()).empty());
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost_seconds(12s) <= 7.6);
    CHECK(play.registered(2, 10s));
    play.world.start(play.fleet.hub(0));
    CHECK(play.lost_seconds(120s) == 0);
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    CHECK(play.world.gateway(play.fleet.hub(2)).peers(play.world.now()).empty());
}

TEST_CASE("with one connection for a cluster the next hub is there soon after the first has failed, and goes without loss") {
    Play play{2, 2, [](overlay::Tunnel& tunnel) { tunnel.hub_connections = 1; }};
    play.fleet.start_all();
    REQUIRE(play.registered(0));
    play.world.run_for(20s);
    CHECK(play.world.gateway(play.fleet.hub(1)).peers(play.world.now()).empty());
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost_seconds(20s) <= 8.6);
    CHECK(play.hub_on_the_way() == play.fleet.hub(1));
    play.world.start(play.fleet.hub(0));
    CHECK(play.lost_seconds(120s) == 0);
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    CHECK(play.world.gateway(play.fleet.hub(1)).peers(play.world.now()).empty());
}

TEST_CASE("clusters are counted apart") {
    Play play{4, 2, [](overlay::Tunnel& tunnel) {
        tunnel.hub_connections = 1;
        tunnel.hubs[2].cluster = tunnel.hubs[3].cluster = 7;
    }};
    play.fleet.start_all();
    REQUIRE((play.registered(0) && play.registered(2)));
    play.world.run_for(60s);
    CHECK(play.world.gateway(play.fleet.hub(1)).peers(play.world.now()).empty());
    CHECK(play.world.gateway(play.fleet.hub(3)).peers(play.world.now()).empty());
}

TEST_CASE("a hub that is not there at the start holds up its cluster for seconds only") {
    Play play{2, 2, [](overlay::Tunnel& tunnel) { tunnel.hub_connections = 1; }};
    for (const std::size_t each : {play.fleet.hub(1), play.fleet.spoke(0), play.fleet.spoke(1)}) play.world.start(each);
    CHECK(play.registered(1, 7s));
}

namespace {
/// Hub 0 and hub 1 are known by one name, of which each is an address.
Adapt by_name(std::string identity) {
    return [identity](overlay::Tunnel& tunnel) { tunnel.hubs = {{.address = {}, .identity = *ike::IdentityPattern::parse(identity), .name = "hubs.example"}}; };
}
}  // namespace

TEST_CASE("all addresses of a name are hubs, where a pattern says whom to expect there") {
    Play play{2, 2, by_name("*.example")};
    play.world.set_name("hubs.example", {hub_underlay(0), hub_underlay(1)});
    play.fleet.start_all();
    REQUIRE((play.registered(0, 5s) && play.registered(1, 5s)));
    play.world.run_for(2s);
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost_seconds(15s) <= 7.6);
    CHECK(play.hub_on_the_way() == play.fleet.hub(1));
}

TEST_CASE("of a name with one hub's identity one address suffices, and a dead one holds it up for seconds only") {
    Play play{2, 2, by_name("hub1.example")};
    play.world.set_name("hubs.example", {hub_underlay(7), hub_underlay(1), hub_underlay(8)});
    play.fleet.start_all();
    CHECK(play.registered(1, 7s));
    play.world.run_for(60s);
    CHECK(play.fleet.all_registered(1));
}

TEST_CASE("the addresses of one hub count once in its cluster") {
    Play play{3, 2, [](overlay::Tunnel& tunnel) {
        tunnel.hubs[0] = {.address = {}, .identity = *ike::IdentityPattern::parse("hub0.example"), .name = "hub0.example"};
        tunnel.hub_connections = 2;
    }};
    play.world.set_name("hub0.example", {hub_underlay(0), hub_underlay(7), hub_underlay(8)});
    play.fleet.start_all();
    CHECK((play.registered(0, 5s) && play.registered(1, 1s)));
    play.world.run_for(60s);
    CHECK(play.world.gateway(play.fleet.hub(2)).peers(play.world.now()).empty());
}

TEST_CASE("a name is asked again when its hub fails, and followed to where that has gone") {
    Play play{2, 2, by_name("*.example")};
    play.world.set_name("hubs.example", {hub_underlay(0)});
    play.fleet.start_all();
    REQUIRE(play.registered(0, 5s));
    play.world.run_for(20s);
    CHECK(play.world.gateway(play.fleet.hub(1)).peers(play.world.now()).empty());
    play.world.set_name("hubs.example", {hub_underlay(1)});
    play.world.crash(play.fleet.hub(0));
    CHECK(play.registered(1, 40s));
}

TEST_CASE("a name that leads nowhere is asked for again, and hubs that have it are refused elsewhere meanwhile") {
    Play play{1, 1, by_name("hub0.example")};
    play.fleet.start_all();
    play.world.run_for(30s);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "hub hubs.example has no address, so it is asked for again: no such name"));
    play.world.set_name("hubs.example", {hub_underlay(0)});
    CHECK(play.registered(0, 65s));
}

TEST_CASE("hubs share their load by sending spokes to each other, from a threshold on") {
    constexpr std::size_t kSpokes = 10, kEnough = 5;
    World world{61, Weather::fair()};
    Fleet fleet{world, {.hubs = 2, .spokes = kSpokes, .adapt = [](bool is_hub, std::size_t, Blueprint& blueprint) {
        if (is_hub) {
            blueprint.settings.ike.redirect_to = {hub_underlay(0), hub_underlay(1)};
            blueprint.settings.ike.redirect_from_established = kEnough;
        } else {
            blueprint.settings.tunnels[0].hubs = {
                {.address = hub_underlay(0), .identity = *ike::IdentityPattern::parse("*.example"), .redirects = {Prefix::of(hub_underlay(0).value, 24)}}};
        }
    }}};
    for (std::size_t i = 0; i < world.size(); ++i) world.start_at(i, world.now() + 200ms * i);
    world.run_for(10s);
    const auto spokes_of = [&](std::size_t hub) { return world.gateway(fleet.hub(hub)).peers(world.now()).size(); };
    CHECK(spokes_of(0) == kEnough);
    CHECK(spokes_of(1) == kSpokes - kEnough);
    world.crash(fleet.hub(1));
    CHECK(world.run_until([&] { return spokes_of(0) == kSpokes; }, 30s));
    CHECK(world.counter(fleet.spoke(kSpokes - 1), "ike-redirects-in-vain") == 1);
    CHECK(world.violations() == std::vector<std::string>{});
}
