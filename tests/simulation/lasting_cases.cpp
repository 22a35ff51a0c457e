// Plays that last: rekeys under traffic, limits, churn without leaks, and the same course of events for the same seed.
#include "tests/simulation/convergence.hpp"
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Way = Fleet::Way;

/// Sends both ways between two gateways for a while; how many of the packets arrived not at all.
std::size_t lost_between(World& world, std::size_t a, std::size_t b, Duration span, Duration interval) {
    std::vector<std::size_t> sent;
    for (const TimePoint end = world.now() + span; world.now() < end;) {
        sent.push_back(world.ping(a, b));
        sent.push_back(world.ping(b, a));
        world.run_for(interval);
    }
    world.run_for(2s);
    return static_cast<std::size_t>(std::ranges::count_if(sent, [&](std::size_t id) { return !world.trace(id).path; }));
}

std::uint64_t unknown_spis(World& world) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < world.size(); ++i) sum += world.dataplane(i).drops("esp-unknown-spi");
    return sum;
}
}  // namespace

TEST_CASE("child SAs are rekeyed under traffic without losing a packet") {
    World world{41, Weather::fair()};
    Fleet fleet{world, {.spokes = 1, .adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.ike.profiles[0].child_lifetime = 60s; }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 30s));
    world.run_for(1s);
    CHECK(lost_between(world, fleet.hub(), fleet.spoke(0), 10min, 100ms) == 0);
    CHECK(unknown_spis(world) == 0);
    CHECK(world.violations() == std::vector<std::string>{});
    CHECK(world.dataplane(fleet.hub()).inbound_count() <= 2);
}

TEST_CASE("IKE SAs are rekeyed under traffic without losing a packet") {
    World world{42, Weather::fair()};
    Fleet fleet{world, {.spokes = 1, .adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.ike.profiles[0].ike_lifetime = 90s; }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 30s));
    world.run_for(1s);
    CHECK(lost_between(world, fleet.hub(), fleet.spoke(0), 10min, 200ms) == 0);
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("a peer's number goes to a new peer only when no route of the old one is left, however late routes are written") {
    for (std::uint64_t seed = 90; seed < 95; ++seed) {
        World world{seed, Weather::fair()};
        Fleet fleet{world, {.spokes = 3, .adapt = [](bool is_hub, std::size_t, Blueprint& blueprint) {
            if (is_hub) blueprint.settings.peers_max = 2;
        }}};
        for (const std::size_t first : {fleet.hub(), fleet.spoke(0), fleet.spoke(1)}) world.start(first);
        REQUIRE(world.run_until([&] { return fleet.is_registered(0) && fleet.is_registered(1); }, 60s));
        world.start(fleet.spoke(2));
        world.run_for(20s);
        CHECK_FALSE(fleet.is_registered(2));
        world.set_route_lag(2min);  // longer than the newcomer waits between two attempts
        world.shut_down(fleet.spoke(0));
        // Somebody goes on sending to the spoke that left, while another takes its place.
        CHECK(world.run_until([&] { return world.ping(fleet.hub(), fleet.spoke(0)), fleet.is_registered(2); }, 15min, 50ms));
        CHECK(world.violations() == std::vector<std::string>{});
    }
}

TEST_CASE("in bad weather a rekey never sends to an SA that the peer does not hold") {
    for (std::uint64_t seed = 50; seed < 56; ++seed) {
        World world{seed, {}};
        Fleet fleet{world, {.spokes = 2, .adapt = [](bool, std::size_t, Blueprint& blueprint) {
            blueprint.settings.ike.profiles[0].child_lifetime = 60s;
            blueprint.settings.ike.profiles[0].ike_lifetime = 150s;
        }}};
        fleet.start_all();
        REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
        lost_between(world, fleet.spoke(0), fleet.spoke(1), 6min, 100ms);
        INFO("seed " << seed);
        CHECK(unknown_spis(world) == 0);
        CHECK(world.violations() == std::vector<std::string>{});
    }
}

TEST_CASE("a soft limit in packets starts a rekey before the hard limit stops the SA") {
    World world{43, Weather::fair()};
    Fleet fleet{world, {.spokes = 1, .adapt = [](bool, std::size_t, Blueprint& blueprint) {
        blueprint.settings.ike.profiles[0].child_limits = {.soft_packets = 200, .hard_packets = 300};
    }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 30s));
    world.run_for(1s);
    CHECK(lost_between(world, fleet.hub(), fleet.spoke(0), 2min, 20ms) == 0);
    CHECK(world.dataplane(fleet.hub()).drops("esp-hard-limit") == 0);
}

TEST_CASE("a soft limit that both ends reach at once ends with one child SA") {
    World world{44, Weather::fair()};
    Fleet fleet{world, {.spokes = 1, .adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.ike.profiles[0].child_limits = {.soft_packets = 100}; }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 30s));
    CHECK(lost_between(world, fleet.hub(), fleet.spoke(0), 1min, 20ms) == 0);
    world.run_for(1min);
    CHECK(world.dataplane(fleet.hub()).outbound_count() == 1);
    CHECK(world.dataplane(fleet.spoke(0)).outbound_count() == 1);
}

