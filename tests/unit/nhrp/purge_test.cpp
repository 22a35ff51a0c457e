// Purging in both directions: who resolved something is told when it is true no more (RFC 2332 §5.2.5, §5.2.6).
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

struct Shortcut : Triangle {
    Shortcut() {
        a.resolve("172.16.12.10");
        lab.deliver();
    }
};

}  // namespace

TEST_CASE("when a spoke's SA with the hub dies, the hub purges those who resolved through it") {
    Shortcut t;
    t.lab.disconnect(t.hub, t.b);
    t.lab.deliver();
    REQUIRE(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.said<ShortcutGone>()[0].reason == ShortcutEnd::purged);
    CHECK(t.hub.node->snapshot().purges == 0);  // the reply came
    CHECK(t.hub.node->snapshot().answers == 0);
}

TEST_CASE("a purge is confirmed only by whom it was sent to") {
    Shortcut t;
    Station& c = t.lab.spoke("c", "10.255.0.13", "192.0.2.13");
    t.lab.join(c, t.hub);
    t.lab.deliver();
    t.lab.disconnect(t.hub, t.b);
    Packet confirmed = t.lab.lose_one();
    confirmed.type = PacketType::purge_reply;
    t.hub.receive(c, confirmed);
    CHECK(t.hub.node->snapshot().purges == 1);
    t.hub.receive(t.a, confirmed);
    CHECK(t.hub.node->snapshot().purges == 0);
}

TEST_CASE("a lost purge is repeated after 1, 2 and 4 s and given up after 7 more") {
    Shortcut t;
    t.lab.disconnect(t.hub, t.b);
    t.lab.loss_percent = 100;
    t.lab.wire.clear();
    const auto before = t.lab.sent(PacketType::purge_request);
    t.lab.advance(seconds{13});
    CHECK(t.lab.sent(PacketType::purge_request) - before == 3);
    CHECK(t.hub.node->snapshot().purges == 1);
    t.lab.advance(seconds{1});
    CHECK(t.hub.node->snapshot().purges == 0);
    CHECK(t.hub.count("purges-unanswered") == 1);
}

TEST_CASE("a spoke that comes back from another NBMA address makes the hub purge the old one") {
    Shortcut t;
    t.b.nbma = NbmaAddress{ip("198.51.100.12")};
    t.lab.advance(seconds{200});  // b's renewal tells the new address
    CHECK(t.a.said<ShortcutGone>().size() == 1);
    const auto added = t.hub.said<BindingAdded>();
    CHECK(added.back().nbma == NbmaAddress{ip("198.51.100.12")});
}

TEST_CASE("the egress purges those whom it told of a prefix that it lost") {
    Shortcut t;
    t.b.set_lan({});
    t.lab.deliver();
    REQUIRE(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.said<ShortcutGone>()[0].prefix == net("172.16.12.0/24"));
    CHECK(t.b.node->snapshot().purges == 0);
}

TEST_CASE("a purge for one prefix leaves the others") {
    Shortcut t;
    t.a.resolve("10.255.0.12");
    t.lab.deliver();
    t.b.set_lan({});
    t.lab.deliver();
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
    CHECK(t.a.has_shortcut("10.255.0.12/32"));
}

TEST_CASE("a Purge Reply repeats the request's id, flags and entries") {
    Shortcut t;
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.source_protocol = t.hub.tunnel.value;
    purge.destination_protocol = t.a.tunnel.value;
    t.a.receive(t.hub, purge);
    const Packet reply = t.lab.last(PacketType::purge_reply);
    CHECK(reply.request_id == purge.request_id);
    CHECK(reply.clients == purge.clients);
    CHECK(reply.source_protocol == purge.source_protocol);
    CHECK(reply.destination_protocol == purge.destination_protocol);
}

TEST_CASE("a purge that wants no reply gets none") {
    Shortcut t;
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.source_protocol = t.hub.tunnel.value;
    purge.destination_protocol = t.a.tunnel.value;
    purge.flags = flag::purge_no_reply;
    purge.clients[0] = {.prefix_length = 16, .nbma = std::nullopt, .protocol = ip("172.16.0.0")};
    t.a.receive(t.hub, purge);
    CHECK(t.lab.sent(PacketType::purge_reply) == 0);
    CHECK(t.a.said<ShortcutGone>().size() == 1);  // what lies within the purged prefix goes
}

TEST_CASE("a spoke purges only what leads to itself") {
    Shortcut t;
    Station& c = t.lab.spoke("c", "10.255.0.13", "192.0.2.13");
    t.lab.connect(t.a, c);
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.destination_protocol = t.a.tunnel.value;
    purge.clients[0] = {.prefix_length = 24, .nbma = std::nullopt, .protocol = ip("172.16.12.0")};
    t.a.receive(c, purge);
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
    t.a.receive(t.b, purge);
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a hub does not forward a purge of what its sender may not speak for") {
    Shortcut t;
    t.hub.may_not_answer.insert(t.hub.peer_of(t.b));
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.source_protocol = t.b.tunnel.value;
    purge.destination_protocol = t.a.tunnel.value;
    t.hub.receive(t.b, purge);
    CHECK(t.hub.count("not-permitted") == 1);
    CHECK(t.lab.wire.empty());
}

TEST_CASE("answers are forgotten when they expire, and bounded") {
    Settings limited;
    limited.limits.answers = 1;
    Triangle t{{}, limited};
    t.a.resolve("172.16.12.10");
    t.b.resolve("172.16.11.10");
    t.lab.deliver();
    CHECK(t.hub.node->snapshot().answers == 1);
    CHECK(t.hub.count("answers-full") == 1);
    t.lab.advance(seconds{600});
    CHECK(t.hub.node->snapshot().answers == 0);
}

TEST_CASE("a purged destination can be resolved again at once") {
    Shortcut t;
    t.lab.disconnect(t.hub, t.b);
    t.lab.deliver();
    t.lab.join(t.b, t.hub);
    t.lab.deliver();
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a moved spoke is purged also for networks that it never registered, such as those of a routing protocol") {
    Triangle t;
    t.b.node->set_local_prefixes({}, t.lab.now, t.b.actions);
    t.lab.advance(seconds{100});
    t.hub.routes[net("172.16.12.0/24")] = {t.hub.peer_of(t.b), t.b.tunnel};
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    t.b.nbma = NbmaAddress{ip("198.51.100.12")};
    t.lab.advance(seconds{100});
    CHECK(t.a.said<ShortcutGone>().size() == 1);
}
