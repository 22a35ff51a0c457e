// Plays of session resumption (RFC 5723) that must not succeed: tickets forged, seen by others, too old, of who is not let in any more.
#include "controlplane/ike/protected_message.hpp"
#include "tests/unit/ike/resuming.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

TEST_CASE_METHOD(Resuming, "half-open limits hold for resumptions") {
    establish();
    lose_hub();
    hub.settings.half_open_max = 0, hub.settings.cookies_from_half_open = 100;
    restart_hub();
    connect();
    lab.run();
    REQUIRE(hub.count("limit-half-open") == 1);
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(Resuming, "who has seen a ticket on the wire and sends it again gets nothing") {
    establish();
    lose_hub();
    connect();
    const Packet seen = lab.wire.at(0);
    lab.run();
    REQUIRE(is_resumed());
    Packet replayed = seen;
    replayed.sender = nullptr, replayed.source = at("203.0.113.66");
    lab.inject(replayed);
    const Message answer = read(lab.intercept(&hub));
    REQUIRE(find<NoncePayload>(answer.payloads));
    // It has no keys: whatever it sends as IKE_AUTH is not authentic.
    SeededRandom random{1};
    const SessionSeed seed{spoke.settings.profiles[0].ike_proposals[0], seen.payload, seen.payload, answer.header.initiator_spi, answer.header.responder_spi};
    const SessionKeys guessed = derive_session_keys(seed, Secret{Bytes(32, 1)});
    const Header header{.initiator_spi = answer.header.initiator_spi,
                        .responder_spi = answer.header.responder_spi,
                        .exchange = ExchangeType::ike_auth,
                        .from_initiator = true,
                        .message_id = 1};
    lab.inject({nullptr, replayed.source, replayed.destination, seal(header, std::vector<Payload>{NoncePayload{Bytes(32)}}, guessed.from_initiator, random)});
    lab.run();
    REQUIRE(hub.count("bad-integrity") == 1);
    lab.advance(2min);
    REQUIRE(hub.ups.size() == 1);
    REQUIRE(hub.endpoint->snapshot().size() == 1);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Resuming, "a ticket is refused, and a full exchange follows at once") {
    establish();
    SECTION("when its key is gone") {
        hub.settings.ticket_keys = {Secret{Bytes(32, 8)}};
        lose_hub();
        refused("the ticket is sealed by a key that we do not have, or no longer");
    }
    SECTION("when the hub hands out none any more") {
        hub.settings.ticket_keys.clear();
        lose_hub();
        refused("the ticket is sealed by a key that we do not have");
    }
    SECTION("when it is too old by the hub's calendar") {
        hub.calendar.today += 8h;
        lose_hub();
        refused("the ticket of spoke.example has expired");
    }
    SECTION("when the pre-shared key is another one") {
        hub.settings.profiles[0].keys = {{pattern("*"), secret("another")}};
        spoke.settings.profiles[0].keys = hub.settings.profiles[0].keys;
        lose_hub();
        // The spoke has not heard of the change, and is refused by the full exchange as well.
        connect();
        lab.run();
        CHECK(hub.logged("the keys or authorities for spoke.example in profile 'dmvpn' are not those of its ticket"));
        CHECK_FALSE(hub.is_up());
    }
    SECTION("when nobody of that name is let in") {
        hub.settings.profiles[0].keys = {{pattern("*.elsewhere"), secret("secret")}};
        lose_hub();
        connect();
        lab.run();
        CHECK(hub.logged("the keys or authorities for spoke.example in profile 'dmvpn' are not those of its ticket"));
        CHECK_FALSE(hub.is_up());
    }
    SECTION("when the profile has another name") {
        hub.settings.profiles[0].name = "other";
        lose_hub();
        refused("the ticket of spoke.example is for a profile that is not configured any more");
    }
    SECTION("when the suite is not allowed any more") {
        auto& proposals = hub.settings.profiles[0].ike_proposals;
        proposals.erase(proposals.begin());
        lose_hub();
        refused("which profile 'dmvpn' does not allow");
    }
    SECTION("when the hub has another identity") {
        hub.settings.profiles[0].local = identity("twin.hub.example");
        spoke.settings.profiles[0].pinned.clear();
        lose_hub();
        connect();
        lab.run();
        CHECK(hub.count("tickets-refused") == 1);
    }
}

TEST_CASE_METHOD(Resuming, "a ticket opens with the key before the current one") {
    establish();
    hub.settings.ticket_keys.insert(hub.settings.ticket_keys.begin(), Secret{Bytes(32, 9)});
    lose_hub();
    connect();
    lab.run();
    REQUIRE(is_resumed());
    SECTION("and the next one is sealed with the current one") {
        hub.settings.ticket_keys.pop_back();
        lose_hub();
        hub.logs.clear();
        connect();
        lab.run();
        REQUIRE(is_resumed());
    }
    SECTION("but not when the running hub is given others") {
        hub.endpoint->replace_ticket_keys({Secret{Bytes(32, 10)}});
        move_spoke("192.0.2.98");
        hub.logs.clear();
        refused("the ticket is sealed by a key that we do not have");
    }
}

TEST_CASE_METHOD(Resuming, "a ticket of which one bit was changed on its way is refused") {
    establish();
    lose_hub();
    connect();
    Packet request = lab.intercept(&spoke);
    Message message = read(request);
    for (Payload& payload : message.payloads)
        if (auto* notify = std::get_if<Notify>(&payload); notify && notify->type == NotifyType::ticket_opaque) notify->data.back() ^= 1;
    request.payload = encode_message(message.header, message.payloads);
    lab.inject(request);
    lab.run();
    REQUIRE(hub.logged("the ticket is not genuine"));
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE_FALSE(is_resumed());
}

TEST_CASE_METHOD(Resuming, "a forged TICKET_NACK or error costs a full exchange, not more") {
    establish();
    lose_hub();
    connect();
    const Packet request = lab.intercept(&spoke);
    const auto type = GENERATE(NotifyType::ticket_nack, NotifyType::invalid_syntax, NotifyType::redirect);
    const Header header{.initiator_spi = read(request).header.initiator_spi, .exchange = ExchangeType::ike_session_resume, .response = true};
    lab.inject({nullptr, request.destination, request.source, encode_message(header, std::vector<Payload>{Notify{.type = type}})});
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE_FALSE(is_resumed());
    REQUIRE(spoke.count("resumptions-failed") == 1);
}

TEST_CASE_METHOD(Resuming, "an answer from who does not have the session's keys leads to a full exchange") {
    establish();
    lose_hub();
    connect();
    const Packet request = lab.intercept(&spoke);
    const Header header{.initiator_spi = read(request).header.initiator_spi, .responder_spi = 99, .exchange = ExchangeType::ike_session_resume, .response = true};
    lab.inject({nullptr, request.destination, request.source, encode_message(header, std::vector<Payload>{NoncePayload{Bytes(32, 3)}})});
    lab.advance(1min);
    REQUIRE(spoke.logged("of IKE_AUTH with a ticket; starting anew"));
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.spis.size() == 1);
}

