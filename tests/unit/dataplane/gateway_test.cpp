// The dataplane as main sees it: put together from a configuration, run on its own lcore, taken apart.
#include "dataplane/gateway.hpp"
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <rte_lcore.h>
#include <thread>

using namespace nave;
using namespace nave::test;

namespace {

struct Fixture {
    LeakCheck eal_is_up;
    GatewayConfig config;
    Counters counters{1, 1, 64, 16};
    Doorbell bell;
    std::unique_ptr<PlaneRings> rings = std::make_unique<PlaneRings>(bell);
    std::array<PlaneRings*, 1> all_rings{rings.get()};
    RouteRings route_rings{bell};

    Fixture() {
        config.ports = {{.device = "ring:gw", .role = PortRole::underlay, .table = {}, .vlan = {}, .mtu = {}}};
        config.limits = {.peers = 16, .adjacencies = 16, .sa_slots = 64, .routes = 64, .route_blocks = 8, .buffers = 2048, .large_buffers = 64, .reassembly_datagrams = 64};
    }
    std::string refusal() {
        try {
            Gateway gateway{config, counters, all_rings, route_rings};
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return {};
    }
};

/// The folder of a thread of this process in /proc; nothing while there is none of that name.
std::optional<std::filesystem::path> thread_named(std::string_view name) {
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string found;
        std::getline(std::ifstream{task.path() / "comm"}, found);
        if (found == name) return task.path();
    }
    return std::nullopt;
}

std::string first_word_after(const std::filesystem::path& file, const std::string& key) {
    std::ifstream stream{file};
    std::string word;
    while (stream >> word && word != key) continue;
    stream >> word;
    return word;
}

/// True as soon as `condition` is, within two seconds.
template <class Condition>
bool soon(Condition&& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return condition();
}

}  // namespace

TEST_CASE("a gateway runs on its lcore, wakes for a frame in adaptive mode, and stops when told") {
    const RunMode mode = GENERATE(RunMode::adaptive, RunMode::poll);
    Fixture fixture;
    fixture.config.mode = mode;
    PacketPools pools{"gwt", {.buffers = 2048, .large_buffers = 64, .data_room = 2176, .socket = SOCKET_ID_ANY}};
    auto far = Port::open({.id = PortId{7}, .device = parse_device_string("ring:gw").value(), .queues = 1, .mtu = {}, .pool = pools.receive_pool(), .adaptive = false});
    REQUIRE(far);
    REQUIRE(far->start());
    Gateway gateway{fixture.config, fixture.counters, fixture.all_rings, fixture.route_rings};
    gateway.start();
    REQUIRE(fixture.rings->commands.push(SetPort{PortId{0}, kBoxMac, 1500}));
    fixture.rings->worker_bell.ring();
    REQUIRE(soon([&] { return fixture.rings->commands.write_available() == PlaneRings::kCommands; }));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});  // long enough to fall asleep

    Packet* packet = pools.allocate(100);
    const Bytes frame = ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeArp, pattern(46));
    std::copy(frame.begin(), frame.end(), packet->append(frame.size()));
    rte_mbuf* buffer = packet;
    REQUIRE(far->transmit(0, {&buffer, 1}) == 1);
    CHECK(soon([&] { return fixture.rings->punted.read_available() == 1; }));
    gateway.stop();
    CHECK(fixture.counters.workers[0].ports[0].received_packets.read() == 1);
    CHECK(gateway.describe_port(PortId{0}).find("ring:gw") == 0);
}

TEST_CASE("routes are written by a thread of its own, which sleeps when it has nothing to do, takes no signal, and ends with the gateway") {
    Fixture fixture;
    Gateway gateway{fixture.config, fixture.counters, fixture.all_rings, fixture.route_rings};
    gateway.start();
    REQUIRE(soon([] { return thread_named("nave-routes").has_value(); }));
    const auto thread = *thread_named("nave-routes");
    for (int i = 0; i < 3; ++i) {
        const auto changes = [&] { return fixture.counters.routes.changes.read(); };
        REQUIRE(soon([&] { return first_word_after(thread / "status", "State:") == "S"; }));
        const std::uint64_t before = changes();
        REQUIRE(fixture.route_rings.commands.push(SetRoute{TableId{}, Prefix::parse("10.0.0.0/8").value(), {}}));
        fixture.route_rings.writer_bell.ring();
        CHECK(soon([&] { return changes() == before + 1; }));
    }
    const auto blocked = std::stoull(first_word_after(thread / "status", "SigBlk:"), nullptr, 16);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM}) CHECK((blocked >> (signal - 1) & 1) == 1);
    const std::string wakes = first_word_after(thread / "status", "voluntary_ctxt_switches:");
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    CHECK(first_word_after(thread / "status", "voluntary_ctxt_switches:") == wakes);
    gateway.stop();
    CHECK_FALSE(thread_named("nave-routes"));
}

TEST_CASE("a gateway that is stopped carries out the commands that it was sent before") {
    Fixture fixture;
    Gateway gateway{fixture.config, fixture.counters, fixture.all_rings, fixture.route_rings};
    gateway.start();
    std::uint64_t sent = 0;
    // Prefixes whose groups come and go, so that the writer has to wait for the worker again and again; more than one round's.
    for (std::uint32_t i = 0; i < 400; ++i) {
        const Prefix prefix = Prefix::of(IpAddress::v4(0x0a000001 + (i % 8 << 8)), 32);
        sent += fixture.route_rings.commands.push(SetRoute{TableId{}, prefix, {RouteTarget::Kind::peer, i}});
        sent += fixture.route_rings.commands.push(RemoveRoute{TableId{}, prefix});
    }
    gateway.stop();
    CHECK(sent == 800);
    CHECK(fixture.counters.routes.changes.read() == sent);
}

TEST_CASE("a gateway that cannot be says which device and why") {
    Fixture fixture;
    fixture.config.ports[0].device = "rings:gw";
    CHECK(fixture.refusal().find("rings:gw") != std::string::npos);
    fixture.config.ports[0].device = "af_packet:nosuchif0";
    CHECK(fixture.refusal().find("nosuchif0") != std::string::npos);
}

TEST_CASE("a gateway refuses workers without rings or counters") {
    Fixture fixture;
    fixture.config.workers = 2;
    CHECK_FALSE(fixture.refusal().empty());
    fixture.config.workers = 0;
    CHECK_FALSE(fixture.refusal().empty());
    fixture.config.workers = 1;
    fixture.config.limits.sa_slots = 65;
    CHECK(fixture.refusal().find("SA") != std::string::npos);
}
