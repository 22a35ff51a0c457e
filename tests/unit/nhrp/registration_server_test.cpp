// Registration as a hub plays it: answers, bindings, uniqueness, limits, expiry.
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

Packet request(Prefix prefix, int holding_time = 600, std::uint16_t flags = flag::nat) {
    Packet packet = *decode(frr::bytes(frr::registration_request));
    packet.flags = flags;
    packet.clients[0].prefix_length = prefix.length;
    packet.clients[0].protocol = prefix.address;
    packet.clients[0].holding_time = seconds{holding_time};
    return packet;
}

/// A hub and a peer that says what the test wants.
struct Server {
    explicit Server(Settings settings = {}) : hub{lab.hub("hub", "10.255.0.1", "192.0.2.1", std::move(settings))} { lab.connect(hub, peer); }
    CieCode answer(const Packet& packet) { return answer_to(peer, packet); }
    CieCode answer_to(Station& from, const Packet& packet) {
        hub.receive(from, packet);
        return lab.last(PacketType::registration_reply).clients.at(0).code;
    }
    Lab lab;
    Station& hub;
    Station& peer{lab.spoke("peer", "10.255.0.12", "192.0.2.12")};
};

Settings limited(std::size_t bindings, std::size_t per_peer) {
    Settings settings;
    settings.limits.bindings = bindings;
    settings.limits.bindings_per_peer = per_peer;
    return settings;
}

}  // namespace

TEST_CASE("a hub answers FRR's registration byte for byte as FRR's hub does") {
    Settings settings;
    settings.holding_time = seconds{30};
    Server server{settings};
    server.hub.receive_bytes(server.peer, frr::bytes(frr::registration_request));
    CHECK(server.lab.wire.back().bytes == frr::bytes(frr::registration_reply));
}

TEST_CASE("a registration becomes a binding to the peer whose SA it came through") {
    Server server;
    server.hub.receive_bytes(server.peer, frr::bytes(frr::registration_request));
    const auto added = server.hub.said<BindingAdded>();
    REQUIRE(added.size() == 1);
    CHECK(added[0].peer == server.hub.peer_of(server.peer));
    CHECK(added[0].prefix == net("10.255.0.12/32"));
    CHECK(added[0].next_hop == TunnelAddress{ip("10.255.0.12")});
    CHECK(added[0].nbma == NbmaAddress{ip("192.0.2.12")});
}

TEST_CASE("a renewed binding says nothing and lives on, one that is not renewed expires") {
    Server server;
    CHECK(server.answer(request(net("10.255.0.12/32"), 30)) == CieCode::success);
    server.lab.advance(seconds{20});
    CHECK(server.answer(request(net("10.255.0.12/32"), 30)) == CieCode::success);
    server.lab.advance(seconds{29});
    CHECK(server.hub.said<BindingAdded>().size() == 1);
    CHECK(server.hub.said<BindingRemoved>().empty());
    server.lab.advance(seconds{1});
    REQUIRE(server.hub.said<BindingRemoved>().size() == 1);
    CHECK(server.hub.said<BindingRemoved>()[0].reason == BindingEnd::expired);
}

TEST_CASE("a holding time of zero means the hub's own") {
    Server server;
    server.answer(request(net("10.255.0.12/32"), 0));
    CHECK(server.hub.node->snapshot().cache.at(0).expires == server.lab.now + seconds{600});
}

TEST_CASE("clients that do not know their hub reach it by their own, no, or the subnet's broadcast address") {
    for (const char* destination : {"10.255.0.12", "0.0.0.0", "10.255.0.255", "10.255.0.1"}) {
        Server server;
        Packet packet = request(net("10.255.0.12/32"));
        packet.destination_protocol = ip(destination);
        CHECK(server.answer(packet) == CieCode::success);
        CHECK(server.lab.last(PacketType::registration_reply).destination_protocol == ip("10.255.0.1"));
    }
}

TEST_CASE("what the identity may not register is refused with the code that policy gives") {
    Server server;
    for (const CieCode code : {CieCode::administratively_prohibited, CieCode::insufficient_resources, CieCode::already_registered}) {
        server.hub.refused[net("172.16.0.0/16")] = code;
        CHECK(server.answer(request(net("172.16.0.0/16"))) == code);
    }
    CHECK(server.hub.said<BindingAdded>().empty());
    CHECK(server.hub.count("registrations-refused") == 2);
    CHECK(server.hub.count("bindings-full") == 1);
}

