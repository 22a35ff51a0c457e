// The dataplane as main sees it: put together from a configuration, run on its own lcore, taken apart.
#include "dataplane/gateway.hpp"
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <rte_lcore.h>
#include <thread>

using namespace nave;
using namespace nave::test;

namespace {

struct Fixture {
    LeakCheck eal_is_up;
    GatewayConfig config;
    Counters counters{1, 1, 64};
    Doorbell bell;
    std::unique_ptr<PlaneRings> rings = std::make_unique<PlaneRings>(bell);
    std::array<PlaneRings*, 1> all_rings{rings.get()};

    Fixture() {
        config.ports = {{.device = "ring:gw", .role = PortRole::underlay, .table = {}, .vlan = {}, .mtu = {}}};
        config.limits = {.peers = 16, .adjacencies = 16, .sa_slots = 64, .routes = 64, .route_groups = 8, .buffers = 2048, .large_buffers = 64, .reassembly_datagrams = 64};
    }
    std::string refusal() {
        try {
            Gateway gateway{config, counters, all_rings};
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return {};
    }
};

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
    Gateway gateway{fixture.config, fixture.counters, fixture.all_rings};
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
