// Plays with a peer that speaks its own mind: odd selectors, unknown payloads, broken bytes under good keys.
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct BadPeer {
    Lab lab{41};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.50"};
    const IpAddress ours = peer.self.address.value, its = hub.address.value;

    std::vector<Payload> auth_with(std::vector<TrafficSelector> initiator, std::vector<TrafficSelector> responder, bool transport = true) {
        peer.init();
        return peer.exchange(ExchangeType::ike_auth, peer.authentication() + peer.child(std::move(initiator), std::move(responder), transport));
    }
};

const TrafficSelector kEverything{0, 0, 65535, IpAddress::v4(0), IpAddress::v4(0xffffffff)};

/// REKEY_SA for the child SA of IKE_AUTH.
const std::vector<Payload> kRekeyFirst{Notify{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = {0x12, 0x34, 0x56, 0x78}}};

Bytes critical_unknown() { return {0, 0x80, 0, 4}; }  // next payload none, critical, length 4; its type stands in front

}  // namespace

TEST_CASE_METHOD(BadPeer, "selectors for everything are narrowed to GRE between the two addresses") {
    const auto answer = auth_with({kEverything}, {kEverything});
    REQUIRE(find<TrafficSelectors>(answer, Role::initiator)->selectors == std::vector{TrafficSelector::host(ours, 47)});
    REQUIRE(find<TrafficSelectors>(answer, Role::responder)->selectors == std::vector{TrafficSelector::host(its, 47)});
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "of several selectors the one for GRE is taken") {
    const auto answer = auth_with({TrafficSelector::host(ours, 6), TrafficSelector::host(ours, 47)}, {TrafficSelector::host(its, 17), TrafficSelector::host(its, 47)});
    REQUIRE(find<TrafficSelectors>(answer, Role::initiator)->selectors == std::vector{TrafficSelector::host(ours, 47)});
}

TEST_CASE_METHOD(BadPeer, "GRE with OPAQUE ports is accepted") {
    auto mine = TrafficSelector::host(ours, 47), yours = TrafficSelector::host(its, 47);
    mine.first_port = yours.first_port = 65535, mine.last_port = yours.last_port = 0;
    REQUIRE_FALSE(error_in(auth_with({mine}, {yours})));
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "selectors without GRE, or for other hosts, are TS_UNACCEPTABLE, and the childless IKE SA is closed") {
    const bool wrong_host = GENERATE(false, true);
    const auto mine = wrong_host ? TrafficSelector::host(IpAddress::v4(0x0a000001), 47) : TrafficSelector::host(ours, 6);
    const auto answer = auth_with({mine}, {TrafficSelector::host(its, 47)});
    REQUIRE(error_in(answer) == NotifyType::ts_unacceptable);
    REQUIRE(find<AuthPayload>(answer));
    REQUIRE(hub.ups.empty());
    REQUIRE(hub.spis.empty());
    const auto farewell = peer.read(lab.lose(hub));
    REQUIRE(find<DeletePayload>(farewell)->protocol == Protocol::ike);
    REQUIRE(hub.logged("we protect GRE between"));
}

TEST_CASE_METHOD(BadPeer, "without USE_TRANSPORT_MODE the child SA is in tunnel mode, where the profile allows it") {
    const auto gre = TrafficSelector::host(ours, 47);
    const auto answer = auth_with({gre}, {TrafficSelector::host(its, 47)}, false);
    REQUIRE_FALSE(find_notify(answer, NotifyType::use_transport_mode));
    REQUIRE(hub.outbound.at(0).mode == EspMode::tunnel);
    hub.settings.profiles[0].accept_tunnel_mode = false;
    hub.start();
    REQUIRE(error_in(auth_with({gre}, {TrafficSelector::host(its, 47)}, false)) == NotifyType::no_proposal_chosen);
    REQUIRE(hub.ups.empty());
}

