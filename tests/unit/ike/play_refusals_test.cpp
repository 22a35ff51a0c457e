// Plays of what an established IKE SA refuses, or is refused: requests and answers that are authentic, and wrong.
#include "controlplane/ike/negotiation.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

std::vector<IkeProposal> suites(std::initializer_list<const char*> texts) {
    std::vector<IkeProposal> all;
    for (const char* text : texts) all.push_back(parse_ike_proposal(text).value());
    return all;
}

/// The hub, up with a peer that is driven by hand.
struct UpWithPeer {
    Lab lab{61};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.50"};
    SeededRandom random{5};
    const DhKeyPair key = DhKeyPair::generate(Group::x25519, random);
    const NoncePayload nonce{Bytes(32, 6)};
    static constexpr std::uint64_t kNewSpi = 0x7000;

    UpWithPeer() { peer.establish(); }

    static SaPayload offer(const char* suite = "aes-gcm-256/prf-sha384/x25519") { return offer_ike(suites({suite}), kNewSpi); }
    KeyExchange our_key() const { return {Group::x25519, key.public_value()}; }
    std::vector<Payload> rekey_ike_with(std::vector<Payload> payloads) { return peer.exchange(ExchangeType::create_child_sa, payloads); }
    /// Our IKE SA is the new one from here on.
    void rekey_ike() {
        const auto answer = rekey_ike_with({offer(), nonce, our_key()});
        const auto choice = accept_ike(*find<SaPayload>(answer), suites({"aes-gcm-256/prf-sha384/x25519"}), true).value();
        const Secret shared = key.shared_secret(find<KeyExchange>(answer)->data).value();
        const SessionSeed seed{choice.suite, nonce.data, find<NoncePayload>(answer)->data, kNewSpi, choice.spi};
        peer.keys = derive_session_keys(seed, rekey_skeyseed(peer.keys, seed, shared));
        peer.header.initiator_spi = kNewSpi, peer.header.responder_spi = choice.spi;
        peer.next_id = 0;
    }
    /// Answers a request of the hub with bytes that are authentic and no payloads.
    void answer_with_garbage(const Bytes& request) {
        Header reply = decode_header(request).value();
        reply.response = reply.from_initiator = true;
        lab.inject({nullptr, peer.self, {hub.address, 500}, seal_chain(reply, PayloadType::notify, Bytes{0, 0, 0, 3}, peer.keys.from_initiator, random)});
    }
};

const std::vector<Payload> kFarewell{DeletePayload{Protocol::ike, {}}};

}  // namespace

