// Spokes register with each other over a direct SA: each takes the other's word only as far as a hub confirms it.
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

Settings spoke_settings() {
    Settings settings;
    settings.introductions = true;
    return settings;
}

/// Spokes a and b with a direct SA, and c, which only the hub has met: 10.255.0.13, 192.0.2.13, LAN 172.16.13.0/24.
struct Direct : Triangle {
    Direct() : Triangle{spoke_settings()}, c{lab.spoke("c", "10.255.0.13", "192.0.2.13", spoke_settings())} {
        lab.join(c, hub);
        c.set_lan({"172.16.13.0/24"});
        lab.deliver();
        lab.connect(a, b);
    }
    /// b registers with a, as it does with a hub.
    void introduce_b() {
        Outbox out;
        b.node->add_next_hop_server(NhsId{9}, b.peer_of(a), std::nullopt, lab.now, out);
        lab.perform(b, std::move(out));
    }
    /// b sends a a registration of its own making, and the code comes that a answers; nothing when it does not.
    std::optional<CieCode> claim(std::string_view next_hop, std::optional<std::string_view> prefix = {}) {
        Packet request;
        request.type = PacketType::registration_request;
        request.request_id = ++last_id;
        request.source_nbma = b.nbma;
        request.source_protocol = ip(next_hop);
        request.destination_protocol = a.tunnel.value;
        ClientInfo client;
        client.prefix_length = prefix ? net(*prefix).length : std::uint8_t{32};
        client.holding_time = seconds{600};
        if (prefix) client.protocol = net(*prefix).address;
        request.clients.push_back(client);
        a.receive(b, request);
        lab.deliver();
        for (auto flight = lab.history.rbegin(); flight != lab.history.rend(); ++flight) {
            const Packet packet = flight->packet();
            if (packet.type == PacketType::registration_reply && packet.request_id == last_id) return packet.clients.at(0).code;
        }
        return std::nullopt;
    }
    bool holds_of_b(std::string_view prefix) const {
        return std::ranges::any_of(a.node->snapshot().cache, [&](const CacheEntry& entry) {
            return entry.kind == CacheKind::registered && entry.prefix == net(prefix) && entry.peer == a.peer_of(b);
        });
    }
    Station& c;
    std::uint32_t last_id = 1000;
};

}  // namespace

TEST_CASE("a spoke asks the hub about another one that registers with it, and then takes its address and network") {
    Direct t;
    t.introduce_b();
    t.lab.deliver();
    CHECK(t.holds_of_b("10.255.0.12/32"));
    CHECK(t.holds_of_b("172.16.12.0/24"));
    CHECK(t.a.said<Resolved>().empty());  // it asked for the hub's word, not for a shortcut
}

TEST_CASE("what the hub has said in an answer before need not be asked for") {
    Direct t;
    t.a.resolve("172.16.12.10");
    t.lab.deliver();
    const auto before = t.lab.sent(PacketType::resolution_request);
    t.introduce_b();
    t.lab.deliver();
    CHECK(t.holds_of_b("172.16.12.0/24"));
    CHECK(t.lab.sent(PacketType::resolution_request) == before);
}

TEST_CASE("a spoke cannot register a third one's address or network at another") {
    Direct t;
    CHECK(t.claim("10.255.0.13") == CieCode::administratively_prohibited);
    CHECK(t.claim("10.255.0.12", "172.16.13.0/24") == CieCode::administratively_prohibited);
    CHECK(t.claim("10.255.0.13", "172.16.13.0/24") == CieCode::administratively_prohibited);
    CHECK(t.claim("10.255.0.12", "172.16.0.0/16") == CieCode::administratively_prohibited);
    CHECK(t.claim("10.255.0.12", "172.16.12.0/24") == CieCode::success);
    CHECK(t.a.count("registrations-refused") == 4);
}

TEST_CASE("behind one NAT address, too, a network belongs to the tunnel address that the hub names") {
    Direct t;
    t.c.public_nbma = t.b.nbma;
    CHECK(t.claim("10.255.0.12", "172.16.13.0/24") == CieCode::administratively_prohibited);
}

TEST_CASE("a spoke cannot register what no hub knows, or what lives elsewhere") {
    Direct t;
    CHECK(t.claim("10.255.0.99") == CieCode::administratively_prohibited);
    t.lab.shortcuts = false;
    t.b.nbma = NbmaAddress{ip("203.0.113.12")};
    t.a.resolve("10.255.0.12");
    t.lab.deliver();
    t.b.nbma = NbmaAddress{ip("192.0.2.12")};
    CHECK(t.claim("10.255.0.12") == CieCode::administratively_prohibited);
}

TEST_CASE("what policy forbids anyway is refused without a question") {
    Direct t;
    t.a.may_not_answer.insert(t.a.peer_of(t.b));
    t.a.refused[net("10.255.0.12/32")] = CieCode::administratively_prohibited;
    const auto before = t.lab.sent(PacketType::resolution_request);
    CHECK(t.claim("10.255.0.12") == CieCode::administratively_prohibited);
    CHECK(t.lab.sent(PacketType::resolution_request) == before);
}

