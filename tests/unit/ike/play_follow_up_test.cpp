// Plays of additional key exchanges in IKE_FOLLOWUP_KE (RFC 9370 §2.2.4): rekeys of both kinds, every order of a collision, loss, wrong links, peers that forget.
#include "tests/unit/ike/lab.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include "controlplane/ike/negotiation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

constexpr std::string_view kIkeSuite = "aes-gcm-256/prf-sha384/x25519/ke1-p384/ke2-p256", kEspSuite = "aes-gcm-256/esn/x25519/ke1-p384/ke4-p256";

std::vector<EspProposal> esp(std::string_view suite) { return {parse_esp_proposal(suite).value()}; }
ExchangeType exchange_of(const Bytes& message) { return decode_header(message)->exchange; }

struct FollowUp {
    Lab lab{83};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    SaId sa{};
    FollowUp() {
        for (Gateway* gateway : {&spoke, &hub}) {
            gateway->settings.profiles[0].ike_proposals = {parse_ike_proposal(kIkeSuite).value()};
            gateway->settings.profiles[0].esp_proposals = esp(kEspSuite);
            gateway->start();
        }
        lab.establish(spoke, hub);
        sa = spoke.sa();
    }
    std::uint64_t count(std::string_view counter) const { return spoke.count(counter) + hub.count(counter); }
    /// One IKE SA and one child SA at both ends, the same, and usable.
    void require_settled() {
        lab.advance(45s);
        REQUIRE((spoke.is_up() && hub.is_up()));
        REQUIRE(spoke.sa() == sa);
        const SaView of_spoke = spoke.view(), of_hub = hub.view();
        REQUIRE((of_spoke.state == "established" && of_hub.state == "established"));
        REQUIRE(of_spoke.initiator_spi == of_hub.initiator_spi);
        REQUIRE(of_spoke.responder_spi == of_hub.responder_spi);
        REQUIRE((of_spoke.children.size() == 1 && of_hub.children.size() == 1));
        REQUIRE((spoke.spis.size() == 1 && hub.spis.size() == 1));
        REQUIRE(Lab::talk(spoke, hub));
    }
    /// Begins the rekey of one kind.
    void rekey(Gateway& gateway, bool of_ike) {
        if (of_ike) lab.rekey_ike(gateway);
        else lab.rekey_child(gateway);
    }
};

}  // namespace

TEST_CASE_METHOD(FollowUp, "a child rekey makes each additional key exchange in an IKE_FOLLOWUP_KE, and the child SA behind the last") {
    const SaView before = spoke.view();
    lab.rekey_child(spoke);
    lab.deliver(spoke);  // CREATE_CHILD_SA { N(REKEY_SA), SA(ADDKE1, ADDKE4), Ni, KEi, TSi, TSr } -->
    REQUIRE(hub.view().children.size() == 1);
    lab.deliver(hub);    // <-- CREATE_CHILD_SA { SA, Nr, KEr, TSi, TSr, N(ADDITIONAL_KEY_EXCHANGE)(link1) }
    REQUIRE(spoke.view().children.size() == 1);
    REQUIRE(spoke.view().state == "rekeying");
    for (int i = 0; i < 3; ++i) {
        REQUIRE(exchange_of(lab.wire.front().payload) == ExchangeType::ike_followup_ke);
        REQUIRE(hub.view().children.size() == 1);
        lab.deliver();   // IKE_FOLLOWUP_KE { KEi(1), N(..)(link1) } -->, <-- { KEr(1), N(..)(link2) }, { KEi(2), N(..)(link2) } -->
    }
    REQUIRE(hub.view().children.size() == 2);
    lab.deliver();       // <-- IKE_FOLLOWUP_KE { KEr(2) }
    lab.run();           // INFORMATIONAL { D } -->
    REQUIRE(spoke.view().children.at(0).inbound != before.children.at(0).inbound);
    REQUIRE(spoke.view().children.at(0).proposal == kEspSuite);
    REQUIRE(hub.view().children.at(0).proposal == kEspSuite);
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "an IKE rekey makes each additional key exchange in an IKE_FOLLOWUP_KE, and the IKE SA behind the last") {
    const SaView before = spoke.view();
    lab.rekey_ike(hub);
    for (int i = 0; i < 5; ++i) lab.deliver();
    REQUIRE(hub.view().initiator_spi == before.initiator_spi);
    lab.run();
    REQUIRE(spoke.view().initiator_spi != before.initiator_spi);
    REQUIRE(spoke.view().ike_proposal == kIkeSuite);
    REQUIRE(hub.count("follow-up-exchanges") == 0);
    REQUIRE(spoke.count("follow-up-exchanges") == 2);
    require_settled();
    lab.rekey_child(hub);  // under the keys of the new IKE SA
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "a rekey with IKE_FOLLOWUP_KE survives the loss of each of its messages") {
    const bool of_ike = GENERATE(false, true);
    const int lost = GENERATE(0, 1, 2, 3, 4, 5, 6, 7);
    rekey(spoke, of_ike);
    for (int i = 0; i < lost; ++i) lab.deliver();
    lab.lose();
    lab.advance(5s);
    REQUIRE(hub.count("requests-repeated") + spoke.count("requests-repeated") >= 1);
    require_settled();
    REQUIRE(spoke.count(of_ike ? "ike-rekeyed" : "children") == (of_ike ? 1 : 2));
}