TEST_CASE_METHOD(UpWithPeer, "an IKE rekey without a key, or without a nonce, is INVALID_SYNTAX and makes nothing") {
    REQUIRE(error_in(rekey_ike_with({offer(), nonce})) == NotifyType::invalid_syntax);
    REQUIRE(error_in(rekey_ike_with({offer(), our_key()})) == NotifyType::invalid_syntax);
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(UpWithPeer, "an IKE rekey with none of our suites is NO_PROPOSAL_CHOSEN, and the log says what was offered") {
    REQUIRE(error_in(rekey_ike_with({offer("aes-gcm-256/prf-sha384/modp2048"), nonce, our_key()})) == NotifyType::no_proposal_chosen);
    REQUIRE(hub.logged("rekeying refused: peer offered aes-gcm-256/prf-sha384/modp2048; we accept aes-gcm-256/prf-sha384/x25519"));
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(UpWithPeer, "an IKE rekey whose key is of another group than its only suite is told the group (RFC 7296 1.3)") {
    const auto answer = rekey_ike_with({offer("aes-gcm-256/prf-sha384/p384"), nonce, our_key()});
    REQUIRE(error_in(answer) == NotifyType::invalid_ke_payload);
    REQUIRE(find_error(answer)->data == Bytes{0, 20});
}

TEST_CASE_METHOD(UpWithPeer, "an IKE rekey with a key that is worth nothing is INVALID_SYNTAX, and the next one is served") {
    REQUIRE(error_in(rekey_ike_with({offer(), nonce, KeyExchange{Group::x25519, Bytes(32, 0)}})) == NotifyType::invalid_syntax);
    REQUIRE(error_in(rekey_ike_with({offer(), nonce, KeyExchange{Group::x25519, Bytes(31, 9)}})) == NotifyType::invalid_syntax);
    rekey_ike();
    REQUIRE(peer.exchange(ExchangeType::informational, {}).empty());
    REQUIRE(hub.view().initiator_spi == kNewSpi);
}

TEST_CASE_METHOD(UpWithPeer, "a peer that deletes its new IKE SA at once means the association, whose old IKE SA ends with it") {
    rekey_ike();
    REQUIRE(peer.exchange(ExchangeType::informational, kFarewell).empty());
    REQUIRE(hub.downs.at(0).reason == DownReason::deleted_by_peer);
    REQUIRE(hub.spis.empty());
    REQUIRE((hub.inbound.empty() && hub.outbound.empty()));
}

TEST_CASE_METHOD(UpWithPeer, "an answer to our IKE rekey that is not what we asked for ends the association with a farewell") {
    lab.rekey_ike(hub);
    const Bytes request = lab.lose(hub);
    const NoncePayload fresh{Bytes(32, 8)};
    const std::vector<Payload> answers[] = {{fresh},
                                            {offer("aes-gcm-256/prf-sha384/p521"), fresh, our_key()},
                                            {offer(), fresh, KeyExchange{Group::p384, Bytes(96, 1)}},
                                            {offer(), fresh, KeyExchange{Group::x25519, Bytes(32, 0)}}};
    const std::vector<Payload>& answer = answers[GENERATE(range(0, 4))];
    REQUIRE(find<DeletePayload>(peer.read(peer.ask(peer.answer(request, answer))))->protocol == Protocol::ike);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(UpWithPeer, "an answer to our child rekey without selectors, or with a suite that was not offered, ends the association") {
    lab.rekey_child(hub);
    const Bytes request = lab.lose(hub);
    auto answer = peer.agree_to(request, 0x3000, Bytes(32, 5));
    const bool lacking = GENERATE(true, false);
    if (lacking) std::erase_if(answer, [](const Payload& payload) { return std::holds_alternative<TrafficSelectors>(payload); });
    else answer[0] = answer_esp({parse_esp_proposal("null/sha256").value(), 1, {}}, Spi{0x3000});
    REQUIRE(find<DeletePayload>(peer.read(peer.ask(peer.answer(request, answer))))->protocol == Protocol::ike);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
    REQUIRE(hub.logged(lacking ? "lacks SA, TSi or TSr" : "peer chose null/sha256/esn, which we did not offer"));
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(UpWithPeer, "an answer that is authentic and cannot be read ends the association: the two ends may disagree about what they hold") {
    const bool child = GENERATE(false, true);
    child ? lab.rekey_child(hub) : lab.rekey_ike(hub);
    answer_with_garbage(lab.lose(hub));
    REQUIRE(hub.count("malformed-inside") == 1);
    REQUIRE(hub.downs.at(0).reason == DownReason::invalid_message);
    REQUIRE(hub.spis.empty());
    REQUIRE(find<DeletePayload>(peer.read(lab.lose(hub)))->protocol == Protocol::ike);
}

TEST_CASE_METHOD(UpWithPeer, "while our DELETE is on its way, a peer that wants a new child or IKE SA has to wait, and its liveness check is answered") {
    lab.close(hub);
    const Bytes farewell = lab.lose(hub);
    REQUIRE(error_in(rekey_ike_with({offer(), nonce, our_key()})) == NotifyType::temporary_failure);
    REQUIRE(error_in(peer.exchange(ExchangeType::create_child_sa, std::vector<Payload>{nonce} + peer.gre_child(0x2000))) == NotifyType::temporary_failure);
    REQUIRE_FALSE(error_in(peer.exchange(ExchangeType::informational, {})));
    // Even an answer that cannot be read confirms it: there is nothing left to disagree about.
    answer_with_garbage(farewell);
    lab.advance(10min);
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(hub.downs.size() == 1);
}

TEST_CASE_METHOD(UpWithPeer, "a peer that never answers our DELETE is forgotten after as many tries as one that never came up") {
    lab.close(hub);
    lab.advance(10min);
    REQUIRE(hub.count("requests-repeated") + 1 == static_cast<std::uint64_t>(hub.settings.retransmit_tries));
    REQUIRE(hub.logged("of our DELETE"));
}

TEST_CASE("an IKE rekey meets an end that prefers another group: INVALID_KE_PAYLOAD leads to it, and children stay") {
    Lab lab{62};
    Gateway &spoke = lab.gateway("spoke", "192.0.2.10"), &hub = lab.gateway("hub", "192.0.2.1");
    spoke.settings.profiles[0].ike_proposals = suites({"aes-gcm-256/prf-sha384/x25519", "aes-gcm-128/prf-sha256/p256"});
    hub.settings.profiles[0].ike_proposals = suites({"aes-gcm-128/prf-sha256/p256", "aes-gcm-256/prf-sha384/x25519"});
    spoke.start(), hub.start();
    lab.establish(spoke, hub);
    REQUIRE(spoke.view().ike_proposal == "aes-gcm-128/prf-sha256/p256");  // the responder decides
    const Spi child = spoke.inbound_spi();
    lab.rekey_ike(hub);
    lab.run();
    REQUIRE(hub.count("invalid-ke-received") == 1);
    REQUIRE(hub.view().ike_proposal == "aes-gcm-256/prf-sha384/x25519");
    REQUIRE(spoke.view().initiator_spi == hub.view().initiator_spi);
    REQUIRE(spoke.inbound_spi() == child);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE("a key of the responder that is worth nothing is not taken, and the genuine answer still is") {
    Lab lab{63};
    Gateway &spoke = lab.gateway("spoke", "192.0.2.10"), &hub = lab.gateway("hub", "192.0.2.1");
    lab.connect(spoke, hub);
    lab.deliver(spoke);
    const Packet genuine = lab.intercept(&hub);
    Message forged = decode_message(genuine.payload).value();
    for (Payload& payload : forged.payloads)
        if (auto* key = std::get_if<KeyExchange>(&payload)) key->data = Bytes(32, 0);
    lab.inject({nullptr, genuine.source, genuine.destination, encode_message(forged.header, forged.payloads)});
    REQUIRE(spoke.count("bad-key-exchange") == 1);
    lab.inject(genuine);
    lab.run();
    REQUIRE((spoke.is_up() && hub.is_up()));
}

TEST_CASE("an address of ours that goes takes along attempts and farewells from there") {
    Lab lab{64};
    Gateway &spoke = lab.gateway("spoke", "192.0.2.10"), &hub = lab.gateway("hub", "192.0.2.1");
    const auto lose_address = [&] { lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(spoke.address, lab.now, out); }); };
    lab.connect(spoke, hub, 7);
    lose_address();
    REQUIRE(spoke.downs.at(0).token == 7);
    REQUIRE(spoke.downs.at(0).reason == DownReason::closed_by_us);
    lab.wire.clear();
    lab.establish(spoke, hub);
    lab.close(spoke);
    lab.lose(spoke);
    lose_address();
    lab.advance(10min);
    REQUIRE(spoke.count("requests-repeated") == 0);
    REQUIRE(spoke.spis.empty());
}
