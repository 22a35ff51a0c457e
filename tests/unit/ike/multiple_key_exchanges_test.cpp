// Several key exchanges for one SA (RFC 9370): suites as text, offers and choices, keys, and what AUTH covers of them (RFC 9242).
#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/intermediate_auth.hpp"
#include "controlplane/ike/key_exchange.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "controlplane/ike/words.hpp"
#include "tests/unit/ike/hex.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

IkeProposal ike_suite(std::string_view text) { return parse_ike_proposal(text).value(); }
EspProposal esp_suite(std::string_view text) { return parse_esp_proposal(text).value(); }
constexpr Spi kSpi{0x12345678};
constexpr TransformType kAdditional1{6}, kAdditional2{7}, kAdditional7{12};

const Transform kGcm256{TransformType::encryption, 20, 256}, kPrf256{TransformType::prf, 5}, kX25519{TransformType::key_exchange, 31};
Transform additional(TransformType type, unsigned id) { return {type, static_cast<std::uint16_t>(id)}; }
SaPayload offer_of(std::vector<Transform> transforms) { return {{Proposal{1, Protocol::ike, {}, std::move(transforms)}}}; }
const IkeProposal kHybrid = ike_suite("aes-gcm-256/prf-sha256/x25519/ke1-p384"), kPlain = ike_suite("aes-gcm-256/prf-sha256/x25519");

Bytes counted(unsigned first, std::size_t size) {
    Bytes bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(first++);
    return bytes;
}
Bytes bytes_of(const Secret& secret) { return to_bytes(secret.view()); }

const Bytes kInitiatorNonce = counted(0x10, 32), kResponderNonce = counted(0x50, 32);
const Secret kFirstSecret{counted(0xa0, 32)}, kSecondSecret{counted(0xc0, 48)};
const SessionSeed kSeed{ike_suite("aes-gcm-256/prf-sha384/x25519/ke1-p384"), kInitiatorNonce, kResponderNonce, 0x0102030405060708, 0x1112131415161718};

SessionKeys keys_before() {
    SessionKeys keys = derive_session_keys(kSeed, kFirstSecret);
    keys.derivation = Secret{counted(1, 48)}, keys.auth_initiator = Secret{counted(65, 48)}, keys.auth_responder = Secret{counted(129, 48)};
    return keys;
}

/// KE of X25519 with a value that counts.
std::vector<Payload> key_exchange(unsigned first) { return {KeyExchange{Group::x25519, counted(first, 32)}}; }

Header intermediate(Role sender, std::uint32_t message_id) {
    return {.initiator_spi = kSeed.initiator_spi,
            .responder_spi = kSeed.responder_spi,
            .exchange = ExchangeType::ike_intermediate,
            .from_initiator = sender == Role::initiator,
            .response = sender == Role::responder,
            .message_id = message_id};
}

/// As the receiver of a sealed message adds it.
void add(IntermediateAuth& auth, Role sender, const SessionKeys& keys, const Bytes& message) {
    const auto inside = unseal(message, keys.sent_by(sender)).value();
    auth.add(sender, keys, inside.head, inside.chain);
}

}  // namespace

TEST_CASE("additional key exchanges of a suite stand behind it with their places") {
    CHECK(kHybrid.additional == AdditionalGroups{Group::p384});
    CHECK(esp_suite("aes-gcm-256/esn/x25519/ke2-p384/ke7-modp3072").additional ==
          AdditionalGroups{std::nullopt, Group::p384, std::nullopt, std::nullopt, std::nullopt, std::nullopt, Group::modp3072});
    for (const char* text : {"aes-gcm-256/prf-sha384/x25519/ke1-p384", "aes-cbc-256/sha256/prf-sha256/p256/ke1-x25519/ke3-modp4096"}) CHECK(to_string(ike_suite(text)) == text);
    CHECK(to_string(esp_suite("aes-gcm-256/x25519/ke2-x448")) == "aes-gcm-256/esn/x25519/ke2-x448");
}

TEST_CASE("no key exchange stands in a suite twice, none behind nothing, and places are 1 to 7") {
    for (const char* text : {"x25519/ke1-x25519", "x25519/ke1-p384/ke2-p384", "x25519/ke1-p384/ke1-p256", "x25519/ke0-p384", "x25519/ke8-p384", "x25519/ke-p384",
                             "x25519/ke1p384", "x25519/ke1_p384", "x25519/ke1-", "x25519/ke1-modp1024", "x25519/ke11-p384", "ke1-p384"}) {
        INFO(text);
        CHECK_FALSE(parse_ike_proposal(std::string{"aes-gcm-256/prf-sha384/"} + text));
        CHECK_FALSE(parse_esp_proposal(std::string{"aes-gcm-256/"} + text));
    }
}