TEST_CASE_METHOD(Resuming, "a hub that stays silent is asked for a full exchange, and the ticket is kept for the next time") {
    establish();
    lose_hub();
    connect();
    lab.advance_losing(32s, spoke);
    REQUIRE(spoke.logged("6 transmissions of IKE_SESSION_RESUME; starting anew"));
    lab.advance_losing(1min, spoke);
    REQUIRE(spoke.downs.back().reason == DownReason::timed_out);
    connect();
    lab.run();
    REQUIRE(is_resumed());
}

TEST_CASE_METHOD(Resuming, "a ticket is not used after its time, for another identity, or after the operator closed the SA") {
    establish();
    SECTION("its time") {
        lose_hub();
        lab.advance(8h);
        connect();
    }
    SECTION("another identity") {
        lose_hub();
        connect("*.elsewhere");
    }
    SECTION("closed") {
        lab.close(spoke);
        lab.run();
        connect();
    }
    REQUIRE(read(lab.wire.at(0)).header.exchange == ExchangeType::ike_sa_init);
    REQUIRE(spoke.count("resumptions") == 0);
}

TEST_CASE_METHOD(Resuming, "a PPK is in the keys of a resumed session, and a ticket without the PPK that is required today is refused") {
    const Ppk ppk{.id = "site", .remote = pattern("*"), .key = secret("0123456789abcdef0123456789abcdef")};
    SECTION("resumed") {
        hub.settings.profiles[0].ppks = spoke.settings.profiles[0].ppks = {ppk};
        hub.start(), spoke.start();
        establish();
        lose_hub();
        connect();
        lab.run();
        REQUIRE(is_resumed());
        REQUIRE(hub.logged("by the ticket of an earlier session and PPK 'site'"));
    }
    SECTION("refused") {
        establish();
        hub.settings.profiles[0].ppks = {ppk};
        hub.settings.profiles[0].ppks[0].required = true;
        lose_hub();
        connect();
        lab.run();
        REQUIRE(hub.logged("profile 'dmvpn' requires a PPK of spoke.example"));
        REQUIRE_FALSE(hub.is_up());
    }
}

TEST_CASE_METHOD(Resuming, "a hub that is to be drained resumes no session: IKE_SA_INIT tells the spoke where to go") {
    Gateway& other = lab.gateway("hub", "192.0.2.2");
    establish();
    hub.settings.redirect_to = {other.address};
    hub.settings.redirect_from_established = 0;
    lose_hub();
    const ConnectRequest request{.profile = {}, .local = {spoke.address, 500}, .remote = {hub.address, 500}, .expected = pattern("hub.example"), .token = 1,
                                 .redirects = {Prefix::parse("192.0.2.2/32").value()}, .resumable = true};
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.connect(request, lab.now, out); });
    lab.run();
    REQUIRE(hub.logged("other hubs share the load"));
    REQUIRE(Lab::talk(spoke, other));
}