TEST_CASE_METHOD(FollowUp, "rekeys with IKE_FOLLOWUP_KE get through loss, duplicates, reordering and fragments, from both ends") {
    lab.weather = {.loss_percent = 15, .duplicate_percent = 20, .reorder_percent = 30};
    for (int round = 0; round < 12; ++round) {
        rekey(spoke, round % 2 == 0), rekey(hub, round % 3 == 0);
        lab.advance(90s);
        REQUIRE((spoke.is_up() && hub.is_up()));
        REQUIRE(Lab::talk(spoke, hub));
    }
    lab.weather = {};
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "both ends rekey at once and both notice: the one with the lowest nonce stops before its IKE_FOLLOWUP_KE") {
    const bool of_ike = GENERATE(false, true), hub_first = GENERATE(false, true);
    Gateway& first = hub_first ? hub : spoke;
    Gateway& second = hub_first ? spoke : hub;
    rekey(spoke, of_ike), rekey(hub, of_ike);
    lab.deliver(first), lab.deliver(second);  // both requests
    lab.deliver(second), lab.deliver(first);  // both answers
    REQUIRE(spoke.logged("ours stops") != hub.logged("ours stops"));
    lab.run();
    REQUIRE(count("follow-up-exchanges") == 2);
    REQUIRE(count(of_ike ? "ike-rekey-collisions" : "child-rekey-collisions") == 2);
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "in a collision an answer is lost or late, whichever end waits for it") {
    const bool of_ike = GENERATE(false, true), is_late = GENERATE(false, true);
    Gateway& waits = GENERATE(0, 1) == 0 ? spoke : hub;
    Gateway& answers = &waits == &spoke ? hub : spoke;
    rekey(spoke, of_ike), rekey(hub, of_ike);
    lab.deliver(spoke), lab.deliver(hub);
    const Packet late = lab.intercept(&answers);
    lab.run();
    if (is_late) lab.inject(late);
    lab.run();
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "a request that crosses the other's and comes when that is beyond CREATE_CHILD_SA is told TEMPORARY_FAILURE") {
    const bool of_ike = GENERATE(false, true);
    rekey(spoke, of_ike), rekey(hub, of_ike);
    const Packet late = lab.intercept(&hub);
    lab.deliver(spoke), lab.deliver(hub);  // the spoke's request and its answer
    const Packet follow_up = lab.intercept(&spoke);
    lab.inject(late);
    REQUIRE(spoke.count("answered-TEMPORARY_FAILURE") == 1);
    lab.inject(follow_up);
    require_settled();
}

TEST_CASE_METHOD(FollowUp, "of two ends that rekey at once one makes no additional key exchanges: whichever is redundant goes") {
    for (int round = 0; round < 8; ++round) {
        spoke.settings.profiles[0].esp_proposals = esp(kEspSuite);
        hub.settings.profiles[0].esp_proposals = {parse_esp_proposal("aes-gcm-256/esn/x25519").value(), parse_esp_proposal(kEspSuite).value()};
        spoke.settings.profiles[0].esp_proposals.push_back(parse_esp_proposal("aes-gcm-256/esn/x25519").value());
        spoke.start(), hub.start();
        lab.establish(spoke, hub);
        sa = spoke.sa();
        lab.rekey_child(spoke), lab.rekey_child(hub);
        lab.deliver(spoke), lab.deliver(hub);
        if (round % 2 == 0) lab.deliver(hub), lab.deliver(spoke);
        lab.run();
        require_settled();
    }
}

TEST_CASE_METHOD(FollowUp, "a peer without additional key exchanges rekeys as ever, whoever begins") {
    Gateway& old = GENERATE(0, 1) == 0 ? spoke : hub;
    for (Gateway* gateway : {&spoke, &hub}) {
        auto& profile = gateway->settings.profiles[0];
        profile.ike_proposals.push_back(parse_ike_proposal("aes-gcm-256/prf-sha384/x25519").value());
        profile.esp_proposals.push_back(parse_esp_proposal("aes-gcm-256/esn/x25519").value());
        if (gateway == &old) profile.ike_proposals.erase(profile.ike_proposals.begin()), profile.esp_proposals.erase(profile.esp_proposals.begin());
        gateway->start();
    }
    lab.establish(spoke, hub);
    sa = spoke.sa();
    for (const bool of_ike : {false, true})
        for (Gateway* gateway : {&spoke, &hub}) {
            rekey(*gateway, of_ike);
            lab.run();
            require_settled();
        }
    REQUIRE(count("follow-up-exchanges") == 0);
    REQUIRE(spoke.view().children.at(0).proposal == "aes-gcm-256/esn/x25519");
}

