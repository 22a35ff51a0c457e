// A peer's rate: how much leaves and comes in, who goes first, who waits and who is dropped.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <atomic>
#include <map>
#include <thread>

using namespace nave;
using namespace nave::test;

namespace {

constexpr std::uint64_t kRate = 20'000'000;  // bits per second
constexpr std::uint8_t kEf = 46 << 2, kCs6 = 48 << 2, kAf31 = 26 << 2, kCs1 = 8 << 2, kData = 0;
constexpr std::size_t kUdpAndIp = 28;

/// Packets of one kind at a steady pace.
struct Stream {
    std::uint8_t type_of_service = kData;
    std::size_t inner = 1200;  // IP bytes of each
    std::uint64_t per_second = 5000;
};

/// What left, by type of service; bytes of outer IP packets.
struct Sent {
    std::uint64_t packets = 0, bytes = 0;
};

/// A hub whose peer has a line of limited rate.
struct Line {
    LeakCheck leaks;
    Box hub, branch;
    std::map<std::uint8_t, Sent> sent;
    std::uint64_t milliseconds = 0;

    explicit Line(const Peering& peering = {}, std::uint64_t rate = kRate, std::uint8_t workers = 1)
        : hub{{.workers = workers, .number = 1}}, branch{{.workers = workers, .number = 2}} {
        connect(hub, branch, peering);
        hub.command(SetPeerRate{peer_id(branch), rate, 0});
    }
    Bytes packet(std::uint8_t type_of_service, std::size_t inner) const {
        return ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = type_of_service}, udp(1000, 2000, pattern(inner - kUdpAndIp)));
    }
    void offer(std::uint8_t type_of_service = kData, std::size_t inner = 1200) { hub.from_host(packet(type_of_service, inner)); }
    void collect() {
        for (const Bytes& frame : hub.sent(kUnderlay)) {
            Sent& sum = sent[ip_of(frame, sizeof(EthernetHeader)).type_of_service];
            ++sum.packets, sum.bytes += frame.size() - sizeof(EthernetHeader);
        }
    }
    /// The worker turns every 100 microseconds.
    void run(std::uint64_t length, std::initializer_list<Stream> streams = {}) {
        for (const std::uint64_t end = milliseconds + length; milliseconds < end; ++milliseconds) {
            for (const Stream& stream : streams)
                for (std::uint64_t i = milliseconds * stream.per_second / 1000; i < (milliseconds + 1) * stream.per_second / 1000; ++i) offer(stream.type_of_service, stream.inner);
            for (int i = 0; i < 10; ++i) {
                hub.turn(1);
                hub.sleep(90);
            }
            collect();
        }
    }
    std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& [type_of_service, each] : sent) sum += each.bytes;
        return sum;
    }
    const PeerRateCounters& counters(std::uint8_t worker = 0) { return hub.counters().workers[worker].peers[peer_id(branch).value]; }
    std::uint64_t drops(TrafficClass traffic) { return counters().shaper_drops[static_cast<std::size_t>(traffic)].read(); }
};

bool is_near(std::uint64_t value, std::uint64_t wanted, double tolerance) {
    UNSCOPED_INFO(value << " for " << wanted);
    return std::abs(static_cast<double>(value) - static_cast<double>(wanted)) <= tolerance * static_cast<double>(wanted);
}

}  // namespace

TEST_CASE("a meter lets through what its rate is, to the byte, whatever the sizes and the clock") {
    const std::uint64_t clock = GENERATE(std::uint64_t{1'000'000'000}, std::uint64_t{2'600'000'000}), rate = GENERATE(std::uint64_t{64'000}, kRate, std::uint64_t{100'000'000'000});
    RateMeter meter{rate, clock / 200, clock};
    std::uint64_t bytes = 0, now = clock, size = 64;
    const std::uint64_t end = now + clock / 10 * 9;  // the credit would show in a second that begins with silence
    meter.spend(0, now + clock / 200);
    for (now = meter.due(); now < end && bytes < 1'000'000'000; now = meter.due(), size = size % 1500 + 64) {
        REQUIRE(meter.ready(now));
        meter.spend(size, now);
        bytes += size;
    }
    CHECK(is_near(bytes, rate / 8 * (now - clock) / clock, 0.001 + 1600.0 / static_cast<double>(rate / 8)));
}

