// Forwarding by a hub: hop count, transit lists, loops, authentication, spoofed sources (RFC 2332 §5.2, §5.3.2).
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;

namespace {

/// A request of a for b's LAN that has not reached the hub, to be changed by the test.
struct Asked : Triangle {
    explicit Asked(Settings spokes = {}, Settings hub_settings = {}) : Triangle{std::move(spokes), std::move(hub_settings)} {
        a.resolve("172.16.12.10");
        request = lab.lose_one();
    }
    /// The error code that the hub answers the request with; 0 for none.
    int error() {
        hub.receive(a, request);
        return lab.sent(PacketType::error_indication) == 0 ? 0 : lab.last(PacketType::error_indication).error_code;
    }
    Packet request;
};

Settings word(std::string text) {
    Settings settings;
    settings.authentication = std::move(text);
    return settings;
}

std::string word_of(const Packet& packet) {
    const auto* extension = find(packet.extensions, extension_type::authentication);
    return extension ? std::string{*decode_authentication(extension->value)} : "";
}

}  // namespace

TEST_CASE("a hub takes one off the hop count and puts itself into the forward transit list") {
    Asked t;
    t.hub.receive(t.a, t.request);
    const Packet forwarded = t.lab.wire.front().packet();
    CHECK(forwarded.hop_count == t.request.hop_count - 1);
    const auto passed = decode_client_list(find(forwarded.extensions, extension_type::forward_transit)->value, forwarded.families);
    REQUIRE(passed->size() == 1);
    CHECK(passed->at(0).protocol == t.hub.tunnel.value);
    CHECK(passed->at(0).nbma == t.hub.nbma);
    CHECK(find(forwarded.extensions, extension_type::reverse_transit)->value.empty());
}

TEST_CASE("a packet whose hops are used up is answered with error 15") {
    for (const std::uint8_t hops : {std::uint8_t{0}, std::uint8_t{1}}) {
        Asked t;
        t.request.hop_count = hops;
        CHECK(t.error() == 15);
        CHECK(t.hub.count("hop-count-exceeded") == 1);
    }
}

TEST_CASE("a packet that passed the hub before is answered with error 3") {
    Asked t;
    ClientInfo hub;
    hub.nbma = t.hub.nbma;
    hub.protocol = t.hub.tunnel.value;
    find(t.request.extensions, extension_type::forward_transit)->value = encode_client_list({hub});
    CHECK(t.error() == 3);
    CHECK(t.hub.count("loop-detected") == 1);
}

TEST_CASE("a packet is never sent back to the peer that it came from") {
    Asked t;
    t.request.destination_protocol = ip("172.16.11.77");  // behind the very spoke that asks
    CHECK(t.error() == 3);
    CHECK(t.hub.count("forwarded") == 0);
}

TEST_CASE("a request that comes back to its own maker is dropped") {
    Asked t;
    t.a.receive(t.hub, t.request);
    CHECK(t.a.count("loop-detected") == 1);
    CHECK(t.lab.wire.empty());
}

TEST_CASE("a request in the name of another peer's address is dropped and counted") {
    Asked t;
    t.request.destination_protocol = ip("172.16.11.77");
    t.hub.receive(t.b, t.request);
    CHECK(t.hub.count("spoofed-source") == 1);
    CHECK(t.lab.wire.empty());
}

TEST_CASE("a spoke forwards nothing for others") {
    Asked t;
    t.lab.connect(t.a, t.b);
    Packet request = t.request;
    request.source_protocol = ip("10.255.0.12");
    request.destination_protocol = ip("172.16.99.1");
    t.a.receive(t.b, request);
    CHECK(t.a.count("not-a-server") == 1);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 6);
}

TEST_CASE("a request that leaves no room for what a hub adds is answered with error 8") {
    Asked t;
    t.request.extensions.push_back({extension_type::vendor_private, false, Bytes(kPacketBytesMax - encode(t.request).size() - 4, 1)});
    CHECK(t.error() == 8);
    CHECK(t.hub.count("too-large") == 1);
}

