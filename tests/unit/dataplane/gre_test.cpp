// What comes out of ESP: GRE, permitted sources, congestion marks, NHRP.
#include "tests/unit/dataplane/lab.hpp"

#include "common/checksum.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

struct Pair {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}};
    std::uint64_t sequence = 0;

    explicit Pair(const Peering& peering = {}) { connect(spoke, hub, peering); }
    void receive(Bytes payload, std::uint8_t outer_type_of_service = 0) {
        hub.from_underlay(forge(spoke, hub, {.sequence = ++sequence, .payload = std::move(payload), .outer_type_of_service = outer_type_of_service}));
        hub.turn();
    }
};

}  // namespace

TEST_CASE("each way in which GRE can be wrong has its name at the gateway") {
    Pair pair;
    const Bytes inner = host_packet(pair.spoke, pair.hub);
    pair.receive({0, 0});
    pair.receive(keyed_gre(inner, kEtherTypeIpv4, 41));
    pair.receive(gre(GreHeader::kKey | 1, kEtherTypeIpv4, inner));
    pair.receive(gre(GreHeader::kKey | GreHeader::kRouting, kEtherTypeIpv4, inner));
    pair.receive(keyed_gre(inner, 0x88b5));
    pair.receive(keyed_gre(inner, kEtherTypeIpv6));  // which it is not
    pair.receive(gre(GreHeader::kKey | GreHeader::kChecksum, kEtherTypeIpv4, concat({Bytes{1, 1, 0, 0, 0, 0, 0, 42}, inner})));
    for (const Drop reason : {Drop::gre_runt, Drop::gre_wrong_key, Drop::gre_version, Drop::gre_routing_present, Drop::gre_unknown_protocol,
                              Drop::ip_bad_version, Drop::gre_bad_checksum}) {
        INFO(name(reason));
        CHECK(pair.hub.drops(reason) == 1);
    }
    CHECK(pair.hub.sent(kInside).empty());
}

TEST_CASE("a peer may send from its permitted prefixes only, packet by packet") {
    Pair pair{{.any_source = false}};
    const auto from = [](std::string_view source) { return keyed_gre(ipv4({.source = source, .destination = "10.2.0.9"}, pattern(8))); };
    pair.receive(from("10.1.255.255"));
    pair.receive(from("172.16.0.1"));
    CHECK(pair.hub.sent(kInside).size() == 2);
    for (const auto* stranger : {"10.2.0.1", "10.0.255.255", "172.16.0.2", "8.8.8.8"}) pair.receive(from(stranger));
    CHECK(pair.hub.drops(Drop::peer_wrong_source) == 4);
    CHECK(pair.hub.sent(kInside).empty());
}

TEST_CASE("a martian inside a tunnel is dropped even from a peer that may use any source") {
    Pair pair;
    pair.receive(keyed_gre(ipv4({.source = "127.0.0.1", .destination = "10.2.0.9"}, pattern(8))));
    pair.receive(keyed_gre(ipv4({.source = "10.1.0.9", .destination = "240.0.0.1"}, pattern(8))));
    CHECK(pair.hub.drops(Drop::ip_bad_source) == 1);
    CHECK(pair.hub.drops(Drop::ip_bad_destination) == 1);
}

TEST_CASE("NHRP inside a tunnel goes up with its peer, whatever its bytes are") {
    Pair pair{{.any_source = false}};
    pair.receive(keyed_gre(pattern(60), kEtherTypeNhrp));
    const auto punted = pair.hub.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::nhrp);
    CHECK(punted[0].peer == peer_id(pair.spoke));
    CHECK(punted[0].tunnel == kTunnel);
    CHECK(punted[0].bytes == pattern(60));
}

TEST_CASE("injected NHRP goes to exactly its peer, as GRE protocol 0x2001") {
    Pair pair;
    pair.spoke.inject(PacketMessage::Inject::nhrp, pattern(80), peer_id(pair.hub));
    pair.spoke.turn();
    const auto frames = carry(pair.spoke, pair.hub);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).type_of_service == 0xc0);
    const auto punted = pair.hub.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::nhrp);
    CHECK(punted[0].bytes == pattern(80));
}

