// Plays of two tunnels that share one inside: two clouds with a hub each, one hub for both, IPv4 beside IPv6; and who would profit from that.
#include "common/checksum.hpp"
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Way = Fleet::Way;
constexpr TunnelId kTwo{1};
const Prefix kOneNetwork = *Prefix::parse("10.255.0.0/16"), kTwoNetwork = *Prefix::parse("10.254.0.0/16");

IpAddress in_two(const IpAddress& address) { return IpAddress::v4(address.v4_host() - 0x10000); }

/// Makes cloud two of the only tunnel: another network, other names, another key.
void to_two(Blueprint& blueprint, const std::string& identity) {
    overlay::Tunnel& tunnel = blueprint.settings.tunnels.back();
    tunnel.name = "two", tunnel.address = {in_two(tunnel.address.value)};
    tunnel.access = {{.identity = *ike::IdentityPattern::parse("*"), .tunnel_addresses = {kTwoNetwork}, .prefixes = {*Prefix::parse("10.0.0.0/8")}, .group = {}}};
    ike::Profile& profile = blueprint.settings.ike.profiles.back();
    profile.name = "two", profile.local = *ike::Identity::parse(identity);
    profile.keys = {{*ike::IdentityPattern::parse("*.two.example"), Secret{as_bytes("another horse, another battery")}}};
}

/// Gives it a tunnel of cloud two beside that of cloud one; both are of one table.
void add_two(Blueprint& blueprint, const std::string& identity) {
    overlay::Settings& settings = blueprint.settings;
    settings.tunnels.push_back(settings.tunnels.front());
    settings.ike.profiles.push_back(settings.ike.profiles.front());
    settings.tunnels.back().id = kTwo, settings.tunnels.back().profile = ike::ProfileId{1};
    to_two(blueprint, identity);
}

std::string spoke_in_two(std::size_t number) { return fmt::format("s{}.two.example", number); }

/// Hub 0 is that of cloud one, hub 1 of cloud two; spokes are in both, and prefer hub 0.
FleetPlan two_clouds(const std::function<void(bool is_hub, std::size_t number, Blueprint& blueprint)>& adapt = {}) {
    return {.hubs = 2, .spokes = 2, .adapt = [=](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (is_hub && number == 1) to_two(blueprint, "hub1.two.example");
        if (!is_hub) {
            add_two(blueprint, spoke_in_two(number));
            overlay::Tunnel &one = blueprint.settings.tunnels[0], &two = blueprint.settings.tunnels[1];
            one.hubs.pop_back(), two.hubs.erase(two.hubs.begin());
            two.hubs[0].identity = *ike::IdentityPattern::parse("hub1.two.example");
        }
        if (adapt) adapt(is_hub, number, blueprint);
    }};
}

/// One hub, which both clouds lead to; spokes have one name in both, as the hub's names tell them apart.
FleetPlan one_hub_for_both(std::size_t spokes, const std::function<void(bool is_hub, std::size_t number, Blueprint& blueprint)>& adapt = {}) {
    return {.spokes = spokes, .adapt = [=](bool is_hub, std::size_t number, Blueprint& blueprint) {
        add_two(blueprint, is_hub ? "hub0.two.example" : fmt::format("s{}.spokes.example", number));
        auto& keys = blueprint.settings.ike.profiles[1].keys;
        if (is_hub) keys[0].remote = *ike::IdentityPattern::parse("*");
        else blueprint.settings.tunnels[0].shortcut = blueprint.settings.tunnels[1].shortcut = false;
        if (!is_hub) blueprint.settings.tunnels[1].hubs[0].identity = *ike::IdentityPattern::parse("hub0.two.example");
        if (adapt) adapt(is_hub, number, blueprint);
    }};
}

