// Hubs that tell each other of their spokes: what they say, to whom it is believed, when it ends.
#include "controlplane/nhrp/holder.hpp"
#include "tests/unit/nhrp/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

Settings relay() {
    Settings settings;
    settings.relay = true;
    return settings;
}

/// Two relays that are registered with each other; a spoke hangs on the first.
struct Pair {
    Pair() {
        lab.join(hub, other), join_back();
        lab.deliver();
        lab.join(spoke, hub);
        lab.deliver();
    }
    void join_back() {
        Outbox out;
        other.node->add_next_hop_server(NhsId{1}, other.peer_of(hub), std::nullopt, lab.now, out);
        lab.perform(other, std::move(out));
    }
    /// As the overlay of the first hub does when a spoke registers or leaves.
    void tell(std::string_view prefix, const std::optional<std::string>& holder) {
        hub.node->tell_hubs(net(prefix), holder, lab.now);
    }
    std::vector<BehindHub> heard() const { return other.said<BehindHub>(); }
    Lab lab;
    Station& hub{lab.hub("hub", "10.255.0.1", "192.0.2.1", relay())};
    Station& other{lab.hub("other", "10.255.0.2", "192.0.2.2", relay())};
    Station& spoke{lab.spoke("spoke", "10.255.0.11", "192.0.2.11")};
};

}  // namespace

TEST_CASE("a hub hears what a spoke of another hub holds, and who the spoke is") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    REQUIRE_FALSE(t.heard().empty());
    const BehindHub last = t.heard().back();
    CHECK(last.prefix == net("172.16.11.0/24"));
    CHECK(last.hub == t.other.peer_of(t.hub));
    CHECK(last.next_hop == t.hub.tunnel);
    CHECK(last.holder == "spoke.example");
    CHECK(last.present);
}

TEST_CASE("one change is told by one request, whatever was told before") {
    Pair t;
    for (int i = 0; i < 50; ++i) t.tell("172.16." + std::to_string(i) + ".0/24", "spoke" + std::to_string(i) + ".example");
    t.lab.advance(seconds{1});
    const auto before = t.lab.sent(PacketType::registration_request);
    t.tell("172.16.99.0/24", "late.example");
    t.lab.advance(seconds{1});
    CHECK(t.lab.sent(PacketType::registration_request) == before + 1);
    CHECK(t.lab.last(PacketType::registration_request).clients.size() == 1);
}

TEST_CASE("a prefix that goes and comes back is not dropped by a purge of before") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    SECTION("at once") {
        const auto purges = t.lab.sent(PacketType::purge_request);
        t.tell("172.16.11.0/24", std::nullopt);
        t.tell("172.16.11.0/24", "spoke.example");
        t.lab.advance(seconds{10});
        CHECK(t.lab.sent(PacketType::purge_request) == purges);
    }
    SECTION("while the purge is repeated, as it was lost") {
        t.lab.loss_percent = 100;
        t.tell("172.16.11.0/24", std::nullopt);
        t.lab.advance(std::chrono::milliseconds{500});
        t.lab.loss_percent = 0;
        t.tell("172.16.11.0/24", "spoke.example");
        t.lab.advance(seconds{30});
    }
    CHECK(t.heard().back().present);
}

TEST_CASE("a prefix that one spoke gives up and another takes at once is the other's at both hubs") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    t.tell("172.16.11.0/24", std::nullopt);
    t.tell("172.16.11.0/24", "heir.example");
    t.lab.advance(seconds{1});
    REQUIRE(t.heard().size() >= 3);
    const auto last = t.heard();
    CHECK_FALSE(last.at(last.size() - 2).present);
    CHECK(last.back().holder == "heir.example");
    CHECK(last.back().present);
}

TEST_CASE("the purge of a network leaves those inside it that other spokes hold") {
    Pair t;
    t.tell("172.16.0.0/16", "wide.example");
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    t.tell("172.16.0.0/16", std::nullopt);
    t.lab.advance(seconds{1});
    CHECK(t.heard().back().prefix == net("172.16.0.0/16"));
    CHECK_FALSE(t.heard().back().present);
}

TEST_CASE("a network that comes back in parts is not dropped by a repeated purge of the whole") {
    Pair t;
    t.tell("172.16.0.0/16", "spoke.example");
    t.lab.advance(seconds{1});
    t.lab.loss_percent = 100;
    t.tell("172.16.0.0/16", std::nullopt);
    t.lab.advance(std::chrono::milliseconds{500});
    t.lab.loss_percent = 0;
    const auto purges = t.lab.sent(PacketType::purge_request);
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{30});
    CHECK(t.lab.sent(PacketType::purge_request) == purges);
}

TEST_CASE("prefixes that go together are purged together") {
    Pair t;
    for (int i = 0; i < 48; ++i) t.tell("172.16." + std::to_string(i) + ".0/24", "spoke.example");
    t.lab.advance(seconds{1});
    const auto before = t.lab.sent(PacketType::purge_request);
    for (int i = 0; i < 48; ++i) t.tell("172.16." + std::to_string(i) + ".0/24", std::nullopt);
    t.lab.advance(seconds{1});
    CHECK(t.lab.sent(PacketType::purge_request) == before + 3);
    CHECK_FALSE(t.heard().back().present);
}

