// Registration as a spoke plays it: what it sends, when, and what it makes of the answers (RFC 2332 §5.2.3).
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

/// A spoke and a hub with an SA between them and nothing delivered yet.
struct Pair {
    explicit Pair(Settings settings = {}, Settings of_hub = {})
        : hub{lab.hub("hub", "10.255.0.1", "192.0.2.1", std::move(of_hub))}, spoke{lab.spoke("spoke", "10.255.0.12", "192.0.2.12", std::move(settings))} { lab.join(spoke, hub); }
    Lab lab;
    Station& hub;
    Station& spoke;
};

Settings holding(int time) {
    Settings settings;
    settings.holding_time = seconds{time};
    return settings;
}

/// The same but for the request id, which is ours to choose.
Bytes with_id(Packet packet, std::uint32_t id) {
    packet.request_id = id;
    return encode(packet);
}

}  // namespace

TEST_CASE("a spoke's first registration is byte for byte FRR's") {
    Pair pair{holding(30)};
    const Bytes ours = pair.lab.wire.front().bytes;
    CHECK(ours == with_id(*decode(frr::bytes(frr::registration_request)), decode(ours)->request_id));
}

TEST_CASE("a renewal names the hub that answered, as FRR's does") {
    Lab lab;
    Station& hub = lab.hub("hub", "10.255.0.1", "192.0.2.1");
    Station& spoke = lab.spoke("spoke", "10.255.0.11", "192.0.2.11", holding(30));
    lab.join(spoke, hub);
    lab.deliver();
    lab.advance_to_next_deadline();
    const Bytes ours = lab.wire.front().bytes;
    CHECK(ours == with_id(*decode(frr::bytes(frr::registration_renewal)), decode(ours)->request_id));
}

TEST_CASE("a spoke is registered when the hub confirms, and says so once") {
    Pair pair;
    pair.lab.deliver();  // Registration Request -->, <-- Registration Reply
    CHECK(pair.spoke.is_registered());
    const auto said = pair.spoke.said<Registered>();
    REQUIRE(said.size() == 1);
    CHECK(said[0].hub == pair.hub.tunnel);
    CHECK_FALSE(said[0].observed);
    pair.lab.advance(seconds{700});
    CHECK(pair.spoke.said<Registered>().size() == 1);
}

TEST_CASE("a registration is renewed every third of the holding time") {
    Pair pair{holding(600)};
    pair.lab.deliver();
    pair.lab.advance(seconds{199});
    CHECK(pair.lab.sent(PacketType::registration_request) == 1);
    pair.lab.advance(seconds{1});
    CHECK(pair.lab.sent(PacketType::registration_request) == 2);
    pair.lab.advance(seconds{400});
    CHECK(pair.lab.sent(PacketType::registration_request) == 4);
}

TEST_CASE("an unanswered registration is repeated after 1, 2, 4 to 64 s with the same id, then IKE is asked to start again") {
    Pair pair;
    const auto id = pair.lab.lose_one().request_id;
    for (const int wait : {1, 2, 4, 8, 16, 32}) {
        const auto before = pair.lab.now;
        pair.lab.advance_to_next_deadline();
        CHECK(pair.lab.now - before == seconds{wait});
        CHECK(pair.lab.lose_one().request_id == id);
    }
    CHECK(pair.spoke.said<RegistrationLost>().empty());
    pair.lab.advance_to_next_deadline();
    REQUIRE(pair.spoke.said<RegistrationLost>().size() == 1);
    CHECK(pair.spoke.said<RegistrationLost>()[0].reason == RegistrationEnd::unanswered);
    CHECK(pair.lab.lose_one().request_id != id);  // and it keeps trying
}

TEST_CASE("a registered spoke whose renewals stay unanswered loses its registration") {
    Pair pair;
    pair.lab.deliver();
    pair.lab.loss_percent = 100;
    pair.lab.advance(seconds{200 + 127});
    CHECK_FALSE(pair.spoke.is_registered());
    CHECK(pair.spoke.said<RegistrationLost>().size() == 1);
    pair.lab.loss_percent = 0;
    pair.lab.advance(seconds{64});
    CHECK(pair.spoke.is_registered());
}

TEST_CASE("a spoke registers again at once when the hub's SA comes back") {
    Pair pair;
    pair.lab.deliver();
    pair.lab.disconnect(pair.spoke, pair.hub);
    CHECK_FALSE(pair.spoke.is_registered());
    REQUIRE(pair.spoke.said<RegistrationLost>().size() == 1);
    CHECK(pair.spoke.said<RegistrationLost>()[0].reason == RegistrationEnd::peer_down);
    const auto before = pair.lab.now;
    pair.lab.join(pair.spoke, pair.hub);
    pair.lab.deliver();
    CHECK(pair.spoke.is_registered());
    CHECK(pair.lab.now == before);
}

