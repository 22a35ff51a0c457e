// IPv6 in NHRP: the four mixes of inside and underlay, and both underlays in one cloud.
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

// Written out after RFC 2332 §5.2 by another encoder: ar$afn 1 or 2, ar$pro.type 0x0800 or 0x86dd, addresses of 4 or 16 bytes,
// host prefix 32 or 128, holding time 30, and the extensions 4, 5, 3 and 9 of DMVPN.
constexpr std::string_view kRegistration6over6 =
    "000286dd0000000000010098db65005801031000101000020000000120010db8000000000000000000000011fd0002550000000000000000"
    "00000011fd000255000000000000000000000011008000000000001e000000008004000080050000800300000009002c0080000000000000"
    "1000100020010db80000000000000000000000010000000000000000000000000000000080000000";
constexpr std::string_view kRegistration6over4 =
    "000186dd0000000000010080cb0d004c010304001010000200000001c000020bfd000255000000000000000000000011fd00025500000000"
    "0000000000000011008000000000001e0000000080040000800500008003000000090020008000000000000004001000c000020100000000"
    "00000000000000000000000080000000";
constexpr std::string_view kRegistration4over6 =
    "0002080000000000000100745c11004001031000040400020000000120010db80000000000000000000000110aff000b0aff000b00200000"
    "0000001e000000008004000080050000800300000009002000200000000000001000040020010db800000000000000000000000100000000"
    "80000000";
constexpr std::string_view kResolution6over6 =
    "000286dd000000000040006c63e70058010110001010c8020000000220010db8000000000000000000000011fd0002550000000000000000"
    "00000011fd000016001200000000000000000010008000000000001e000000008004000080050000800300000009000080000000";

Settings thirty_seconds() {
    Settings settings;
    settings.holding_time = seconds{30};
    return settings;
}

/// What one spoke says first, with that request id.
Bytes first_request(std::string_view tunnel, std::string_view nbma, std::string_view hub_tunnel, std::string_view hub_nbma, std::uint32_t id) {
    Lab lab;
    Station& hub = lab.hub("hub", hub_tunnel, hub_nbma);
    Station& spoke = lab.spoke("a", tunnel, nbma, thirty_seconds());
    lab.join(spoke, hub);
    Packet packet = lab.wire.front().packet();
    packet.request_id = id;
    return encode(packet);
}

/// As Triangle, of IPv6 inside and out.
struct Triangle6 {
    Lab lab;
    Station& hub = lab.hub("hub", "fd00:255::1", "2001:db8::1");
    Station& a = lab.spoke("a", "fd00:255::11", "2001:db8::11", thirty_seconds());
    Station& b = lab.spoke("b", "fd00:255::12", "2001:db8::12");
    Triangle6() {
        for (Station* spoke : {&a, &b}) lab.join(*spoke, hub);
        a.set_lan({"fd00:16:11::/64"}), b.set_lan({"fd00:16:12::/64"});
        lab.deliver();
    }
};

}  // namespace

TEST_CASE("a registration is laid out after the RFC in each mix of protocol and NBMA addresses") {
    CHECK(first_request("fd00:255::11", "2001:db8::11", "fd00:255::1", "2001:db8::1", 1) == frr::bytes(kRegistration6over6));
    CHECK(first_request("fd00:255::11", "192.0.2.11", "fd00:255::1", "192.0.2.1", 1) == frr::bytes(kRegistration6over4));
    CHECK(first_request("10.255.0.11", "2001:db8::11", "10.255.0.1", "2001:db8::1", 1) == frr::bytes(kRegistration4over6));
}

TEST_CASE("a resolution request carries addresses of 16 bytes") {
    Triangle6 t;
    t.a.resolve("fd00:16:12::10");
    Packet request = t.lab.wire.front().packet();
    request.request_id = 2;
    CHECK(encode(request) == frr::bytes(kResolution6over6));
    CHECK(decode(frr::bytes(kResolution6over6))->destination_protocol == ip("fd00:16:12::10"));
}