TEST_CASE("twice its rate is offered: a peer gets its rate in outer bytes, whatever they are made of") {
    const Peering peering = GENERATE(Peering{}, Peering{.udp = true}, Peering{.algorithm = EspAlgorithm::aes_cbc_256_sha256}, Peering{.mode = EspMode::tunnel});
    Line line{peering};
    const std::size_t inner = GENERATE(std::size_t{100}, std::size_t{1200});
    line.run(500, {{.inner = inner, .per_second = 2 * kRate / 8 / (inner + 60)}});
    CHECK(is_near(line.bytes(), kRate / 8 / 2, 0.015));
    // What it counted is what the wire saw.
    CHECK(line.counters().shaped_bytes.read() == line.bytes());
    CHECK(line.drops(TrafficClass::best_effort) > 0);
    CHECK(line.hub.drops(Drop::shaper_best_effort) == line.drops(TrafficClass::best_effort));
    CHECK(line.hub.drops() == line.drops(TrafficClass::best_effort));
    line.run(60);
}

TEST_CASE("what is within the rate is neither dropped nor late, and other peers do not notice") {
    Line line;
    Box other{{.number = 3}};
    connect(line.hub, other);
    line.run(200, {{.per_second = 1900}});  // 19.4 Mbit/s
    CHECK(line.sent[kData].packets == 380);
    // The limited one is flooded, and the other one gets all of a burst at once.
    for (int i = 0; i < 100; ++i) line.offer();
    for (int i = 0; i < 100; ++i) line.hub.from_host(host_packet(line.hub, other));
    line.hub.turn(2);
    const auto frames = line.hub.sent(kUnderlay);
    CHECK(std::ranges::count_if(frames, [](const Bytes& frame) { return ip_of(frame, sizeof(EthernetHeader)).destination.host() == address("192.0.2.3"); }) == 100);
    line.run(60);
}

TEST_CASE("voice within its share loses nothing and hardly waits, while data floods the line") {
    Line line;
    line.run(50, {{.per_second = 5000}});
    std::uint64_t longest = 0;
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t before = line.sent[kEf].packets;
        line.offer(kEf, 200);
        std::uint64_t waited = 0;
        for (; line.sent[kEf].packets == before && waited < 20; ++waited) line.run(1, {{.per_second = 5000}});
        longest = std::max(longest, waited);
    }
    CHECK(longest <= 2);  // milliseconds: at most one packet of data is on the line before it
    line.run(300, {{.per_second = 5000}, {.type_of_service = kEf, .inner = 200, .per_second = 4000}});  // 8.3 Mbit/s
    line.run(60);
    CHECK(line.drops(TrafficClass::priority) == 0);
    CHECK(line.sent[kEf].packets == 100 + 1200);
    CHECK(line.drops(TrafficClass::best_effort) > 0);
}

TEST_CASE("priority traffic beyond its share leaves half of the line to the others, and takes all when they are silent") {
    Line line;
    const Stream voice{.type_of_service = kEf, .per_second = 5000};
    line.run(200, {voice});
    CHECK(is_near(line.sent[kEf].bytes, kRate / 8 / 5, 0.03));
    CHECK(line.hub.drops(Drop::shaper_priority) == line.drops(TrafficClass::priority));
    CHECK(line.drops(TrafficClass::priority) > 0);
    line.run(100, {voice, {}});  // what it had before is not held against it
    line.sent.clear();
    line.run(500, {voice, {}});
    CHECK(is_near(line.sent[kEf].bytes, kRate / 8 / 4, 0.03));
    CHECK(is_near(line.sent[kData].bytes, kRate / 8 / 4, 0.03));
    line.run(120);
}

TEST_CASE("assured, best effort and scavenger traffic share a full line 6 : 3 : 1") {
    Line line;
    const std::initializer_list<Stream> all{{.type_of_service = kAf31}, {}, {.type_of_service = kCs1}};
    line.run(200, all);
    line.sent.clear();
    line.run(500, all);
    CHECK(is_near(line.sent[kAf31].bytes, kRate / 8 / 2 * 6 / 10, 0.03));
    CHECK(is_near(line.sent[kData].bytes, kRate / 8 / 2 * 3 / 10, 0.03));
    CHECK(is_near(line.sent[kCs1].bytes, kRate / 8 / 2 * 1 / 10, 0.03));
    CHECK(line.drops(TrafficClass::assured) > 0);
    CHECK(line.hub.drops(Drop::shaper_assured) == line.drops(TrafficClass::assured));
    CHECK(line.hub.drops(Drop::shaper_best_effort) == line.drops(TrafficClass::best_effort));
    CHECK(line.hub.drops(Drop::shaper_scavenger) == line.drops(TrafficClass::scavenger));
    line.run(200);
}