TEST_CASE("a hub that is added before its SA is up is registered with when the SA comes") {
    Lab lab;
    Station& spoke = lab.spoke("spoke", "10.255.0.12", "192.0.2.12");
    Outbox out;
    spoke.peers[PeerId{1}] = &spoke;
    spoke.node->add_next_hop_server(NhsId{1}, PeerId{1}, TunnelAddress{ip("10.255.0.1")}, lab.now, out);
    CHECK(out.empty());
    spoke.node->peer_up(PeerId{1}, lab.now, out);
    lab.perform(spoke, std::move(out));
    CHECK(lab.last(PacketType::registration_request).destination_protocol == ip("10.255.0.1"));
}

TEST_CASE("a repeated reply changes nothing and is counted") {
    Pair pair;
    pair.lab.deliver_one();
    pair.lab.wire.push_back(pair.lab.wire.front());
    pair.lab.deliver();
    CHECK(pair.spoke.said<Registered>().size() == 1);
    CHECK(pair.spoke.count("duplicate-reply") == 1);
}

TEST_CASE("a reply from another peer than the hub that was asked is not believed") {
    Pair pair;
    Station& other = pair.lab.hub("other", "10.255.0.2", "192.0.2.2");
    pair.lab.connect(pair.spoke, other);
    pair.lab.deliver_one();
    const Packet reply = pair.lab.lose_one();
    pair.spoke.receive(other, reply);
    CHECK_FALSE(pair.spoke.is_registered());
    CHECK(pair.spoke.count("unexpected-reply") == 1);
}

TEST_CASE("a refused spoke reports the code and tries again with the next renewal") {
    Pair pair;
    pair.hub.refused[net("10.255.0.12/32")] = CieCode::administratively_prohibited;
    pair.lab.deliver();
    const auto refusals = pair.spoke.said<RegistrationRefused>();
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0].code == CieCode::administratively_prohibited);
    CHECK(pair.spoke.node->snapshot().registrations[0].state == RegistrationState::refused);
    pair.hub.refused.clear();
    pair.lab.advance(seconds{200});
    CHECK(pair.spoke.is_registered());
}

TEST_CASE("LAN prefixes are registered in a request of their own, after the tunnel address was taken") {
    Pair pair;
    pair.spoke.set_lan({"172.16.12.0/24", "172.16.13.0/24"});
    CHECK(pair.lab.wire.size() == 1);
    pair.lab.deliver();
    const Packet request = pair.lab.last(PacketType::registration_request);
    REQUIRE(request.clients.size() == 2);
    CHECK(request.clients[0].prefix_length == 24);
    CHECK(request.clients[0].protocol == ip("172.16.12.0"));
    CHECK(pair.spoke.said<PrefixRegistered>().size() == 2);
    CHECK(std::get<PeerRoute>(pair.hub.route(ip("172.16.13.9"))).next_hop == pair.spoke.tunnel);
}

TEST_CASE("each prefix has its own code, and a refused one leaves the others and the registration alone") {
    Pair pair;
    pair.hub.refused[net("172.16.13.0/24")] = CieCode::administratively_prohibited;
    pair.spoke.set_lan({"172.16.12.0/24", "172.16.13.0/24"});
    pair.lab.deliver();
    CHECK(pair.spoke.is_registered());
    CHECK(pair.spoke.said<PrefixRegistered>().size() == 1);
    const auto refusals = pair.spoke.said<RegistrationRefused>();
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0].prefix == net("172.16.13.0/24"));
    CHECK(pair.spoke.node->snapshot().registrations[0].refused.size() == 1);
}