TEST_CASE("spokes that come and go leave nothing behind at the hub") {
    World world{45, {}};
    Fleet fleet{world, {.spokes = 10, .hub_slots = 40}};
    fleet.start_all();
    SeededRandom random{46};
    for (int round = 0; round < 60; ++round) {
        const std::size_t spoke = fleet.spoke(random.below(10));
        if (!world.is_running(spoke)) world.start(spoke);
        else if (random.chance(50)) world.crash(spoke);
        else world.shut_down(spoke);
        world.run_for(std::chrono::seconds{random.below(20)});
    }
    for (std::size_t i = 0; i < 10; ++i)
        if (!world.is_running(fleet.spoke(i))) world.start(fleet.spoke(i));
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 2min));
    world.run_for(2min);
    CHECK(world.counter(fleet.hub(), "overlay-peer-slots-in-use") == 10);
    CHECK(world.counter(fleet.hub(), "overlay-spis-in-use") == world.dataplane(fleet.hub()).inbound_count());
    CHECK(world.dataplane(fleet.hub()).inbound_count() == 10);
    CHECK(world.counter(fleet.hub(), "overlay-outbound-slots-in-use") == 10);
    CHECK(world.counter(fleet.hub(), "overlay-slots-exhausted") == 0);
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("when events of the dataplane get lost no slot is lost with them") {
    World world{61, {}};
    world.set_event_loss(30);
    Fleet fleet{world, {.spokes = 5}};
    fleet.start_all();
    for (std::size_t round = 0; round < 20; ++round) {
        const std::size_t spoke = fleet.spoke(round % 5);
        if (world.is_running(spoke)) world.shut_down(spoke);
        else world.start(spoke);
        world.run_for(10s);
    }
    for (std::size_t i = 0; i < 5; ++i)
        if (!world.is_running(fleet.spoke(i))) world.start(fleet.spoke(i));
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 2min));
    world.run_for(3min);
    CHECK(world.counter(fleet.hub(), "overlay-peer-slots-in-use") == 5);
    CHECK(world.counter(fleet.hub(), "overlay-spis-in-use") == 5);
    CHECK(world.counter(fleet.hub(), "overlay-outbound-slots-in-use") == 5);
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("shortcuts that come and go leave nothing behind at the spokes") {
    World world{47, {}};
    Fleet fleet{world, {.spokes = 6, .adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.tunnels[0].shortcut_idle = 15s; }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    SeededRandom random{48};
    for (int round = 0; round < 200; ++round) {
        const std::size_t from = fleet.spoke(random.below(6)), to = fleet.spoke(random.below(6));
        if (from != to) world.ping(from, to);
        world.run_for(std::chrono::milliseconds{random.below(2000)});
    }
    world.run_for(3min);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(world.counter(fleet.spoke(i), "overlay-peer-slots-in-use") == 1);
        CHECK(world.counter(fleet.spoke(i), "overlay-spis-in-use") == 1);
        CHECK(world.counter(fleet.spoke(i), "overlay-outbound-slots-in-use") == 1);
    }
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("a hub whose peers are all taken refuses newcomers, counts it, and serves the others") {
    World world{49, {}};
    Fleet fleet{world, {.spokes = 6, .hub_slots = 4}};
    fleet.start_all();
    world.run_for(1min);
    std::size_t registered = 0;
    for (std::size_t i = 0; i < 6; ++i) registered += fleet.is_registered(i);
    CHECK(registered >= 3);
    CHECK(registered <= 4);
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("the same seed gives the same course of events") {
    const auto once = converge(5, {.spokes = 20, .pairs = 3}), again = converge(5, {.spokes = 20, .pairs = 3});
    CHECK(once.events == again.events);
    CHECK(once.registered_after == again.registered_after);
    CHECK(once.failures.empty());
}

TEST_CASE("a hundred spokes converge in weather with a fifth of all packets lost") {
    World world{60, {.loss_percent = 20, .duplicate_percent = 10, .reorder_percent = 20}};
    Fleet fleet{world, {.spokes = 100, .hub_slots = 400}};
    fleet.start_all();
    CHECK(world.run_until([&] { return fleet.all_registered(); }, 5min, 1s));
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("a hub of two hundred spokes that restarts has all of them again in bad weather") {
    World world{62, {}};
    Fleet fleet{world, {.spokes = 200, .hub_slots = 800}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 2min, 1s));
    world.crash(fleet.hub());
    world.run_for(5s);
    world.start(fleet.hub());
    CHECK(world.run_until([&] { return fleet.all_registered(); }, 3min, 1s));
    world.run_for(1min);
    CHECK(world.counter(fleet.hub(), "overlay-peer-slots-in-use") == 200);
    CHECK(world.violations() == std::vector<std::string>{});
}