TEST_CASE("a queue is as long as fifty milliseconds, and the shaper says when its next packet is due") {
    Line line;
    for (int i = 0; i < 200; ++i) line.offer();
    line.hub.turn(2);
    line.collect();
    const std::uint64_t at_once = line.sent[kData].packets;
    CHECK(at_once >= 1);
    CHECK(line.bytes() <= kRate / 8 / 1000 * (Shaper::kCreditMilliseconds + 1));
    const std::uint64_t length = line.bytes() / at_once;
    CHECK(is_near(200 - at_once - line.drops(TrafficClass::best_effort), kRate / 8 / 20 / length, 0.05));
    for (int i = 0; i < 10; ++i) {
        WorkerState& state = line.hub.state();
        const std::uint64_t due = state.shaper.due();
        REQUIRE(due > state.now);
        REQUIRE(due - state.now <= length * 8 * kSecond / kRate + 10);
        CHECK(state.shaper.take(due - 1) == nullptr);
        line.hub.sleep(due - state.now);
        line.hub.turn(1);
        CHECK(line.hub.sent(kUnderlay).size() == 1);
    }
    line.run(60);
    CHECK(line.hub.state().shaper.due() == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("who is dropped costs no sequence number: the peer sees them without gap and in order") {
    Line line;
    for (int i = 0; i < 250; ++i) line.offer(i % 3 == 0 ? kEf : kData);
    std::uint32_t expected = 0;
    for (int i = 0; i < 1000; ++i) {
        line.hub.turn(1);
        line.hub.sleep(90);
        for (const Bytes& frame : line.hub.sent(kUnderlay)) {
            const auto& esp = *reinterpret_cast<const EspHeader*>(frame.data() + sizeof(EthernetHeader) + sizeof(Ipv4Header));
            CHECK(esp.sequence_low.host() == ++expected);
        }
    }
    CHECK(line.drops(TrafficClass::best_effort) > 0);
    CHECK(expected == 250 - line.hub.drops());
}

TEST_CASE("many slow lines never hold more than the places that there are, and leave each other room") {
    LeakCheck leaks;
    std::vector<PeerRateCounters> counters(16);
    Box box;
    Shaper shaper{16, 64, kSecond, counters};
    std::vector<Packet*> dropped;
    std::uint64_t waiting = 0;
    for (std::uint32_t round = 0; round < 40; ++round) {
        for (std::uint32_t peer = 0; peer < 16; ++peer) {
            if (round == 0) shaper.set_rate(PeerId{peer}, 1'000'000'000, kSecond);
            Packet* packet = box.state().pools.allocate(64);
            REQUIRE(packet);
            packet->meta().to_peer = PeerId{peer}, packet->meta().wire_length = 1500;
            const Verdict verdict = shaper.offer(*packet, kSecond);
            if (!verdict.is_taken()) packet->free();
            waiting += verdict.is_taken();
        }
    }
    CHECK(waiting <= 64);
    for (std::uint32_t peer = 1; peer < 16; ++peer) {
        const std::uint64_t first = counters[0].shaper_drops[2].read(), other = counters[peer].shaper_drops[2].read();
        CHECK((other > first ? other - first : first - other) <= 4);
    }
}

TEST_CASE("a peer that goes takes what waits for it along, by name, and the next one in its place has no limit") {
    Line line;
    for (int i = 0; i < 50; ++i) line.offer();
    line.hub.turn(1);
    const std::size_t gone = 50 - line.hub.sent(kUnderlay).size();
    line.hub.command(RemoveOutboundSa{slot_for(line.branch), peer_id(line.branch)});
    line.hub.command(RemoveInboundSa{spi_between(line.branch, line.hub)});
    line.hub.command(RemovePeer{peer_id(line.branch), 1});
    CHECK(line.hub.drops(Drop::peer_unknown) == gone);
    CHECK(line.counters().shaped_packets.read() == 0);
    connect(line.hub, line.branch);
    for (int i = 0; i < 50; ++i) line.offer();
    line.hub.turn(1);
    CHECK(line.hub.sent(kUnderlay).size() == 50);
}

TEST_CASE("a limit that is lifted lets go what waits") {
    Line line;
    for (int i = 0; i < 50; ++i) line.offer();
    line.hub.turn(1);
    line.collect();
    line.hub.command(SetPeerRate{peer_id(line.branch), 0, 0});
    line.hub.turn(1);
    line.collect();
    CHECK(line.sent[kData].packets == 50);
}

TEST_CASE("several workers send to a limited peer through one of them, although each has an SA of its own") {
    Line line{{.owner = 0}, kRate, 2};
    line.hub.command(InstallOutboundSa{SaSlot{100}, WorkerId{1}, Spi{0x12345678}, peer_id(line.branch), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {},
                                       EspKeymat{pattern(20)}, true});
    for (int ms = 0; ms < 200; ++ms) {
        for (std::uint8_t queue : {std::uint8_t{0}, std::uint8_t{1}})
            for (int i = 0; i < 2; ++i) line.hub.from_host(line.packet(kData, 1200), queue);
        line.run(1);
    }
    CHECK(is_near(line.bytes(), kRate / 8 / 5, 0.03));
    CHECK(line.counters(1).shaped_packets.read() == 0);
    line.run(60);
}

TEST_CASE("who sends more than its rate is cut down to it, and its routing protocols come through all the same") {
    LeakCheck leaks;
    Box spoke{{.number = 1}}, hub{{.number = 2}};
    connect(spoke, hub);
    hub.command(SetPeerRate{peer_id(spoke), 0, kRate / 2});
    std::uint64_t bytes = 0, data = 0, hellos = 0;
    const std::uint64_t length = 1300;
    for (int ms = 0; ms < 1000; ++ms) {
        for (int i = 0; i < 2; ++i) spoke.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9"}, udp(1000, 2000, pattern(length - kUdpAndIp))));
        if (ms % 100 == 50) spoke.from_host(ipv4({.source = "10.1.0.9", .destination = "10.2.0.9", .type_of_service = kCs6}, udp(1000, 2000, pattern(100))));
        spoke.turn(1);
        for (const Bytes& frame : carry(spoke, hub)) bytes = frame.size() - sizeof(EthernetHeader);
        hub.sleep(980);
        for (const Bytes& frame : hub.sent(kInside)) (ip_of(frame, sizeof(EthernetHeader)).type_of_service == kCs6 ? hellos : data) += 1;
        if (ms == 499) data = 0;  // the burst at the beginning
    }
    CHECK(bytes > 0);
    CHECK(is_near(data * (length + 58), kRate / 2 / 8 / 2, 0.03));
    CHECK(hellos == 10);
    CHECK(hub.drops(Drop::peer_policed) == hub.counters().workers[0].peers[peer_id(spoke).value].policed.read());
    CHECK(hub.drops(Drop::peer_policed) == hub.drops());
}

TEST_CASE("workers that a peer sends through at once let no more in together than one alone") {
    const std::uint64_t clock = 1'000'000'000, size = 1250, burst = kRate / 8 * PeerPolicer::kBurstMilliseconds / 1000;
    PeerPolicer policer{2, clock};
    const PeerId peer{1};
    for (int i = 0; i < 2; ++i) policer.set_rate(peer, kRate);
    std::atomic<std::uint64_t> passed = 0;
    {
        std::vector<std::jthread> workers;
        for (int i = 0; i < 2; ++i)
            workers.emplace_back([&] {
                for (int packet = 0; packet < 10'000; ++packet) passed += policer.allow(peer, size, TrafficClass::best_effort, clock);
            });
    }
    CHECK(passed == burst / size + 1);
    passed = 0;
    for (std::uint64_t now = clock; now < 2 * clock; now += 100'000)
        for (int worker = 0; worker < 2; ++worker) passed += policer.allow(peer, size, TrafficClass::best_effort, now);
    CHECK(is_near(passed * size, kRate / 8, 0.001));
}

TEST_CASE("DSCPs have the classes of RFC 4594") {
    using enum TrafficClass;
    const std::map<int, TrafficClass> known{{0, best_effort}, {1, scavenger}, {8, scavenger}, {10, best_effort}, {14, best_effort}, {16, assured}, {18, assured}, {22, assured},
                                            {24, assured}, {26, assured}, {32, assured}, {34, assured}, {38, assured}, {40, priority}, {44, priority}, {46, priority},
                                            {48, priority}, {56, priority}, {47, best_effort}, {63, best_effort}, {25, best_effort}};
    for (const auto& [dscp, traffic] : known) {
        CAPTURE(dscp);
        CHECK(traffic_class_of(static_cast<std::uint8_t>(dscp << 2 | 2)) == traffic);
    }
}