TEST_CASE_METHOD(BadPeer, "an IKE_AUTH without AUTH asks for EAP, which is refused") {
    peer.init();
    const auto id = peer.authentication().front();
    REQUIRE(error_in(peer.exchange(ExchangeType::ike_auth, std::vector<Payload>{id} + peer.gre_child())) == NotifyType::authentication_failed);
    REQUIRE(hub.ups.empty());
}

TEST_CASE_METHOD(BadPeer, "an IKE_AUTH without IDi is INVALID_SYNTAX") {
    peer.init();
    REQUIRE(error_in(peer.exchange(ExchangeType::ike_auth, peer.gre_child())) == NotifyType::invalid_syntax);
    REQUIRE(hub.count("malformed-inside") == 1);
}

TEST_CASE_METHOD(BadPeer, "an AUTH that is made for another IKE_SA_INIT is worth nothing") {
    peer.init();
    const auto stolen = peer.authentication();
    peer.init();
    REQUIRE(error_in(peer.exchange(ExchangeType::ike_auth, stolen + peer.gre_child())) == NotifyType::authentication_failed);
}

TEST_CASE_METHOD(BadPeer, "vendor ids, configuration requests, MOBIKE, REDIRECT and unknown notifications are ignored") {
    peer.init();
    const std::vector<Payload> noise{VendorId{{1, 2, 3}},
                                     OpaquePayload{PayloadType::configuration, false, {1, 0, 0, 0}},
                                     Notify{.type = NotifyType::mobike_supported},
                                     Notify{.type = NotifyType::redirect_supported},
                                     Notify{.type = static_cast<NotifyType>(40000), .data = {9}}};
    REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + noise + peer.gre_child())));
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "an unknown critical payload in IKE_AUTH is named in the refusal") {
    peer.init();
    const auto answer = peer.read(peer.ask(peer.request_with(ExchangeType::ike_auth, static_cast<PayloadType>(200), critical_unknown())));
    REQUIRE(error_in(answer) == NotifyType::unsupported_critical_payload);
    REQUIRE(find_error(answer)->data == Bytes{200});
}

TEST_CASE_METHOD(BadPeer, "an unknown critical payload on an established IKE SA refuses that request only") {
    peer.establish();
    const auto answer = peer.read(peer.ask(peer.request_with(ExchangeType::informational, static_cast<PayloadType>(200), critical_unknown())));
    REQUIRE(error_in(answer) == NotifyType::unsupported_critical_payload);
    REQUIRE(hub.is_up());
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
}

TEST_CASE_METHOD(BadPeer, "bad syntax under good keys is answered with INVALID_SYNTAX and ends the IKE SA (2.21.3)") {
    peer.establish();
    const Bytes lying_length{0, 0, 0xff, 0xff, 1, 2};
    REQUIRE(error_in(peer.read(peer.ask(peer.request_with(ExchangeType::informational, PayloadType::notify, lying_length)))) == NotifyType::invalid_syntax);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
    REQUIRE(hub.inbound.empty());
}

TEST_CASE_METHOD(BadPeer, "bad syntax in IKE_AUTH is fatal for the attempt") {
    peer.init();
    const Bytes lying_length{0, 0, 0xff, 0xff, 1, 2};
    REQUIRE(error_in(peer.read(peer.ask(peer.request_with(ExchangeType::ike_auth, PayloadType::notify, lying_length)))) == NotifyType::invalid_syntax);
    REQUIRE(hub.endpoint->snapshot().at(0).state == "over");
    lab.advance(11s);
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(BadPeer, "requests out of the window are ignored, however genuine; the expected one still counts") {
    peer.establish();
    const Bytes early = (peer.next_id += 1, peer.request(ExchangeType::informational, {}));
    REQUIRE(peer.ask(early).empty());
    REQUIRE(hub.count("out-of-window") == 1);
    peer.next_id -= 2;
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
    REQUIRE_FALSE(peer.ask(early).empty());
}

TEST_CASE_METHOD(BadPeer, "a repeated request gets identical bytes and is acted upon once") {
    peer.establish();
    const Bytes request = peer.request(ExchangeType::create_child_sa, peer.gre_child(0x1000) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}});
    const Bytes first = peer.ask(request);
    REQUIRE(peer.ask(request) == first);
    REQUIRE(hub.inbound.size() == 2);
    REQUIRE(hub.count("requests-answered-again") == 1);
}

