// A whole overlay on a bad wire: loss, repetition and reordering under many seeds, and random bytes.
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

TEST_CASE("twenty spokes register and resolve each other on a wire that loses, repeats and reorders") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        INFO("seed " << seed);
        Lab lab{seed};
        lab.loss_percent = 20, lab.repeat_percent = 10, lab.reorder_percent = 20;
        Station& hub = lab.hub("hub", "10.255.0.1", "192.0.2.1");
        std::vector<Station*> spokes;
        for (int i = 0; i < 20; ++i) {
            const std::string n = std::to_string(100 + i);
            spokes.push_back(&lab.spoke("spoke" + n, "10.255.0." + n, "192.0.2." + n));
            lab.join(*spokes.back(), hub);
            spokes.back()->set_lan({"172.16." + n + ".0/24"});
        }
        lab.advance(seconds{120});
        for (const Station* spoke : spokes) CHECK(spoke->is_registered());
        CHECK(hub.node->snapshot().cache.size() == 40);
        for (int round = 0; round < 3; ++round) {
            for (std::size_t i = 0; i < spokes.size(); ++i) spokes[i]->resolve("172.16." + std::to_string(100 + (i + 1) % 20) + ".9");
            lab.advance(seconds{80});
        }
        for (std::size_t i = 0; i < spokes.size(); ++i) CHECK(spokes[i]->has_shortcut("172.16." + std::to_string(100 + (i + 1) % 20) + ".0/24"));
    }
}

TEST_CASE("the same seed plays the same play") {
    const auto play = [] {
        Triangle t{{}, {}, 42};
        t.lab.loss_percent = 30;
        t.a.resolve("172.16.12.10");
        t.lab.advance(seconds{900});
        std::vector<Bytes> sent;
        for (const auto& flight : t.lab.history) sent.push_back(flight.bytes);
        return sent;
    };
    CHECK(play() == play());
}

TEST_CASE("captured packets with random changes never get more than an answer") {
    Triangle t;
    SeededRandom random{7};
    for (const auto vector : {frr::registration_request, frr::resolution_request_forwarded, frr::resolution_reply_forwarded, frr::traffic_indication,
                              frr::purge_request}) {
        for (int i = 0; i < 2000; ++i) {
            Packet packet = *decode(frr::bytes(vector));
            Bytes bytes = encode(packet);
            for (int change = 0; change < 3; ++change) bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(random.u32());
            if (auto changed = decode(bytes)) bytes = encode(*changed);
            (i % 2 ? t.hub : t.a).receive_bytes(i % 2 ? t.b : t.hub, bytes);
            t.lab.wire.clear();
        }
    }
    CHECK(t.a.is_registered());
}

TEST_CASE("a hub restart under traffic brings every spoke back as soon as its SA is up") {
    Triangle t;
    for (Station* spoke : {&t.a, &t.b}) t.lab.disconnect(*spoke, t.hub);
    CHECK(t.hub.node->snapshot().cache.empty());
    for (Station* spoke : {&t.a, &t.b}) t.lab.join(*spoke, t.hub);
    t.lab.deliver();
    CHECK(t.hub.node->snapshot().cache.size() == 4);
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("early calls of on_deadline do nothing, and an idle node wants none") {
    Lab lab;
    Station& idle = lab.spoke("idle", "10.255.0.9", "192.0.2.9");
    CHECK_FALSE(idle.node->next_deadline());
    Triangle t;
    Outbox out;
    t.a.node->on_deadline(t.lab.now, out);
    t.hub.node->on_deadline(t.lab.now, out);
    CHECK(out.empty());
}