TEST_CASE("an older no is asked about again: the hub may know better by now") {
    Direct t;
    CHECK(t.claim("10.255.0.12", "172.16.77.0/24") == CieCode::administratively_prohibited);
    t.b.set_lan({"172.16.12.0/24", "172.16.77.0/24"});
    t.lab.deliver();
    t.lab.advance(seconds{2});
    CHECK(t.claim("10.255.0.12", "172.16.77.0/24") == CieCode::success);
    t.a.resolve("172.16.77.0");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("172.16.77.0/24"));
}

TEST_CASE("the newest word of the hub decides, not who came first") {
    Direct t;
    REQUIRE(t.claim("10.255.0.12", "172.16.12.0/24") == CieCode::success);
    t.b.lan.clear();
    t.b.node->set_local_prefixes({}, t.lab.now, t.b.actions);  // and not a word of it to a
    t.hub.routes.erase(net("172.16.12.0/24"));
    t.lab.disconnect(t.hub, t.b);
    t.lab.join(t.b, t.hub);
    t.lab.connect(t.a, t.c);
    t.c.set_lan({"172.16.12.0/24"});
    Outbox out;
    t.c.node->add_next_hop_server(NhsId{9}, t.c.peer_of(t.a), std::nullopt, t.lab.now, out);
    t.lab.perform(t.c, std::move(out));
    t.lab.advance(seconds{10});
    CHECK_FALSE(t.holds_of_b("172.16.12.0/24"));
    CHECK(t.a.said<BindingRemoved>().at(0).reason == BindingEnd::taken_over);
    CHECK(t.claim("10.255.0.12", "172.16.12.0/24") == CieCode::administratively_prohibited);
}

TEST_CASE("silence of the hubs leaves a registration that one confirmed before") {
    Direct t;
    t.introduce_b();
    t.lab.deliver();
    t.a.routes.erase(net("0.0.0.0/0"));
    t.lab.advance(seconds{3000});
    CHECK(t.holds_of_b("10.255.0.12/32"));
    CHECK(t.holds_of_b("172.16.12.0/24"));
}

TEST_CASE("a hub's no lets a registration expire that was confirmed before") {
    Direct t;
    t.introduce_b();
    t.lab.deliver();
    t.lab.disconnect(t.hub, t.b);
    t.lab.advance(seconds{300});
    CHECK(t.holds_of_b("10.255.0.12/32"));
    CHECK(t.b.said<RegistrationRefused>().size() == 1);
    t.lab.advance(seconds{500});
    CHECK_FALSE(t.holds_of_b("10.255.0.12/32"));
    CHECK_FALSE(t.holds_of_b("172.16.12.0/24"));
}

TEST_CASE("without a word of any hub a new registration waits, and is taken when a hub is back") {
    Direct t;
    const Route to_hub = t.a.route(ip("198.51.100.1"));
    t.a.routes.erase(net("0.0.0.0/0"));
    t.introduce_b();
    t.lab.advance(seconds{40});
    CHECK_FALSE(t.holds_of_b("10.255.0.12/32"));
    CHECK(t.b.said<RegistrationRefused>().empty());
    t.a.routes[net("0.0.0.0/0")] = std::get<PeerRoute>(to_hub);
    t.lab.advance(seconds{40});
    CHECK(t.holds_of_b("172.16.12.0/24"));
}

TEST_CASE("an egress that a hub led a question to knows the hub's word on the requester before that introduces itself") {
    Direct t;
    t.b.resolve("172.16.11.10");
    t.lab.deliver();
    const auto before = t.lab.sent(PacketType::resolution_request);
    CHECK(t.claim("10.255.0.12") == CieCode::success);
    CHECK(t.lab.sent(PacketType::resolution_request) == before);
    CHECK(t.a.said<Resolved>().empty());
}

TEST_CASE("a confirmation that is under way becomes a resolution when traffic wants one") {
    Direct t;
    t.introduce_b();
    t.lab.deliver_one();  // a asks
    t.a.resolve("10.255.0.12");
    t.lab.deliver();
    CHECK(t.a.has_shortcut("10.255.0.12/32"));
}

TEST_CASE("a spoke can make another one ask only so much") {
    Direct t;
    REQUIRE(t.claim("10.255.0.12") == CieCode::success);
    for (int i = 0; i < 100; ++i) {
        Packet request;
        request.type = PacketType::registration_request;
        request.request_id = static_cast<std::uint32_t>(i);
        request.source_nbma = t.b.nbma;
        request.source_protocol = ip("10.255.0.12");
        request.destination_protocol = t.a.tunnel.value;
        request.clients.push_back({.prefix_length = 24, .holding_time = seconds{600}, .nbma = std::nullopt, .protocol = ip("172.17." + std::to_string(i) + ".0")});
        t.a.receive(t.b, request);
    }
    CHECK(t.a.node->snapshot().pending.size() == 64);
    CHECK(t.a.count("confirmations-full") == 36);
}

TEST_CASE("what waits for a hub's word goes with its peer") {
    Direct t;
    t.introduce_b();
    t.lab.deliver_one();
    t.lab.disconnect(t.a, t.b);
    t.lab.deliver();
    CHECK_FALSE(t.a.node->snapshot().pending.size());
    CHECK(t.a.said<BindingAdded>().empty());
}
