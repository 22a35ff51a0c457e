// Resolution: the request on its way to the egress and the answer on its way back (RFC 2332 §5.2.1, §5.2.2).
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

Settings thirty_seconds() {
    Settings settings;
    settings.holding_time = seconds{30};
    return settings;
}

Bytes with_id(std::string_view vector, std::uint32_t id) {
    Packet packet = *decode(frr::bytes(vector));
    packet.request_id = id;
    return encode(packet);
}

}  // namespace

TEST_CASE("request, forwarded request, reply and forwarded reply are byte for byte those of FRR") {
    Triangle t{thirty_seconds(), thirty_seconds()};
    t.a.resolve("172.16.12.10");
    const auto id = t.lab.wire.front().packet().request_id;
    for (const auto vector : {frr::resolution_request, frr::resolution_request_forwarded, frr::resolution_reply, frr::resolution_reply_forwarded}) {
        REQUIRE_FALSE(t.lab.wire.empty());
        CHECK(t.lab.wire.front().bytes == with_id(vector, id));
        t.lab.deliver_one();
    }
    CHECK(t.lab.wire.empty());
}

TEST_CASE("a resolved destination gives the prefix, next hop and NBMA address to contact") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    const auto resolved = t.a.said<Resolved>();
    REQUIRE(resolved.size() == 1);
    CHECK(resolved[0].prefix == net("172.16.12.0/24"));
    CHECK(resolved[0].next_hop == t.b.tunnel);
    CHECK(resolved[0].nbma == t.b.nbma);
    CHECK(resolved[0].holding_time == seconds{600});
}

TEST_CASE("the egress is told who asked, so that it can start IKE as well") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    const auto answered = t.b.said<Answered>();
    REQUIRE(answered.size() == 1);
    CHECK(answered[0].requester == t.a.tunnel);
    CHECK(answered[0].nbma == t.a.nbma);
}

TEST_CASE("another spoke's tunnel address resolves to a host prefix") {
    Triangle t;
    t.a.resolve("10.255.0.12");
    t.lab.deliver();
    REQUIRE(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.said<Resolved>()[0].prefix == net("10.255.0.12/32"));
}

TEST_CASE("a LAN behind the hub is answered by the hub itself") {
    Triangle t;
    t.hub.set_lan({"172.16.1.0/24"});
    t.a.resolve("172.16.1.7");
    t.lab.deliver();
    REQUIRE(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.said<Resolved>()[0].next_hop == t.hub.tunnel);
}

TEST_CASE("an unanswered request is repeated after 1, 2 and 4 s with the same id, fails 7 s later, and rests in the negative cache") {
    Triangle t;
    const auto start = t.lab.now;
    t.a.resolve("172.16.12.10");
    const auto id = t.lab.lose_one().request_id;
    for (const int after : {1, 3, 7}) {
        t.lab.advance(start + seconds{after} - t.lab.now - std::chrono::milliseconds{1});
        CHECK(t.lab.wire.empty());
        t.lab.advance_to_next_deadline();
        CHECK(t.lab.now == start + seconds{after});
        CHECK(t.lab.lose_one().request_id == id);
    }
    t.lab.advance(seconds{7});
    REQUIRE(t.a.said<ResolutionFailed>().size() == 1);
    CHECK(t.a.said<ResolutionFailed>()[0].reason == ResolutionFailure::unanswered);
    t.a.resolve("172.16.12.10");
    CHECK(t.lab.wire.empty());
    CHECK(t.a.count("negative-hits") == 1);
    t.lab.advance(seconds{60});
    t.a.resolve("172.16.12.10");
    CHECK(t.lab.wire.size() == 1);
}

TEST_CASE("a destination that is local, pending, cached or no host of ours is not asked for") {
    Triangle t;
    for (const char* destination : {"172.16.11.9", "10.255.0.11", "224.0.0.5", "0.0.0.0", "fd00::1"}) t.a.resolve(destination);
    CHECK(t.lab.wire.empty());
    t.a.resolve("172.16.12.10");
    t.a.resolve("172.16.12.10");
    CHECK(t.lab.wire.size() == 1);
    t.lab.deliver();
    t.a.resolve("172.16.12.77");
    CHECK(t.lab.wire.empty());
}