TEST_CASE("many prefixes go in few requests, once they are known, and all of them are registered") {
    Settings roomy;
    roomy.limits.bindings_per_peer = 64;
    Pair pair{{}, roomy};
    pair.lab.deliver();
    std::vector<Prefix> prefixes;
    for (std::uint32_t i = 0; i < 40; ++i) prefixes.push_back(Prefix::of(IpAddress::v4(0xac100000 + i * 256), 24));
    // One by one, as the kernel tells them.
    for (std::size_t known = 1; known <= prefixes.size(); ++known) {
        Outbox out;
        pair.spoke.node->set_local_prefixes({prefixes.begin(), prefixes.begin() + static_cast<std::ptrdiff_t>(known)}, pair.lab.now, out);
        pair.lab.perform(pair.spoke, std::move(out));
    }
    CHECK(pair.lab.wire.empty());
    Outbox out;
    pair.lab.now = pair.spoke.node->next_deadline().value();
    pair.spoke.node->on_deadline(pair.lab.now, out);
    pair.lab.perform(pair.spoke, std::move(out));
    CHECK(pair.lab.wire.size() == 3);
    pair.lab.deliver();
    CHECK(pair.spoke.said<PrefixRegistered>().size() == 40);
}

TEST_CASE("a lost prefix registration is repeated without the hub being lost") {
    Pair pair;
    pair.lab.deliver();
    pair.spoke.set_lan({"172.16.12.0/24"});
    pair.lab.lose_one();
    pair.lab.advance(seconds{1});
    CHECK(pair.spoke.said<PrefixRegistered>().size() == 1);
    CHECK(pair.spoke.said<RegistrationLost>().empty());
}

TEST_CASE("a prefix that goes away is purged from the hub, also when the purge is lost once") {
    Pair pair;
    pair.spoke.set_lan({"172.16.12.0/24"});
    pair.lab.deliver();
    pair.spoke.set_lan({});
    pair.lab.advance_to_next_deadline();
    CHECK(pair.lab.lose_one().type == PacketType::purge_request);
    pair.lab.advance(seconds{1});
    REQUIRE(pair.hub.said<BindingRemoved>().size() == 1);
    CHECK(pair.hub.said<BindingRemoved>()[0].reason == BindingEnd::purged);
    CHECK(pair.spoke.node->snapshot().purges == 0);
    CHECK(pair.spoke.is_registered());
}

TEST_CASE("a spoke registers with two hubs independently") {
    Pair pair;
    Station& second = pair.lab.hub("second", "10.255.0.2", "192.0.2.2");
    pair.lab.join(pair.spoke, second, NhsId{2});
    pair.lab.deliver();
    CHECK(pair.spoke.said<Registered>().size() == 2);
    pair.lab.disconnect(pair.spoke, second);
    const auto lost = pair.spoke.said<RegistrationLost>();
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].nhs == NhsId{2});
    CHECK(pair.spoke.is_registered());
}

TEST_CASE("a removed hub is told with the registration's own request id, which old IOS needs") {
    Pair pair;
    pair.lab.deliver();
    Outbox out;
    pair.spoke.node->remove_next_hop_server(NhsId{1}, pair.lab.now, out);
    pair.lab.perform(pair.spoke, std::move(out));
    CHECK(pair.lab.last(PacketType::purge_request).request_id == pair.lab.last(PacketType::registration_request).request_id);
    pair.lab.deliver();
    CHECK(pair.hub.said<BindingRemoved>().size() == 1);
    CHECK(pair.lab.sent(PacketType::purge_reply) == 0);  // the N flag asks for none
}

TEST_CASE("a spoke that shuts down takes its registration and prefixes with it") {
    Pair pair;
    pair.spoke.set_lan({"172.16.12.0/24"});
    pair.lab.deliver();
    Outbox out;
    pair.spoke.node->shut_down(pair.lab.now, out);
    pair.lab.perform(pair.spoke, std::move(out));
    pair.lab.deliver();
    CHECK(pair.hub.node->snapshot().cache.empty());
}

TEST_CASE("a changed tunnel address is registered at once and the old one purged") {
    Pair pair;
    pair.lab.deliver();
    Outbox out;
    pair.spoke.tunnel = TunnelAddress{ip("10.255.0.77")};
    pair.spoke.node->set_own_address(pair.spoke.tunnel, 24, pair.lab.now, out);
    pair.lab.perform(pair.spoke, std::move(out));
    pair.lab.deliver();
    const auto cache = pair.hub.node->snapshot().cache;
    REQUIRE(cache.size() == 1);
    CHECK(cache[0].prefix == net("10.255.0.77/32"));
    CHECK(pair.spoke.is_registered());
}

TEST_CASE("a unique registration has the U bit and prefix length 255") {
    Settings settings;
    settings.unique = true;
    Pair pair{settings};
    const Packet request = pair.lab.wire.front().packet();
    CHECK(request.flags == (flag::registration_unique | flag::nat));
    CHECK(request.clients[0].prefix_length == 255);
    pair.lab.deliver();
    CHECK(pair.hub.said<BindingAdded>()[0].unique);
}
