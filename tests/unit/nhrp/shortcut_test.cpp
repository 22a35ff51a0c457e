// The life of a shortcut: renewal while used, expiry, replacement, what the overlay forgets.
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

/// Two spokes with a shortcut from a to b's LAN.
struct Shortcut : Triangle {
    explicit Shortcut(Settings settings = {}) : Triangle{std::move(settings)} {
        a.resolve("172.16.12.10");
        lab.deliver();
    }
};

}  // namespace

TEST_CASE("an unused shortcut expires with its holding time") {
    Shortcut t;
    t.lab.advance(seconds{599});
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
    t.lab.advance(seconds{1});
    REQUIRE(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.said<ShortcutGone>()[0].reason == ShortcutEnd::expired);
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("an answer that wants to hold for longer than our own holding time holds for that") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    for (int i = 0; i < 3; ++i) t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    reply.clients[0].holding_time = seconds{65535};
    t.a.receive(t.hub, reply);
    CHECK(t.a.said<Resolved>().at(0).holding_time == seconds{600});
    t.lab.advance(seconds{600});
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a used shortcut is renewed at two thirds of its holding time, without a word to the overlay") {
    Shortcut t;
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.lab.advance(seconds{399});
    CHECK(t.lab.sent(PacketType::resolution_request) == 2);  // the request and its forwarding
    t.lab.advance(seconds{1});
    CHECK(t.lab.sent(PacketType::resolution_request) == 4);  // by the hub again, which checks the answer again
    t.lab.advance(seconds{300});
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
    CHECK(t.a.said<Resolved>().size() == 1);
    t.lab.advance(seconds{300});  // not used since
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("without a hub the egress itself renews its shortcut, and cannot widen it") {
    Shortcut t;
    t.a.routes.erase(net("0.0.0.0/0"));
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.lab.advance(seconds{450});
    CHECK(t.lab.sent(PacketType::resolution_request) == 3);
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.b.lan = {net("172.16.0.0/16")};
    t.lab.advance(seconds{450});
    CHECK(t.lab.sent(PacketType::resolution_request) == 4);
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
    CHECK(t.a.has_shortcut("172.16.12.10/32"));
    CHECK_FALSE(t.a.has_shortcut("172.16.0.0/16"));
}

TEST_CASE("a renewal that nobody answers leaves the shortcut to its expiry") {
    Shortcut t;
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.lab.advance(seconds{399});
    t.lab.loss_percent = 100;
    t.lab.advance(seconds{100});
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
    CHECK(t.a.said<ResolutionFailed>().empty());
    t.lab.advance(seconds{101});
    CHECK(t.a.said<ShortcutGone>().at(0).reason == ShortcutEnd::expired);
}

TEST_CASE("a renewal that is refused ends the shortcut at once") {
    Shortcut t;
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.b.lan.clear();
    t.b.routes.clear();
    t.lab.advance(seconds{400});
    REQUIRE(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.said<ShortcutGone>()[0].reason == ShortcutEnd::refused);
}

TEST_CASE("a renewal that finds another next hop replaces the shortcut") {
    Shortcut t;
    Station& c = t.lab.spoke("c", "10.255.0.13", "192.0.2.13");
    t.lab.join(c, t.hub);
    t.b.set_lan({});
    t.lab.deliver();  // b withdraws, and purges a
    c.set_lan({"172.16.12.0/24"});
    t.lab.deliver();
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.said<ShortcutGone>().size() == 1);
    REQUIRE(t.a.said<Resolved>().size() == 2);
    CHECK(t.a.said<Resolved>()[1].next_hop == c.tunnel);
}

TEST_CASE("a renewal that finds another NBMA address replaces the shortcut") {
    Shortcut t;
    t.a.node->shortcut_used(net("172.16.12.0/24"));
    t.lab.advance(seconds{399});
    t.lab.advance_to_next_deadline();
    Packet reply = t.lab.last(PacketType::resolution_reply);
    reply.request_id = t.lab.last(PacketType::resolution_request).request_id;
    reply.clients[0].nbma = NbmaAddress{ip("198.51.100.12")};
    t.a.receive(t.hub, reply);
    REQUIRE(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.said<ShortcutGone>()[0].reason == ShortcutEnd::replaced);
    CHECK(t.a.said<Resolved>().at(1).nbma == NbmaAddress{ip("198.51.100.12")});
}

TEST_CASE("a shortcut that the overlay forgets is gone without an answer, and can be resolved again") {
    Shortcut t;
    t.a.node->forget(net("172.16.12.0/24"));
    t.a.routes.erase(net("172.16.12.0/24"));
    CHECK_FALSE(t.a.has_shortcut("172.16.12.0/24"));
    CHECK(t.a.said<ShortcutGone>().empty());
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a full table of shortcuts is said and counted") {
    Settings settings;
    settings.limits.shortcuts = 1;
    Shortcut t{settings};
    t.a.resolve("10.255.0.12");
    t.lab.deliver();
    CHECK(t.a.count("shortcuts-full") == 1);
    CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::limit);
}

TEST_CASE("a repeated reply is counted and not answered with an error") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    for (int i = 0; i < 3; ++i) t.lab.deliver_one();
    t.lab.wire.push_back(t.lab.wire.front());
    t.lab.deliver();
    CHECK(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.count("duplicate-reply") == 1);
    CHECK(t.lab.sent(PacketType::error_indication) == 0);
}

TEST_CASE("a new tunnel address ends the shortcuts and pending resolutions of the old one") {
    Shortcut t;
    t.a.resolve("10.255.0.12");
    Outbox out;
    t.a.tunnel = TunnelAddress{ip("10.255.0.77")};
    t.a.node->set_own_address(t.a.tunnel, 24, t.lab.now, out);
    t.lab.perform(t.a, std::move(out));
    CHECK(t.a.said<ShortcutGone>().size() == 1);
    CHECK(t.a.node->snapshot().pending.empty());
}

TEST_CASE("a snapshot shows cache, registrations, pending resolutions and counters") {
    Shortcut t;
    t.a.resolve("10.255.0.12");
    const Snapshot snapshot = t.a.node->snapshot();
    CHECK(snapshot.own_address == t.a.tunnel);
    REQUIRE(snapshot.cache.size() == 1);
    CHECK(snapshot.cache[0].next_hop == t.b.tunnel);
    REQUIRE(snapshot.registrations.size() == 1);
    CHECK(snapshot.registrations[0].prefixes == std::vector{net("172.16.11.0/24")});
    REQUIRE(snapshot.pending.size() == 1);
    CHECK(snapshot.pending[0].attempts == 1);
    CHECK(t.a.count("sent") > 0);
    CHECK(t.hub.node->snapshot().cache.size() == 4);
    CHECK(t.hub.node->snapshot().answers == 1);
}
