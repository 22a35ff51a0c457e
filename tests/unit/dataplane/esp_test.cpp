// ESP as received: what is refused, by which name, and what the control plane is told.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

/// Spoke 1 sends to hub 2; the test forges spoke 1's packets.
struct Pair {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}};
    Peering peering;

    explicit Pair(const Peering& wanted = {}) : peering{wanted} {
        connect(spoke, hub, wanted);
        hub.events();
    }
    Bytes inner() const { return host_packet(spoke, hub); }
    void receive(const Forged& forged) {
        hub.from_underlay(forge(spoke, hub, forged, peering));
        hub.turn();
    }
    std::size_t delivered() { return hub.sent(kInside).size(); }
};

template <class Kind>
std::size_t count(const std::vector<Event>& events) {
    return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](const Event& event) { return std::holds_alternative<Kind>(event); }));
}

}  // namespace

TEST_CASE("a genuine ESP packet is delivered once; its repetition is replayed") {
    Pair pair;
    for (int i = 0; i < 2; ++i) pair.receive({.sequence = 7, .payload = keyed_gre(pair.inner())});
    CHECK(pair.delivered() == 1);
    CHECK(pair.hub.drops(Drop::esp_replayed) == 1);
}

TEST_CASE("two packets of one number in one burst: the second is replayed though both looked fresh") {
    Pair pair;
    for (int i = 0; i < 2; ++i) pair.hub.from_underlay(forge(pair.spoke, pair.hub, {.sequence = 9, .payload = keyed_gre(pair.inner())}));
    pair.hub.turn();
    CHECK(pair.delivered() == 1);
    CHECK(pair.hub.drops(Drop::esp_replayed) == 1);
}

TEST_CASE("a packet with a wrong ICV is refused and does not move the window") {
    Pair pair;
    pair.receive({.sequence = 5000, .payload = keyed_gre(pair.inner()), .flip_icv = 1});
    CHECK(pair.hub.drops(Drop::esp_bad_icv) == 1);
    pair.receive({.sequence = 1, .payload = keyed_gre(pair.inner())});
    CHECK(pair.delivered() == 1);
}

TEST_CASE("a packet left of the window is refused") {
    Pair pair;
    pair.receive({.sequence = 100, .payload = keyed_gre(pair.inner())});
    pair.receive({.sequence = 36, .payload = keyed_gre(pair.inner())});
    pair.receive({.sequence = 37, .payload = keyed_gre(pair.inner())});
    CHECK(pair.delivered() == 2);
    CHECK(pair.hub.drops(Drop::esp_replayed) == 1);
}

TEST_CASE("extended sequence numbers carry on over the wrap of the low half") {
    Pair pair{{.esn = true}};
    const std::uint64_t turn = std::uint64_t{1} << 32;
    for (const std::uint64_t number : {turn - 2, turn - 1, turn, turn + 1, turn - 3}) pair.receive({.sequence = number, .payload = keyed_gre(pair.inner())});
    CHECK(pair.delivered() == 5);
    CHECK(pair.hub.drops() == 0);
}

TEST_CASE("an SPI that nobody was given is unknown: wrong slot, wrong generation, wrong worker") {
    Pair pair;
    const Spi strangers[] = {spi_layout::make(SaSlot{99}, WorkerId{0}, 1), spi_layout::make(SaSlot{1}, WorkerId{0}, 2), spi_layout::make(SaSlot{1}, WorkerId{5}, 1),
                             Spi{0}, Spi{0xffffffff}};
    for (const Spi spi : strangers) {
        Bytes packet = forge(pair.spoke, pair.hub, {.payload = keyed_gre(pair.inner())});
        for (std::size_t i = 0; i < 4; ++i) packet[20 + i] = static_cast<std::uint8_t>(spi.value >> (24 - 8 * i));
        pair.hub.from_underlay(packet);
    }
    pair.hub.turn();
    CHECK(pair.hub.drops(Drop::esp_unknown_spi) == 5);
}

