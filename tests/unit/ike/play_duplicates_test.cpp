// Plays of simultaneous initiation and restarts: two associations with one peer, of which one survives.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Duplicates {
    Lab lab{GENERATE(71u, 72u, 73u, 74u)};
    Gateway& a = lab.gateway("a", "192.0.2.10");
    Gateway& b = lab.gateway("b", "192.0.2.20");

    void cross() {
        lab.connect(a, b, 1);
        lab.connect(b, a, 2);
    }
    void require_one_survivor() {
        lab.advance(8s);
        REQUIRE(a.view().initiator_spi == b.view().initiator_spi);
        REQUIRE(Lab::talk(a, b));
        REQUIRE((a.inbound.size() == 1 && b.inbound.size() == 1));
        REQUIRE((a.downs.size() == 1 && b.downs.size() == 1));
        REQUIRE(a.downs[0].reason == DownReason::replaced_duplicate);
        REQUIRE(b.downs[0].reason == DownReason::replaced_duplicate);
        lab.advance(15s);
        REQUIRE((a.endpoint->snapshot().size() == 1 && b.endpoint->snapshot().size() == 1));
    }
};

}  // namespace

TEST_CASE_METHOD(Duplicates, "both ends initiate at once: both SAs come up, then the one with the lowest nonce goes") {
    cross();
    lab.run();
    REQUIRE((a.ups.size() == 2 && b.ups.size() == 2));
    REQUIRE((a.inbound.size() == 2 && b.inbound.size() == 2));  // both usable for receive
    lab.advance(1s);
    REQUIRE((a.downs.empty() && b.downs.empty()));
    require_one_survivor();
}

TEST_CASE_METHOD(Duplicates, "no SA is given up as redundant before both ends hold the other one") {
    cross();
    const auto lose_answers_of_a = [&] {
        while (lab.in_flight() != 0) {
            const Packet packet = lab.intercept();
            const Header header = decode_header(packet.payload).value();
            if (packet.sender != &a || header.exchange != ExchangeType::ike_auth || !header.response) lab.inject(packet);  // not: <-- IKE_AUTH { IDr, AUTH, ... }
        }
    };
    lose_answers_of_a();
    REQUIRE((a.ups.size() == 2 && b.ups.size() == 1));
    for (const TimePoint end = lab.now + 7s; lab.now < end;) {
        lab.advance_to_next_deadline();
        lose_answers_of_a();
        REQUIRE(b.is_up());
        REQUIRE((a.downs.empty() && b.downs.empty()));
    }
    lab.advance(30s);
    REQUIRE(a.view().initiator_spi == b.view().initiator_spi);
    REQUIRE(Lab::talk(a, b));
    REQUIRE((a.inbound.size() == 1 && b.inbound.size() == 1));
}

TEST_CASE_METHOD(Duplicates, "a loser that its initiator does not delete is deleted by the other end") {
    cross();
    lab.advance(100ms);
    for (const SaUp& up : a.ups) lab.act(a, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(up.sa, lab.now, out); });
    lab.run();  // both ends hold both
    for (const TimePoint end = lab.now + 8s; lab.now < end;) {
        lab.advance_to_next_deadline();
        while (lab.in_flight() != 0) {
            const Packet packet = lab.intercept();
            if (packet.sender != &b || decode_header(packet.payload).value().response) lab.inject(packet);  // not: INFORMATIONAL { D }, where b should delete
        }
    }
    REQUIRE(a.downs.size() == 1);
    REQUIRE(a.downs[0].reason == DownReason::replaced_duplicate);
    require_one_survivor();
}

TEST_CASE_METHOD(Duplicates, "both tokens are answered in a crossing, also when one attempt overtakes the other") {
    cross();
    Packet slow = lab.intercept(&b);  // b's IKE_SA_INIT is delayed
    for (int i = 0; i < 3; ++i) lab.deliver();
    lab.inject(slow);
    lab.run();
    REQUIRE(std::ranges::any_of(a.ups, [](const SaUp& up) { return up.token == 1; }));
    REQUIRE(std::ranges::any_of(b.ups, [](const SaUp& up) { return up.token == 2; }));
    lab.advance(10s);
    REQUIRE(Lab::talk(a, b));
    REQUIRE((a.is_up() && b.is_up()));
}