TEST_CASE("a prefix behind a next hop that the identity may not hold is refused as well") {
    Server server;
    server.hub.refused[net("10.255.0.12/32")] = CieCode::administratively_prohibited;
    CHECK(server.answer(request(net("172.16.12.0/24"))) == CieCode::administratively_prohibited);
}

TEST_CASE("nobody registers the hub's own address, what covers it, or a multicast address") {
    Server server;
    for (const char* prefix : {"10.255.0.1/32", "10.255.0.0/24", "224.0.0.5/32"}) CHECK(server.answer(request(net(prefix))) == CieCode::administratively_prohibited);
}

TEST_CASE("a client that uses the hub's own address is told so, whatever it registers") {
    Server server;
    for (const char* prefix : {"10.255.0.1/32", "172.16.12.0/24"}) {
        Packet packet = request(net(prefix));
        packet.source_protocol = packet.destination_protocol = ip("10.255.0.1");
        CHECK(server.answer(packet) == CieCode::administratively_prohibited);
    }
    CHECK(server.hub.said<BindingAdded>().empty());
    CHECK(server.hub.count("loop-detected") == 2);
}

TEST_CASE("a spoke that is asked to register somebody declines") {
    Lab lab;
    Station& spoke = lab.spoke("spoke", "10.255.0.1", "192.0.2.1");
    Station& peer = lab.spoke("peer", "10.255.0.12", "192.0.2.12");
    lab.connect(spoke, peer);
    spoke.receive_bytes(peer, frr::bytes(frr::registration_request));
    CHECK(lab.last(PacketType::registration_reply).clients[0].code == CieCode::administratively_prohibited);
}

TEST_CASE("an address that another identity holds is refused with code 14 while that one lives") {
    Server server;
    Station& thief = server.lab.spoke("thief", "10.255.0.12", "192.0.2.66");
    server.lab.connect(server.hub, thief);
    server.answer(request(net("10.255.0.12/32"), 30));
    CHECK(server.answer_to(thief, request(net("10.255.0.12/32"))) == CieCode::already_registered);
    CHECK(std::get<PeerRoute>(server.hub.route(ip("10.255.0.12"))).peer == server.hub.peer_of(server.peer));
    server.lab.advance(seconds{30});
    CHECK(server.answer_to(thief, request(net("10.255.0.12/32"))) == CieCode::success);
}

TEST_CASE("the same identity may move to another SA, even with the U bit") {
    Server server;
    Station& moved = server.lab.spoke("moved", "10.255.0.12", "192.0.2.66");
    server.lab.connect(server.hub, moved);
    server.hub.identities[server.hub.peer_of(moved)] = "peer";
    const auto unique = flag::registration_unique;
    server.answer(request(net("10.255.0.12/32"), 600, unique));
    CHECK(server.answer_to(moved, request(net("10.255.0.12/32"), 600, unique)) == CieCode::success);
    REQUIRE(server.hub.said<BindingRemoved>().size() == 1);
    CHECK(server.hub.said<BindingRemoved>()[0].reason == BindingEnd::taken_over);
    CHECK(std::get<PeerRoute>(server.hub.route(ip("10.255.0.12"))).peer == server.hub.peer_of(moved));
}

TEST_CASE("without enforcement the newest registration wins, unless the older one has the U bit") {
    Settings settings;
    settings.enforce_unique = false;
    Server server{settings};
    Station& other = server.lab.spoke("other", "10.255.0.12", "192.0.2.66");
    server.lab.connect(server.hub, other);
    server.answer(request(net("172.16.1.0/24")));
    server.answer(request(net("172.16.2.0/24"), 600, flag::registration_unique));
    CHECK(server.answer_to(other, request(net("172.16.1.0/24"))) == CieCode::success);
    CHECK(server.answer_to(other, request(net("172.16.2.0/24"))) == CieCode::already_registered);
}

TEST_CASE("a peer that moves a prefix to another next hop of its own gives up the old one") {
    Server server;
    CHECK(server.answer(request(net("10.255.0.50/32"))) == CieCode::success);
    Packet moved = request(net("10.255.0.50/32"));
    moved.source_protocol = ip("10.255.0.50"), moved.destination_protocol = ip("10.255.0.1");
    CHECK(server.answer(moved) == CieCode::success);
    REQUIRE(server.hub.said<BindingRemoved>().size() == 1);
    CHECK(server.hub.said<BindingRemoved>()[0].next_hop == TunnelAddress{ip("10.255.0.12")});
    CHECK(server.hub.said<BindingAdded>().back().next_hop == TunnelAddress{ip("10.255.0.50")});
}

