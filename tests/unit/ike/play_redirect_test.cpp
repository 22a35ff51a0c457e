// Plays of a gateway that sends us to another one (RFC 5685).
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

/// The first hub does not know RFC 5685; the test speaks in its place.
struct Redirected {
    Lab lab{81};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& second = lab.gateway("second", "192.0.2.2");
    const NbmaEndpoint first = at("192.0.2.1");

    void connect(std::vector<Prefix> redirects) {
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) {
            endpoint.connect({.profile = {}, .local = {spoke.address, 500}, .remote = first, .expected = {}, .token = 5, .redirects = std::move(redirects)}, lab.now, out);
        });
    }
    /// <-- IKE_SA_INIT { N(REDIRECT, gateway, Ni) }, to the oldest request on the wire, which it gives.
    Message redirect(std::string_view gateway, std::optional<Bytes> nonce = {}) {
        const Packet request = lab.intercept(&spoke);
        const Message message = decode_message(request.payload).value();
        Bytes data{1, 4};
        const IpAddress address = IpAddress::parse(gateway).value();
        data.insert(data.end(), address.bytes().begin(), address.bytes().end());
        const Bytes& echoed = nonce ? *nonce : find<NoncePayload>(message.payloads)->data;
        data.insert(data.end(), echoed.begin(), echoed.end());
        const Header header{.initiator_spi = message.header.initiator_spi, .exchange = ExchangeType::ike_sa_init, .response = true};
        lab.inject({nullptr, request.destination, request.source, encode_message(header, std::vector<Payload>{Notify{.type = NotifyType::redirect, .data = data}})});
        return message;
    }
    static std::vector<Prefix> within(std::string_view prefix) { return {Prefix::parse(prefix).value()}; }
};

}  // namespace

TEST_CASE_METHOD(Redirected, "an initiator that allows it says so, follows a REDIRECT, and tells the new gateway where it comes from") {
    connect(within("192.0.2.0/30"));
    const Message request = redirect("192.0.2.2");
    REQUIRE(find_notify(request.payloads, NotifyType::redirect_supported));
    const Message again = decode_message(lab.wire.at(0).payload).value();
    REQUIRE(lab.wire.at(0).destination == at("192.0.2.2"));
    REQUIRE(find_notify(again.payloads, NotifyType::redirected_from)->data == Bytes{1, 4, 192, 0, 2, 1});
    REQUIRE(again.header.initiator_spi != request.header.initiator_spi);
    REQUIRE(find<NoncePayload>(again.payloads)->data != find<NoncePayload>(request.payloads)->data);
    lab.run();
    REQUIRE(Lab::talk(spoke, second));
    REQUIRE(spoke.ups.at(0).token == 5);
    REQUIRE(spoke.ups.at(0).remote_endpoint.address == second.address);
    REQUIRE(spoke.logged("redirected from 192.0.2.1"));
}

TEST_CASE_METHOD(Redirected, "who allows no redirection says nothing of it and is not sent away") {
    connect({});
    REQUIRE_FALSE(find_notify(redirect("192.0.2.2").payloads, NotifyType::redirect_supported));
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.count("redirects-refused") == 1);
}

TEST_CASE_METHOD(Redirected, "a REDIRECT to a gateway outside of what is allowed is a rumour of a refusal") {
    connect(within("192.0.2.2/32"));
    for (int i = 0; i < 3; ++i) {
        if (i > 0) lab.advance_to_next_deadline();
        redirect("192.0.2.66");
    }
    REQUIRE(spoke.downs.at(0).reason == DownReason::refused_by_peer);
    REQUIRE(spoke.logged("redirects us to 192.0.2.66, which the configuration does not allow"));
}

TEST_CASE_METHOD(Redirected, "a REDIRECT without the nonce of our request, or cut short, is ignored") {
    connect(within("192.0.2.0/24"));
    redirect("192.0.2.2", Bytes(32, 7));
    lab.advance_to_next_deadline();
    redirect("192.0.2.2", Bytes{});
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.count("bad-redirects") == 2);
}

TEST_CASE_METHOD(Redirected, "gateways that send us around are left after five redirections") {
    connect(within("192.0.2.0/24"));
    for (int i = 0; i < 5; ++i) redirect(i % 2 == 0 ? "192.0.2.98" : "192.0.2.99");
    REQUIRE(spoke.count("redirects-followed") == 5);
    redirect("192.0.2.97");
    REQUIRE(spoke.count("redirects-followed") == 5);
    lab.advance(60s);
    REQUIRE(spoke.downs.size() == 1);
    REQUIRE(spoke.downs.at(0).token == 5);
    REQUIRE(spoke.logged("and we have been redirected too often"));
}

