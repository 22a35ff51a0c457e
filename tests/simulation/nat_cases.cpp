// Plays of two spokes behind different NATs: they meet half-way where the NATs allow it, and stay on the hub where not.
#include "controlplane/nhrp/rendezvous.hpp"
#include "tests/simulation/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::simulation;
using namespace std::chrono_literals;

namespace {
using Kind = NatBox::Kind;

/// Two spokes, each behind a box of its own.
struct TwoNats {
    explicit TwoNats(Kind first, Kind second, std::uint64_t seed = 32)
        : world{seed, Weather::fair()}, nats{world.underlay().add_nat({IpAddress::v4(0xc6130001)}, first), world.underlay().add_nat({IpAddress::v4(0xc6130002)}, second)},
          fleet{world, {.adapt = [this](bool is_hub, std::size_t number, Blueprint& blueprint) {
              if (!is_hub) blueprint.nat = nats[number], blueprint.underlay = {IpAddress::v4(0xc0a80001 + 256 * static_cast<std::uint32_t>(number))};
          }}} {
        world.echo_log(std::getenv("NAVE_SIMULATION_LOG"));
        fleet.start_all();
        REQUIRE(world.run_until([&] { return fleet.all_registered(); }, 60s));
        world.run_for(2s);
    }
    ~TwoNats() { CHECK(world.violations() == std::vector<std::string>{}); }
    /// So many packets both ways, 10 ms apart; those that were lost.
    std::ptrdiff_t lost_of(int packets) {
        std::vector<std::size_t> sent;
        for (int i = 0; i < packets; ++i) {
            sent.push_back(world.ping(fleet.spoke(0), fleet.spoke(1)));
            sent.push_back(world.ping(fleet.spoke(1), fleet.spoke(0)));
            world.run_for(10ms);
            note_path();
        }
        world.run_for(1s);
        last = world.trace(sent.back());
        return std::ranges::count_if(sent, [&](std::size_t id) { return !world.trace(id).path; });
    }
    /// What the first spoke's operator sees of the second one.
    std::optional<overlay::PeerView> row() {
        for (const auto& each : world.gateway(fleet.spoke(0)).peers(world.now()))
            if (std::ranges::count(each.tunnel_addresses, spoke_tunnel_address(1).value.to_string())) return each;
        return std::nullopt;
    }
    void note_path() {
        const auto seen = row();
        if (seen && (paths.empty() || paths.back() != seen->path)) paths.push_back(seen->path);
    }
    World world;
    std::vector<std::size_t> nats;
    Fleet fleet;
    Trace last;
    std::vector<std::string> paths;
};
}  // namespace

TEST_CASE("spokes behind two cone NATs come to a direct path, and no packet is lost on the change") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        TwoNats play{Kind::cone, Kind::cone, seed};
        INFO("seed " << seed);
        CHECK(play.lost_of(500) == 0);
        CHECK(play.last.direct());
        REQUIRE(play.row());
        CHECK(play.row()->path == "direct");
        CHECK(play.row()->nat == "both");
        CHECK(play.paths.front() == "punching");
    }
}

TEST_CASE("behind symmetric NATs traffic stays on the hub without loss, and the operator sees why") {
    TwoNats play{Kind::symmetric, Kind::symmetric};
    CHECK(play.lost_of(1000) == 0);
    CHECK(play.last.relayed());
    CHECK(play.paths == std::vector<std::string>{"punching", "nat-blocked"});
    CHECK(play.world.has_logged(play.fleet.spoke(0), "the NATs let nothing through"));
}

TEST_CASE("a failed meeting is not repeated often, and costs a bounded number of packets") {
    TwoNats play{Kind::symmetric, Kind::symmetric};
    for (int i = 0; i < 120; ++i) {
        const auto id = play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
        play.world.run_for(1s);
        REQUIRE(play.world.trace(id).relayed());
    }
    const auto failed = play.world.counter(play.fleet.spoke(0), "overlay-shortcut-attempts-failed");
    CHECK(failed > 0);
    CHECK(failed < 6);
    CHECK(play.world.counter(play.fleet.spoke(0), "ike-requests-repeated") <= 19 * failed);
}

TEST_CASE("a cone and a symmetric NAT do not meet: the port that the hub saw is not the one that is used") {
    TwoNats play{Kind::cone, Kind::symmetric};
    CHECK(play.lost_of(1000) == 0);
    CHECK(play.last.relayed());
}

TEST_CASE("a meeting that failed because the other end was silent is repeated when both try again") {
    TwoNats play{Kind::symmetric, Kind::symmetric};
    CHECK(play.lost_of(1000) == 0);
    for (const std::size_t nat : play.nats) play.world.underlay().nat(nat).become(Kind::cone);
    play.world.run_for(1min);  // for the hub to hear of the spokes' ports
    const auto is_direct = [&] {
        play.world.ping(play.fleet.spoke(0), play.fleet.spoke(1));
        return play.row() && play.row()->path == "direct";
    };
    CHECK(play.world.run_until(is_direct, 2min));
}

TEST_CASE("between NATs with a foreign spoke, which knows no rendezvous, nobody punches") {
    TwoNats play{Kind::cone, Kind::cone};
    play.world.suppress_nhrp([&](std::size_t from, PeerId, Bytes& bytes) {
        auto packet = nhrp::decode(bytes);
        if (from != play.fleet.spoke(1) || !packet) return false;
        nhrp::remove_rendezvous(*packet);
        bytes = nhrp::encode(*packet);
        return false;
    });
    CHECK(play.lost_of(1000) == 0);
    CHECK(play.last.relayed());
    CHECK(play.paths.empty());
    CHECK(play.world.has_logged(play.fleet.spoke(0), "starting IKE with 198.19.0.2:500"));
}
