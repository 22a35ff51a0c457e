// Two spokes behind different NATs: the hub tells each where it sees the other, and nobody else can.
#include "controlplane/nhrp/rendezvous.hpp"
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

struct BothBehindNat : Triangle {
    BothBehindNat() {
        lab.shortcuts = false;
        hide(a, "10.0.1.11", "198.51.100.11", 40011), hide(b, "10.0.2.12", "198.51.100.12", 40012);
        lab.advance(seconds{200});
    }
    static void hide(Station& station, std::string_view inside, std::string_view outside, std::uint16_t port) {
        station.nbma = NbmaAddress{ip(inside)}, station.public_nbma = NbmaAddress{ip(outside)}, station.public_port = port;
    }
    /// The request of a that is about to leave it.
    Packet request() {
        a.resolve("172.16.12.10");
        return lab.lose_one();
    }
    /// The reply of b that is about to leave it.
    Packet reply() {
        a.resolve("172.16.12.10");
        for (int i = 0; i < 2; ++i) lab.deliver_one();
        return lab.lose_one();
    }
};

NbmaEndpoint at(std::string_view address, std::uint16_t port) { return {NbmaAddress{ip(address)}, port}; }
const Rendezvous kVictim{{NbmaAddress{IpAddress::v4(0xcb007142)}, 500}, IpAddress::v4(0x0aff000b)};

/// As a station that writes it itself.
void forge(Packet& packet, const Rendezvous& rendezvous) {
    offer_rendezvous(packet);
    fill_rendezvous(packet, rendezvous);
}

}  // namespace

TEST_CASE("the hub tells two spokes behind NATs each other's address and port") {
    BothBehindNat t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    REQUIRE(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.said<Resolved>()[0].rendezvous == at("198.51.100.12", 40012));
    CHECK(t.a.said<Resolved>()[0].nbma == NbmaAddress{ip("198.51.100.12")});
    CHECK(t.b.said<Answered>().at(0).rendezvous == at("198.51.100.11", 40011));
}

TEST_CASE("with one end outside there is no rendezvous: that end can be reached") {
    Triangle t;
    BothBehindNat::hide(t.b, "10.0.2.12", "198.51.100.12", 40012);
    t.lab.advance(seconds{200});
    t.a.resolve("172.16.12.10"), t.b.resolve("172.16.11.10");
    t.lab.deliver();
    for (const Station* station : {&t.a, &t.b}) {
        CHECK_FALSE(station->said<Resolved>().at(0).rendezvous);
        CHECK_FALSE(station->said<Answered>().at(0).rendezvous);
    }
}

TEST_CASE("the extension is a vendor's, not compulsory, and of even length") {
    BothBehindNat t;
    const Packet request = t.request();
    const Extension* ours = find(request.extensions, extension_type::vendor_private);
    REQUIRE(ours);
    CHECK_FALSE(ours->compulsory);
    CHECK(ours->value == Bytes{0x02, 0x4e, 0x56, 1});
    t.hub.receive(t.a, request);
    CHECK(find(t.lab.wire.front().packet().extensions, extension_type::vendor_private)->value ==
          Bytes{0x02, 0x4e, 0x56, 1, 0x9c, 0x4b, 4, 4, 198, 51, 100, 11, 10, 255, 0, 11});
}

TEST_CASE("a spoke that writes a third one's address into its request has nobody knock there") {
    BothBehindNat t;
    Packet request = t.request();
    forge(request, kVictim);
    t.hub.receive(t.a, request);
    t.lab.deliver();
    CHECK_FALSE(t.b.said<Answered>().at(0).rendezvous);
    CHECK_FALSE(t.a.said<Resolved>().at(0).rendezvous);
}

TEST_CASE("a spoke that writes a third one's address into its reply has nobody knock there") {
    BothBehindNat t;
    Packet reply = t.reply();
    forge(reply, {kVictim.observed, t.b.tunnel.value});
    t.hub.receive(t.b, reply);
    t.lab.deliver();
    CHECK_FALSE(t.a.said<Resolved>().at(0).rendezvous);
}

