// Plays of hubs and their spokes: registration, relay, crash, return, several hubs, addresses that change.
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
struct Play {
    explicit Play(FleetPlan plan = {}, Weather weather = {}, std::uint64_t seed = 7) : world{seed, weather}, fleet{world, plan} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
        fleet.start_all();
    }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    bool registered(Duration limit = 60s) { return world.run_until([&] { return fleet.all_registered(); }, limit); }
    /// Whether what the first spoke sends from there reaches a host behind the hub.
    bool arrives_from(const char* source) {
        const auto id = world.ping(fleet.spoke(0), *IpAddress::parse(source), world.blueprint(fleet.hub()).host, fleet.hub());
        world.run_for(500ms);
        return world.trace(id).path.has_value();
    }
    World world;
    Fleet fleet;
};
using Way = Fleet::Way;
}  // namespace

TEST_CASE("spokes register their tunnel address and LAN at the hub") {
    Play play;
    REQUIRE(play.registered());
    const auto row = play.fleet.peer(play.fleet.hub(), "s0.spokes.example");
    CHECK(row->tunnel_addresses == std::vector<std::string>{"10.255.0.1"});
    CHECK(row->prefixes == std::vector<std::string>{"10.0.0.0/24"});
    CHECK(row->role == "spoke");
    CHECK(row->group == 1);
}

TEST_CASE("in fair weather a spoke is registered within a second") {
    Play play{{}, Weather::fair()};
    CHECK(play.registered(1s));
}

TEST_CASE("hosts behind two spokes reach each other through the hub") {
    Play play;
    REQUIRE(play.registered());
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 10s));
}

TEST_CASE("a host behind a spoke reaches the hub's LAN and back") {
    Play play;
    REQUIRE(play.registered());
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.hub(), Way::direct, 10s));
    CHECK(play.fleet.reaches(play.fleet.hub(), play.fleet.spoke(0), Way::direct, 10s));
}

TEST_CASE("before registration nothing but NHRP gets through: the hub drops a spoke's packets by source") {
    Play play{{.adapt = [](bool is_hub, std::size_t, Blueprint& blueprint) {
        if (is_hub) blueprint.settings.tunnels[0].access[0].prefixes.clear();
    }}, Weather::fair()};
    play.world.run_for(20s);
    const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.hub());
    play.world.run_for(1s);
    CHECK_FALSE(play.world.trace(id).path);
    CHECK(play.world.dataplane(play.fleet.hub()).drops("peer-wrong-source") > 0);
}

TEST_CASE("a host cannot send in another's name: the hub checks the inner source") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.run_for(2s);
    const auto id = play.world.ping(play.fleet.spoke(0), play.world.blueprint(play.fleet.spoke(1)).host, play.world.blueprint(play.fleet.hub()).host, play.fleet.hub());
    play.world.run_for(1s);
    CHECK_FALSE(play.world.trace(id).path);
    CHECK(play.world.dataplane(play.fleet.hub()).drops("peer-wrong-source") == 1);
}

TEST_CASE("a hub that crashes and comes back has its spokes again, with traffic, within 20 seconds of the crash") {
    for (std::uint64_t seed = 70; seed < 75; ++seed) {
        Play play{{.spokes = 4}, Weather::fair(), seed};
        REQUIRE(play.registered());
        play.world.run_for(std::chrono::seconds{seed});
        play.world.crash(play.fleet.hub());
        play.world.run_for(2s);
        play.world.start(play.fleet.hub());
        INFO("seed " << seed);
        CHECK(play.registered(18s));
        CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 2s));
        CHECK(play.world.has_logged(play.fleet.hub(), "by the ticket of an earlier session"));
    }
}

TEST_CASE("a spoke that sends to a dead hub notices sooner than one that is silent") {
    Play play{{.spokes = 2}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.run_for(20s);
    play.world.crash(play.fleet.hub());
    const auto stopped = [&](std::size_t spoke) { return play.world.has_logged(play.fleet.spoke(spoke), "traffic is stopped"); };
    CHECK(play.world.run_until([&] { return play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1)), stopped(0); }, 12s));
    CHECK(play.world.run_until([&] { return stopped(1); }, 10s));
}

