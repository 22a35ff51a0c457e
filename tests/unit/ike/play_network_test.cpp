// Plays on a bad network: every message lost once, doubled, damaged in every region, and long storms from many seeds.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct BadNetwork {
    Lab lab{81};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    void require_up_once() {
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE((spoke.ups.size() == 1 && hub.ups.size() == 1));
        REQUIRE((spoke.inbound.size() == 1 && hub.inbound.size() == 1));
        REQUIRE((spoke.downs.empty() && hub.downs.empty()));
    }
};

}  // namespace

TEST_CASE_METHOD(BadNetwork, "each message of the handshake may be lost once") {
    const int lost = GENERATE(0, 1, 2, 3);
    lab.connect(spoke, hub);
    for (int i = 0; i < lost; ++i) lab.deliver();
    lab.lose();
    lab.run();
    lab.advance(1s);
    require_up_once();
}

TEST_CASE_METHOD(BadNetwork, "each message of the handshake may come twice, at once or late") {
    const int doubled = GENERATE(0, 1, 2, 3);
    const bool late = GENERATE(false, true);
    lab.connect(spoke, hub);
    for (int i = 0; i < doubled; ++i) lab.deliver();
    const Packet twin = lab.wire.front();
    if (!late) lab.wire.push_back(twin);
    lab.run();
    lab.inject(twin);
    lab.run();
    lab.advance(5s);
    require_up_once();
}

TEST_CASE_METHOD(BadNetwork, "requests are repeated with identical bytes, at growing distances") {
    lab.connect(spoke, hub);
    const Bytes first = lab.lose();
    const TimePoint begun = lab.now;
    for (const auto gap : {500ms, 1500ms, 3500ms, 7500ms, 15500ms}) {
        lab.advance_to_next_deadline();
        REQUIRE(lab.now - begun == gap);
        REQUIRE(lab.lose() == first);
    }
    lab.advance_to_next_deadline();
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
    REQUIRE(lab.now - begun == 31500ms);
}

TEST_CASE_METHOD(BadNetwork, "responses are repeated with identical bytes") {
    lab.connect(spoke, hub);
    lab.deliver();
    const Bytes init = lab.lose(hub);
    lab.advance_to_next_deadline();
    lab.deliver(spoke);
    REQUIRE(lab.wire.front().payload == init);
    lab.deliver(hub), lab.deliver(spoke);
    const Bytes auth = lab.lose(hub);
    lab.advance_to_next_deadline();
    lab.deliver(spoke);
    REQUIRE(lab.wire.front().payload == auth);
    lab.run();
    require_up_once();
}

TEST_CASE_METHOD(BadNetwork, "a damaged byte anywhere in any message of the handshake is refused, and the genuine message completes it") {
    for (int message = 0; message < 4; ++message) {
        for (std::size_t offset = 0;; offset += 7) {
            spoke.start(), hub.start();
            lab.wire.clear();
            lab.connect(spoke, hub);
            for (int i = 0; i < message; ++i) lab.deliver();
            const Packet genuine = lab.intercept();
            if (offset >= genuine.payload.size()) break;
            Packet damaged = genuine;
            damaged.payload[offset] ^= 0x41;
            lab.inject(damaged);
            lab.inject(genuine);
            lab.run();
            lab.advance(9s);
            INFO("message " << message << ", byte " << offset);
            REQUIRE(Lab::talk(spoke, hub));
        }
    }
}

TEST_CASE_METHOD(BadNetwork, "a damaged byte anywhere in a protected message changes nothing") {
    lab.establish(spoke, hub);
    lab.rekey_child(spoke);
    const Packet genuine = lab.intercept();
    for (std::size_t offset = 0; offset < genuine.payload.size(); ++offset) {
        Packet damaged = genuine;
        damaged.payload[offset] ^= 0x80;
        lab.inject(damaged);
        REQUIRE(hub.inbound.size() == 1);
        REQUIRE(hub.is_up());
    }
    lab.wire.clear();  // answers to strangers: another version
    lab.inject(genuine);
    lab.run();
    REQUIRE(hub.count("child-rekeys") == 0);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(BadNetwork, "a message cut at any byte is dropped by name") {
    lab.connect(spoke, hub);
    const Packet init = lab.intercept();
    for (std::size_t size = 0; size < init.payload.size(); ++size) {
        Packet cut = init;
        cut.payload.resize(size);
        lab.inject(cut);
    }
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE(hub.count("malformed") >= init.payload.size() - 1);
    lab.inject(init);
    lab.run();
    require_up_once();
}

TEST_CASE_METHOD(BadNetwork, "an old response does not answer a new request") {
    lab.establish(spoke, hub);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lab.deliver(spoke);
    const Packet old = lab.intercept(&hub);
    lab.inject(old);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lab.inject(old);
    REQUIRE(spoke.count("unexpected-responses") == 1);
    lab.run();
    REQUIRE(spoke.is_up());
}

TEST_CASE("storms of loss, doubling and reordering end with both ends up and agreed, for many seeds") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Lab lab{seed};
        Gateway& a = lab.gateway("a", "192.0.2.10");
        Gateway& b = lab.gateway("b", "192.0.2.20");
        lab.weather = {.loss_percent = 15, .duplicate_percent = 10, .reorder_percent = 20};
        lab.connect(a, b, 1);
        if (seed % 2 == 0) lab.connect(b, a, 2);
        lab.advance(20s);
        for (std::uint64_t i = 0; i < 6 && a.is_up() && b.is_up(); ++i) {
            for (Gateway* gateway : {&a, &b}) {
                for (const SaView& view : gateway->endpoint->snapshot()) {
                    lab.act(*gateway, [&](Endpoint& endpoint, Outbox& out) {
                        if ((seed + i) % 3 == 0) endpoint.rekey_ike(view.sa, lab.now, out);
                        else if (!view.children.empty()) endpoint.rekey_child(view.sa, view.children.back().inbound, lab.now, out);
                    });
                }
            }
            lab.advance(15s);
        }
        lab.weather = {};
        lab.advance(60s);
        if (!a.is_up() && !b.is_up()) lab.connect(a, b), lab.advance(60s);  // a dead peer may be declared in such weather
        if (!a.is_up() || !b.is_up()) lab.advance(60s);
        if (!a.is_up() && !b.is_up()) lab.connect(a, b), lab.advance(10s);
        REQUIRE(a.view().initiator_spi == b.view().initiator_spi);
        REQUIRE(Lab::talk(a, b));
        REQUIRE((a.inbound.size() == 1 && b.inbound.size() == 1));
        REQUIRE((a.spis.size() == 1 && b.spis.size() == 1));
    }
}