TEST_CASE_METHOD(BadPeer, "a peer may make further child SAs, up to a bound") {
    peer.establish();
    for (std::uint32_t i = 1; i < 8; ++i)
        REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x1000 + i) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}})));
    REQUIRE(hub.inbound.size() == 8);
    REQUIRE(hub.outbound.size() == 1);
    REQUIRE(error_in(peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x2000) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}})) == NotifyType::no_additional_sas);
}

TEST_CASE_METHOD(BadPeer, "a peer that makes and deletes child SAs in a hurry gets no more of the slots that all share") {
    peer.establish();
    std::size_t most = 0;
    std::optional<NotifyType> refusal;
    for (std::uint32_t i = 1; i < 40 && !refusal; ++i) {
        refusal = error_in(peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x1000 + i) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}}));
        if (!refusal) peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x1000 + i}}}});
        most = std::max(most, hub.spis.size());
    }
    CHECK(refusal == NotifyType::temporary_failure);
    CHECK(most == 16);
    CHECK(hub.is_up());
    lab.advance(6s);
    CHECK_FALSE(error_in(peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x2000) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}})));
}

TEST_CASE_METHOD(BadPeer, "so does one that rekeys in a hurry and deletes nothing") {
    peer.establish();
    std::uint32_t old = 0x12345678;
    std::optional<NotifyType> refusal;
    for (std::uint32_t i = 1; i < 40 && !refusal; ++i) {
        ByteWriter spi;
        spi.u32(old);
        const Notify rekey{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = spi.take()};
        refusal = error_in(peer.exchange(ExchangeType::create_child_sa, std::vector<Payload>{rekey, NoncePayload{Bytes(32, 7)}} + peer.gre_child(0x1000 + i)));
        old = 0x1000 + i;
    }
    CHECK(refusal == NotifyType::temporary_failure);
    CHECK(hub.spis.size() == 16);
}

TEST_CASE_METHOD(BadPeer, "when a peer deletes the child SA that we send on, another one takes over") {
    peer.establish();
    peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x1000) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}});
    const Spi first = hub.inbound.begin()->second.spi;
    const auto answer = peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x12345678}}}});
    REQUIRE(find<DeletePayload>(answer)->spis == std::vector{first});
    REQUIRE(hub.outbound.size() == 1);
    REQUIRE(hub.outbound[0].spi == Spi{0x1000});
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "when a peer deletes the only child SA, the IKE SA is closed too") {
    peer.establish();
    const auto first = hub.inbound_spi();
    const auto answer = peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x12345678}}}});
    REQUIRE(find<DeletePayload>(answer)->spis == std::vector{first});
    REQUIRE(hub.downs.at(0).reason == DownReason::no_child);
    REQUIRE(find<DeletePayload>(peer.read(lab.lose(hub)))->protocol == Protocol::ike);
}

TEST_CASE_METHOD(BadPeer, "a DELETE of an SPI that nobody has is answered with nothing") {
    peer.establish();
    REQUIRE(peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x777}, Spi{0}}}}).empty());
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "a DELETE that names one SPI many times, in several payloads, is answered as if it did once") {
    peer.establish();
    peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x1000) + std::vector<Payload>{NoncePayload{Bytes(32, 7)}});
    const Spi first = hub.inbound.begin()->second.spi;
    const DeletePayload many{Protocol::esp, std::vector<Spi>(DeletePayload::kSpisMax, Spi{0x12345678})};
    const auto answer = peer.exchange(ExchangeType::informational, {many, many, many});
    REQUIRE(find<DeletePayload>(answer)->spis == std::vector{first});
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "REKEY_SA for an unknown SPI is CHILD_SA_NOT_FOUND, with that SPI") {
    peer.establish();
    const Notify rekey{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = {0, 0, 9, 9}};
    const auto answer = peer.exchange(ExchangeType::create_child_sa, std::vector<Payload>{rekey, NoncePayload{Bytes(32, 7)}} + peer.gre_child(0x1000));
    REQUIRE(error_in(answer) == NotifyType::child_sa_not_found);
    REQUIRE(find_error(answer)->spi == rekey.spi);
}