TEST_CASE("while its only hub is away a spoke's traffic is rejected, and it tries for ever") {
    Play play;
    REQUIRE(play.registered());
    play.world.crash(play.fleet.hub());
    play.world.run_for(10min);
    const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
    play.world.run_for(1s);
    CHECK_FALSE(play.world.trace(id).path);
    CHECK(play.world.dataplane(play.fleet.spoke(0)).drops("route-rejected") == 1);
    play.world.start(play.fleet.hub());
    CHECK(play.registered(100s));
}

TEST_CASE("a hub that is shut down says so: its spokes know at once") {
    Play play{{}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.shut_down(play.fleet.hub());
    play.world.run_for(1s);
    CHECK(play.world.has_logged(play.fleet.spoke(0), "traffic is stopped"));
}

TEST_CASE("of two hubs, each reached itself, the one of higher priority carries the traffic, the other takes over and gives it back") {
    Play play{{.hubs = 2, .adapt = [](bool, std::size_t, Blueprint& blueprint) { blueprint.settings.tunnels[0].shortcut = false; }}};
    REQUIRE(play.world.run_until([&] { return play.fleet.all_registered(0) && play.fleet.all_registered(1); }, 60s));
    const auto way_to_hub = [&](const char* address) -> std::string {
        for (const overlay::RouteView& row : play.world.gateway(play.fleet.spoke(0)).routes())
            if (row.prefix == address) return row.via;
        return "none";
    };
    CHECK(way_to_hub("10.255.255.1/32") == "10.255.255.1 (hub0.example)");
    CHECK(way_to_hub("10.255.255.2/32") == "10.255.255.2 (hub1.example)");
    const auto hub_on_the_way = [&]() -> std::size_t {
        const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
        play.world.run_for(500ms);
        const auto& trace = play.world.trace(id);
        return trace.relayed() ? (*trace.path)[1] : 99;
    };
    CHECK(play.world.run_until([&] { return hub_on_the_way() == play.fleet.hub(0); }, 10s));
    play.world.crash(play.fleet.hub(0));
    CHECK(play.world.run_until([&] { return play.world.has_logged(play.fleet.spoke(0), "goes through hub 198.18.0.2"); }, 90s));
    CHECK(play.world.run_until([&] { return hub_on_the_way() == play.fleet.hub(1); }, 90s));
    CHECK(play.world.run_until([&] { return way_to_hub("10.255.255.1/32") == "none"; }, 15s));  // traffic leaves a silent hub before IKE takes it for dead
    play.world.start(play.fleet.hub(0));
    REQUIRE(play.world.run_until([&] { return play.fleet.all_registered(0); }, 120s));
    const auto is_back = [](const overlay::RouteView& row) { return row.prefix == "10.0.0.0/8" && row.via == "10.255.255.1 (hub0.example)"; };
    CHECK_FALSE(std::ranges::any_of(play.world.gateway(play.fleet.spoke(0)).routes(), is_back));
    CHECK(play.world.run_until([&] { return std::ranges::any_of(play.world.gateway(play.fleet.spoke(0)).routes(), is_back); }, 40s));
}

TEST_CASE("a spoke whose underlay address changes is back at once under the same peer name") {
    Play play;
    REQUIRE(play.registered());
    play.world.change_address(play.fleet.spoke(0), {IpAddress::v4(0xc6126464)});
    REQUIRE(play.world.run_until([&] { return play.fleet.peer(play.fleet.hub(), "s0.spokes.example")->nbma.starts_with("198.18.100.100"); }, 30s));
    REQUIRE(play.world.run_until([&] { return play.fleet.reaches(play.fleet.hub(), play.fleet.spoke(0), Way::direct, 1s); }, 30s));
    CHECK(play.world.has_logged(play.fleet.hub(), "authenticated s0.spokes.example by the ticket of an earlier session"));
    play.world.run_for(30s);
    std::size_t rows = 0;
    for (const auto& row : play.world.gateway(play.fleet.hub()).peers(play.world.now())) rows += row.identity == "s0.spokes.example";
    CHECK(rows == 1);
}

TEST_CASE("a spoke that loses its underlay address waits, and connects when it gets one") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    const std::size_t spoke = play.fleet.spoke(0);
    play.world.with(spoke, [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_underlay_address(PortId{0}, Family::v4, std::nullopt, now, out);
    });
    play.world.run_for(2min);
    CHECK(play.world.dataplane(spoke).peer_count() == 0);
    CHECK_FALSE(play.fleet.is_registered(0));
    play.world.with(spoke, [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_underlay_address(PortId{0}, Family::v4, play.world.blueprint(spoke).underlay, now, out);
    });
    CHECK(play.world.run_until([&] { return play.fleet.is_registered(0); }, 5s));
}