TEST_CASE("ESP cut at any byte is refused by name and never delivered") {
    const auto [algorithm, shortest] = GENERATE(table<EspAlgorithm, std::uint64_t>(
        {{EspAlgorithm::aes_gcm_128, 8 + 8 + 4 + 16}, {EspAlgorithm::aes_cbc_128_sha256, 8 + 16 + 16 + 16}, {EspAlgorithm::aes_cbc_128_sha512, 8 + 16 + 16 + 32},
         {EspAlgorithm::aes_gmac_256, 8 + 8 + 4 + 16}, {EspAlgorithm::null_sha256, 8 + 4 + 16}, {EspAlgorithm::null_sha512, 8 + 4 + 32}}));
    Pair pair{{.algorithm = algorithm}};
    const Bytes esp = tail(forge(pair.spoke, pair.hub, {.payload = keyed_gre(pair.inner())}, pair.peering), 20);
    for (std::size_t size = 0; size < esp.size(); ++size)
        pair.hub.from_underlay(ipv4({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = kProtocolEsp}, ByteView{esp}.first(size))), pair.hub.turn(1);
    CHECK(pair.delivered() == 0);
    CHECK(pair.hub.drops(Drop::esp_runt) == shortest);
    const std::uint64_t whole_units = (esp.size() - shortest + sizes_of(algorithm).alignment - 1) / sizes_of(algorithm).alignment;
    CHECK(pair.hub.drops(Drop::esp_bad_icv) == whole_units);
    CHECK(pair.hub.drops(Drop::esp_not_multiple) == esp.size() - shortest - whole_units);
}

TEST_CASE("decrypted padding that does not count 1, 2, 3 is refused") {
    Pair pair;
    pair.receive({.payload = Bytes(6, 9), .trailer = Bytes{9, 9, 9, 9, 4, kProtocolGre}});
    pair.receive({.sequence = 2, .payload = Bytes(2, 9), .trailer = Bytes{250, kProtocolGre}});
    CHECK(pair.hub.drops(Drop::esp_bad_padding) == 2);
}

TEST_CASE("padding up to 255 bytes is right also where a suite needs less, and padding out of order never") {
    Pair pair{{.algorithm = EspAlgorithm::aes_cbc_128_sha256}};
    Bytes payload = keyed_gre(pair.inner()), trailer = pattern(254 - payload.size() % 16);
    trailer.insert(trailer.end(), {static_cast<std::uint8_t>(trailer.size()), kProtocolGre});
    pair.receive({.payload = payload, .trailer = trailer});
    CHECK(pair.delivered() == 1);
    trailer[0] = 0;
    pair.receive({.sequence = 2, .payload = payload, .trailer = trailer});
    CHECK(pair.hub.drops(Drop::esp_bad_padding) == 1);
}

TEST_CASE("every kind of suite refuses a replay, a wrong ICV, and the same packet under another high half of its number") {
    const auto algorithm = GENERATE(EspAlgorithm::aes_gcm_256, EspAlgorithm::aes_cbc_256_sha256, EspAlgorithm::aes_gmac_128, EspAlgorithm::null_sha256);
    Pair pair{{.algorithm = algorithm, .esn = true}};
    for (int i = 0; i < 2; ++i) pair.receive({.sequence = 7, .payload = keyed_gre(pair.inner())});
    CHECK(pair.delivered() == 1);
    CHECK(pair.hub.drops(Drop::esp_replayed) == 1);
    pair.receive({.sequence = 8, .payload = keyed_gre(pair.inner()), .flip_icv = 1});
    pair.receive({.sequence = (std::uint64_t{1} << 32) + 9, .payload = keyed_gre(pair.inner())});
    CHECK(pair.hub.drops(Drop::esp_bad_icv) == 2);
    CHECK(pair.delivered() == 0);
}

TEST_CASE("a transport-mode SA carries GRE and nothing else") {
    Pair pair;
    pair.receive({.payload = pair.inner(), .next_header = kProtocolIpip});
    pair.receive({.sequence = 2, .payload = pattern(30), .next_header = kProtocolUdp});
    CHECK(pair.hub.drops(Drop::esp_wrong_next_header) == 2);
}

TEST_CASE("a tunnel-mode SA carries an IPv4 header with GRE and nothing else") {
    Pair pair{{.mode = EspMode::tunnel}};
    const auto middle = [&](std::uint8_t protocol, std::uint16_t fragment = 0) {
        return ipv4({.source = "192.168.1.1", .destination = "192.0.2.2", .protocol = protocol, .fragment = fragment}, keyed_gre(pair.inner()));
    };
    pair.receive({.sequence = 1, .payload = middle(kProtocolGre), .next_header = kProtocolIpip});
    CHECK(pair.delivered() == 1);
    pair.receive({.sequence = 2, .payload = middle(kProtocolUdp), .next_header = kProtocolIpip});
    pair.receive({.sequence = 3, .payload = keyed_gre(pair.inner()), .next_header = kProtocolGre});
    CHECK(pair.hub.drops(Drop::esp_wrong_next_header) == 2);
    pair.receive({.sequence = 4, .payload = middle(kProtocolGre, Ipv4Header::kMoreFragments), .next_header = kProtocolIpip});
    CHECK(pair.hub.drops(Drop::ip_fragment_invalid) == 1);
    pair.receive({.sequence = 5, .payload = Bytes(10, 0x45), .next_header = kProtocolIpip});
    CHECK(pair.hub.drops(Drop::ip_runt) == 1);
}

