// Plays of INFORMATIONAL exchanges: farewells, deletions that cross, liveness, keepalives.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Informational {
    Lab lab{31};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Informational() { lab.establish(spoke, hub); }
    /// The spoke has asked something; the answers are lost, and half way traffic shows that the hub lives.
    void lose_answers_amid_traffic() {
        lab.advance_losing(5s, hub);
        spoke.endpoint->traffic_seen(spoke.sa(), lab.now);
        lab.advance_losing(4s, hub);
        REQUIRE(spoke.is_up());
        REQUIRE(spoke.count("requests-renewed") == 1);
        lab.advance(5s);
        REQUIRE(spoke.is_up());
    }
};

}  // namespace

TEST_CASE_METHOD(Informational, "closing sends DELETE, the peer removes its SAs at once, and both forget") {
    lab.close(spoke);
    REQUIRE(spoke.inbound.empty());
    REQUIRE(spoke.outbound.empty());
    REQUIRE(spoke.downs.at(0).reason == DownReason::closed_by_us);
    REQUIRE(spoke.endpoint->snapshot().at(0).state == "closing");
    lab.run();
    REQUIRE(hub.downs.at(0).reason == DownReason::deleted_by_peer);
    REQUIRE(hub.inbound.empty());
    REQUIRE(spoke.endpoint->snapshot().empty());
    lab.advance(11s);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE_FALSE(hub.endpoint->next_deadline());
}

TEST_CASE_METHOD(Informational, "a DELETE whose answer is lost is repeated and answered again") {
    lab.close(spoke);
    lab.deliver(spoke);
    const Bytes answer = lab.lose(hub);
    lab.advance_to_next_deadline();
    lab.deliver(spoke);
    REQUIRE(lab.lose(hub) == answer);
    lab.advance(5s);
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE(hub.downs.size() == 1);
}

TEST_CASE_METHOD(Informational, "a DELETE to a dead peer is given up after the whole schedule") {
    lab.close(spoke);
    lab.advance_losing(40s, spoke);
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE(spoke.downs.size() == 1);
    REQUIRE(spoke.count("requests-repeated") == 5);
}