TEST_CASE("a spoke that registers another live spoke's tunnel address is refused, with log line and counter on both ends") {
    Play play{{.spokes = 1}};
    REQUIRE(play.registered());
    Blueprint thief = play.world.blueprint(play.fleet.spoke(0));
    thief.settings.ike.profiles[0].local = *ike::Identity::parse("thief.spokes.example");
    thief.underlay = {IpAddress::v4(0xc6127777)}, thief.lan.clear();
    const std::size_t index = play.world.add(thief);
    play.world.start(index);
    play.world.run_for(30s);
    CHECK(play.world.counter(play.fleet.hub(), "overlay-registration-refused-14") > 0);
    CHECK(play.world.has_logged(play.fleet.hub(), "thief.spokes.example may not register 10.255.0.1/32"));
    CHECK(play.world.counter(index, "overlay-refused-by-hub") > 0);
    CHECK(play.fleet.is_registered(0));
}

TEST_CASE("the address of a spoke that is gone for good is free for another identity") {
    Play play{{.spokes = 1}};
    REQUIRE(play.registered());
    Blueprint heir = play.world.blueprint(play.fleet.spoke(0));
    heir.settings.ike.profiles[0].local = *ike::Identity::parse("heir.spokes.example");
    heir.underlay = {IpAddress::v4(0xc6127777)};
    play.world.crash(play.fleet.spoke(0));
    play.world.run_for(2min);
    const std::size_t index = play.world.add(heir);
    play.world.start(index);
    CHECK(play.world.run_until([&] { const auto row = play.fleet.peer(play.fleet.hub(), "heir.spokes.example"); return row && !row->tunnel_addresses.empty(); }, 30s));
}

TEST_CASE("an identity without access rule is closed, logged and counted") {
    Play play{{.spokes = 1, .adapt = [](bool is_hub, std::size_t, Blueprint& blueprint) {
        if (!is_hub) blueprint.settings.ike.profiles[0].local = *ike::Identity::parse("stranger.example");
    }}, Weather::fair()};
    play.world.run_for(5s);
    CHECK(play.world.counter(play.fleet.hub(), "overlay-identity-refused") > 0);
    CHECK(play.world.has_logged(play.fleet.hub(), "no access rule allows this identity"));
    CHECK(play.world.gateway(play.fleet.hub()).peers(play.world.now()).empty());
}

TEST_CASE("a spoke that restarts keeps its place at the hub") {
    Play play;
    REQUIRE(play.registered());
    play.world.crash(play.fleet.spoke(0));
    play.world.run_for(1s);
    play.world.start(play.fleet.spoke(0));
    CHECK(play.fleet.reaches(play.fleet.spoke(0), play.fleet.hub(), Way::direct, 30s));
    play.world.run_for(20s);
    CHECK(play.fleet.is_registered(0));
    CHECK(play.fleet.reaches(play.fleet.hub(), play.fleet.spoke(0), Way::direct, 5s));
}

