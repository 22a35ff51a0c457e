// Plays of session resumption (RFC 5723): tickets given, used, lost on the way, renewed.
#include "controlplane/ike/ticket.hpp"
#include "tests/unit/ike/raw_peer.hpp"
#include "tests/unit/ike/resuming.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

TEST_CASE_METHOD(Resuming, "a hub that lost its memory takes its spoke back without a key exchange") {
    establish();
    lose_hub();
    connect();
    const Message request = read(lab.wire.at(0));
    REQUIRE(request.header.exchange == ExchangeType::ike_session_resume);
    REQUIRE(request.header.message_id == 0);
    REQUIRE(find<NoncePayload>(request.payloads));
    REQUIRE(find_notify(request.payloads, NotifyType::ticket_opaque));
    REQUIRE_FALSE(find<KeyExchange>(request.payloads));
    REQUIRE_FALSE(find<SaPayload>(request.payloads));
    lab.deliver(spoke);  // IKE_SESSION_RESUME { Ni, N(TICKET_OPAQUE) } -->
    const Message response = read(lab.wire.at(0));
    REQUIRE(response.header.exchange == ExchangeType::ike_session_resume);
    REQUIRE(find<NoncePayload>(response.payloads)->data != find<NoncePayload>(request.payloads)->data);
    lab.deliver(hub);    // <-- IKE_SESSION_RESUME { Nr }
    lab.deliver(spoke);  // IKE_AUTH { IDi, IDr, AUTH, SA, TSi, TSr, N(TICKET_REQUEST) } -->
    REQUIRE(hub.ups.at(0).remote_identity == identity("spoke.example"));
    lab.deliver(hub);    // <-- IKE_AUTH { IDr, AUTH, SA, TSi, TSr, N(TICKET_LT_OPAQUE) }
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(is_resumed());
    REQUIRE(hub.count("init-requests") == 0);
    REQUIRE(spoke.ups.back().token == 1);
}

TEST_CASE_METHOD(Resuming, "a resumed session has a ticket of its own, by which it can be resumed again") {
    establish();
    for (int i = 0; i < 3; ++i) {
        lose_hub();
        hub.logs.clear();
        connect();
        const Bytes ticket = find_notify(read(lab.wire.at(0)).payloads, NotifyType::ticket_opaque)->data;
        lab.run();
        REQUIRE(is_resumed());
        REQUIRE(open_ticket(ticket, hub.settings.ticket_keys));
    }
    REQUIRE(spoke.count("tickets-received") == 4);
    REQUIRE(spoke.count("resumptions-failed") == 0);
}

TEST_CASE_METHOD(Resuming, "a resumed session soon gets key exchanges of its own, first for the IKE SA, then for the child SA") {
    establish();
    lose_hub();
    connect();
    lab.run();
    const SaView resumed = spoke.view();
    lab.advance(6min);
    const SaView rekeyed = spoke.view();
    REQUIRE(spoke.count("ike-rekeyed") == 1);
    REQUIRE(rekeyed.initiator_spi != resumed.initiator_spi);
    REQUIRE(rekeyed.children.at(0).child != resumed.children.at(0).child);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.count("tickets-received") == 3);  // the last one is of the rekeyed IKE SA
}

TEST_CASE_METHOD(Resuming, "after a rekey by either end the spoke asks for a ticket of the IKE SA that stays") {
    establish();
    Gateway* const by = GENERATE(0, 1) == 0 ? &spoke : &hub;
    lab.rekey_ike(*by);
    lab.run();
    REQUIRE(spoke.count("tickets-received") == 2);
    lose_hub();
    connect();
    lab.run();
    REQUIRE(is_resumed());
}