struct Play {
    explicit Play(const FleetPlan& plan) : world{61, Weather::fair()}, fleet{world, plan} { world.echo_log(std::getenv("NAVE_SIMULATION_LOG")); }
    ~Play() { CHECK(world.violations() == std::vector<std::string>{}); }
    bool registered(std::size_t hub) { return world.run_until([&] { return fleet.all_registered(hub); }, 60s); }
    void start() {
        fleet.start_all();
        for (std::size_t hub = 0; hub < fleet.spoke(0); ++hub) REQUIRE(registered(hub));
    }
    std::size_t hub_on_the_way() {
        const auto id = world.ping(fleet.spoke(0), fleet.spoke(1));
        world.run_for(500ms);
        REQUIRE(world.trace(id).relayed());
        return (*world.trace(id).path)[1];
    }
    /// How many of the packets, one each 10 ms between the spokes for so long, are lost.
    std::size_t lost(Duration span) {
        std::vector<std::size_t> sent;
        for (const TimePoint end = world.now() + span; world.now() < end; world.run_for(10ms)) sent.push_back(world.ping(fleet.spoke(0), fleet.spoke(1)));
        world.run_for(1s);
        return static_cast<std::size_t>(std::ranges::count_if(sent, [&](std::size_t id) { return !world.trace(id).path; }));
    }
    /// The tunnel by which a spoke goes straight to this peer; nothing if it does not.
    std::string tunnel_to(std::size_t spoke, const std::string& identity) {
        const auto row = fleet.peer(fleet.spoke(spoke), identity);
        return row && row->path == "direct" ? row->tunnel : "";
    }
    std::string via(std::size_t at, const std::string& prefix) {
        for (const auto& row : world.gateway(at).routes())
            if (row.prefix == prefix) return row.via;
        return "";
    }
    World world;
    Fleet fleet;
};

void without_shortcuts(bool, std::size_t, Blueprint& blueprint) {
    for (overlay::Tunnel& tunnel : blueprint.settings.tunnels) tunnel.shortcut = false;
}
}  // namespace

TEST_CASE("when the hub of the preferred cloud dies the other cloud carries the traffic within the liveness time, and gives it back without loss") {
    Play play{two_clouds(without_shortcuts)};
    play.start();
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost(20s) <= 760);
    CHECK(play.hub_on_the_way() == play.fleet.hub(1));
    CHECK(play.world.has_logged(play.fleet.spoke(0), "two: traffic goes through hub 198.18.0.2"));
    CHECK(play.world.kernel_routes(play.fleet.spoke(0)).at(*Prefix::parse("10.0.0.0/8")).value.to_string() == "10.254.255.2");
    play.world.start(play.fleet.hub(0));
    CHECK(play.lost(100s) == 0);
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
    CHECK(play.world.kernel_routes(play.fleet.spoke(0)).at(*Prefix::parse("10.0.0.0/8")).value.to_string() == "10.255.255.1");
}

TEST_CASE("priorities count across the tunnels of a table, and of equal hubs that of the first tunnel carries the traffic") {
    for (const std::uint8_t priority : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}}) {
        Play play{two_clouds([&](bool is_hub, std::size_t number, Blueprint& blueprint) {
            without_shortcuts(is_hub, number, blueprint);
            if (!is_hub) blueprint.settings.tunnels[0].hubs[0].priority = priority;
        })};
        play.start();
        CHECK(play.hub_on_the_way() == (priority == 3 ? play.fleet.hub(1) : play.fleet.hub(0)));
    }
}

TEST_CASE("a route of the kernel chooses the tunnel") {
    Play play{two_clouds(without_shortcuts)};
    play.start();
    for (const bool present : {true, false}) {
        play.world.with(play.fleet.spoke(0), [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) {
            gateway.set_tunnel_route(kTwo, spoke_lan(1), TunnelAddress{in_two(hub_tunnel_address(1).value)}, present, now, out);
            gateway.routes_followed(out);
        });
        play.world.run_for(1s);
        CHECK(play.hub_on_the_way() == (present ? play.fleet.hub(1) : play.fleet.hub(0)));
    }
}

