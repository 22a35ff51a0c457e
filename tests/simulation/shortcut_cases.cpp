// Plays of shortcuts: made on demand, used once both ends know each other, removed when unused or dead.
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Way = Fleet::Way;

struct Play {
    explicit Play(FleetPlan plan = {}, Weather weather = {}, std::uint64_t seed = 21) : world{seed, weather}, fleet{world, plan} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
        fleet.start_all();
        REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    bool goes_direct(std::size_t from = 0, std::size_t to = 1, Duration limit = 60s) { return fleet.reaches(fleet.spoke(from), fleet.spoke(to), Way::direct, limit); }
    /// The way of one packet, which fair weather delivers.
    const Trace& probe(std::size_t from = 0, std::size_t to = 1) {
        const auto id = world.ping(fleet.spoke(from), fleet.spoke(to));
        world.run_for(500ms);
        return world.trace(id);
    }
    World world;
    Fleet fleet;
};

void quick_to_forget(bool, std::size_t, Blueprint& blueprint) { blueprint.settings.tunnels[0].shortcut_idle = 20s; }
}  // namespace

TEST_CASE("traffic between spokes starts through the hub and then takes the shortcut") {
    Play play;
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 5s));
    CHECK(play.goes_direct());
}

TEST_CASE("no packet is lost on the change from hub to shortcut") {
    Play play{{}, Weather::fair()};
    play.world.run_for(2s);
    std::vector<std::size_t> sent;
    for (int i = 0; i < 500; ++i) {
        sent.push_back(play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1)));
        play.world.run_for(10ms);
    }
    play.world.run_for(1s);
    CHECK(std::ranges::all_of(sent, [&](std::size_t id) { return play.world.trace(id).path.has_value(); }));
    CHECK(play.world.trace(sent.front()).relayed());
    CHECK(play.world.trace(sent.back()).direct());
}

TEST_CASE("traffic one way needs no answer to get its shortcut") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    CHECK(play.probe(0, 1).direct());
    CHECK(play.probe(1, 0).relayed());
}

TEST_CASE("both directions become direct, over one association") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct(0, 1));
    REQUIRE(play.goes_direct(1, 0));
    play.world.run_for(10s);
    std::size_t with_other = 0;
    for (const auto& row : play.world.gateway(play.fleet.spoke(0)).ike(play.world.now())) with_other += row.identity == "s1.spokes.example";
    CHECK(with_other == 1);
}

TEST_CASE("a shortcut that both ends start at once ends as one association, and traffic flows all the time") {
    std::uint64_t crossed = 0;
    Weather slow = Weather::fair();
    slow.delay = 150ms;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Play play{{}, slow, seed};
        play.world.run_for(2s);
        std::vector<std::size_t> sent;
        for (int i = 0; i < 500; ++i) {
            sent.push_back(play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1)));
            sent.push_back(play.world.ping(play.fleet.spoke(1), play.fleet.spoke(0)));
            play.world.run_for(25ms);
        }
        play.world.run_for(2s);
        INFO("seed " << seed);
        CHECK(std::ranges::count_if(sent, [&](std::size_t id) { return !play.world.trace(id).path; }) == 0);
        CHECK(play.world.dataplane(play.fleet.spoke(0)).inbound_count() == 2);
        crossed += play.world.counter(play.fleet.spoke(0), "ike-duplicates");
    }
    CHECK(crossed > 0);
}

TEST_CASE("an unused shortcut is removed on both ends, and its slots are free again") {
    Play play{{.adapt = quick_to_forget}, Weather::fair()};
    REQUIRE(play.goes_direct());
    CHECK(play.world.dataplane(play.fleet.spoke(0)).peer_count() == 2);
    play.world.run_for(1min);
    CHECK(play.world.dataplane(play.fleet.spoke(0)).peer_count() == 1);
    CHECK(play.world.dataplane(play.fleet.spoke(1)).peer_count() == 1);
    CHECK(play.world.counter(play.fleet.spoke(0), "overlay-spis-in-use") == 1);
    CHECK(play.world.counter(play.fleet.spoke(0), "overlay-peer-slots-in-use") == 1);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "10.0.1.0/24 goes through the hub again"));
}

TEST_CASE("a shortcut in use outlives the idle time and the holding time") {
    Play play{{.adapt = [](bool, std::size_t, Blueprint& blueprint) {
        blueprint.settings.tunnels[0].shortcut_idle = 20s;
        blueprint.settings.tunnels[0].holding_time = 60s;
    }}, Weather::fair()};
    REQUIRE(play.goes_direct());
    for (int i = 0; i < 200; ++i) {
        REQUIRE(play.probe().direct());
        play.world.run_for(500ms);
    }
}

TEST_CASE("after its removal the shortcut comes back with the traffic") {
    Play play{{.adapt = quick_to_forget}, Weather::fair()};
    REQUIRE(play.goes_direct());
    play.world.run_for(1min);
    CHECK(play.goes_direct());
}