TEST_CASE("traffic-flow-confidentiality dummies vanish quietly, and still count as a sign of life") {
    Pair pair;
    pair.receive({.payload = pattern(100), .next_header = 59});
    CHECK(pair.hub.drops() == 0);
    CHECK(pair.delivered() == 0);
    CHECK(pair.hub.counters().inbound[1].packets.read() == 1);
}

TEST_CASE("the first genuine packet of an SA is told once, a forged one never") {
    Pair pair;
    pair.receive({.sequence = 1, .payload = keyed_gre(pair.inner()), .flip_icv = 1});
    CHECK(pair.hub.events().empty());
    for (const std::uint64_t number : {1u, 2u, 3u}) pair.receive({.sequence = number, .payload = keyed_gre(pair.inner())});
    const auto events = pair.hub.events();
    REQUIRE(events.size() == 1);
    CHECK(std::get<InboundSaUsed>(events[0]).peer == peer_id(pair.spoke));
}

TEST_CASE("a peer that sends from another address is told after authentication, at most once a second, and not for stragglers") {
    Pair pair;
    pair.receive({.sequence = 10, .payload = keyed_gre(pair.inner()), .source = "198.51.100.7", .flip_icv = 1});
    CHECK(count<PeerMoved>(pair.hub.events()) == 0);
    pair.receive({.sequence = 11, .payload = keyed_gre(pair.inner()), .source = "198.51.100.7"});
    const auto events = pair.hub.events();
    REQUIRE(count<PeerMoved>(events) == 1);
    CHECK(std::get<PeerMoved>(events.back()).seen.address.value == IpAddress::parse("198.51.100.7"));
    pair.receive({.sequence = 12, .payload = keyed_gre(pair.inner()), .source = "198.51.100.7"});
    CHECK(count<PeerMoved>(pair.hub.events()) == 0);
    pair.hub.sleep(2 * kSecond);
    pair.receive({.sequence = 5, .payload = keyed_gre(pair.inner()), .source = "198.51.100.8"});
    CHECK(count<PeerMoved>(pair.hub.events()) == 0);
    pair.receive({.sequence = 13, .payload = keyed_gre(pair.inner()), .source = "198.51.100.7"});
    CHECK(count<PeerMoved>(pair.hub.events()) == 1);
}

TEST_CASE("an inbound SA at its soft limit is told once, at its hard limit it is dead, even within a burst") {
    Pair pair{{.limits = {.soft_packets = 2, .soft_bytes = 0, .hard_packets = 4, .hard_bytes = 0}}};
    for (std::uint64_t number = 1; number <= 6; ++number) pair.hub.from_underlay(forge(pair.spoke, pair.hub, {.sequence = number, .payload = keyed_gre(pair.inner())}));
    pair.hub.turn();
    CHECK(count<SaNearLimit>(pair.hub.events()) == 1);
    CHECK(pair.delivered() == 4);
    pair.receive({.sequence = 7, .payload = keyed_gre(pair.inner())});
    CHECK(pair.hub.drops(Drop::esp_hard_limit) == 3);
}

TEST_CASE("an outbound SA at its byte limits warns, then fails closed") {
    Pair pair{{.limits = {.soft_packets = 0, .soft_bytes = 200, .hard_packets = 0, .hard_bytes = 400}}};
    for (int i = 0; i < 8; ++i) pair.spoke.from_host(pair.inner());
    pair.spoke.turn();
    const std::size_t sent = pair.spoke.sent(kUnderlay).size();
    CHECK(sent == 4);  // of 100 bytes of payload each
    CHECK(pair.spoke.drops(Drop::esp_hard_limit) == 4);
    CHECK(count<SaNearLimit>(pair.spoke.events()) == 1);
}

TEST_CASE("an outbound SA whose sequence numbers are used up sends nothing more") {
    Pair pair;
    pair.spoke.state().tables.outbound(slot_for(pair.hub))->sequence = SequenceCounter{0xfffffffe};
    for (int i = 0; i < 3; ++i) pair.spoke.from_host(pair.inner());
    pair.spoke.turn();
    CHECK(pair.spoke.sent(kUnderlay).size() == 1);
    CHECK(pair.spoke.drops(Drop::esp_sequence_exhausted) == 2);
}