TEST_CASE_METHOD(BadPeer, "in a rekey collision the pair with the lowest of four nonces loses, whoever made it (2.8.1)") {
    const bool peer_loses = GENERATE(false, true);
    const Bytes lowest(32, 0), highest(32, 0xff);
    peer.establish();
    const Spi old = hub.inbound_spi();
    lab.rekey_child(hub);
    const Bytes request = lab.lose(hub);
    peer.exchange(ExchangeType::create_child_sa, kRekeyFirst + std::vector<Payload>{NoncePayload{peer_loses ? lowest : highest}} + peer.gre_child(0x2000));
    const Spi rival = hub.inbound_spi();
    const Bytes deletion = peer.ask(peer.answer(request, peer.agree_to(request, 0x3000, peer_loses ? highest : lowest)));
    const auto deleted = find<DeletePayload>(peer.read(deletion))->spis;
    REQUIRE(hub.inbound.size() == 3);
    if (peer_loses) REQUIRE(deleted == std::vector{old});             // the hub's pair won: it deletes the old one
    else REQUIRE(deleted == std::vector{hub.inbound_spi()});          // the hub deletes its own redundant one
    REQUIRE(hub.inbound_spi() != rival);
    REQUIRE(hub.outbound.back().spi == Spi{peer_loses ? 0x3000u : 0x12345678u});
}

TEST_CASE_METHOD(BadPeer, "a DELETE that crosses ours for the same child SA is answered without its SPI (1.4.1)") {
    peer.establish();
    lab.rekey_child(hub);
    const Bytes request = lab.lose(hub);
    const Bytes deletion = peer.ask(peer.answer(request, peer.agree_to(request, 0x3000, Bytes(32, 5))));
    REQUIRE(find<DeletePayload>(peer.read(deletion)));
    REQUIRE(peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x12345678}}}}).empty());
    peer.ask(peer.answer(deletion, {}));
    lab.advance(6s);
    REQUIRE(hub.inbound.size() == 1);
    REQUIRE(hub.outbound.size() == 1);
    REQUIRE(hub.outbound[0].spi == Spi{0x3000});
}

TEST_CASE_METHOD(BadPeer, "the DELETE of a replaced child SA puts its successor to use, also beside another child SA in use") {
    peer.establish();
    const std::vector<Payload> nonce{NoncePayload{Bytes(32, 7)}};
    peer.exchange(ExchangeType::create_child_sa, nonce + peer.gre_child(0x1000));
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.inbound_used(hub.sa(), hub.inbound_spi(), lab.now, out); });
    REQUIRE(hub.outbound.back().spi == Spi{0x1000});
    peer.exchange(ExchangeType::create_child_sa, kRekeyFirst + nonce + peer.gre_child(0x2000));
    REQUIRE(hub.outbound.back().spi == Spi{0x1000});
    peer.exchange(ExchangeType::informational, {DeletePayload{Protocol::esp, {Spi{0x12345678}}}});
    REQUIRE(hub.outbound.back().spi == Spi{0x2000});
}

TEST_CASE_METHOD(BadPeer, "an answer to a child rekey that was not offered ends the IKE SA: nobody could tell what the other end holds") {
    peer.establish();
    lab.rekey_child(hub);
    const Bytes request = lab.lose(hub);
    auto answer = peer.agree_to(request, 0x3000, Bytes(32, 5));
    std::get<TrafficSelectors>(answer[3]).selectors = {kEverything};
    REQUIRE(find<DeletePayload>(peer.read(peer.ask(peer.answer(request, answer))))->protocol == Protocol::ike);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(BadPeer, "CHILD_SA_NOT_FOUND for a child SA that only we hold removes it") {
    peer.establish();
    lab.rekey_child(hub);
    const Bytes request = lab.lose(hub);
    peer.ask(peer.answer(request, {Notify{.type = NotifyType::child_sa_not_found, .protocol = Protocol::esp, .spi = {0, 0, 0, 1}}}));
    REQUIRE(hub.inbound.empty());
    REQUIRE(hub.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(BadPeer, "an offered ESP SPI from the reserved range is refused") {
    peer.init();
    REQUIRE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + peer.gre_child(255))) == NotifyType::no_proposal_chosen);
    REQUIRE(hub.ups.empty());
}

