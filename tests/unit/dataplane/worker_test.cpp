// Workers together: ownership of SAs, handover between them, commands, the loop itself.
#include "dataplane/pipeline.hpp"
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <poll.h>
#include <thread>

using namespace nave;
using namespace nave::test;

TEST_CASE("whichever worker a packet arrives at, it is sealed and opened by the SA's owner") {
    LeakCheck leaks;
    const std::uint8_t owner = GENERATE(std::uint8_t{0}, std::uint8_t{1});
    Box a{{.workers = 2, .number = 1}}, b{{.workers = 2, .number = 2}};
    connect(a, b, {.owner = owner});
    for (const std::uint8_t arrival : {std::uint8_t{0}, std::uint8_t{1}}) {
        a.from_host(host_packet(a, b), arrival);
        a.turn(3);
        for (const Bytes& frame : a.sent(kUnderlay)) b.put(kUnderlay, concat({kBoxMac.bytes, ByteView{frame}.subspan(6)}), arrival);
        b.turn(3);
        CHECK(b.sent(kInside).size() == 1);
    }
    CHECK(a.counters().workers[1 - owner].handed_over.read() == 1);
    CHECK(b.counters().workers[1 - owner].handed_over.read() == 1);
    CHECK(a.drops() + b.drops() == 0);
    CHECK(a.counters().outbound[slot_for(b).value].packets.read() == 2);
}

TEST_CASE("a packet for a worker that sleeps wakes it") {
    LeakCheck leaks;
    Box a{{.workers = 2, .number = 1}}, b{{.workers = 2, .number = 2}};
    connect(a, b, {.owner = 1});
    Doorbell& bell = a.rings()[1]->worker_bell;
    const auto is_ringing = [&] {
        pollfd watched{.fd = bell.descriptor(), .events = POLLIN, .revents = 0};
        return poll(&watched, 1, 0) == 1;
    };
    bell.announce_sleep();
    a.from_host(host_packet(a, b), 1);  // it has a queue of its own for that
    a.turn(1);
    CHECK_FALSE(is_ringing());
    a.from_host(host_packet(a, b), 0);
    a.turn(1);
    CHECK(is_ringing());
    a.turn(2);
    CHECK(a.sent(kUnderlay).size() == 2);
}

TEST_CASE("a worker with an SA of its own to a peer uses that one, and the peer's fallback when it is gone") {
    LeakCheck leaks;
    Box a{{.workers = 2, .number = 1}}, b{{.workers = 2, .number = 2}};
    connect(a, b, {.owner = 0});
    const SaSlot own{100};
    a.command(InstallOutboundSa{own, WorkerId{1}, Spi{0x12345678}, peer_id(b), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {}, EspKeymat{pattern(20)}, true});
    const auto sent_on = [&](SaSlot slot, std::uint8_t arrival) {
        const std::uint64_t before = a.counters().outbound[slot.value].packets.read();
        a.from_host(host_packet(a, b), arrival);
        a.turn(3);
        static_cast<void>(a.sent(kUnderlay));
        return a.counters().outbound[slot.value].packets.read() - before;
    };
    CHECK(sent_on(own, 1) == 1);
    CHECK(sent_on(slot_for(b), 0) == 1);
    CHECK(a.counters().workers[0].handed_over.read() + a.counters().workers[1].handed_over.read() == 0);
    a.command(RemoveOutboundSa{own, peer_id(b)});
    CHECK(sent_on(slot_for(b), 1) == 1);
    CHECK(a.drops() == 0);
    a.command(RemoveOutboundSa{slot_for(b), peer_id(b)});
    for (const std::uint8_t arrival : {std::uint8_t{0}, std::uint8_t{1}}) CHECK(sent_on(slot_for(b), arrival) == 0);
    CHECK(a.drops(Drop::peer_no_sa) == 2);
}

TEST_CASE("a handover ring that is full drops by name, and what was in it is not lost") {
    LeakCheck leaks;
    BoxOptions options{.workers = 2};
    options.limits.handover_packets = 64;
    Box a{options}, b{{.workers = 2, .number = 2}};
    connect(a, b, {.owner = 1});
    for (int i = 0; i < 100; ++i) a.from_host(host_packet(a, b), 0);
    for (int i = 0; i < 4; ++i) {  // worker 1 does not turn meanwhile
        a.state(0).now += 1;
        receive_all(a.state(0));
        finish_turn(a.state(0));
    }
    CHECK(a.drops(Drop::handover_ring_full) == 100 - 63);
    a.turn(3);
    CHECK(a.sent(kUnderlay).size() == 63);
}

