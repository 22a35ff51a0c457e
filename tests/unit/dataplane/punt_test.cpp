// Policers and full rings on the way up: the control plane is protected, the worker never waits.
#include "tests/unit/dataplane/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

BoxOptions with_rate(Punt punt, PoliceRate rate) {
    BoxOptions options;
    options.limits.punt[static_cast<std::size_t>(punt)] = rate;
    return options;
}

const Bytes kIke = ipv4({.source = "198.51.100.1", .destination = "192.0.2.1"}, udp(500, 500, pattern(28)));
const Bytes kArp = ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeArp, pattern(46));

}  // namespace

TEST_CASE("a punt class has a burst and a rate, and what exceeds them is dropped by name") {
    LeakCheck leaks;
    Box box{with_rate(Punt::ike, {100, 5})};
    for (int i = 0; i < 20; ++i) box.from_underlay(kIke);
    box.turn();
    CHECK(box.punted().size() == 5);
    CHECK(box.drops(Drop::punt_policed) == 15);
    box.sleep(kSecond / 50);
    for (int i = 0; i < 20; ++i) box.from_underlay(kIke);
    box.turn();
    CHECK(box.punted().size() == 2);
}

TEST_CASE("a flood of one class leaves the others alone") {
    LeakCheck leaks;
    Box box{with_rate(Punt::arp, {1, 1})};
    for (int i = 0; i < 20; ++i) box.put(kUnderlay, kArp);
    box.from_underlay(kIke);
    box.turn();
    const auto punted = box.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::arp);
    CHECK(punted[1].punt == Punt::ike);
}

TEST_CASE("IKE of strangers does not crowd out that of a peer, as long as it is one") {
    LeakCheck leaks;
    Box hub{with_rate(Punt::ike, {1, 1})}, spoke{{.number = 2}};
    connect(hub, spoke);
    const Bytes of_peer = ipv4({.source = "192.0.2.2", .destination = "192.0.2.1"}, udp(500, 500, pattern(28)));
    for (int i = 0; i < 20; ++i) hub.from_underlay(kIke);
    hub.from_underlay(of_peer);
    hub.turn();
    const auto punted = hub.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::ike);
    CHECK(punted[1].punt == Punt::ike_of_peer);
    hub.command(RemovePeer{peer_id(spoke)});
    hub.from_underlay(of_peer);
    hub.turn();
    CHECK(hub.punted().empty());
    CHECK(hub.drops(Drop::punt_policed) == 20);
}

TEST_CASE("one peer's flood of NHRP leaves the others' registrations alone") {
    LeakCheck leaks;
    BoxOptions options = with_rate(Punt::nhrp, {1, 10});
    options.limits.nhrp_of_peer = {100, 4};
    Box hub{options}, flooder{{.number = 2}}, other{{.number = 3}};
    connect(flooder, hub), connect(other, hub);
    for (int i = 0; i < 20; ++i) flooder.inject(PacketMessage::Inject::nhrp, pattern(80), peer_id(hub));
    other.inject(PacketMessage::Inject::nhrp, pattern(80), peer_id(hub));
    flooder.turn(), other.turn();
    carry(flooder, hub), carry(other, hub);
    const auto punted = hub.punted();
    REQUIRE(punted.size() == 5);
    CHECK(std::ranges::count(punted, peer_id(flooder), &Punted::peer) == 4);
    CHECK(hub.drops(Drop::nhrp_of_peer_policed) == 16);
    CHECK(hub.drops(Drop::punt_policed) == 0);
}

TEST_CASE("a control plane that does not listen costs packets by name, and no waiting") {
    LeakCheck leaks;
    Box box{with_rate(Punt::ike, {1'000'000, 2000})};
    for (int i = 0; i < 600; ++i) box.from_underlay(kIke), box.turn(1);
    CHECK(box.drops(Drop::punt_ring_full) == 600 - PlaneRings::kPackets);
    CHECK(box.punted().size() == PlaneRings::kPackets);
}

TEST_CASE("an event that finds its ring full is counted, not waited for") {
    LeakCheck leaks;
    Box box;
    for (std::size_t i = 0; i < PlaneRings::kEvents + 10; ++i) box.command(RemoveInboundSa{spi_layout::make(SaSlot{1}, WorkerId{0}, 1)});
    CHECK(box.counters().workers[0].events_lost.read() == 10);
    CHECK(box.events().size() == PlaneRings::kEvents);
}

TEST_CASE("a redirect that is policed costs the redirect, never the packet") {
    LeakCheck leaks;
    BoxOptions options = with_rate(Punt::redirect, {1, 1});
    options.number = 2;
    Box spoke{{.number = 1}}, hub{options}, other{{.number = 3}};
    connect(spoke, hub), connect(other, hub);
    spoke.route("10.3.0.0/16", {RouteTarget::Kind::peer, peer_id(hub).value});
    for (const auto* source : {"10.1.0.9", "10.1.0.10", "10.1.0.11"}) spoke.from_host(ipv4({.source = source, .destination = "10.3.0.9"}, pattern(40)));
    spoke.turn();
    carry(spoke, hub);
    CHECK(hub.sent(kUnderlay).size() == 3);
    CHECK(hub.punted().size() == 1);
    CHECK(hub.drops(Drop::punt_policed) == 2);
}

TEST_CASE("without buffers a worker drops what it cannot build, by name, and recovers when they are back") {
    LeakCheck leaks;
    Box box;
    std::vector<Packet*> hoard;
    while (Packet* packet = box.state().pools.allocate(2000)) hoard.push_back(packet);
    box.inject(PacketMessage::Inject::frame, kArp);
    box.turn();
    CHECK(box.drops(Drop::no_buffer) == 1);
    for (Packet* packet : hoard) packet->free();
    box.inject(PacketMessage::Inject::frame, kArp);
    box.turn();
    CHECK(box.sent(kUnderlay).size() == 1);
}