TEST_CASE("ML-KEM stands in a suite exactly if the OpenSSL of the build has it, and only behind another key exchange") {
    CHECK(parse_ike_proposal("aes-gcm-256/prf-sha384/x25519/ke1-mlkem768").has_value() == is_supported(Group::mlkem768));
    CHECK_FALSE(parse_ike_proposal("aes-gcm-256/prf-sha384/mlkem768"));
    const auto suites = default_ike_proposals();
    CHECK(has_any(suites.front().additional) == is_supported(Group::mlkem768));
    const std::string plain = "aes-gcm-256/prf-sha384/x25519";
    CHECK(to_string(suites.front()) == (is_supported(Group::mlkem768) ? plain + "/ke1-mlkem768" : plain));
    CHECK(std::ranges::find(suites, ike_suite(plain)) != suites.end());
}

TEST_CASE("whoever answers a key exchange of any kind shares the secret of whoever began it") {
    for (const Group group : {Group::x25519, Group::p384, Group::modp2048, Group::mlkem512, Group::mlkem768, Group::mlkem1024}) {
        if (!is_supported(group)) continue;
        SeededRandom random{7}, replay{7};
        const DhKeyPair key = DhKeyPair::generate(group, random);
        const auto answer = answer_key_exchange(group, DhKeyPair::draw(group, random).view(), key.public_value()).value();
        CHECK(key.shared_secret(answer.public_value) == answer.shared_secret);
        CHECK(DhKeyPair::generate(group, replay).public_value() == key.public_value());
        CHECK(answer_key_exchange(group, DhKeyPair::draw(group, replay).view(), key.public_value())->public_value == answer.public_value);
        CHECK(answer_key_exchange(group, DhKeyPair::draw(group, random).view(), Bytes(7, 1)).error() == KeyExchangeError::wrong_length);
    }
}

TEST_CASE("an offer holds suites with and without additional key exchanges in proposals of their own, for peers that know no RFC 9370") {
    const SaPayload offer = offer_ike(std::vector{kHybrid, kPlain}, 0);
    REQUIRE(offer.proposals.size() == 2);
    CHECK(offer.proposals[0].transforms == std::vector{kGcm256, kPrf256, kX25519, additional(kAdditional1, 20)});
    CHECK(offer.proposals[1].transforms == std::vector{kGcm256, kPrf256, kX25519});
    CHECK(choose_ike(offer, std::vector{kPlain}, {}, false)->number == 2);
    CHECK(choose_ike(offer, std::vector{kPlain, kHybrid}, {}, false)->suite == kPlain);
    CHECK(describe_offer(offer) == "aes-gcm-256/prf-sha256/x25519/ke1-p384, aes-gcm-256/prf-sha256/x25519");
}

TEST_CASE("suites whose additional key exchanges are to be made need a peer that knows IKE_INTERMEDIATE") {
    CHECK(usable_suites(std::vector{kHybrid, kPlain}, true) == std::vector{kHybrid, kPlain});
    CHECK(usable_suites(std::vector{kHybrid, kPlain}, false) == std::vector{kPlain});
}

TEST_CASE("an additional key exchange counts at its place alone") {
    const IkeProposal second = ike_suite("aes-gcm-256/prf-sha256/x25519/ke2-p384");
    CHECK_FALSE(choose_ike(offer_ike(std::vector{second}, 0), std::vector{kHybrid}, {}, false));
    CHECK(choose_ike(offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional7, 20)}), std::vector{ike_suite("aes-gcm-256/prf-sha256/x25519/ke7-p384")}, {}, false));
}

TEST_CASE("an additional key exchange without NONE beside it is not optional, with NONE it is, and the answer names it (2.2.1)") {
    CHECK_FALSE(choose_ike(offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional1, 20)}), std::vector{kPlain}, {}, false));
    const auto optional =
        offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional1, 20), additional(kAdditional1, 0), additional(kAdditional2, 21), additional(kAdditional2, 0)});
    const auto plain = choose_ike(optional, std::vector{kPlain}, {}, false).value();
    CHECK(answer_ike(plain, 0).proposals[0].transforms == std::vector{kGcm256, kPrf256, kX25519, additional(kAdditional1, 0), additional(kAdditional2, 0)});
    const auto hybrid = choose_ike(optional, std::vector{kHybrid}, {}, false).value();
    CHECK(answer_ike(hybrid, 0).proposals[0].transforms == std::vector{kGcm256, kPrf256, kX25519, additional(kAdditional1, 20), additional(kAdditional2, 0)});
    CHECK(accept_ike(answer_ike(hybrid, 0), std::vector{kHybrid}, false)->suite == kHybrid);
}