TEST_CASE_METHOD(Informational, "closing at once sends one DELETE and keeps nothing") {
    lab.close(spoke, true);
    REQUIRE(lab.in_flight() == 1);
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE_FALSE(spoke.endpoint->next_deadline());
    lab.run();
    REQUIRE_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Informational, "deletes that cross end both sides without an error") {
    lab.close(spoke);
    lab.close(hub);
    lab.run();
    REQUIRE(spoke.downs.size() == 1);
    REQUIRE(hub.downs.size() == 1);
    lab.advance(15s);
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(Informational, "deletes of one child SA from both sides cross, and nothing is removed twice") {
    for (Gateway* gateway : {&spoke, &hub}) gateway->spis_max = 1;  // rekeying is impossible: both delete at the same lifetime
    lab.advance(61min);
    REQUIRE_FALSE(spoke.is_up());
    REQUIRE_FALSE(hub.is_up());
    REQUIRE((spoke.spis.empty() && hub.spis.empty()));
}

TEST_CASE_METHOD(Informational, "closing waits for the outstanding request, as the window is one") {
    lab.rekey_child(spoke);
    lab.close(spoke);
    REQUIRE(lab.in_flight() == 1);
    lab.run();  // CREATE_CHILD_SA is answered, then DELETE
    REQUIRE_FALSE(hub.is_up());
    REQUIRE(hub.inbound.empty());
    REQUIRE(spoke.spis.empty());
    REQUIRE(spoke.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(Informational, "closing an attempt that is not up answers its token and sends nothing more") {
    Gateway& other = lab.gateway("other", "192.0.2.20");
    const SaId attempt = lab.connect(other, hub, 12);
    lab.wire.clear();
    lab.act(other, [&](Endpoint& endpoint, Outbox& out) { endpoint.close(attempt, DownReason::closed_by_us, false, lab.now, out); });
    REQUIRE(other.downs.at(0).token == 12);
    REQUIRE(lab.in_flight() == 0);
    REQUIRE_FALSE(other.endpoint->next_deadline());
}

TEST_CASE_METHOD(Informational, "a silent peer is probed after the liveness interval, and its answer is enough") {
    lab.advance(4s);
    REQUIRE(spoke.count("liveness-checks") == 0);
    lab.advance(2s);
    REQUIRE(spoke.count("liveness-checks") + hub.count("liveness-checks") >= 1);
    lab.advance(10min);
    REQUIRE(spoke.is_up());
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(Informational, "traffic from the peer makes probes needless") {
    for (int i = 0; i < 60; ++i) {
        for (Gateway* gateway : {&spoke, &hub}) gateway->endpoint->traffic_seen(gateway->sa(), lab.now);
        lab.advance(4s);
    }
    REQUIRE(spoke.count("liveness-checks") == 0);
    REQUIRE(hub.count("liveness-checks") == 0);
}

TEST_CASE_METHOD(Informational, "a dead peer is declared dead after four probes, 12.5 seconds after its last word") {
    hub.start();  // kill -9: no SA, no farewell
    lab.advance(12s);
    REQUIRE(spoke.is_up());
    lab.advance(1s);
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
    REQUIRE(spoke.inbound.empty());
    REQUIRE(spoke.count("requests-repeated") == 3);
    REQUIRE(hub.count("unknown-spi") == 4);
}

TEST_CASE_METHOD(Informational, "a peer that dies before a rekey is declared dead as soon as by probes") {
    hub.start();
    const bool ike = GENERATE(false, true);
    if (ike) lab.rekey_ike(spoke);
    else lab.rekey_child(spoke);
    lab.advance(7s);
    REQUIRE(spoke.is_up());
    lab.advance(1s);
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
    REQUIRE(spoke.inbound.empty());
}

TEST_CASE_METHOD(Informational, "a peer that answers no rekey, but whose traffic arrives, is not declared dead at once") {
    lab.rekey_child(spoke);
    lose_answers_amid_traffic();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Informational, "a repetition that is due when another message comes is not forgotten") {
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lab.lose(spoke);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(hub.sa(), lab.now, out); });
    const Packet request = lab.intercept(&hub);
    hub.start();
    lab.now += 500ms;
    lab.inject(request);  // before the deadline, which is due as well
    lab.wire.clear();
    lab.advance(20s);  // the schedule begins once more, as the request was heard
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
}

TEST_CASE_METHOD(Informational, "three lost probes are forgiven") {
    lab.advance(4s);
    lab.advance_losing(4s, hub);
    REQUIRE(spoke.count("requests-repeated") == 2);
    lab.advance(30s);
    REQUIRE(spoke.is_up());
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(Informational, "a peer whose answers are lost, but whose traffic arrives, is not declared dead") {
    for (int i = 0; i < 5; ++i) {
        lab.advance_losing(3s, hub);
        spoke.endpoint->traffic_seen(spoke.sa(), lab.now);
        hub.endpoint->traffic_seen(hub.sa(), lab.now);
    }
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lose_answers_amid_traffic();
}

TEST_CASE("a responder whose answer to IKE_AUTH is lost again and again waits as long as the initiator repeats its request") {
    Lab lab{32};
    Gateway &spoke = lab.gateway("spoke", "192.0.2.10"), &hub = lab.gateway("hub", "192.0.2.1");
    lab.connect(spoke, hub);
    for (Gateway* sender : {&spoke, &hub, &spoke}) lab.deliver(sender);
    REQUIRE(hub.is_up());
    SECTION("the fifth repetition is answered") {
        lab.advance_losing(14s, hub);
        lab.advance(2s);
        REQUIRE(Lab::talk(spoke, hub));
        lab.advance(1min);
        REQUIRE(hub.downs.empty());
    }
    SECTION("then it is dead") {
        spoke.start();
        lab.advance(1min);
        REQUIRE(hub.downs.at(0).reason == DownReason::timed_out);
    }
}

TEST_CASE_METHOD(Informational, "a probe on demand goes out at once") {
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    REQUIRE(lab.in_flight() == 1);
    lab.run();
    REQUIRE(spoke.count("liveness-checks") == 1);
    REQUIRE(spoke.is_up());
}

TEST_CASE_METHOD(Informational, "when our address is gone, associations end without a farewell") {
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(spoke.address, lab.now, out); });
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.downs.size() == 1);
    REQUIRE(spoke.inbound.empty());
    REQUIRE(spoke.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(Informational, "calls for an association that is over do nothing") {
    const SaId gone = spoke.sa();
    lab.close(spoke, true);
    lab.wire.clear();
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) {
        endpoint.close(gone, DownReason::closed_by_us, false, lab.now, out);
        endpoint.rekey_ike(gone, lab.now, out);
        endpoint.rekey_child(gone, Spi{1}, lab.now, out);
        endpoint.inbound_used(gone, Spi{1}, lab.now, out);
        endpoint.probe(gone, lab.now, out);
        endpoint.traffic_seen(gone, lab.now);
        REQUIRE(out.empty());
    });
}