TEST_CASE("a request of 9000 bytes passes the hub") {
    Asked t;
    t.request.extensions.push_back({extension_type::vendor_private, false, Bytes(8900, 1)});
    CHECK(t.error() == 0);
    CHECK(t.hub.count("forwarded") == 1);
}

TEST_CASE("unknown extensions pass in their place; a compulsory one keeps the hub off the transit list") {
    for (const bool compulsory : {false, true}) {
        Asked t;
        t.request.extensions.insert(t.request.extensions.begin() + 1, {0x234, compulsory, {1, 2, 3, 4}});
        t.hub.receive(t.a, t.request);
        const Packet forwarded = t.lab.wire.front().packet();
        CHECK(forwarded.extensions.at(1) == t.request.extensions.at(1));
        CHECK(forwarded.extensions.at(0).value.empty() == compulsory);
    }
}

TEST_CASE("the authentication word is checked and renewed hop by hop") {
    Triangle t{word("spokes"), word("spokes")};
    t.a.resolve("172.16.12.10");
    CHECK(word_of(t.lab.wire.front().packet()) == "spokes");
    t.lab.deliver_one();
    CHECK(word_of(t.lab.wire.front().packet()) == "spokes");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.12.0/24"));
}

TEST_CASE("a hub without a word passes packets on without the one that it got") {
    Triangle t{word("spokes")};
    t.a.resolve("172.16.12.10");
    t.lab.deliver_one();
    CHECK(word_of(t.lab.wire.front().packet()).empty());
}

TEST_CASE("a wrong, shorter, longer or missing word is answered with error 11, and nothing is registered") {
    for (const char* wrong : {"hubs", "spoke", "spokess", ""}) {
        const Settings spoke = *wrong ? word(wrong) : Settings{};
        Triangle t{spoke, word("spokes")};
        CHECK(t.lab.last(PacketType::error_indication).error_code == 11);
        CHECK(t.hub.count("authentication-failed") >= 2);
        CHECK_FALSE(t.a.is_registered());
    }
}

TEST_CASE("a request passes two hubs, the answer passes both on its way back") {
    Triangle t;
    Station& west = t.lab.hub("west", "10.255.0.2", "192.0.2.2");
    t.lab.connect(t.hub, west);
    Station& c = t.lab.spoke("c", "10.255.0.13", "192.0.2.13");
    t.lab.join(c, west);
    c.set_lan({"172.16.13.0/24"});
    t.lab.deliver();
    t.hub.routes[net("172.16.13.0/24")] = {t.hub.peer_of(west), west.tunnel};
    west.routes[net("10.255.0.11/32")] = {west.peer_of(t.hub), t.hub.tunnel};
    t.a.resolve("172.16.13.9");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.13.0/24"));
    const Packet reply = t.lab.last(PacketType::resolution_reply);
    CHECK(decode_client_list(find(reply.extensions, extension_type::forward_transit)->value, reply.families)->size() == 2);
    CHECK(decode_client_list(find(reply.extensions, extension_type::reverse_transit)->value, reply.families)->size() == 2);
    CHECK(reply.hop_count == 62);
}

TEST_CASE("hubs whose routes point at each other stop a request with error 3") {
    Triangle t;
    Station& west = t.lab.hub("west", "10.255.0.2", "192.0.2.2");
    Station& east = t.lab.hub("east", "10.255.0.3", "192.0.2.3");
    for (auto [from, to] : {std::pair{&t.hub, &west}, std::pair{&west, &east}, std::pair{&east, &t.hub}}) {
        t.lab.connect(*from, *to);
        from->routes[net("172.16.13.0/24")] = {from->peer_of(*to), to->tunnel};
        to->routes[net("10.255.0.11/32")] = {to->peer_of(*from), from->tunnel};
    }
    t.hub.routes[net("10.255.0.11/32")] = {t.hub.peer_of(t.a), t.a.tunnel};
    t.a.resolve("172.16.13.9");
    t.lab.deliver();
    CHECK(t.hub.count("loop-detected") + t.hub.count("spoofed-source") == 1);
    CHECK(t.lab.wire.empty());
}