TEST_CASE("of an offer that would let two places have the same key exchange, different ones are chosen or none (2.2.1)") {
    const auto offer =
        offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional1, 20), additional(kAdditional1, 21), additional(kAdditional2, 20), additional(kAdditional2, 21)});
    const std::vector ours{ike_suite("aes-gcm-256/prf-sha256/x25519/ke1-p521/ke2-p384")};
    CHECK(choose_ike(offer, ours, {}, false)->suite == ours[0]);
    CHECK_FALSE(choose_ike(offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional1, 20), additional(kAdditional2, 20)}), ours, {}, false));
    CHECK_FALSE(accept_ike(offer_of({kGcm256, kPrf256, kX25519, additional(kAdditional1, 20), additional(kAdditional2, 20)}), ours, false));
}

TEST_CASE("whatever subset of suites two gateways have, they choose one of both, and the answer is accepted") {
    std::vector<IkeProposal> all;
    for (const char* first : {"x25519", "p256"})
        for (const char* more : {"", "/ke1-p384", "/ke1-p521", "/ke2-p384", "/ke1-p384/ke2-p521", "/ke1-p521/ke2-p384"})
            all.push_back(ike_suite(std::string{"aes-gcm-256/prf-sha256/"} + first + more));
    SeededRandom random{11};
    for (int round = 0; round < 400; ++round) {
        std::vector<IkeProposal> ours, theirs;
        for (const IkeProposal& suite : all) {
            if (random.below(3) == 0) ours.push_back(suite);
            if (random.below(3) == 0) theirs.push_back(suite);
        }
        const auto choice = choose_ike(offer_ike(theirs, 0), ours, Group::x25519, false);
        const bool have_one = std::ranges::any_of(ours, [&](const auto& suite) { return std::ranges::find(theirs, suite) != theirs.end(); });
        REQUIRE(choice.has_value() == have_one);
        if (!choice) continue;
        REQUIRE(std::ranges::find(theirs, choice->suite) != theirs.end());
        REQUIRE(accept_ike(answer_ike(*choice, 0), theirs, false)->suite == choice->suite);
    }
}

TEST_CASE("IKE_AUTH leaves additional key exchanges out of the child's offer, CREATE_CHILD_SA has them") {
    const std::vector ours{esp_suite("aes-gcm-256/esn/x25519/ke1-p384")};
    CHECK(offer_esp(ours, kSpi, ChildExchange::ike_auth).proposals[0].transforms.size() == 2);
    const SaPayload offer = offer_esp(ours, kSpi, ChildExchange::create_child_sa);
    CHECK(offer.proposals[0].transforms.back() == additional(kAdditional1, 20));
    CHECK(choose_esp(offer, ours, Group::x25519, ChildExchange::create_child_sa)->suite == ours[0]);
    const auto first_child = choose_esp(offer, ours, {}, ChildExchange::ike_auth).value();
    CHECK(first_child.suite == esp_suite("aes-gcm-256/esn"));
    CHECK(answer_esp(first_child, kSpi).proposals[0].transforms.size() == 2);
    CHECK_FALSE(choose_esp(offer, default_esp_proposals(), Group::x25519, ChildExchange::create_child_sa));
}

TEST_CASE("each additional key exchange in IKE_INTERMEDIATE makes all keys anew from SK_d before it (2.2.2)") {
    const SessionKeys first = further_session_keys(keys_before(), kSeed, kFirstSecret), second = further_session_keys(first, kSeed, kSecondSecret);
    // These, and the other values below, were computed with Python's hmac.
    CHECK(bytes_of(first.derivation) == hex("bceea91aef370fa4e1342bce3ee7834bb92179dff7dc4e6d297b35f7167afa60573f3ad7a06131efe8d9bb4f88742a35"));
    CHECK(bytes_of(first.from_initiator.encryption_key) == hex("925a60beddd28602a1750e2805707849a92eccbbc2b91b19fe86e5151ed3a1ffa5aa3119"));
    CHECK(bytes_of(first.auth_responder) == hex("8213460caee6e89f1f68da9ede6c81209db466c2592afc92191fed62666abf1c51fdf831dfef708b97d408f50fc58688"));
    CHECK(bytes_of(second.derivation) == hex("5bfde01c57cef20b1b1e9e54882466d91ed6e2982fdb7fa3879d14ccf75f299f35cc2c6e43d8688ad13ecc48fd966fcf"));
    CHECK(bytes_of(second.from_responder.encryption_key) == hex("804c27330ed81335c43eca730c444b994a8b27c480c93ebeb86464e3f1982c0953189102"));
    CHECK(bytes_of(second.auth_initiator) == hex("2e5c62f34cd54b67de92864f1b9bda0d8f1249cc3ce79c5ca8fca6756845bad551941584795e5cc74fd82eb2e35bfc59"));
}