TEST_CASE("a peer that the operator clears comes back by itself") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    std::size_t cleared = 0;
    play.world.with(play.fleet.hub(), [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { cleared = gateway.clear_peer("10.255.0.1", now, out); });
    CHECK(cleared == 1);
    play.world.run_for(100ms);
    CHECK_FALSE(play.fleet.is_registered(0));
    CHECK(play.world.run_until([&] { return play.fleet.is_registered(0); }, 5s));
}

TEST_CASE("clearing a name that nobody has clears nothing") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.with(play.fleet.hub(), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { CHECK(gateway.clear_peer("nobody.example", now, out) == 0); });
    CHECK(play.fleet.is_registered(0));
}

TEST_CASE("spokes behind one NAT address are told apart by their SAs") {
    World world{11, {}};
    const std::size_t nat = world.underlay().add_nat({IpAddress::v4(0xc6130001)});
    Fleet fleet{world, {.spokes = 3, .adapt = [&](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (is_hub) return;
        blueprint.nat = nat, blueprint.underlay = {IpAddress::v4(0xc0a80001 + static_cast<std::uint32_t>(number))};
    }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(fleet.reaches(fleet.hub(), fleet.spoke(i), Way::direct, 10s));
        CHECK(fleet.peer(fleet.hub(), "s" + std::to_string(i) + ".spokes.example")->nat == "peer");
    }
    CHECK(world.violations().empty());
}

TEST_CASE("when a NAT box gives a spoke another port, the hub's packets follow the newest authenticated one") {
    World world{12, Weather::fair()};
    const std::size_t nat = world.underlay().add_nat({IpAddress::v4(0xc6130001)});
    Fleet fleet{world, {.spokes = 1, .adapt = [&](bool is_hub, std::size_t, Blueprint& blueprint) {
        if (!is_hub) blueprint.nat = nat, blueprint.underlay = {IpAddress::v4(0xc0a80001)};
    }}};
    fleet.start_all();
    REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
    world.run_for(10s);
    world.underlay().nat(nat).rebind();
    world.ping(fleet.spoke(0), fleet.hub());
    world.run_for(100ms);
    CHECK(world.counter(fleet.hub(), "overlay-paths-followed") == 1);
    const auto id = world.ping(fleet.hub(), fleet.spoke(0));
    world.run_for(100ms);
    CHECK(world.trace(id).direct());
    // IKE's own messages go there too, before the spoke has said anything by IKE.
    const std::string seen = fleet.peer(fleet.hub(), "s0.spokes.example")->nbma;
    const auto rows = world.gateway(fleet.hub()).ike(world.now());
    CHECK(std::ranges::any_of(rows, [&](const overlay::IkeView& row) { return row.remote == seen; }));
    CHECK(world.counter(fleet.hub(), "ike-peer-endpoint-changes") == 1);
}

TEST_CASE("an association that is not up has no age in the operator's view") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.shut_down(play.fleet.hub());
    play.world.run_for(20s);
    const auto rows = play.world.gateway(play.fleet.spoke(0)).ike(play.world.now());
    REQUIRE_FALSE(rows.empty());
    for (const overlay::IkeView& row : rows) {
        CHECK(row.state != "established");
        CHECK((row.age == 0s && row.rekey_in == 0s));
    }
}

TEST_CASE("the kernel of a hub learns of its spokes' LANs, the kernel of a spoke of what lies behind the hub") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.run_for(1s);
    CHECK(play.world.kernel_routes(play.fleet.hub()) == std::map<Prefix, TunnelAddress>{{spoke_lan(0), spoke_tunnel_address(0)}});
    CHECK(play.world.kernel_routes(play.fleet.spoke(0)) == std::map<Prefix, TunnelAddress>{{*Prefix::parse("10.0.0.0/8"), hub_tunnel_address(0)}});
    play.world.shut_down(play.fleet.spoke(0));
    play.world.run_for(1s);
    CHECK(play.world.kernel_routes(play.fleet.hub()).empty());
}