TEST_CASE_METHOD(Duplicates, "an own attempt that nobody has answered yet gives way to the peer's that succeeded") {
    cross();
    Packet slow = lab.intercept(&b);
    lab.run();
    REQUIRE(b.ups.size() == 1);
    REQUIRE(b.ups[0].token == 2);
    REQUIRE_FALSE(b.ups[0].initiator);
    lab.advance(5s);
    REQUIRE(a.ups.size() == 1);
    REQUIRE((a.inbound.size() == 1 && b.inbound.size() == 1));
}

TEST_CASE_METHOD(Duplicates, "a crossing with losses ends with one association") {
    cross();
    lab.lose(a);
    lab.run();
    lab.advance(10s);
    REQUIRE(Lab::talk(a, b));
    REQUIRE(a.sa() == a.sa());
    REQUIRE(a.view().initiator_spi == b.view().initiator_spi);
}

TEST_CASE_METHOD(Duplicates, "INITIAL_CONTACT in a crossing kills neither of the two new SAs") {
    cross();
    for (int i = 0; i < 4; ++i) lab.deliver();  // both IKE_SA_INIT exchanges
    lab.run();                                  // both IKE_AUTH requests carried INITIAL_CONTACT
    REQUIRE((a.downs.empty() && b.downs.empty()));
    require_one_survivor();
}

TEST_CASE_METHOD(Duplicates, "INITIAL_CONTACT that was sent before the other SA came up does not forget that one") {
    cross();
    for (int i = 0; i < 4; ++i) lab.deliver();  // both IKE_SA_INIT exchanges
    const Packet late = lab.intercept(&b);      // <-- IKE_AUTH { ..., N(INITIAL_CONTACT) } of b is delayed
    lab.run();                                  // a's association comes up at both ends
    REQUIRE(a.ups.size() == 1);
    lab.inject(late);
    REQUIRE(a.downs.empty());
    REQUIRE(a.inbound.size() == 2);
    lab.run();
    require_one_survivor();
}

TEST_CASE_METHOD(Duplicates, "the loser is kept if the survivor dies before the loser is deleted") {
    cross();
    lab.run();
    // Close the survivor right away, whichever it is: the other one must live on.
    const auto lowest_spi = a.endpoint->snapshot();
    REQUIRE(lowest_spi.size() == 2);
    lab.act(a, [&](Endpoint& endpoint, Outbox& out) { endpoint.close(lowest_spi[0].sa, DownReason::closed_by_us, false, lab.now, out); });
    lab.advance(8s);
    REQUIRE(a.is_up());
    REQUIRE(b.is_up());
    REQUIRE(Lab::talk(a, b));
    REQUIRE(a.inbound.size() == 1);
}

TEST_CASE_METHOD(Duplicates, "a peer that restarts replaces its old association at once") {
    lab.establish(a, b);
    const SaId old = b.sa();
    lab.advance(2s);
    a.start();
    lab.wire.clear();
    lab.connect(a, b);
    lab.run();
    REQUIRE(b.downs.at(0).sa == old);
    REQUIRE(b.downs.at(0).reason == DownReason::replaced_duplicate);
    REQUIRE(Lab::talk(a, b));
    REQUIRE(b.inbound.size() == 1);
}

TEST_CASE_METHOD(Duplicates, "a new association that we start beside an old one replaces it without a gap") {
    lab.establish(a, b);
    lab.advance(1s);
    lab.connect(a, b, 9);
    lab.run();
    REQUIRE((a.inbound.size() == 2 && a.downs.empty()));
    REQUIRE(Lab::talk(a, b));
    lab.advance(6s);
    REQUIRE(a.downs.at(0).reason == DownReason::replaced_duplicate);
    REQUIRE(a.ups.back().sa == a.sa());
    REQUIRE(Lab::talk(a, b));
    REQUIRE(b.inbound.size() == 1);
}

TEST_CASE_METHOD(Duplicates, "associations of two profiles with one peer are no duplicates") {
    for (Gateway* gateway : {&a, &b}) {
        Profile second = gateway->settings.profiles[0];
        second.name = "second";
        second.local = identity(gateway->name + ".second.example");
        gateway->settings.profiles.push_back(second);
        gateway->start();
    }
    lab.connect(a, b, 1, pattern("b.example"));
    lab.act(a, [&](Endpoint& endpoint, Outbox& out) {
        endpoint.connect({.profile = ProfileId{1}, .local = {a.address, 500}, .remote = {b.address, 500}, .expected = pattern("b.second.example"), .token = 2}, lab.now, out);
    });
    lab.run();
    lab.advance(10s);
    REQUIRE(a.ups.size() == 2);
    REQUIRE((a.downs.empty() && b.downs.empty()));
    REQUIRE(a.inbound.size() == 2);
}