TEST_CASE("the secrets of IKE_FOLLOWUP_KE stand behind the nonces, for an IKE SA and for a child (2.2.4)") {
    CHECK(bytes_of(rekey_skeyseed(keys_before(), kSeed, kFirstSecret, kSecondSecret)) ==
          hex("b4d2b210912563882ea5b1444f097e5a2bb834b4ec41c9821808c446eb7052f10eecdfa0d68116dc19a38f08b6241db9"));
    const ChildKeys child = derive_child_keys(keys_before(), EspAlgorithm::aes_gcm_256, kFirstSecret, kInitiatorNonce, kResponderNonce, kSecondSecret);
    CHECK(to_bytes(child.initiator_to_responder.view()) == hex("3715abc8a3c222bec0fba066e548fc003e756de2668b0deb34169ea76b46f7491dabdb5c"));
    CHECK(to_bytes(child.responder_to_initiator.view()) == hex("d4fc18830792e15d1cf01ff911e7d263d48cff2ce05889095c96aad3f5ee6f67ec595d8d"));
}

TEST_CASE("AUTH covers both ends' IKE_INTERMEDIATE messages, each digest under the keys that protected it, and the message ID of IKE_AUTH (RFC 9242)") {
    SeededRandom random{1};
    IntermediateAuth auth;
    CHECK(auth.octets(1).empty());
    SessionKeys keys = keys_before();
    const auto exchange = [&](std::uint32_t message_id, unsigned ours, unsigned theirs) {
        add(auth, Role::initiator, keys, seal(intermediate(Role::initiator, message_id), key_exchange(ours), keys.from_initiator, random));
        add(auth, Role::responder, keys, seal(intermediate(Role::responder, message_id), key_exchange(theirs), keys.from_responder, random));
    };
    exchange(1, 1, 33);
    CHECK(auth.octets(2) == hex("43d24f0dcb574d602e25955ec4b421f67eaf53fff6bcd100c25c0eb08282a750dc27f80ba006fc31b38f104210a55432"
                                "2af5dc1d59755c5a1b829d53b7655ee546834b4319433f83c8e29c947c14732855a2173603f94dfa3e25ba991f41fa0200000002"));
    keys = further_session_keys(keys, kSeed, kFirstSecret);
    exchange(2, 65, 97);
    CHECK(auth.octets(3) == hex("7f463995af2ad01f115c5d8eeca52e1b90df567df65c40ff7f249d7b24bef7aabd4f281620003f421bb3ad298402b6ba"
                                "59eaf033ce3f5e67dc1ad433e728336c339e4776caa9f5c4d00d047f2faba858ee8d11a8ef26c55ae44942afbda0282600000003"));
}

TEST_CASE("what AUTH covers is the same for a message in fragments, in one piece, by GCM or by CBC, and at the sender") {
    SeededRandom random{1};
    const auto digest_of = [&](std::string_view suite, std::size_t size_max) {
        SessionSeed seed = kSeed;
        seed.suite = ike_suite(suite);
        SessionKeys keys = derive_session_keys(seed, kFirstSecret);
        keys.auth_initiator = Secret{counted(65, 48)};
        const auto messages = seal_to_fit(intermediate(Role::initiator, 1), key_exchange(1), keys.from_initiator, random, size_max);
        CHECK((messages.size() > 1) == (size_max < 110));
        Reassembly parts;
        Inside whole;
        for (const Bytes& message : messages) {
            whole = unseal(message, keys.from_initiator).value();
            if (whole.fragment && parts.add(1, std::move(whole)) == Reassembly::Outcome::complete) whole = parts.whole();
        }
        IntermediateAuth auth;
        auth.add(Role::initiator, keys, whole.head, whole.chain);
        return auth.octets(2);
    };
    const Bytes expected = digest_of("aes-gcm-256/prf-sha384/x25519", 1000);
    CHECK(digest_of("aes-gcm-256/prf-sha384/x25519", 80) == expected);
    CHECK(digest_of("aes-cbc-256/sha256/prf-sha384/x25519", 1000) == expected);
    CHECK(digest_of("aes-cbc-256/sha256/prf-sha384/x25519", 105) == expected);
    ByteWriter chain;
    encode_payload_chain(key_exchange(1), chain);
    IntermediateAuth sender;
    SessionKeys keys = keys_before();
    sender.add(Role::initiator, keys, protected_head(intermediate(Role::initiator, 1), PayloadType::key_exchange), chain.view());
    CHECK(sender.octets(2) == expected);
}