TEST_CASE("after an SA was removed nothing enters under it and nothing leaves, and both removals are acknowledged") {
    Pair pair;
    pair.hub.command_only(0, RemoveInboundSa{spi_between(pair.spoke, pair.hub)});
    pair.hub.command(RemoveOutboundSa{slot_for(pair.spoke), peer_id(pair.spoke)});
    CHECK(count<SaRemoved>(pair.hub.events()) == 2);
    pair.receive({.payload = keyed_gre(pair.inner())});
    CHECK(pair.hub.drops(Drop::esp_unknown_spi) == 1);
    pair.hub.from_host(host_packet(pair.hub, pair.spoke));
    pair.hub.turn();
    CHECK(pair.hub.drops(Drop::peer_no_sa) == 1);
    CHECK(pair.hub.sent(kUnderlay).empty());
}

TEST_CASE("a removal that is asked for again is acknowledged again, since the first answer may be lost") {
    Pair pair;
    pair.hub.command(RemoveOutboundSa{slot_for(pair.spoke), peer_id(pair.spoke)});
    CHECK(count<SaRemoved>(pair.hub.events()) == 1);
    pair.hub.command(RemoveOutboundSa{slot_for(pair.spoke), peer_id(pair.spoke)});
    CHECK(count<SaRemoved>(pair.hub.events()) == 1);
}

TEST_CASE("rekeying moves traffic to the new SA, and removing the old one leaves it there") {
    Pair pair;
    const SaSlot fresh{33};
    pair.spoke.command(InstallOutboundSa{fresh, WorkerId{0}, Spi{0x12345678}, peer_id(pair.hub), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {}, EspKeymat{pattern(20)}});
    pair.spoke.command(RemoveOutboundSa{slot_for(pair.hub), peer_id(pair.hub)});
    pair.spoke.from_host(pair.inner());
    pair.spoke.turn();
    const auto frames = pair.spoke.sent(kUnderlay);
    REQUIRE(frames.size() == 1);
    CHECK(Bytes{frames[0].begin() + 34, frames[0].begin() + 38} == Bytes{0x12, 0x34, 0x56, 0x78});
    CHECK(pair.spoke.counters().outbound[33].packets.read() == 1);
}

TEST_CASE("an SA of a peer that is gone delivers nothing") {
    Pair pair;
    pair.hub.command(RemovePeer{peer_id(pair.spoke)});
    CHECK(count<PeerRemoved>(pair.hub.events()) == 2);  // by the worker and by the route writer
    pair.receive({.payload = keyed_gre(pair.inner())});
    CHECK(pair.hub.drops(Drop::peer_unknown) == 1);
}

TEST_CASE("counters of an SA tell packets and inner bytes of both directions, and restart with a new SA") {
    Pair pair;
    pair.spoke.from_host(pair.inner());
    pair.spoke.turn();
    carry(pair.spoke, pair.hub);
    CHECK(pair.spoke.counters().outbound[slot_for(pair.hub).value].bytes.read() == pair.inner().size());
    CHECK(pair.hub.counters().inbound[slot_for(pair.spoke).value].bytes.read() == pair.inner().size());
    CHECK(pair.hub.counters().inbound[slot_for(pair.spoke).value].packets.read() == 1);
    const Spi again = spi_between(pair.spoke, pair.hub);
    pair.hub.command_only(0, InstallInboundSa{again, peer_id(pair.spoke), EspAlgorithm::aes_gcm_128, EspMode::transport, false, 64, {}, EspKeymat{pattern(20)}});
    pair.hub.turn();
    CHECK(pair.hub.counters().inbound[slot_for(pair.spoke).value].packets.read() == 0);
}

TEST_CASE("a key that was never expanded seals nothing and opens nothing") {
    Pair pair;
    pair.spoke.state().tables.outbound(slot_for(pair.hub))->key.ready = false;
    pair.spoke.from_host(pair.inner());
    pair.spoke.turn();
    CHECK(pair.spoke.drops(Drop::crypto_failed) == 1);
    CHECK(pair.spoke.sent(kUnderlay).empty());
    pair.hub.state().tables.inbound(spi_between(pair.spoke, pair.hub))->key.ready = false;
    pair.receive({.payload = keyed_gre(pair.inner())});
    CHECK(pair.hub.drops(Drop::esp_bad_icv) == 1);
}

TEST_CASE("an SA with a key of the wrong length is refused and counted") {
    Pair pair;
    const Spi spi = spi_layout::make(SaSlot{9}, WorkerId{0}, 1);
    pair.hub.command_only(0, InstallInboundSa{spi, peer_id(pair.spoke), EspAlgorithm::aes_gcm_256, EspMode::transport, false, 64, {}, EspKeymat{pattern(20)}});
    pair.hub.turn();
    CHECK(pair.hub.counters().workers[0].commands_refused.read() == 1);
}