TEST_CASE("a full table, or a peer with too many bindings, is answered with code 5 and counted") {
    Server total{limited(1, 64)};
    CHECK(total.answer(request(net("172.16.1.0/24"))) == CieCode::success);
    CHECK(total.answer(request(net("172.16.2.0/24"))) == CieCode::insufficient_resources);
    CHECK(total.answer(request(net("172.16.1.0/24"))) == CieCode::success);  // a renewal needs no room
    Server of_peer{limited(100, 1)};
    of_peer.answer(request(net("172.16.1.0/24")));
    CHECK(of_peer.answer(request(net("172.16.2.0/24"))) == CieCode::insufficient_resources);
    CHECK(of_peer.hub.count("bindings-full") == 1);
}

TEST_CASE("the bindings of a peer whose SA is gone end at once") {
    Server server;
    server.answer(request(net("10.255.0.12/32")));
    server.answer(request(net("172.16.12.0/24")));
    server.lab.disconnect(server.hub, server.peer);
    const auto removed = server.hub.said<BindingRemoved>();
    REQUIRE(removed.size() == 2);
    CHECK(removed[0].reason == BindingEnd::peer_down);
    CHECK(server.hub.node->snapshot().cache.empty());
}

TEST_CASE("bindings that an identity may hold no longer are revoked when its rights are checked again") {
    Server server;
    server.answer(request(net("10.255.0.12/32")));
    server.answer(request(net("172.16.12.0/24")));
    server.hub.refused[net("172.16.12.0/24")] = CieCode::administratively_prohibited;
    Outbox out;
    server.hub.node->recheck(server.hub.peer_of(server.peer), server.lab.now, out);
    server.lab.perform(server.hub, std::move(out));
    REQUIRE(server.hub.said<BindingRemoved>().size() == 1);
    CHECK(server.hub.said<BindingRemoved>()[0].reason == BindingEnd::revoked);
}

TEST_CASE("a peer purges its own registrations only") {
    Server server;
    Station& other = server.lab.spoke("other", "10.255.0.13", "192.0.2.13");
    server.lab.connect(server.hub, other);
    server.answer(request(net("172.16.12.0/24")));
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.clients[0].protocol = ip("172.16.12.0");
    purge.clients[0].prefix_length = 24;
    server.hub.receive(other, purge);
    CHECK(server.hub.said<BindingRemoved>().empty());
    server.hub.receive(server.peer, purge);
    CHECK(server.hub.said<BindingRemoved>().size() == 1);
}

TEST_CASE("a reply keeps extensions that nobody knows, in their place") {
    Server server;
    Packet packet = request(net("10.255.0.12/32"));
    packet.extensions.insert(packet.extensions.begin() + 1, {extension_type::vendor_private, false, {0, 0, 0x0c, 9}});
    server.hub.receive(server.peer, packet);
    const auto reply = server.lab.last(PacketType::registration_reply);
    CHECK(reply.extensions.at(1) == packet.extensions.at(1));
}

TEST_CASE("a peer that registers and purges without end is refused more changes than it has need of, and may renew what it has") {
    Server server;
    const auto changed = [&](int i) {
        Packet purge = *decode(frr::bytes(frr::purge_request));
        purge.clients[0].protocol = ip("172.16.1.0");
        purge.clients[0].prefix_length = 24;
        purge.request_id = static_cast<std::uint32_t>(1000 + i);
        server.hub.receive(server.peer, purge);
        return server.answer(request(net("172.16.1.0/24"))) == CieCode::success;
    };
    int changes = 0;
    for (int i = 0; i < 200; ++i) changes += changed(i);
    CHECK(changes == 64);
    CHECK(server.hub.count("bindings-policed") == 136);
    server.lab.advance(seconds{2});
    for (int i = 0; i < 40; ++i) changes += changed(i);
    CHECK(changes == 64 + 20);
    server.lab.advance(seconds{1});
    CHECK(server.answer(request(net("172.16.2.0/24"))) == CieCode::success);
    for (int i = 0; i < 100; ++i) CHECK(server.answer(request(net("172.16.2.0/24"))) == CieCode::success);
}