TEST_CASE("multicast to members of different workers' SAs shares one payload across them") {
    LeakCheck leaks;
    Box hub{{.workers = 2, .number = 2}}, spoke{{.workers = 2, .number = 1}}, other{{.workers = 2, .number = 3}};
    connect(hub, spoke, {.multicast = true, .owner = 0});
    connect(hub, other, {.multicast = true, .owner = 1});
    hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.1.1"}, pattern(300)));
    hub.turn(3);
    CHECK(hub.sent(kUnderlay).size() == 2);
    CHECK(hub.drops() == 0);
}

TEST_CASE("a command that somebody else has to carry out is refused") {
    LeakCheck leaks;
    Box box{{.workers = 2}};
    box.command_only(1, SetRoute{box.table(), Prefix::parse("10.0.0.0/8").value(), {}});
    const Spi of_worker_1 = spi_layout::make(SaSlot{1}, WorkerId{1}, 1);
    box.command_only(0, InstallInboundSa{of_worker_1, PeerId{1}, EspAlgorithm::aes_gcm_128, EspMode::transport, false, 64, {}, EspKeymat{pattern(20)}});
    box.turn();
    CHECK(box.counters().workers[1].commands_refused.read() == 1);
    CHECK(box.counters().workers[0].commands_refused.read() == 1);
}

TEST_CASE("a commands' flood is budgeted, so that packets are not starved") {
    LeakCheck leaks;
    Box box;
    for (int i = 0; i < 200; ++i) box.command_only(0, SetPort{kInside, kBoxMac, 1500});
    box.put(kUnderlay, ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeArp, pattern(46)));
    box.turn(1);
    CHECK(box.punted().size() == 1);
    box.turn(4);
    CHECK(box.counters().workers[0].commands_refused.read() == 0);
}

TEST_CASE("commands that name something beyond the tables are refused and counted") {
    LeakCheck leaks;
    Box box;
    const auto before = box.counters().workers[0].commands_refused.read();
    box.command(SetPort{PortId{9}, kBoxMac, 1500});
    box.command(AddLocalAddress{PortId{9}, IpAddress::v4(1)});
    box.command(RemoveLocalAddress{PortId{9}, IpAddress::v4(1)});
    box.command(SetTunnel{TunnelId{99}, {}, false, 0, 1400, false, false, 0});
    box.command(SetTunnel{TunnelId{1}, TableId{99}, false, 0, 1400, false, false, 0});
    box.command(AddTunnelAddress{TunnelId{99}, {}});
    box.command(RemoveTunnelAddress{TunnelId{99}, {}});
    box.command(peer_command(PeerId{64}, {}));
    box.command(SetPeerPath{PeerId{3}, kUnderlay, {}, {}, {}, {}, 0, 0});
    box.command(ClearPeerPath{PeerId{3}});
    box.command(RemovePeer{PeerId{3}});
    box.command(SetAdjacency{AdjacencyId{64}, kInside, {}, {}});
    box.command(RemoveAdjacency{AdjacencyId{7}});
    CHECK(box.counters().workers[0].commands_refused.read() - before == 13);
}

TEST_CASE("stages count their packets, and their cycles go to one stage each") {
    LeakCheck leaks;
    Box a{{.number = 1}}, b{{.number = 2}};
    connect(a, b);
    for (int i = 0; i < 10; ++i) a.from_host(host_packet(a, b));
    a.turn();
    const auto packets = [&](Stage stage) { return a.counters().workers[0].stages[static_cast<std::size_t>(stage)].packets.read(); };
    for (const Stage stage : {Stage::receive, Stage::classify, Stage::route, Stage::gre_encap, Stage::esp_encrypt, Stage::transmit}) {
        INFO(name(stage));
        CHECK(packets(stage) == 10);
    }
    CHECK(packets(Stage::esp_decrypt) == 0);
}

TEST_CASE("run() ends at ShutDown, after the commands before it") {
    LeakCheck leaks;
    Box box;
    box.command_only(0, RemovePeer{PeerId{1}});
    box.command_only(0, ShutDown{});
    std::thread{[&] { box.worker(0).run(); }}.join();
    CHECK(box.events().size() == 1);
}