TEST_CASE("without a route towards any hub a resolution fails at once") {
    Triangle t;
    t.a.routes.clear();
    t.a.resolve("172.16.12.10");
    REQUIRE(t.a.said<ResolutionFailed>().size() == 1);
    CHECK(t.a.said<ResolutionFailed>()[0].reason == ResolutionFailure::no_route);
}

TEST_CASE("too many resolutions under way are refused by name") {
    Settings settings;
    settings.limits.pending = 2;
    Triangle t{settings};
    for (const char* destination : {"172.16.12.1", "172.16.12.2", "172.16.12.3"}) t.a.resolve(destination);
    CHECK(t.lab.wire.size() == 2);
    CHECK(t.a.count("pending-full") == 1);
    CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::limit);
}

TEST_CASE("an address of the tunnel that nobody registered is answered with code 12") {
    Triangle t;
    t.a.resolve("10.255.0.99");
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::resolution_reply).clients[0].code == CieCode::no_binding);
    CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::refused);
}

TEST_CASE("a destination without a route at the hub is answered with error 6") {
    Triangle t;
    t.a.resolve("203.0.113.1");
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::error_indication).error_code == 6);
    CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::unreachable);
    CHECK(t.a.node->snapshot().cache.at(0).kind == CacheKind::negative);
}

TEST_CASE("a request for unique bindings only is answered with code 13 for a LAN prefix") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    Packet request = t.lab.lose_one();
    request.flags |= flag::resolution_unique;
    t.hub.receive(t.a, request);
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::resolution_reply).clients[0].code == CieCode::not_unique);
}

TEST_CASE("an answer wider than /8 shrinks to the host that was asked for") {
    Triangle t;
    t.b.lan = {net("0.0.0.0/0")};
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.said<Resolved>().at(0).prefix == net("172.16.12.10/32"));
}

TEST_CASE("an answer that would cover our own or a hub's tunnel address shrinks to the host") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one();
    t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    t.lab.deliver();
    t.a.resolve("10.255.0.12");
    reply.request_id = t.lab.lose_one().request_id;
    reply.destination_protocol = ip("10.255.0.12");
    t.a.receive(t.hub, reply);
    CHECK(t.a.said<Resolved>().at(0).prefix == net("10.255.0.12/32"));
}

TEST_CASE("an answer without NBMA address, or that names ourselves as next hop, is worth nothing") {
    for (const bool ourselves : {false, true}) {
        Triangle t;
        t.a.resolve("172.16.12.10");
        t.lab.deliver_one(), t.lab.deliver_one();
        Packet reply = t.lab.lose_one();
        if (ourselves) reply.clients[0].protocol = t.a.tunnel.value;
        else reply.clients[0].nbma.reset();
        t.a.receive(t.hub, reply);
        CHECK(t.a.said<Resolved>().empty());
        CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::invalid);
    }
}

TEST_CASE("a reply may come straight from the egress, over a tunnel that it brought up first") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    const Packet reply = t.lab.lose_one();  // taken off the way through the hub
    t.lab.connect(t.a, t.b);
    t.a.receive(t.b, reply);
    REQUIRE(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.said<Resolved>()[0].prefix == net("172.16.12.10/32"));  // no hub has checked that b has the rest of the network
}

TEST_CASE("a no that comes straight from a spoke is not believed") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    reply.clients[0].code = CieCode::no_binding;
    t.lab.connect(t.a, t.b);
    t.a.receive(t.b, reply);
    CHECK(t.a.said<ResolutionFailed>().empty());
    CHECK(t.a.count("unexpected-reply") == 1);
}

TEST_CASE("a reply to another source than ourselves is none to us") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    reply.source_protocol = ip("172.16.11.5");
    t.a.receive(t.hub, reply);
    CHECK(t.a.said<Resolved>().empty());
    CHECK(t.a.count("unexpected-reply") == 1);
}

TEST_CASE("a hub does not pass on an answer for more than it routes to who answers") {
    Triangle t;
    t.b.lan = {net("172.16.12.0/23")};  // of which the hub knows 172.16.12.0/24
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.hub.count("not-permitted") == 1);
    CHECK(t.a.said<Resolved>().empty());
}

TEST_CASE("a hub does not pass on an answer with another's next hop") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    for (const char* another : {"10.255.0.99", "10.255.0.11"}) {
        reply.clients[0].protocol = ip(another);
        t.hub.receive(t.b, reply);
    }
    CHECK(t.hub.count("not-permitted") == 2);
    CHECK(t.lab.wire.empty());
}

