// Plays of two ends behind NATs that start IKE at once, each at the port where the other's NAT shows it.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct TwoNats {
    TwoNats() {
        lab.put_behind_nat(a, "203.0.113.7"), lab.put_behind_nat(b, "198.51.100.9");
        lab.forward(a, 4500, 40111), lab.forward(b, 4500, 40222);
    }
    void punch(Gateway& from, const NbmaEndpoint& remote) {
        lab.act(from, [&](Endpoint& endpoint, Outbox& out) {
            endpoint.connect({.profile = {}, .local = {from.address, 4500}, .remote = remote, .expected = std::nullopt, .token = 1, .punch = true}, lab.now, out);
        });
    }
    Lab lab{52};
    Gateway& a = lab.gateway("a", "10.1.0.10");
    Gateway& b = lab.gateway("b", "10.2.0.10");
    const NbmaEndpoint a_outside = at("203.0.113.7", 40111), b_outside = at("198.51.100.9", 40222);
};

}  // namespace

TEST_CASE_METHOD(TwoNats, "the first message of a punch comes from port 4500 with the marker, and both ends meet there (RFC 7296 section 2.23)") {
    punch(a, b_outside), punch(b, a_outside);
    const Packet first = lab.wire.front();
    CHECK(first.source.port == 40111);
    CHECK(first.destination == b_outside);
    CHECK(Bytes{first.payload.begin(), first.payload.begin() + 4} == Bytes(4, 0));
    lab.run();
    for (const Gateway* each : {&a, &b}) {
        REQUIRE_FALSE(each->ups.empty());
        CHECK((each->ups[0].local_behind_nat && each->ups[0].remote_behind_nat && each->ups[0].encapsulated));
        CHECK(each->ups[0].local_endpoint.port == 4500);
        CHECK(each->ups[0].remote_endpoint == (each == &a ? b_outside : a_outside));
    }
    lab.advance(1min);  // of two crossing ones one is left
    CHECK(Lab::talk(a, b));
    CHECK(a.is_up());
}

TEST_CASE_METHOD(TwoNats, "a punch that nobody answers is over after five seconds and twenty messages") {
    punch(a, b_outside);
    lab.advance_losing(4900ms, a);
    CHECK(a.downs.empty());
    lab.advance_losing(200ms, a);
    REQUIRE(a.downs.size() == 1);
    CHECK(a.downs[0].reason == DownReason::timed_out);
    CHECK(a.count("requests-repeated") == 19);
}

TEST_CASE_METHOD(TwoNats, "once a punch is answered its next request has the patience of any other") {
    punch(a, b_outside);
    lab.deliver(), lab.deliver();  // IKE_SA_INIT, both ways
    lab.advance_losing(8s, a);
    CHECK(a.downs.empty());
    lab.advance(10s);
    CHECK(Lab::talk(a, b));
}

TEST_CASE_METHOD(TwoNats, "of two peers behind one NAT address a punch is never taken for the other's") {
    punch(a, b_outside);
    lab.deliver(), lab.deliver();  // it knows of the NATs, and goes on with IKE_AUTH
    punch(a, {b_outside.address, 40333});
    CHECK(a.count("attempts") == 2);
    CHECK(a.count("attempts-joined") == 0);
}
