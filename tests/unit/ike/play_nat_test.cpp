// Plays through NATs: detection, port 4500, selectors, rebinding, keepalives.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct ThroughNat {
    Lab lab{51};
    Gateway& spoke = lab.gateway("spoke", "10.1.0.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    const NbmaAddress nat = at("203.0.113.7").address;
};

}  // namespace

TEST_CASE_METHOD(ThroughNat, "a spoke behind a NAT moves to port 4500, with the marker, and ESP is encapsulated") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.connect(spoke, hub);
    lab.deliver(), lab.deliver();  // IKE_SA_INIT with NAT_DETECTION_*, both ways
    const Packet& auth = lab.wire.front();
    REQUIRE(auth.destination.port == 4500);
    REQUIRE(std::vector<std::uint8_t>{auth.payload.begin(), auth.payload.begin() + 4} == std::vector<std::uint8_t>(4, 0));
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE((spoke.ups[0].local_behind_nat && !spoke.ups[0].remote_behind_nat && spoke.ups[0].encapsulated));
    REQUIRE((!hub.ups[0].local_behind_nat && hub.ups[0].remote_behind_nat && hub.ups[0].encapsulated));
    REQUIRE(spoke.ups[0].local_endpoint == at("10.1.0.10", 4500));
    REQUIRE(hub.ups[0].remote_endpoint.address == nat);
    REQUIRE(hub.ups[0].remote_endpoint.port >= 40000);
    REQUIRE(hub.outbound[0].mode == EspMode::transport);
}

TEST_CASE_METHOD(ThroughNat, "a hub behind a NAT with forwarded ports is reached") {
    Gateway& outside = lab.gateway("outside", "192.0.2.77");
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.forward(spoke, 500, 500), lab.forward(spoke, 4500, 4500);
    lab.establish(outside, spoke);
    REQUIRE((outside.ups[0].remote_behind_nat && !outside.ups[0].local_behind_nat && outside.ups[0].encapsulated));
    REQUIRE((spoke.ups[0].local_behind_nat && spoke.ups[0].encapsulated));
    REQUIRE(outside.ups[0].remote_endpoint == NbmaEndpoint{nat, 4500});
}

TEST_CASE_METHOD(ThroughNat, "both ends behind NATs come up, and rekey") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.put_behind_nat(hub, "198.51.100.9");
    lab.forward(hub, 500, 500), lab.forward(hub, 4500, 4500);
    lab.establish(spoke, hub);
    REQUIRE((spoke.ups[0].local_behind_nat && spoke.ups[0].remote_behind_nat));
    lab.rekey_child(hub);
    lab.run();
    lab.rekey_child(spoke);
    lab.run();
    lab.rekey_ike(hub);
    lab.advance(30s);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.view().children.size() == 1);
}

TEST_CASE_METHOD(ThroughNat, "without a NAT everything stays on port 500 and nothing is encapsulated") {
    lab.establish(spoke, hub);
    REQUIRE(spoke.ups[0].local_endpoint.port == 500);
    REQUIRE_FALSE((spoke.ups[0].encapsulated || hub.ups[0].encapsulated));
    lab.advance(10min);
    REQUIRE(spoke.count("keepalives-sent") == 0);
}

TEST_CASE_METHOD(ThroughNat, "forced encapsulation works without a NAT, whichever end forces it") {
    Gateway& forcing = GENERATE(0, 1) == 0 ? spoke : hub;
    forcing.settings.profiles[0].force_encapsulation = true;
    forcing.start();
    lab.establish(spoke, hub);
    REQUIRE((spoke.ups[0].encapsulated && hub.ups[0].encapsulated));
    REQUIRE(spoke.ups[0].remote_endpoint.port == 4500);
    REQUIRE(hub.ups[0].local_endpoint.port == 4500);
    lab.rekey_child(spoke);
    lab.run();
    lab.rekey_child(hub);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(ThroughNat, "two spokes behind one NAT address are two peers") {
    Gateway& second = lab.gateway("second", "10.1.0.11");
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.put_behind_nat(second, "203.0.113.7");
    lab.connect(spoke, hub);
    lab.connect(second, hub);
    lab.run();
    REQUIRE(hub.ups.size() == 2);
    REQUIRE(hub.ups[0].remote_endpoint.address == hub.ups[1].remote_endpoint.address);
    REQUIRE(hub.ups[0].remote_endpoint.port != hub.ups[1].remote_endpoint.port);
    REQUIRE(hub.downs.empty());
}

TEST_CASE_METHOD(ThroughNat, "when the NAT rebinds, the newest authentic message moves the peer") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.establish(spoke, hub);
    const NbmaEndpoint before = hub.ups[0].remote_endpoint;
    lab.rebind(spoke);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lab.run();
    REQUIRE(hub.moves.size() == 1);
    REQUIRE(hub.moves[0].remote.address == before.address);
    REQUIRE(hub.moves[0].remote.port != before.port);
    REQUIRE(hub.view().remote == hub.moves[0].remote);
    lab.rekey_child(hub);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(ThroughNat, "when ESP shows that the NAT rebound, the hub's own requests go there at once") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.establish(spoke, hub);
    const NbmaEndpoint elsewhere = at("203.0.113.7", 45678);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.peer_moved(hub.sa(), elsewhere, lab.now, out); });
    REQUIRE(hub.moves.size() == 1);
    CHECK(hub.moves[0].remote == elsewhere);
    CHECK(hub.moves[0].local == hub.ups[0].local_endpoint);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(hub.sa(), lab.now, out); });
    CHECK(lab.intercept().destination == elsewhere);
}

TEST_CASE_METHOD(ThroughNat, "ESP from elsewhere moves no peer that is not behind a NAT") {
    lab.establish(spoke, hub);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.peer_moved(hub.sa(), at("203.0.113.7", 45678), lab.now, out); });
    CHECK(hub.moves.empty());
    CHECK(hub.view().remote == hub.ups[0].remote_endpoint);
}

TEST_CASE_METHOD(ThroughNat, "a captured message that is repeated from elsewhere moves nobody") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.establish(spoke, hub);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    Packet captured = lab.wire.front();
    lab.run();
    captured.source = at("198.51.100.66", 4500);
    lab.inject(captured);
    REQUIRE(hub.moves.empty());
    REQUIRE(hub.count("requests-answered-again") == 1);
}

TEST_CASE_METHOD(ThroughNat, "a peer that is not behind a NAT is not followed") {
    lab.establish(spoke, hub);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    Packet diverted = lab.intercept(&spoke);
    diverted.source = at("198.51.100.66", 500);
    lab.inject(diverted);
    REQUIRE(hub.moves.empty());
    REQUIRE(hub.view().remote == at("10.1.0.10", 500));
}

TEST_CASE_METHOD(ThroughNat, "behind a NAT a keepalive of one byte goes out every twenty seconds") {
    lab.put_behind_nat(spoke, "203.0.113.7");
    lab.establish(spoke, hub);
    lab.advance(61s);
    REQUIRE(spoke.count("keepalives-sent") == 3);
    REQUIRE(hub.count("keepalives-received") == 3);
    REQUIRE(hub.count("keepalives-sent") == 0);
}

TEST_CASE_METHOD(ThroughNat, "on port 4500 a datagram without the marker is not IKE") {
    lab.inject({nullptr, at("198.51.100.66", 4500), {hub.address, 4500}, Bytes(60, 1)});
    lab.inject({nullptr, at("198.51.100.66", 4500), {hub.address, 4500}, Bytes(4, 0)});
    REQUIRE(hub.count("without-marker") == 2);
}