TEST_CASE_METHOD(FollowUp, "the initiator stops in the middle: the responder keeps nothing for long, and goes on as before") {
    const bool of_ike = GENERATE(false, true);
    rekey(spoke, of_ike);
    lab.deliver(), lab.deliver();
    lab.lose(spoke);                         // IKE_FOLLOWUP_KE { KEi(1), N(..)(link1) }
    spoke.start();                           // it forgets all
    REQUIRE(hub.spis.size() == (of_ike ? 1 : 2));
    for (int i = 0; i < 21; ++i) {           // the hub must not take it for dead
        lab.now += 1s;
        lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.traffic_seen(hub.sa(), lab.now), endpoint.on_deadline(lab.now, out); });
    }
    REQUIRE(hub.count("follow-ups-expired") == 1);
    REQUIRE(hub.spis.size() == 1);
    REQUIRE(hub.view().state == "established");
}

TEST_CASE_METHOD(FollowUp, "a series that the responder has forgotten meanwhile gets STATE_NOT_FOUND and begins anew") {
    const bool of_ike = GENERATE(false, true);
    rekey(spoke, of_ike);
    lab.deliver(), lab.deliver();
    const Packet follow_up = lab.intercept(&spoke);
    lab.now += 21s;
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.traffic_seen(hub.sa(), lab.now), endpoint.on_deadline(lab.now, out); });
    std::erase_if(lab.wire, [](const Packet&) { return true; });
    lab.inject(follow_up);
    REQUIRE(hub.count("answered-STATE_NOT_FOUND") == 1);
    lab.deliver(hub);
    REQUIRE(spoke.count("rekey-refused-STATE_NOT_FOUND") == 1);
    lab.advance(10s);
    REQUIRE(spoke.count(of_ike ? "ike-rekeyed" : "children") == (of_ike ? 1 : 2));
    require_settled();
}

namespace {

/// A hand-driven initiator whose one ESP suite has one additional key exchange.
struct Driven {
    Lab lab{89};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.7"};
    Bytes link;
    Driven() {
        hub.settings.profiles[0].esp_proposals.push_back(parse_esp_proposal("aes-gcm-256/esn/x25519/ke1-p384").value());
        hub.start();
        peer.establish();
        begin();
    }
    void begin() {
        const auto key = DhKeyPair::generate(Group::x25519, hub.random);
        const std::vector<Payload> offer{offer_esp(std::vector{parse_esp_proposal("aes-gcm-256/esn/x25519/ke1-p384").value()}, Spi{0x22334455}, ChildExchange::create_child_sa),
                                         NoncePayload{Bytes(32, 7)},
                                         KeyExchange{Group::x25519, key.public_value()},
                                         TrafficSelectors{Role::initiator, {TrafficSelector::host(peer.self.address.value, 47)}},
                                         TrafficSelectors{Role::responder, {TrafficSelector::host(hub.address.value, 47)}},
                                         Notify{.type = NotifyType::use_transport_mode}};
        const auto answer = peer.exchange(ExchangeType::create_child_sa, offer);
        REQUIRE_FALSE(error_in(answer));
        link = find_notify(answer, NotifyType::additional_key_exchange)->data;
    }
    std::vector<Payload> part(Group group = Group::p384) { return {KeyExchange{group, DhKeyPair::generate(group, hub.random).public_value()}}; }
    Notify linked(Bytes data) const { return {.type = NotifyType::additional_key_exchange, .data = std::move(data)}; }
    std::optional<NotifyType> follow_up(const std::vector<Payload>& payloads) { return error_in(peer.exchange(ExchangeType::ike_followup_ke, payloads)); }
};

}  // namespace

TEST_CASE_METHOD(Driven, "IKE_FOLLOWUP_KE without the link, with another one or behind the last exchange is told STATE_NOT_FOUND, and harms nothing") {
    Bytes wrong = link;
    wrong.back() ^= 1;
    REQUIRE(follow_up(part()) == NotifyType::state_not_found);
    REQUIRE(follow_up(part() + std::vector<Payload>{linked(wrong)}) == NotifyType::state_not_found);
    REQUIRE(follow_up(part() + std::vector<Payload>{linked({})}) == NotifyType::state_not_found);
    REQUIRE(hub.inbound.size() == 1);
    REQUIRE_FALSE(follow_up(part() + std::vector<Payload>{linked(link)}));
    REQUIRE(hub.inbound.size() == 2);
    REQUIRE(follow_up(part() + std::vector<Payload>{linked(link)}) == NotifyType::state_not_found);
    REQUIRE(hub.inbound.size() == 2);
}