TEST_CASE("when a spoke dies the other's traffic is back on the hub path within the liveness time") {
    Play play;
    REQUIRE(play.goes_direct());
    play.world.crash(play.fleet.spoke(1));
    CHECK(play.world.run_until([&] { return play.world.has_logged(play.fleet.spoke(0), "goes through the hub again"); }, 60s));
    play.world.run_for(1min);
    CHECK(play.world.dataplane(play.fleet.spoke(0)).peer_count() == 1);
}

TEST_CASE("a spoke that crashes and returns gets its shortcut again") {
    Play play;
    REQUIRE(play.goes_direct());
    play.world.crash(play.fleet.spoke(1));
    play.world.run_for(2s);
    play.world.start(play.fleet.spoke(1));
    CHECK(play.goes_direct(0, 1, 3min));
    CHECK(play.goes_direct(1, 0, 1min));
}

TEST_CASE("a spoke that says farewell takes its shortcuts with it at once") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    play.world.shut_down(play.fleet.spoke(1));
    play.world.run_for(1s);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "goes through the hub again"));
    CHECK(play.world.dataplane(play.fleet.spoke(0)).peer_count() == 1);
}

TEST_CASE("a spoke with a new underlay address gets a new shortcut") {
    Play play;
    REQUIRE(play.goes_direct());
    play.world.change_address(play.fleet.spoke(1), {IpAddress::v4(0xc6126464)});
    CHECK(play.goes_direct(1, 0, 2min));
    CHECK(play.goes_direct(0, 1, 2min));
}

TEST_CASE("a shortcut to a spoke behind a NAT is started from the inside") {
    World world{31, {}};
    const std::size_t nat = world.underlay().add_nat({IpAddress::v4(0xc6130001)});
    Fleet fleet{world, {.spokes = 3, .adapt = [&](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (!is_hub && number > 0) blueprint.nat = nat, blueprint.underlay = {IpAddress::v4(0xc0a80000 + static_cast<std::uint32_t>(number))};
    }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    CHECK(fleet.reaches(fleet.spoke(0), fleet.spoke(1), Way::direct, 2min));
    CHECK(fleet.reaches(fleet.spoke(0), fleet.spoke(2), Way::direct, 2min));
    CHECK(fleet.reaches(fleet.spoke(1), fleet.spoke(0), Way::direct, 2min));
    CHECK(world.violations() == std::vector<std::string>{});
}

TEST_CASE("a spoke whose rules do not allow the answerer keeps its traffic on the hub, with log line and counter") {
    Play play{{.adapt = [](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (!is_hub && number == 0) blueprint.settings.tunnels[0].access[0].prefixes = {*Prefix::parse("10.0.0.0/24")};
    }}, Weather::fair()};
    play.world.run_for(2s);
    for (int i = 0; i < 60; ++i) {
        REQUIRE(play.probe(0, 1).relayed());
    }
    CHECK(play.world.counter(play.fleet.spoke(0), "overlay-registration-refused-4") + play.world.counter(play.fleet.spoke(0), "overlay-shortcut-refused") > 0);
}

TEST_CASE("a spoke that is not to make shortcuts makes none") {
    Play play{{.adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.tunnels[0].shortcut = false; }}, Weather::fair()};
    play.world.run_for(2s);
    for (int i = 0; i < 30; ++i) REQUIRE(play.probe().relayed());
    CHECK(play.world.dataplane(play.fleet.spoke(0)).peer_count() == 1);
}

TEST_CASE("a hub that sends no indications keeps all traffic") {
    Play play{{.adapt = [](bool is_hub, std::size_t, Blueprint& blueprint) { blueprint.settings.tunnels[0].redirect = !is_hub; }}, Weather::fair()};
    play.world.run_for(2s);
    for (int i = 0; i < 30; ++i) REQUIRE(play.probe().relayed());
}

TEST_CASE("a shortcut to a tunnel address works as one to a LAN does") {
    Play play{{}, Weather::fair()};
    const IpAddress destination = spoke_tunnel_address(1).value;
    const auto direct = [&] {
        const auto id = play.world.ping(play.fleet.spoke(0), spoke_tunnel_address(0).value, destination, play.fleet.spoke(1));
        play.world.run_for(200ms);
        return play.world.trace(id).direct();
    };
    CHECK(play.world.run_until(direct, 30s));
}

TEST_CASE("a shortcut survives the crash of the hub") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    play.world.crash(play.fleet.hub());
    for (int i = 0; i < 60; ++i) REQUIRE(play.probe().direct());
}

TEST_CASE("a shortcut's endpoint checks the inner source of each packet") {
    Play play{{.spokes = 3}, Weather::fair()};
    REQUIRE(play.goes_direct());
    const auto id = play.world.ping(play.fleet.spoke(0), play.world.blueprint(play.fleet.spoke(2)).host, play.world.blueprint(play.fleet.spoke(1)).host, play.fleet.spoke(1));
    play.world.run_for(1s);
    CHECK_FALSE(play.world.trace(id).path);
    CHECK(play.world.dataplane(play.fleet.spoke(1)).drops("peer-wrong-source") == 1);
}

