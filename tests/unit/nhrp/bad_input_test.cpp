// Well-formed packets that mean harm: floods of bytes, loops without a trace, words about what is another's.
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;

namespace {

Packet registration_with(std::size_t bytes) {
    Packet packet = *decode(frr::bytes(frr::registration_request));
    packet.extensions.push_back({extension_type::vendor_private, false, Bytes(bytes, 1)});
    return packet;
}

/// A ring of three hubs, each of which takes the next for the way to 172.16.13.0/24; a spoke hangs on the first.
struct Ring : Triangle {
    Ring() {
        for (auto [from, to] : {std::pair{&hub, &west}, std::pair{&west, &east}, std::pair{&east, &hub}}) {
            lab.connect(*from, *to);
            from->routes[net("172.16.13.0/24")] = {from->peer_of(*to), to->tunnel};
            to->routes[net("10.255.0.11/32")] = {to->peer_of(*from), from->tunnel};
        }
        hub.routes[net("10.255.0.11/32")] = {hub.peer_of(a), a.tunnel};
    }
    Station& west{lab.hub("west", "10.255.0.2", "192.0.2.2")};
    Station& east{lab.hub("east", "10.255.0.3", "192.0.2.3")};
};

}  // namespace

TEST_CASE("a registration of 9000 bytes is answered, and one whose answer would be too long is dropped by name") {
    Triangle t;
    t.hub.receive(t.b, registration_with(8900));
    CHECK(t.lab.last(PacketType::registration_reply).clients.at(0).code == CieCode::success);
    const auto answered = t.lab.sent(PacketType::registration_reply);
    t.hub.receive(t.b, registration_with(kPacketBytesMax - encode(registration_with(0)).size()));
    CHECK(t.lab.sent(PacketType::registration_reply) == answered);
    CHECK(t.hub.count("too-large") == 1);
}

TEST_CASE("a request without transit lists does not circle among hubs") {
    Ring t;
    t.a.resolve("172.16.13.9");
    Packet request = t.lab.lose_one();
    request.extensions.clear();
    t.hub.receive(t.a, request);
    t.lab.deliver();
    CHECK(t.hub.count("forwarded") + t.west.count("forwarded") + t.east.count("forwarded") == 3);
    CHECK(t.hub.count("spoofed-source") == 1);  // from the wrong side: its source is routed elsewhere
}

TEST_CASE("a reply that circles is stopped by the hub that finds itself in its reverse transit list, with error 3") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one(), t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    ClientInfo hub;
    hub.nbma = t.hub.nbma, hub.protocol = t.hub.tunnel.value;
    find(reply.extensions, extension_type::reverse_transit)->value = encode_client_list({hub});
    t.hub.receive(t.b, reply);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 3);
    CHECK(t.hub.count("loop-detected") == 1);
}

TEST_CASE("a transit list that is no list of entries does not hide a loop from the count of hops") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    Packet request = t.lab.lose_one();
    find(request.extensions, extension_type::forward_transit)->value = {1, 2, 3};
    request.hop_count = 1;
    t.hub.receive(t.a, request);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 15);
}

TEST_CASE("about a traffic indication that may not pass there is no error") {
    Triangle t;
    Packet indication = *decode(frr::bytes(frr::traffic_indication));
    indication.hop_count = 1;
    indication.destination_protocol = ip("172.16.12.10");
    t.hub.receive(t.a, indication);
    CHECK(t.hub.count("hop-count-exceeded") == 1);
    CHECK(t.lab.sent(PacketType::error_indication) == 0);
}

TEST_CASE("who purges what another registered changes nothing at the hub, and reaches nobody through it") {
    Triangle t;
    Packet purge = *decode(frr::bytes(frr::purge_request));
    purge.source_protocol = t.a.tunnel.value;
    purge.destination_protocol = t.hub.tunnel.value;
    purge.clients[0] = {.prefix_length = 24, .nbma = std::nullopt, .protocol = ip("172.16.12.0")};
    t.hub.receive(t.a, purge);
    CHECK(t.hub.said<BindingRemoved>().empty());
    t.hub.may_not_answer.insert(t.hub.peer_of(t.a));
    purge.destination_protocol = t.b.tunnel.value;
    t.lab.wire.clear();
    t.hub.receive(t.a, purge);
    CHECK(t.lab.wire.empty());
    CHECK(t.hub.has_logged("purge-request about 10.255.0.12 from 192.0.2.11 dropped: its sender may not speak for 172.16.12.0/24"));
}