TEST_CASE("a congestion mark on the outer header reaches the host when its packet can carry marks, and drops it when not") {
    Pair pair;
    const auto marked = [&](std::uint8_t inner) { return keyed_gre(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = inner}, pattern(8))); };
    pair.receive(marked(0xb8 | 2), 3);
    const auto frames = pair.hub.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).type_of_service == (0xb8 | 3));
    CHECK(internet_checksum(ByteView{frames[0]}.subspan(14, 20)) == 0);
    pair.receive(marked(0xb8), 3);
    CHECK(pair.hub.drops(Drop::ecn_not_capable) == 1);
}

TEST_CASE("the outer DSCP never changes the inner one") {
    Pair pair;
    pair.receive(keyed_gre(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = 0x28}, pattern(8))), 0xb8);
    const auto frames = pair.hub.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(ip_of(frames[0], 14).type_of_service == 0x28);
}

TEST_CASE("DSCP and ECN of the inner packet are copied to the outer header") {
    const auto mode = GENERATE(EspMode::transport, EspMode::tunnel);
    Pair pair{{.mode = mode}};
    for (const auto tos : std::to_array<std::uint8_t>({0x00, 0x01, 0x02, 0x03, 0xb8, 0xbb, 0xff})) {
        pair.spoke.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = tos}, pattern(8)));
        pair.spoke.turn();
        const auto frames = carry(pair.spoke, pair.hub);
        REQUIRE(frames.size() == 1);
        CHECK(ip_of(frames[0], 14).type_of_service == tos);
        CHECK(internet_checksum(ByteView{frames[0]}.subspan(14, 20)) == 0);
        CHECK(ip_of(pair.hub.sent(kInside).at(0), 14).type_of_service == tos);
    }
}

TEST_CASE("tunnel mode combines the marks of both outer headers") {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}};
    connect(spoke, hub, {.mode = EspMode::tunnel});
    const auto receive = [&](std::uint64_t sequence, std::uint8_t outer, std::uint8_t middle, std::uint8_t inner) {
        const Bytes packet = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = inner}, pattern(8));
        const Bytes around = ipv4({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolGre, .type_of_service = middle}, keyed_gre(packet));
        hub.from_underlay(forge(spoke, hub, {.sequence = sequence, .payload = around, .next_header = kProtocolIpip, .outer_type_of_service = outer}));
        hub.turn();
    };
    receive(1, 3, 2, 2);
    CHECK(ip_of(hub.sent(kInside).at(0), 14).type_of_service == 3);
    receive(2, 3, 0, 2);
    receive(3, 0, 3, 0);
    CHECK(hub.drops(Drop::ecn_not_capable) == 2);
}

TEST_CASE("bytes behind the inner packet are padding and do not come out") {
    Pair pair;
    const Bytes tiny = ipv4({.source = "10.1.0.9", .destination = "10.2.0.9"}, pattern(1));
    pair.receive(keyed_gre(concat({tiny, Bytes(25, 0)})));
    const auto frames = pair.hub.sent(kInside);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].size() == 14 + tiny.size());
}

TEST_CASE("inner IPv4 with any broken header is dropped by name") {
    Pair pair;
    const auto broken = [&](std::size_t at, std::uint8_t value, bool sum) {
        Bytes packet = host_packet(pair.spoke, pair.hub);
        packet[at] = value;
        pair.receive(keyed_gre(sum ? fix_checksum(packet) : packet));
    };
    broken(0, 0x55, true);
    broken(0, 0x43, false);
    broken(3, 1, true);
    broken(12, 99, false);
    pair.receive(keyed_gre(Bytes(10, 0x45)));
    for (const Drop reason : {Drop::ip_bad_version, Drop::ip_bad_header_length, Drop::ip_bad_total_length, Drop::ip_bad_checksum, Drop::ip_runt}) {
        INFO(name(reason));
        CHECK(pair.hub.drops(reason) == 1);
    }
}