TEST_CASE("spokes register host addresses and prefixes of IPv6, and a destination resolves to one of them") {
    Triangle6 t;
    const auto added = t.hub.said<BindingAdded>();
    REQUIRE(added.size() == 4);
    CHECK(added[0].prefix == net("fd00:255::11/128"));
    t.hub.relayed(t.a, "fd00:16:11::10", "fd00:16:12::10");
    t.lab.deliver();
    REQUIRE(t.a.said<Resolved>().size() == 1);
    CHECK(t.a.said<Resolved>()[0].prefix == net("fd00:16:12::/64"));
    CHECK(t.a.said<Resolved>()[0].next_hop == t.b.tunnel);
    CHECK(t.a.said<Resolved>()[0].nbma == t.b.nbma);
    for (const Station* station : {&t.hub, &t.a, &t.b}) CHECK(station->count("malformed") == 0);
}

TEST_CASE("a hub of both underlays serves spokes of either, and no two of them are led to each other") {
    Lab lab;
    Station& hub = lab.hub("hub", "fd00:255::1", "192.0.2.1");
    hub.second_nbma = NbmaAddress{ip("2001:db8::1")};
    Station& a = lab.spoke("a", "fd00:255::11", "192.0.2.11");
    Station& b = lab.spoke("b", "fd00:255::12", "2001:db8::12");
    for (Station* spoke : {&a, &b}) lab.join(*spoke, hub);
    a.set_lan({"fd00:16:11::/64"}), b.set_lan({"fd00:16:12::/64"});
    lab.deliver();
    CHECK(a.is_registered());
    CHECK(b.is_registered());

    for (int i = 0; i < 3; ++i) {
        hub.relayed(a, "fd00:16:11::10", "fd00:16:12::10");
        hub.relayed(b, "fd00:16:12::10", "fd00:16:11::10");
        lab.advance(seconds{1});
    }
    CHECK(lab.last(PacketType::resolution_reply).clients.at(0).code == CieCode::no_binding);
    CHECK(lab.sent(PacketType::resolution_request) == 4);  // one of each, and the hub's copy: a no is remembered
    for (const Station* station : {&hub, &a, &b}) {
        CHECK(station->said<Resolved>().empty());
        CHECK(station->said<Answered>().empty());
        CHECK(station->count("malformed") == 0);
    }
}

TEST_CASE("an answer about more than a site can have counts for the destination alone") {
    for (const auto& [length, learned] : {std::pair{15, "2001:db8:12::10/128"}, std::pair{16, "2001::/16"}}) {
        Triangle6 t;
        t.lab.shortcuts = false;
        t.a.resolve("2001:db8:12::10");
        Packet answer = t.lab.wire.front().packet();
        answer.type = PacketType::resolution_reply;
        answer.clients = {{.prefix_length = static_cast<std::uint8_t>(length), .holding_time = seconds{30}, .nbma = t.b.nbma, .protocol = t.b.tunnel.value}};
        t.a.receive(t.hub, answer);
        REQUIRE(t.a.said<Resolved>().size() == 1);
        CHECK(t.a.said<Resolved>()[0].prefix == net(learned));
    }
}

TEST_CASE("link-local addresses are never resolved, nor is anybody told of a shorter way to them") {
    Triangle6 t;
    const auto sent = t.lab.history.size();
    t.a.resolve("fe80::1");
    t.hub.relayed(t.a, "fe80::11", "fd00:16:12::10");
    t.hub.relayed(t.a, "fd00:16:11::10", "fe80::12");
    CHECK(t.lab.history.size() == sent);
}

TEST_CASE("a link-local address cannot be registered: the hub derives it from the tunnel address") {
    Triangle6 t;
    t.a.set_lan({"fd00:16:11::/64", "fe80::1/128"});
    t.lab.deliver();
    const auto refused = t.a.said<RegistrationRefused>();
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].prefix == net("fe80::1/128"));
}