TEST_CASE("what a requester says over its own SA is no hub's word") {
    BothBehindNat t;
    Packet request = t.request();
    forge(request, kVictim);
    t.lab.connect(t.a, t.b);
    t.b.receive(t.a, request);
    CHECK_FALSE(t.b.said<Answered>().at(0).rendezvous);
}

TEST_CASE("what a responder says over its own SA is no hub's word") {
    BothBehindNat t;
    Packet reply = t.reply();
    forge(reply, {kVictim.observed, t.b.tunnel.value});
    t.lab.connect(t.a, t.b);
    t.a.receive(t.b, reply);
    CHECK_FALSE(t.a.said<Resolved>().at(0).rendezvous);
}

TEST_CASE("a foreign responder that echoes the extension of the request is not met") {
    BothBehindNat t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one();
    const Packet request = t.lab.wire.front().packet();
    t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    remove_rendezvous(reply);
    reply.extensions.push_back(*find(request.extensions, extension_type::vendor_private));
    t.hub.receive(t.b, reply);
    t.lab.deliver();
    CHECK_FALSE(t.a.said<Resolved>().at(0).rendezvous);
}

TEST_CASE("a foreign responder that leaves the extension out is not met") {
    BothBehindNat t;
    Packet reply = t.reply();
    remove_rendezvous(reply);
    t.hub.receive(t.b, reply);
    t.lab.deliver();
    CHECK_FALSE(t.a.said<Resolved>().at(0).rendezvous);
}

TEST_CASE("behind a foreign hub, which fills nothing in, neither end is told to meet") {
    BothBehindNat t;
    Packet request = t.request();
    t.b.receive(t.hub, request);
    CHECK_FALSE(t.b.said<Answered>().at(0).rendezvous);
    const Packet reply = t.lab.lose_one();
    CHECK_FALSE(find(reply.extensions, extension_type::vendor_private));
}

TEST_CASE("a foreign hub, which echoes the extension of a registration, is not believed when it passes on what a spoke wrote") {
    BothBehindNat t;
    Packet forged = t.request();
    forge(forged, kVictim);
    t.lab.disconnect(t.b, t.hub);
    t.lab.join(t.b, t.hub);
    const Packet registration = t.lab.wire.front().packet();
    t.lab.deliver_one();
    Packet confirmed = t.lab.lose_one();
    remove_rendezvous(confirmed);
    confirmed.extensions.push_back(*find(registration.extensions, extension_type::vendor_private));
    t.b.receive(t.hub, confirmed);
    REQUIRE(t.b.is_registered());
    t.b.receive(t.hub, forged);
    REQUIRE_FALSE(t.b.said<Answered>().empty());
    CHECK_FALSE(t.b.said<Answered>().back().rendezvous);
}

TEST_CASE("who is behind no NAT registers without a word of a rendezvous") {
    Triangle t;
    t.lab.advance(seconds{200});
    CHECK_FALSE(find(t.lab.last(PacketType::registration_request).extensions, extension_type::vendor_private));
    CHECK_FALSE(find(t.lab.last(PacketType::registration_reply).extensions, extension_type::vendor_private));
}

TEST_CASE("a malformed rendezvous, or one about another station, is none") {
    Packet packet;
    const Rendezvous good{at("198.51.100.12", 40012), ip("10.255.0.12")};
    forge(packet, good);
    CHECK(rendezvous_with(packet, ip("10.255.0.12")) == good.observed);
    CHECK_FALSE(rendezvous_with(packet, ip("10.255.0.13")));
    const Bytes whole = packet.extensions.at(0).value;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        packet.extensions.at(0).value = {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK_FALSE(rendezvous_with(packet, ip("10.255.0.12")));
    }
    packet.extensions.at(0).value = whole;
    packet.extensions.at(0).value.push_back(0);
    CHECK_FALSE(rendezvous_with(packet, ip("10.255.0.12")));
    forge(packet, {at("198.51.100.12", 0), good.station});
    CHECK_FALSE(rendezvous_with(packet, good.station));
    forge(packet, {at("2001:db8::12", 4500), ip("fd00::12")});
    CHECK(rendezvous_with(packet, ip("fd00::12")) == at("2001:db8::12", 4500));
}