TEST_CASE_METHOD(Resuming, "no ticket is given to who asks for none, or by who has no key for tickets") {
    SECTION("a request that is not resumable") {
        lab.connect(spoke, hub);
        lab.run();
        REQUIRE(hub.count("tickets-handed-out") == 0);
    }
    SECTION("a hub without a key") {
        hub.settings.ticket_keys.clear();
        restart_hub();
        connect();
        lab.run();
        REQUIRE(spoke.count("tickets-received") == 0);
    }
    lose_hub();
    connect();
    REQUIRE(read(lab.wire.at(0)).header.exchange == ExchangeType::ike_sa_init);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Resuming, "a ticket may be asked for in INFORMATIONAL too") {
    RawPeer peer{lab, hub, "192.0.2.77"};
    peer.establish();
    const auto answer = peer.exchange(ExchangeType::informational, {Notify{.type = NotifyType::ticket_request}});
    const Notify* given = find_notify(answer, NotifyType::ticket_lt_opaque);
    REQUIRE(given);
    ByteReader in{given->data};
    REQUIRE(in.u32() == 8 * 3600);
    const auto ticket = open_ticket(in.take_rest(), hub.settings.ticket_keys);
    REQUIRE(ticket);
    REQUIRE(ticket->derivation == peer.keys.derivation);
    REQUIRE(ticket->expires == hub.calendar.now() + 8h);
}

TEST_CASE_METHOD(Resuming, "whichever of the four messages is lost, its sender repeats it and the session is resumed") {
    establish();
    lose_hub();
    connect();
    const int lost = GENERATE(0, 1, 2, 3);
    for (int i = 0; i < lost; ++i) lab.deliver();
    lab.lose();
    lab.advance(2s);
    REQUIRE(is_resumed());
    REQUIRE(spoke.count("requests-repeated") >= 1);
    REQUIRE(hub.ups.size() == 1);
}

TEST_CASE_METHOD(Resuming, "a repeated IKE_SESSION_RESUME gets the identical answer, and makes one half-open SA") {
    establish();
    lose_hub();
    connect();
    const Packet request = lab.intercept(&spoke);
    lab.inject(request), lab.inject(request);
    REQUIRE(lab.wire.size() == 2);
    REQUIRE(lab.wire.at(0).payload == lab.wire.at(1).payload);
    REQUIRE(hub.count("resume-repeated") == 1);
    lab.run();
    REQUIRE(is_resumed());
    REQUIRE(hub.endpoint->snapshot().size() == 1);
}

TEST_CASE_METHOD(Resuming, "a hub under load asks for a cookie before it opens a ticket") {
    hub.settings.cookies_from_half_open = 0;
    restart_hub();
    establish();
    lose_hub();
    connect();
    lab.deliver(spoke);  // IKE_SESSION_RESUME { Ni, N(TICKET_OPAQUE) } -->
    REQUIRE(hub.endpoint->snapshot().empty());
    lab.deliver(hub);    // <-- IKE_SESSION_RESUME { N(COOKIE) }
    REQUIRE(find_notify(read(lab.wire.at(0)).payloads, NotifyType::cookie));
    lab.run();           // IKE_SESSION_RESUME { N(COOKIE), Ni, N(TICKET_OPAQUE) } -->
    REQUIRE(is_resumed());
}

TEST_CASE_METHOD(Resuming, "a session that is resumed while its SA is up replaces it, and the old SA goes last") {
    establish();
    move_spoke("192.0.2.99");
    connect();
    lab.run();
    REQUIRE(hub.ups.size() == 2);
    REQUIRE(hub.ups.at(1).remote_endpoint.address == spoke.address);
    REQUIRE(hub.downs.empty());
    REQUIRE(is_resumed());
    lab.advance(1min);
    REQUIRE(hub.downs.size() == 1);
    REQUIRE(hub.downs.at(0).sa == hub.ups.at(0).sa);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Resuming, "a ticket is good from behind a NAT, and from another address than before") {
    establish();
    lab.put_behind_nat(spoke, "198.51.100.9");
    move_spoke("10.0.0.7");
    connect();
    lab.run();
    REQUIRE(is_resumed());
    REQUIRE(hub.ups.back().remote_behind_nat);
    REQUIRE(spoke.ups.back().local_behind_nat);
    REQUIRE(spoke.ups.back().encapsulated);
}

TEST_CASE_METHOD(Resuming, "a resumed session has child SAs for single resources again (RFC 9611)") {
    hub.settings.resources = spoke.settings.resources = 2;
    hub.start(), spoke.start();
    establish();
    lose_hub();
    connect();
    lab.advance(25s);
    REQUIRE(spoke.count("resumptions") == 1);
    for (Gateway* gateway : {&spoke, &hub}) REQUIRE(gateway->view().children.size() == 3);
}