TEST_CASE("a peer that does not introduce itself is no nave: after ten seconds it is taken at its underlay address") {
    Play play{{}, Weather::fair()};
    const auto is_registration = [](const Bytes& packet) { return packet.size() > 17 && (packet[17] == 3 || packet[17] == 4); };
    play.world.suppress_nhrp([&](std::size_t from, PeerId to, const Bytes& packet) { return from == play.fleet.spoke(1) && to != PeerId{0} && is_registration(packet); });
    const auto is_direct = [&] { return play.world.has_logged(play.fleet.spoke(0), "10.0.1.0/24 goes direct to s1.spokes.example"); };
    play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
    CHECK_FALSE(play.world.run_until(is_direct, 9s));
    CHECK(play.world.run_until(is_direct, 3s));
}

TEST_CASE("while introductions get lost traffic stays on the hub, and no packet is dropped") {
    Play play{{}, Weather::fair()};
    play.world.run_for(2s);
    play.world.suppress_nhrp([&](std::size_t from, PeerId to, const Bytes& packet) {
        return from == play.fleet.spoke(1) && to != PeerId{0} && packet.size() > 17 && packet[17] == 4;
    });
    for (int i = 0; i < 60; ++i) REQUIRE(play.probe().relayed());
    play.world.suppress_nhrp({});
    CHECK(play.goes_direct());
}

TEST_CASE("a shortcut row says where it leads, and the peer's row that it is direct") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    CHECK(play.fleet.peer(play.fleet.spoke(0), "s1.spokes.example")->path == "direct");
    const auto rows = play.world.gateway(play.fleet.spoke(0)).nhrp(play.world.now());
    const auto row = std::ranges::find_if(rows, [](const overlay::NhrpView& each) { return each.kind == "shortcut"; });
    REQUIRE(row != rows.end());
    CHECK(row->prefix == "10.0.1.0/24");
    CHECK(row->tunnel_address == "10.255.0.2");
    CHECK(row->peer == "s1.spokes.example");
    CHECK(row->state == "active");
}

TEST_CASE("a LAN that appears behind a spoke is let in by the peers of its shortcuts") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    play.world.with(play.fleet.spoke(0), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_local_prefix(TunnelId{0}, *Prefix::parse("10.77.0.0/24"), true, now, out);
    });
    play.world.run_for(1s);
    const auto id = play.world.ping(play.fleet.spoke(0), *IpAddress::parse("10.77.0.5"), play.world.blueprint(play.fleet.spoke(1)).host, play.fleet.spoke(1));
    play.world.run_for(1s);
    CHECK(play.world.trace(id).direct());
}

TEST_CASE("a LAN that goes away is purged from the spokes that resolved it") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.goes_direct());
    play.world.with(play.fleet.spoke(1), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_local_prefix(TunnelId{0}, spoke_lan(1), false, now, out);
    });
    play.world.run_for(2s);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "10.0.1.0/24 goes through the hub again: purged"));
}

TEST_CASE("a kernel route through another spoke's tunnel address goes direct once that address does") {
    Play play{{}, Weather::fair()};
    const std::size_t spoke = play.fleet.spoke(0);
    play.world.with(spoke, [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_tunnel_route(TunnelId{0}, *Prefix::parse("10.90.0.0/16"), spoke_tunnel_address(1), true, now, out);
        gateway.routes_followed(out);
    });
    const auto via = [&] {
        for (const auto& row : play.world.gateway(spoke).routes())
            if (row.prefix == "10.90.0.0/16") return row.via;
        return std::string{};
    };
    CHECK(via() == "10.255.255.1 (hub0.example)");
    const auto has_shortcut = [&] {
        play.world.ping(spoke, spoke_tunnel_address(0).value, spoke_tunnel_address(1).value, play.fleet.spoke(1));
        return via() == "10.255.0.2 (s1.spokes.example)";
    };
    CHECK(play.world.run_until(has_shortcut, 30s));
}

TEST_CASE("a routing daemon's host route does not lead around the spoke or hub that holds the address") {
    Play play{{}, Weather::fair()};
    const auto leads_to_holder = [&](std::size_t from, const TunnelAddress& way, const TunnelAddress& address, const char* holder) {
        play.world.with(from, [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
            gateway.set_tunnel_route(TunnelId{0}, Prefix::host(address.value), way, true, now, out);
            gateway.routes_followed(out);
        });
        const auto rows = play.world.gateway(from).routes();
        const auto row = std::ranges::find(rows, Prefix::host(address.value).to_string(), &overlay::RouteView::prefix);
        REQUIRE(row != rows.end());
        CHECK(row->via == address.value.to_string() + " (" + holder + ")");
    };
    leads_to_holder(play.fleet.hub(), spoke_tunnel_address(1), spoke_tunnel_address(0), "s0.spokes.example");
    leads_to_holder(play.fleet.spoke(0), spoke_tunnel_address(1), hub_tunnel_address(0), "hub0.example");
}