TEST_CASE("what a hub says is judged by the spoke's identity, at each renewal, and as long as it may not be it is not heard") {
    Pair t;
    t.other.refused_holders = {"bad.example"};
    t.tell("172.16.12.0/24", "bad.example");
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    CHECK(t.heard().back().prefix == net("172.16.11.0/24"));
    CHECK(std::ranges::none_of(t.heard(), [](const BehindHub& said) { return said.holder == "bad.example"; }));
    t.other.refused_holders = {"spoke.example"};
    t.lab.advance(seconds{210});
    CHECK_FALSE(t.heard().back().present);
}

TEST_CASE("a spoke whose place another had is told again soon after that one has gone, and nothing is said meanwhile") {
    Pair t;
    t.other.refused_holders = {"spoke.example"};
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{35});
    CHECK(t.hub.said<RegistrationRefused>().size() == 1);
    t.other.refused_holders.clear();
    t.lab.advance(seconds{11});
    REQUIRE_FALSE(t.heard().empty());
    CHECK(t.heard().back().prefix == net("172.16.11.0/24"));
    const auto sent = t.lab.sent(PacketType::registration_request);
    t.lab.advance(seconds{60});
    CHECK(t.lab.sent(PacketType::registration_request) == sent);
}

TEST_CASE("a spoke that goes is told to be gone, also while the other hub has not answered yet") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    SECTION("answered") { t.lab.advance(seconds{1}); }
    SECTION("asked") {
        t.lab.now += std::chrono::milliseconds{60};
        Outbox out;
        t.hub.node->on_deadline(t.lab.now, out);
        t.lab.perform(t.hub, std::move(out));
        REQUIRE(t.lab.wire.size() == 1);
    }
    t.tell("172.16.11.0/24", std::nullopt);
    t.lab.advance(seconds{1});
    REQUIRE_FALSE(t.heard().empty());
    CHECK_FALSE(t.heard().back().present);
}

TEST_CASE("when a hub goes, so does what it said; nobody else's") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    t.lab.disconnect(t.hub, t.other);
    CHECK_FALSE(t.heard().back().present);
    CHECK(t.other.said<BindingRemoved>().empty());
}

TEST_CASE("a hub that renews nothing is forgotten with its words") {
    Pair t;
    t.tell("172.16.11.0/24", "spoke.example");
    t.lab.advance(seconds{1});
    t.lab.loss_percent = 100;
    t.lab.advance(seconds{601});
    CHECK_FALSE(t.heard().back().present);
}

TEST_CASE("a registration that a spoke sends through its hub to another hub is not that hub's word") {
    Pair t;
    t.hub.routes[Prefix::host(t.other.tunnel.value)] = {t.hub.peer_of(t.other), t.other.tunnel};
    Packet forged = t.lab.last(PacketType::registration_request);
    forged.hop_count = 64;
    forged.destination_protocol = t.other.tunnel.value;
    forged.source_protocol = GENERATE(as<std::string>{}, "10.255.0.11", "10.255.0.1") == "10.255.0.1" ? t.hub.tunnel.value : t.spoke.tunnel.value;
    forged.clients.front().protocol = ip("172.16.99.0"), forged.clients.front().prefix_length = 24;
    const auto before = t.heard().size();
    t.hub.receive(t.spoke, forged);
    t.lab.deliver();
    CHECK(t.heard().size() == before);
    CHECK(t.hub.count("forwarded") == 0);
}

TEST_CASE("a hub that is no relay takes no other hub's word") {
    Lab lab;
    Station& hub = lab.hub("hub", "10.255.0.1", "192.0.2.1");
    Station& other = lab.hub("other", "10.255.0.2", "192.0.2.2", relay());
    lab.join(other, hub);
    lab.deliver();
    CHECK(hub.said<BehindHub>().empty());
}

TEST_CASE("a hub's own network is not told back to it, nor one that both stand in") {
    Pair t;
    t.hub.set_lan({"172.16.1.0/24"}), t.other.set_lan({"172.16.1.0/24"});
    t.lab.advance(seconds{1});
    const auto is_of_lan = [](const BehindHub& said) { return said.prefix == net("172.16.1.0/24") && said.present; };
    CHECK(std::ranges::none_of(t.heard(), is_of_lan));
    CHECK(std::ranges::none_of(t.hub.said<BehindHub>(), is_of_lan));
}

TEST_CASE("a malformed holder is none") {
    Packet packet;
    packet.extensions.push_back(encode_holder("spoke.example"));
    CHECK(packet.extensions[0].value.size() % 2 == 0);
    CHECK(holder_of(packet) == "spoke.example");
    const Bytes whole = packet.extensions[0].value;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        packet.extensions[0].value = {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
        CHECK(holder_of(packet).empty());
    }
    packet.extensions[0] = encode_holder(std::string(kHolderMax + 1, 'x'));
    CHECK(holder_of(packet).empty());
}