TEST_CASE_METHOD(Driven, "IKE_FOLLOWUP_KE without KE, with another method's or with a wrong value ends the series, and nothing is left of it") {
    const std::vector<std::vector<Payload>> bad{{}, part(Group::p256), {KeyExchange{Group::p384, Bytes(96, 3)}}};
    for (const auto& payloads : bad) {
        REQUIRE(hub.spis.size() == 2);
        REQUIRE(follow_up(payloads + std::vector<Payload>{linked(link)}) == NotifyType::invalid_syntax);
        REQUIRE(hub.spis.size() == 1);
        REQUIRE(follow_up(part() + std::vector<Payload>{linked(link)}) == NotifyType::state_not_found);
        begin();
    }
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(Driven, "whoever begins another series has given up the one before, so that nothing piles up") {
    const Bytes before = link;
    for (int i = 0; i < 20; ++i) begin();
    REQUIRE(hub.spis.size() == 2);
    REQUIRE(follow_up(part() + std::vector<Payload>{linked(before)}) == NotifyType::state_not_found);
    REQUIRE_FALSE(follow_up(part() + std::vector<Payload>{linked(link)}));
    REQUIRE(hub.inbound.size() == 2);
}

TEST_CASE_METHOD(Driven, "an association ends in the middle of a series, and every SPI is given back") {
    lab.close(hub, true);
    REQUIRE(hub.spis.empty());
}

namespace {

/// A hub that begins to rekey a child SA with more than one key exchange, towards a peer that is driven by hand.
struct Rekeying {
    Lab lab;
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.7"};

    explicit Rekeying(std::uint64_t seed) : lab{seed} {
        hub.settings.profiles[0].esp_proposals = esp("aes-gcm-256/esn/x25519/ke1-p384");
        hub.start();
        peer.init();
        auto child = peer.gre_child();
        child[0] = offer_esp(esp("aes-gcm-256/esn"), Spi{0x12345678}, ChildExchange::ike_auth);
        REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::ike_auth, peer.authentication() + child)));
        lab.rekey_child(hub);
    }
};

}  // namespace

TEST_CASE("a responder that agrees on additional key exchanges and gives no link, or no KE behind it, ends the association") {
    for (const bool gives_link : {false, true}) {
        Rekeying rekeying{97};
        auto& [lab, hub, peer] = rekeying;
        const Bytes request = lab.lose(hub);
        const auto asked = peer.read(request);
        const auto choice = choose_esp(*find<SaPayload>(asked), hub.settings.profiles[0].esp_proposals, Group::x25519, ChildExchange::create_child_sa).value();
        std::vector<Payload> answer{answer_esp(choice, Spi{0x22334455}),
                                    NoncePayload{Bytes(32, 7)},
                                    KeyExchange{Group::x25519, DhKeyPair::generate(Group::x25519, hub.random).public_value()},
                                    *find<TrafficSelectors>(asked, Role::initiator),
                                    *find<TrafficSelectors>(asked, Role::responder),
                                    Notify{.type = NotifyType::use_transport_mode}};
        if (gives_link) answer.emplace_back(Notify{.type = NotifyType::additional_key_exchange, .data = {1, 2, 3}});
        lab.inject({nullptr, peer.self, at("192.0.2.1"), peer.answer(request, answer)});
        if (gives_link) {
            const Bytes follow_up = lab.lose(hub);
            const auto sent = peer.read(follow_up);
            REQUIRE(find<KeyExchange>(sent)->group == Group::p384);
            REQUIRE(find_notify(sent, NotifyType::additional_key_exchange)->data == Bytes{1, 2, 3});
            lab.inject({nullptr, peer.self, at("192.0.2.1"), peer.answer(follow_up, {})});
        }
        REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
        REQUIRE(hub.spis.empty());
    }
}

TEST_CASE("a peer that forgets every series is given up after the third in a row") {
    Rekeying rekeying{101};
    auto& [lab, hub, peer] = rekeying;
    for (int i = 0; i < 3; ++i) {
        REQUIRE(hub.downs.empty());
        while (lab.in_flight() == 0) lab.advance_to_next_deadline();
        const Bytes request = lab.lose(hub);
        lab.inject({nullptr, peer.self, at("192.0.2.1"), peer.answer(request, {Notify{.type = NotifyType::state_not_found}})});
    }
    REQUIRE(hub.downs.at(0).detail.find("forgets") != std::string::npos);
    REQUIRE(hub.spis.empty());
}