TEST_CASE("who asks in another's name is answered, but neither remembered nor contacted") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    const Packet request = t.lab.lose_one();
    Station& c = t.lab.spoke("c", "10.255.0.13", "192.0.2.13");
    t.lab.connect(c, t.b);
    t.b.receive(c, request);
    CHECK(t.b.said<Answered>().empty());
    CHECK(t.b.node->snapshot().answers == 0);
    CHECK(t.b.count("spoofed-source") == 1);
}

TEST_CASE("an answer from a peer that may not speak for the prefix is dropped by requester and hub") {
    Triangle t;
    t.hub.may_not_answer.insert(t.hub.peer_of(t.b));
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.hub.count("not-permitted") == 1);
    CHECK(t.hub.has_logged("resolution-reply about 172.16.12.10 from 192.0.2.12 dropped: its sender may not speak for 172.16.12.0/24"));
    CHECK(t.a.said<Resolved>().empty());
    t.hub.may_not_answer.clear();
    t.a.may_not_answer.insert(t.a.peer_of(t.hub));
    t.lab.advance(seconds{1});
    CHECK(t.a.count("not-permitted") == 1);
    CHECK(t.a.has_logged("from 192.0.2.1 dropped: its sender may not speak for 172.16.12.0/24"));
    CHECK(t.a.said<Resolved>().empty());
}

TEST_CASE("a traffic indication starts the resolution of the quoted destination") {
    Triangle t;
    t.hub.relayed(t.a, "172.16.11.10", "172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a hub's traffic indication goes to the source of the traffic, with hop count 1 and an even quote") {
    Triangle t;
    t.hub.relayed(t.a, "172.16.11.10", "172.16.12.10");
    const Packet indication = t.lab.wire.front().packet();
    CHECK(indication.hop_count == 1);
    CHECK(indication.destination_protocol == ip("172.16.11.10"));
    CHECK(indication.error_code == 0);
    CHECK(indication.extensions.empty());
    CHECK(indication.quoted.size() == 84);
}

TEST_CASE("FRR's traffic indication is understood") {
    Triangle t;
    t.a.receive_bytes(t.hub, frr::bytes(frr::traffic_indication));
    CHECK(t.lab.last(PacketType::resolution_request).destination_protocol == ip("172.16.12.10"));
}

TEST_CASE("an indication about traffic that is not ours, or that quotes no IP packet, starts nothing") {
    Triangle t;
    Packet indication = *decode(frr::bytes(frr::traffic_indication));
    indication.destination_protocol = ip("172.16.99.1");
    t.a.receive(t.hub, indication);
    indication.destination_protocol = ip("172.16.11.10");
    indication.quoted.assign(40, 0);
    t.a.receive(t.hub, indication);
    CHECK(t.lab.sent(PacketType::resolution_request) == 0);
    CHECK(t.a.count("unusable-indication") == 1);
}

TEST_CASE("a node with shortcuts or redirects off neither follows nor sends indications") {
    Settings no_shortcut;
    no_shortcut.shortcut = false;
    Triangle t{no_shortcut};
    t.hub.relayed(t.a, "172.16.11.10", "172.16.12.10");
    t.lab.deliver();
    CHECK(t.lab.sent(PacketType::resolution_request) == 0);
    t.a.relayed(t.hub, "172.16.11.10", "172.16.12.10");  // a spoke's redirect is off
    CHECK(t.lab.wire.empty());
}

TEST_CASE("only a hub can make a spoke ask") {
    Triangle t;
    t.lab.connect(t.a, t.b);
    t.a.receive_bytes(t.b, frr::bytes(frr::traffic_indication));
    CHECK(t.a.count("not-permitted") == 1);
    CHECK(t.lab.sent(PacketType::resolution_request) == 0);
}

TEST_CASE("nobody answers for another's tunnel address, even with the tunnel's subnet on link") {
    Triangle t;
    t.b.lan.push_back(net("10.255.0.0/24"));
    t.hub.routes[net("10.255.0.99/32")] = {t.hub.peer_of(t.b), t.b.tunnel};
    t.a.resolve("10.255.0.99");
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::resolution_reply).clients[0].code == CieCode::no_binding);
    CHECK(t.a.said<Resolved>().empty());
}
