// Spokes behind NAT: the NAT address extension as FRR and Cisco use it.
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

/// Spoke b is 10.0.0.12 at home and 198.51.100.12 outside.
struct BehindNat : Triangle {
    BehindNat() {
        b.nbma = NbmaAddress{ip("10.0.0.12")};
        b.public_nbma = NbmaAddress{ip("198.51.100.12")};
        lab.advance(seconds{200});
    }
};

std::vector<ClientInfo> nat_entries(const Packet& packet) {
    return *decode_client_list(find(packet.extensions, extension_type::nat_address)->value, packet.families);
}

}  // namespace

TEST_CASE("a hub tells a spoke behind NAT its address in a second entry of the extension") {
    BehindNat t;
    const auto registered = t.b.said<Registered>();
    CHECK(registered.back().observed == NbmaAddress{ip("198.51.100.12")});
    CHECK_FALSE(t.a.said<Registered>().back().observed);
    const auto added = t.hub.said<BindingAdded>();
    CHECK(added.back().nbma == NbmaAddress{ip("10.0.0.12")});
}

TEST_CASE("a spoke behind NAT answers with its own and its outer address, and the outer one is contacted") {
    BehindNat t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    const auto resolved = t.a.said<Resolved>();
    REQUIRE(resolved.size() == 1);
    CHECK(resolved[0].nbma == NbmaAddress{ip("198.51.100.12")});
    CHECK(resolved[0].claimed == NbmaAddress{ip("10.0.0.12")});
}

TEST_CASE("the egress learns the outer address of a requester behind NAT") {
    BehindNat t;
    t.b.resolve("172.16.11.10");
    CHECK(nat_entries(t.lab.wire.front().packet()).at(0).nbma == NbmaAddress{ip("198.51.100.12")});
    t.lab.deliver();
    CHECK(t.a.said<Answered>().at(0).nbma == NbmaAddress{ip("198.51.100.12")});
}

TEST_CASE("a hub fills the empty extension of a request whose maker does not know of its NAT") {
    BehindNat t;
    t.b.resolve("172.16.11.10");
    Packet request = t.lab.lose_one();
    find(request.extensions, extension_type::nat_address)->value.clear();
    t.hub.receive(t.b, request);
    const auto entries = nat_entries(t.lab.wire.front().packet());
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].nbma == NbmaAddress{ip("198.51.100.12")});
    CHECK(entries[0].protocol == t.b.tunnel.value);
}

TEST_CASE("a hub fills the empty extension of a reply for its responder") {
    BehindNat t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    find(reply.extensions, extension_type::nat_address)->value.clear();
    t.hub.receive(t.b, reply);
    t.lab.deliver();
    CHECK(t.a.said<Resolved>().at(0).nbma == NbmaAddress{ip("198.51.100.12")});
}

TEST_CASE("an entry that somebody filled before is passed on as it is") {
    BehindNat t;
    t.b.resolve("172.16.11.10");
    const Packet request = t.lab.wire.front().packet();
    t.lab.deliver_one();
    CHECK(nat_entries(t.lab.wire.front().packet()) == nat_entries(request));
}

TEST_CASE("an entry about another station than the responder is not taken for its address") {
    BehindNat t;
    t.a.resolve("172.16.12.10");
    for (int i = 0; i < 3; ++i) t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    ClientInfo other;
    other.nbma = NbmaAddress{ip("203.0.113.66")};
    other.protocol = ip("10.255.0.66");
    find(reply.extensions, extension_type::nat_address)->value = encode_client_list({other});
    t.a.receive(t.hub, reply);
    CHECK(t.a.said<Resolved>().at(0).nbma == NbmaAddress{ip("10.0.0.12")});
}

TEST_CASE("a hub without the extension in front of it adds none") {
    BehindNat t;
    t.b.resolve("172.16.11.10");
    Packet request = t.lab.lose_one();
    std::erase_if(request.extensions, [](const Extension& e) { return e.type == extension_type::nat_address; });
    t.hub.receive(t.b, request);
    CHECK_FALSE(find(t.lab.wire.front().packet().extensions, extension_type::nat_address));
}

TEST_CASE("what a spoke says about our address behind NAT, or as its own tunnel address, is not taken for a hub's word") {
    Triangle t;
    t.lab.connect(t.a, t.b);
    Outbox out;
    t.a.node->add_next_hop_server(NhsId{9}, t.a.peer_of(t.b), std::nullopt, t.lab.now, out);
    Packet reply = *decode(std::get<Send>(out.back()).bytes);
    reply.type = PacketType::registration_reply;
    reply.destination_protocol = ip("172.16.12.1");
    ClientInfo liar;
    liar.nbma = NbmaAddress{ip("203.0.113.66")};
    liar.protocol = t.a.tunnel.value;
    find(reply.extensions, extension_type::nat_address)->value = encode_client_list({liar, liar});
    t.a.receive(t.b, reply);
    REQUIRE(t.a.said<Registered>().back().nhs == NhsId{9});
    t.lab.wire.clear();
    t.a.resolve("172.16.12.10");
    CHECK(nat_entries(t.lab.wire.front().packet()).empty());
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}