TEST_CASE_METHOD(BadPeer, "a CREATE_CHILD_SA without a nonce is INVALID_SYNTAX and makes nothing") {
    peer.establish();
    REQUIRE(error_in(peer.exchange(ExchangeType::create_child_sa, peer.gre_child(0x1000))) == NotifyType::invalid_syntax);
    REQUIRE(hub.inbound.size() == 1);
}

TEST_CASE_METHOD(BadPeer, "a message with the wrong initiator flag, or with another peer's SPI, is not for this SA") {
    peer.establish();
    Bytes reflected = peer.request(ExchangeType::informational, {});
    reflected[19] ^= 0x08;  // I
    REQUIRE(peer.ask(reflected).empty());
    Bytes mixed = peer.request(ExchangeType::informational, {});
    mixed[0] ^= 1;  // SPIi
    REQUIRE(peer.ask(mixed).empty());
    REQUIRE(hub.count("unknown-spi") == 2);
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "IKE_AUTH on an established IKE SA is ignored") {
    peer.establish();
    REQUIRE(peer.ask(peer.request(ExchangeType::ike_auth, peer.authentication())).empty());
    REQUIRE(hub.count("unexpected-requests") == 1);
    peer.next_id -= 1;
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
}

TEST_CASE_METHOD(BadPeer, "a protected request in clear is dropped") {
    peer.establish();
    Header header = peer.header;
    header.exchange = ExchangeType::informational;
    header.message_id = peer.next_id;
    REQUIRE(peer.ask(encode_message(header, std::vector<Payload>{DeletePayload{.protocol = Protocol::ike}})).empty());
    REQUIRE(hub.count("not-protected") == 1);
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(BadPeer, "another major version is answered with the one that we speak") {
    Bytes request = peer.init_request();
    request[17] = 0x30;
    const Message answer = decode_message(peer.ask(request)).value();
    REQUIRE(find_notify(answer.payloads, NotifyType::invalid_major_version)->data == Bytes{2});
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(BadPeer, "INITIAL_CONTACT forgets the older SA of the same identity, and nobody else's") {
    Gateway& other = lab.gateway("other", "192.0.2.60");
    lab.establish(other, hub);
    peer.establish();
    const SaId old = hub.ups.back().sa;
    lab.advance(1s);
    lab.wire.clear();
    peer.init();
    const Payload contact = Notify{.type = NotifyType::initial_contact};
    REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + std::vector<Payload>{contact} + peer.gre_child())));
    REQUIRE(hub.downs.size() == 1);
    REQUIRE(hub.downs[0].sa == old);
    REQUIRE(hub.downs[0].reason == DownReason::replaced_duplicate);
    REQUIRE(hub.inbound.size() == 2);
    REQUIRE(lab.in_flight() == 0);  // no DELETE: the peer does not know the old one
}

TEST_CASE_METHOD(BadPeer, "INITIAL_CONTACT with a wrong key forgets nothing") {
    peer.establish();
    hub.settings.profiles[0].keys[0].key = secret("secret");
    RawPeer thief{lab, hub, "192.0.2.51", 5};
    thief.init();
    auto forged = thief.authentication();
    std::get<AuthPayload>(forged[1]).data[0] ^= 1;
    REQUIRE(error_in(thief.exchange(ExchangeType::ike_auth, forged + std::vector<Payload>{Notify{.type = NotifyType::initial_contact}} + thief.gre_child())) ==
            NotifyType::authentication_failed);
    REQUIRE(hub.downs.empty());
    REQUIRE(hub.is_up());
}