TEST_CASE("shortcuts come up in the cloud that carries the traffic, and outlive its hub") {
    Play play{two_clouds()};
    play.start();
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::direct, 60s));
    REQUIRE(play.fleet.reaches(play.fleet.spoke(1), play.fleet.spoke(0), Way::direct, 60s));
    CHECK(play.tunnel_to(0, "s1.spokes.example") == "dmvpn");
    CHECK(play.tunnel_to(0, spoke_in_two(1)).empty());
    play.world.crash(play.fleet.hub(0));
    CHECK(play.lost(30s) == 0);
    CHECK(play.tunnel_to(0, "s1.spokes.example") == "dmvpn");
    play.world.with(play.fleet.spoke(0), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { CHECK(gateway.clear_peer("s1.spokes.example", now, out) == 1); });
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::relayed, 10s));
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::direct, 60s));
    CHECK(play.tunnel_to(0, spoke_in_two(1)) == "two");
}

TEST_CASE("however the hubs of two clouds come and go, traffic has a way while one of them is there, and the better one's when both are") {
    Play play{two_clouds()};
    play.start();
    for (std::size_t round = 0; round < 8; ++round) {
        const std::size_t gone = play.fleet.hub(round % 3 == 0 ? 1 : 0), spoke = play.fleet.spoke(round % 2);
        play.world.crash(gone);
        if (round % 4 == 3) play.world.crash(spoke);
        play.world.run_for(std::chrono::seconds{3 + 5 * (round % 5)});
        if (round % 4 == 3) play.world.start(spoke);
        play.world.run_for(20s);
        CHECK(play.lost(1s) == 0);
        play.world.start(gone);
        play.world.run_for(100s);
        CHECK(play.lost(1s) == 0);
        for (const std::size_t each : {play.fleet.spoke(0), play.fleet.spoke(1)}) CHECK(play.via(each, "10.0.0.0/8") == "10.255.255.1 (hub0.example)");
    }
}

TEST_CASE("a hub of the cloud that does not carry the traffic cannot draw it with a traffic indication") {
    Play play{two_clouds()};
    play.start();
    ByteWriter head;  // of a packet from spoke 0's host to spoke 1's
    head.u8(0x45), head.u8(0), head.u16(28), head.u32(0), head.u8(63), head.u8(1), head.u16(0);
    for (const std::size_t each : {std::size_t{0}, std::size_t{1}}) head.u32(play.world.blueprint(play.fleet.spoke(each)).host.v4_host());
    head.patch_u16(10, internet_checksum(head.view())), head.u64(0);
    const PeerId victim = *play.fleet.peer(play.fleet.hub(1), spoke_in_two(0))->peer;
    play.world.with(play.fleet.hub(1), [&](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.on_redirect(victim, head.view(), now, out); });
    play.world.run_for(10s);
    CHECK(play.world.counter(play.fleet.spoke(0), "overlay-resolution-no-route") == 1);
    CHECK(play.tunnel_to(0, spoke_in_two(1)).empty());
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
}