TEST_CASE("a routing daemon's route through a spoke lets that spoke send from there, within its access rule") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    CHECK_FALSE(play.arrives_from("10.50.0.1"));
    play.world.with(play.fleet.hub(), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_tunnel_route(TunnelId{0}, *Prefix::parse("10.50.0.0/16"), spoke_tunnel_address(0), true, now, out);
        gateway.set_tunnel_route(TunnelId{0}, *Prefix::parse("172.16.0.0/16"), spoke_tunnel_address(0), true, now, out);
        gateway.routes_followed(out);
    });
    CHECK(play.arrives_from("10.50.0.1"));
    CHECK_FALSE(play.arrives_from("172.16.0.1"));
    play.world.with(play.fleet.hub(), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        gateway.set_tunnel_route(TunnelId{0}, *Prefix::parse("10.50.0.0/16"), spoke_tunnel_address(0), false, now, out);
        gateway.routes_followed(out);
    });
    CHECK_FALSE(play.arrives_from("10.50.0.1"));
    play.world.with(play.fleet.hub(), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
        for (std::uint32_t i = 0; i < 20; ++i)
            gateway.set_tunnel_route(TunnelId{0}, Prefix::of(IpAddress::v4(0x0a3c0000 + (i << 8)), 24), spoke_tunnel_address(0), true, now, out);
        gateway.routes_followed(out);
    });
    CHECK(play.arrives_from("10.60.0.1"));
    CHECK(play.arrives_from("10.255.0.1"));  // by which the routing daemon speaks, whatever the others cost
}

TEST_CASE("what a spoke may send from follows each of its routes, those too that a wider one had made needless") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    const auto route = [&](const char* prefix, bool present) {
        play.world.with(play.fleet.hub(), [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
            gateway.set_tunnel_route(TunnelId{0}, *Prefix::parse(prefix), spoke_tunnel_address(0), present, now, out);
            gateway.routes_followed(out);
        });
    };
    route("10.50.0.0/16", true);
    route("10.50.1.0/24", true);
    route("10.50.0.0/16", false);
    CHECK(play.arrives_from("10.50.1.1"));
    CHECK_FALSE(play.arrives_from("10.50.2.1"));
    route("10.50.0.0/16", true);
    route("10.50.1.0/24", false);
    CHECK(play.arrives_from("10.50.1.1"));
    route("10.50.0.0/16", false);
    CHECK_FALSE(play.arrives_from("10.50.1.1"));
    // A wide one counts though narrow ones have taken all places.
    for (std::uint32_t i = 0; i < 20; ++i) route(Prefix::of(IpAddress::v4(0x0a3c0000 + (i << 8)), 24).to_string().c_str(), true);
    route("10.50.0.0/16", true);
    CHECK(play.arrives_from("10.50.1.1"));
}

TEST_CASE("an unregistered address of the tunnel's subnet is rejected at the hub") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    play.world.ping(play.fleet.hub(), hub_tunnel_address(0).value, *IpAddress::parse("10.255.0.99"), play.fleet.hub());
    CHECK(play.world.dataplane(play.fleet.hub()).drops("route-rejected") == 1);
}

TEST_CASE("what the operator sees of a peer joins IKE, NHRP and the dataplane's counts") {
    Play play{{.spokes = 1}, Weather::fair()};
    REQUIRE(play.registered());
    for (int i = 0; i < 10; ++i) play.world.ping(play.fleet.spoke(0), play.fleet.hub());
    play.world.run_for(5s);
    const auto row = play.fleet.peer(play.fleet.hub(), "s0.spokes.example");
    CHECK(row->nbma == "198.18.16.0:500");
    CHECK(row->nat == "none");
    CHECK(row->ike_state == "established");
    CHECK(row->sa_state == "up");
    CHECK(row->packets_in >= 10);
    CHECK(row->uptime >= 4s);
    auto& hub = play.world.gateway(play.fleet.hub());
    CHECK(hub.sas(play.world.now()).size() == 2);
    CHECK(hub.ike(play.world.now()).size() == 1);
    CHECK(hub.nhrp(play.world.now()).size() == 2);
}
