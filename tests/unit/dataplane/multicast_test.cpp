// Replication towards a tunnel's multicast members, without copying payload.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

/// Hub 2 with spokes 1 and 3 in its replication list.
struct Star {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}}, other{{.number = 3}};
    explicit Star(EspAlgorithm algorithm = EspAlgorithm::aes_gcm_128, EspMode mode = EspMode::transport) {
        const Peering peering{.algorithm = algorithm, .mode = mode, .multicast = true};
        connect(hub, spoke, peering), connect(hub, other, peering);
    }
    /// Everything the hub sent goes to both spokes; each opens its own and knows no other SPI.
    void deliver() {
        for (const Bytes& frame : hub.sent(kUnderlay)) {
            Box& to = ip_of(frame, 14).destination.host() == address("192.0.2.1") ? spoke : other;
            to.put(kUnderlay, concat({kBoxMac.bytes, ByteView{frame}.subspan(6)}));
            to.turn(1);
        }
    }
};

const Bytes kHello = ipv4({.source = "172.16.0.2", .destination = "224.0.0.5", .protocol = 89, .ttl = 1, .type_of_service = 0xc0}, pattern(64));

}  // namespace

TEST_CASE("a routing protocol's hello from the kernel reaches the kernel of every multicast member, TTL untouched") {
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305, EspAlgorithm::aes_cbc_128_sha256,
                                    EspAlgorithm::aes_gmac_128, EspAlgorithm::null_sha512);
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    Star star{algorithm, mode};
    star.hub.inject(PacketMessage::Inject::tunnel, kHello);
    star.hub.turn();
    star.deliver();
    for (Box* spoke : {&star.spoke, &star.other}) {
        const auto punted = spoke->punted();
        REQUIRE(punted.size() == 1);
        CHECK(punted[0].punt == Punt::tunnel);
        CHECK(punted[0].peer == peer_id(star.hub));
        CHECK(punted[0].bytes == kHello);
    }
}

TEST_CASE("multicast of an inside host goes to every member with one hop less, link-local multicast to none") {
    Star star;
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3", .ttl = 5}, pattern(200)));
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "224.0.0.5", .ttl = 5}, pattern(200)));
    star.hub.turn();
    star.deliver();
    for (Box* spoke : {&star.spoke, &star.other}) {
        const auto punted = spoke->punted();
        REQUIRE(punted.size() == 1);
        CHECK(ip_of(punted[0].bytes).time_to_live == 4);
    }
    CHECK(star.hub.punted().size() == 1);
}

TEST_CASE("multicast at the end of its TTL is dropped without an answer") {
    Star star;
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3", .ttl = 1}, pattern(20)));
    star.hub.turn();
    CHECK(star.hub.drops(Drop::ip_ttl_expired) == 1);
    CHECK(star.hub.sent(kInside).empty());
}

TEST_CASE("broadcast from the kernel into the tunnel is replicated") {
    Star star;
    star.hub.inject(PacketMessage::Inject::tunnel, ipv4({.source = "172.16.0.2", .destination = "255.255.255.255", .ttl = 1}, pattern(30)));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 2);
}

TEST_CASE("what a peer sends to many goes up and is not relayed, so two hubs cannot loop it") {
    Star star;
    star.hub.from_underlay(forge(star.spoke, star.hub, {.payload = keyed_gre(ipv4({.source = "10.1.0.9", .destination = "239.1.2.3"}, pattern(20)))}));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).empty());
    const auto punted = star.hub.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::tunnel);
}

TEST_CASE("without members multicast is dropped by name, and a member that leaves gets no more") {
    Star star;
    star.hub.command(RemovePeer{peer_id(star.spoke)});
    star.hub.inject(PacketMessage::Inject::tunnel, kHello);
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 1);
    star.hub.command(peer_command(peer_id(star.other), {.multicast = false}));
    star.hub.inject(PacketMessage::Inject::tunnel, kHello);
    star.hub.turn();
    CHECK(star.hub.drops(Drop::multicast_no_members) == 1);
}

TEST_CASE("a member without SA costs only its own copy") {
    Star star;
    star.hub.command(RemoveOutboundSa{slot_for(star.spoke), peer_id(star.spoke)});
    star.hub.inject(PacketMessage::Inject::tunnel, kHello);
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 1);
    CHECK(star.hub.drops(Drop::peer_no_sa) == 1);
}

TEST_CASE("multicast larger than the tunnel is fragmented, then replicated; with DF it is dropped without an answer") {
    Star star;
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3"}, pattern(1450)));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 4);
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3", .fragment = Ipv4Header::kDontFragment}, pattern(1450)));
    star.hub.turn();
    CHECK(star.hub.drops(Drop::fragmentation_needed) == 1);
    CHECK(star.hub.sent(kInside).empty());
}

TEST_CASE("a burst of multicast fills the queue towards peers many times over and loses nothing") {
    Star star;
    for (int i = 0; i < 60; ++i) star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3"}, pattern(100)));
    star.hub.turn(4);
    CHECK(star.hub.sent(kUnderlay).size() == 120);
    CHECK(star.hub.drops() == 0);
}

TEST_CASE("an inside host's multicast goes to the members of every tunnel of its table") {
    Star star;
    const TunnelId second{1};
    star.hub.command(SetTunnel{second, star.hub.table(), false, 0, 1400, true, true, 64});
    SetPeer moved = peer_command(peer_id(star.other), {.multicast = true});
    moved.tunnel = second;
    star.hub.command(moved);
    // A tunnel of IPv6 alone is none of those, whose members would refuse it.
    star.hub.command(AddTunnelAddress{second, TunnelAddress{*IpAddress::parse("fd00::2")}});
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3"}, pattern(100)));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 1);
    star.hub.command(AddTunnelAddress{second, TunnelAddress{*IpAddress::parse("172.17.0.2")}});
    star.hub.from_host(ipv4({.source = "10.2.0.9", .destination = "239.1.2.3"}, pattern(100)));
    star.hub.turn();
    CHECK(star.hub.sent(kUnderlay).size() == 2);
    CHECK(star.hub.drops() == 0);
}