TEST_CASE("a hub in both clouds takes a spoke's network through both, sends by the first, and by the second when that goes") {
    Play play{one_hub_for_both(2)};
    play.fleet.start_all();
    const std::size_t hub = play.fleet.hub();
    const auto next_hop = [&](std::size_t spoke) { return play.world.kernel_routes(hub).at(spoke_lan(spoke)); };
    REQUIRE(play.world.run_until([&] { return play.world.gateway(hub).peers(play.world.now()).size() == 4; }, 30s));
    REQUIRE(play.world.run_until([&] { return next_hop(0) == spoke_tunnel_address(0); }, 30s));
    CHECK(play.world.counter(hub, "overlay-registration-refused-14") == 0);
    CHECK(play.via(hub, spoke_lan(0).to_string()) == "10.255.0.1 (s0.spokes.example)");
    CHECK(play.lost(1s) == 0);
    // The tunnel address names one association of the two.
    play.world.with(hub, [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { CHECK(gateway.clear_peer("10.255.0.1", now, out) == 1); });
    CHECK(play.via(hub, spoke_lan(0).to_string()) == "10.254.0.1 (s0.spokes.example)");
    CHECK(next_hop(0).value.to_string() == "10.254.0.1");
    CHECK(play.lost(1s) <= 5);  // those that were on their way
    CHECK(play.world.run_until([&] { return next_hop(0) == spoke_tunnel_address(0); }, 30s));
}

TEST_CASE("who is in one cloud cannot take what is held in the other, nor a part of it, nor addresses of the other tunnel") {
    // Spoke 2 has cloud two only, the rules of which would let it have all of 10/8.
    Play play{one_hub_for_both(3, [](bool is_hub, std::size_t number, Blueprint& blueprint) {
        if (is_hub || number != 2) return;
        auto& tunnels = blueprint.settings.tunnels;
        tunnels.erase(tunnels.begin()), blueprint.settings.ike.profiles.erase(blueprint.settings.ike.profiles.begin());
        tunnels[0].id = TunnelId{0}, tunnels[0].profile = ike::ProfileId{0};
        blueprint.lan = {spoke_lan(0), Prefix::of(spoke_lan(1).address, 25), Prefix::host(hub_tunnel_address(0).value), Prefix::of(kOneNetwork.address, 24)};
        blueprint.lan.push_back(*Prefix::parse("10.77.0.0/24"));
    })};
    for (const std::size_t each : {play.fleet.hub(), play.fleet.spoke(0), play.fleet.spoke(1)}) play.world.start(each);
    const std::size_t hub = play.fleet.hub(), bad = play.fleet.spoke(2);
    REQUIRE(play.world.run_until([&] { return play.world.gateway(hub).peers(play.world.now()).size() == 4; }, 30s));
    play.world.run_for(5s);
    play.world.start(bad);
    REQUIRE(play.world.run_until([&] { return play.via(hub, "10.77.0.0/24") != ""; }, 30s));
    play.world.run_for(5s);
    CHECK(play.fleet.peer(hub, "s2.spokes.example")->prefixes == std::vector<std::string>{"10.77.0.0/24"});
    for (const char* refused : {"10.0.0.0/24: already-registered", "10.0.1.0/25: not-unique", "10.255.255.1/32: administratively-prohibited",
                                "10.255.0.0/24: administratively-prohibited"}) {
        INFO(refused);
        CHECK(play.world.has_logged(hub, std::string{"two: s2.spokes.example may not register "} + refused));
    }
    CHECK(play.via(hub, "10.0.0.0/24") == "10.255.0.1 (s0.spokes.example)");
    CHECK(play.lost(1s) == 0);
}

TEST_CASE("a hub of one cloud that gives itself the address of the other's is refused, and gets nothing that is for it") {
    Play play{two_clouds([](bool is_hub, std::size_t number, Blueprint& blueprint) {
        without_shortcuts(is_hub, number, blueprint);
        if (is_hub && number == 1) blueprint.settings.tunnels[0].address = hub_tunnel_address(0);
    })};
    play.world.start(play.fleet.hub(1)), play.world.start(play.fleet.spoke(0));
    REQUIRE(play.world.run_until([&] { return play.world.has_logged(play.fleet.spoke(0), "two: hub 198.18.0.2 refused: it calls itself 10.255.255.1"); }, 30s));
    CHECK(play.via(play.fleet.spoke(0), "10.255.255.1/32").empty());
    play.world.start(play.fleet.hub(0)), play.world.start(play.fleet.spoke(1));
    REQUIRE(play.registered(0));
    play.world.run_for(10s);
    CHECK(play.via(play.fleet.spoke(0), "10.255.255.1/32") == "10.255.255.1 (hub0.example)");
    CHECK(play.hub_on_the_way() == play.fleet.hub(0));
}

namespace {
IpAddress in_ipv6(const IpAddress& address) {
    std::array<std::uint8_t, 16> bytes{0xfd};
    std::ranges::copy(address.bytes(), bytes.begin() + 12);
    return IpAddress::v6(bytes);
}
Prefix in_ipv6(const Prefix& prefix) { return Prefix::of(in_ipv6(prefix.address), static_cast<std::uint8_t>(prefix.length + 96)); }

/// Cloud two is of IPv6, and what is behind gateways has both versions.
FleetPlan both_versions(bool link_local) {
    return {.adapt = [=](bool is_hub, std::size_t number, Blueprint& blueprint) {
        const TunnelAddress address = blueprint.settings.tunnels[0].address;
        add_two(blueprint, is_hub ? "hub0.two.example" : spoke_in_two(number));
        overlay::Tunnel& two = blueprint.settings.tunnels[1];
        two.address = {in_ipv6(address.value)}, two.address_length = 112, two.link_local = link_local;
        for (Prefix& prefix : two.routes) prefix = in_ipv6(prefix);
        two.access[0].tunnel_addresses = {in_ipv6(kOneNetwork)}, two.access[0].prefixes = {in_ipv6(*Prefix::parse("10.0.0.0/9"))};
        if (!is_hub) two.hubs[0].identity = *ike::IdentityPattern::parse("hub0.two.example");
        blueprint.lan.push_back(in_ipv6(blueprint.lan[0]));
    }};
}
}  // namespace

TEST_CASE("a tunnel of each IP version gives an inside of both, with shortcuts in both") {
    Play play{both_versions(true)};
    play.fleet.start_all();
    const std::size_t hub = play.fleet.hub();
    const auto prefixes = [&](const std::string& identity) { return play.fleet.peer(hub, identity).value_or(overlay::PeerView{}).prefixes; };
    const auto all_have_one = [&] {
        const auto has_one = [&](const char* each) { return prefixes(each).size() == 1; };
        return std::ranges::all_of(std::array{"s0.spokes.example", "s1.spokes.example", "s0.two.example", "s1.two.example"}, has_one);
    };
    REQUIRE(play.world.run_until(all_have_one, 30s));
    CHECK(prefixes("s1.spokes.example") == std::vector{spoke_lan(1).to_string()});
    CHECK(prefixes("s1.two.example") == std::vector{in_ipv6(spoke_lan(1)).to_string()});
    REQUIRE(play.fleet.reaches(play.fleet.spoke(0), play.fleet.spoke(1), Way::direct, 60s));
    const IpAddress source = in_ipv6(play.world.blueprint(play.fleet.spoke(0)).host), destination = in_ipv6(play.world.blueprint(play.fleet.spoke(1)).host);
    std::size_t last = 0;
    const auto is_direct = [&] {
        const bool was_direct = last != 0 && play.world.trace(last).direct();
        last = play.world.ping(play.fleet.spoke(0), source, destination, play.fleet.spoke(1));
        return was_direct;
    };
    CHECK(play.world.run_until(is_direct, 60s));
    CHECK(play.tunnel_to(0, "s1.spokes.example") == "dmvpn");
    CHECK(play.tunnel_to(0, "s1.two.example") == "two");
}

TEST_CASE("who holds an IPv6 tunnel address is reached at its link-local address too, where the tunnel has them") {
    for (const bool link_local : {true, false}) {
        Play play{both_versions(link_local)};
        play.fleet.start_all();
        REQUIRE(play.world.run_until([&] { return play.via(play.fleet.hub(), "fd00::aff:1/128") == "fd00::aff:1 (s0.two.example)"; }, 30s));
        CHECK(play.via(play.fleet.hub(), "fe80::aff:1/128") == (link_local ? "fd00::aff:1 (s0.two.example)" : ""));
        CHECK(play.via(play.fleet.spoke(0), "fe80::aff:ff01/128").empty() == !link_local);
        play.world.with(play.fleet.hub(), [](overlay::Gateway& gateway, TimePoint now, overlay::Outbox& out) { gateway.clear_peer("s0.two.example", now, out); });
        CHECK(play.via(play.fleet.hub(), "fe80::aff:1/128").empty());
    }
}