TEST_CASE_METHOD(Redirected, "an identity that is pinned counts where its hub may redirect to, and nowhere else") {
    spoke.settings.profiles[0].pinned = {{pattern("second.example"), {first.address}, within("192.0.2.2/32")}};
    spoke.start();
    connect(within("192.0.2.2/32"));
    redirect("192.0.2.2");
    lab.run();
    REQUIRE(spoke.is_up());

    spoke.settings.profiles[0].pinned = {{pattern("second.example"), {first.address}}};
    spoke.start(), second.start();
    connect(within("192.0.2.2/32"));
    redirect("192.0.2.2");
    lab.run();
    REQUIRE_FALSE(spoke.is_up());
    REQUIRE(spoke.downs.at(0).reason == DownReason::authentication_failed);
}

namespace {

/// Two hubs that share their load.
struct Sharing {
    Lab lab{82};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& first = lab.gateway("first", "192.0.2.1");
    Gateway& second = lab.gateway("second", "192.0.2.2");

    void share(Gateway& hub, const Gateway& other, std::size_t from) {
        hub.settings.redirect_to = {other.address};
        hub.settings.redirect_from_established = from;
        hub.start();
    }
    void connect(Gateway& from, const char* redirects = "192.0.2.0/29") {
        const ConnectRequest request{.profile = {}, .local = {from.address, 500}, .remote = {first.address, 500}, .expected = {}, .token = 1,
                                     .redirects = {Prefix::parse(redirects).value()}};
        lab.act(from, [&](Endpoint& endpoint, Outbox& out) { endpoint.connect(request, lab.now, out); });
        lab.run();
    }
};

}  // namespace

TEST_CASE_METHOD(Sharing, "a hub that has as many spokes as it wants sends the next one to another hub, and keeps nothing of it") {
    share(first, second, 1);
    Gateway& earlier = lab.gateway("earlier", "192.0.2.9");
    connect(earlier);
    REQUIRE(Lab::talk(earlier, first));
    connect(spoke);
    REQUIRE(Lab::talk(spoke, second));
    REQUIRE(first.count("redirects-sent") == 1);
    REQUIRE(first.endpoint->snapshot().size() == 1);
}

TEST_CASE_METHOD(Sharing, "two hubs that both want nobody do not send a spoke to and fro") {
    share(first, second, 0), share(second, first, 0);
    connect(spoke);
    REQUIRE(Lab::talk(spoke, second));
    REQUIRE(spoke.count("redirects-followed") == 1);
}

TEST_CASE_METHOD(Sharing, "a spoke that does not know redirection stays") {
    share(first, second, 0);
    lab.connect(spoke, first);
    lab.run();
    REQUIRE(Lab::talk(spoke, first));
    REQUIRE(first.count("redirects-sent") == 0);
}

TEST_CASE_METHOD(Sharing, "a spoke is not sent to an address of another family") {
    share(first, second, 0);
    first.settings.redirect_to = {at("2001:db8::2").address};
    first.start();
    connect(spoke);
    REQUIRE(Lab::talk(spoke, first));
}

TEST_CASE_METHOD(Sharing, "a hub does not send a spoke to itself") {
    share(first, first, 0);
    connect(spoke);
    REQUIRE(Lab::talk(spoke, first));
    REQUIRE(first.count("redirects-sent") == 0);
}

TEST_CASE_METHOD(Redirected, "a gateway that does not answer sends us back to the one that redirected us, within seconds, which may not do so again") {
    connect(within("192.0.2.0/24"));
    redirect("192.0.2.99");
    const TimePoint sent_away = lab.now;
    while (lab.wire.back().destination != first) lab.advance_to_next_deadline();
    REQUIRE(lab.now - sent_away == 3500ms);
    REQUIRE(spoke.logged("does not answer, so we go back to 192.0.2.1, which redirected us"));
    REQUIRE(spoke.downs.empty());
    const Message again = decode_message(lab.wire.back().payload).value();
    REQUIRE_FALSE(find_notify(again.payloads, NotifyType::redirect_supported));
    REQUIRE_FALSE(find_notify(again.payloads, NotifyType::redirected_from));
}

TEST_CASE("a hub that shares its load keeps a spoke whom the other hub did not answer") {
    Lab lab{83};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    hub.settings.redirect_to = {at("192.0.2.2").address};
    hub.settings.redirect_from_established = 0;
    hub.start();
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) {
        const NbmaEndpoint local{spoke.address, 500}, remote{hub.address, 500};
        endpoint.connect({.profile = {}, .local = local, .remote = remote, .expected = {}, .token = 5, .redirects = Redirected::within("192.0.2.0/24")}, lab.now, out);
    });
    lab.run();
    REQUIRE(hub.count("redirects-sent") == 1);
    lab.advance(4s);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.ups.at(0).token == 5);
    REQUIRE(spoke.count("redirects-in-vain") == 1);
}
