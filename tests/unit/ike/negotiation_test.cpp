// Which suite two gateways agree on (RFC 7296 §2.7, §3.3).
#include "controlplane/ike/key_exchange.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "tests/unit/ike/captured.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

IkeProposal ike_suite(const char* text) { return parse_ike_proposal(text).value(); }
EspProposal esp_suite(const char* text) { return parse_esp_proposal(text).value(); }
constexpr Spi kSpi{0x12345678};

/// An IKE_SA_INIT offer of these transforms in one proposal.
SaPayload offer_of(std::vector<Transform> transforms) { return {{Proposal{1, Protocol::ike, {}, std::move(transforms)}}}; }
const Transform kGcm256{TransformType::encryption, 20, 256}, kPrf256{TransformType::prf, 5}, kP256{TransformType::key_exchange, 19};
const IkeProposal kGcmSuite = ike_suite("aes-gcm-256/prf-sha256/p256");

}  // namespace

TEST_CASE("strongSwan's captured offer is answered with its AES-GCM suite") {
    const auto request = decode_message(captured::first::init_request).value();
    const auto* offer = find<SaPayload>(request.payloads);
    REQUIRE(offer);
    const auto choice = choose_ike(*offer, default_ike_proposals(), Group::p384, false);
    REQUIRE(choice);
    CHECK(choice->suite == ike_suite("aes-gcm-256/prf-sha384/p384"));
    CHECK(choice->number == 1);
    const auto response = decode_message(captured::first::init_response).value();
    CHECK(answer_ike(*choice, 0) == *find<SaPayload>(response.payloads));
}

TEST_CASE("an offer stands for exactly the suites it was made of") {
    for (const auto& suites : {std::vector{ike_suite("aes-gcm-256/prf-sha256/p256"), ike_suite("aes-gcm-128/prf-sha384/x25519")}, default_ike_proposals()}) {
        const SaPayload offer = offer_ike(suites, 0);
        for (const IkeProposal& suite : default_ike_proposals()) {
            const bool offered = std::ranges::find(suites, suite) != suites.end();
            CHECK(choose_ike(offer, std::span{&suite, 1}, std::nullopt, false).has_value() == offered);
        }
    }
}

TEST_CASE("the default offers stay small by sharing proposals") {
    CHECK(offer_ike(default_ike_proposals(), 0).proposals.size() == 4 + is_supported(Group::mlkem768));  // AEADs, perhaps with ML-KEM too, and CBC with each hash
    CHECK(offer_esp(default_esp_proposals(), kSpi, ChildExchange::ike_auth).proposals.size() == 1);
    CHECK(offer_esp(default_esp_proposals(), kSpi, ChildExchange::create_child_sa).proposals.size() == 2);  // with a group, without
}

TEST_CASE("the responder's order of preference decides") {
    const std::vector ours{ike_suite("aes-gcm-256/prf-sha384/p384"), ike_suite("aes-gcm-128/prf-sha256/p256")};
    const std::vector theirs{ours[1], ours[0]};
    CHECK(choose_ike(offer_ike(theirs, 0), ours, std::nullopt, false)->suite == ours[0]);
}

TEST_CASE("of suites that differ in the group only, the one whose key exchange came is taken") {
    const auto ours = default_ike_proposals();
    CHECK(choose_ike(offer_ike(ours, 0), ours, Group::p256, false)->suite == ike_suite("aes-gcm-256/prf-sha384/p256"));
    CHECK(choose_ike(offer_ike(ours, 0), ours, Group{5}, false)->suite == ours.front());
}

TEST_CASE("a peer's group does not talk us into weaker encryption") {
    const std::vector ours{ike_suite("aes-gcm-256/prf-sha384/p384"), ike_suite("aes-gcm-128/prf-sha384/p256")};
    CHECK(choose_ike(offer_ike(ours, 0), ours, Group::p256, false)->suite == ours[0]);
}

TEST_CASE("without a suite in common nothing is chosen") {
    const std::vector without_esn{esp_suite("aes-gcm-128/no-esn")};
    CHECK_FALSE(choose_ike(offer_ike(std::vector{ike_suite("aes-cbc-128/sha256/prf-sha256/p256")}, 0), std::vector{kGcmSuite}, std::nullopt, false));
    CHECK_FALSE(choose_esp(offer_esp(std::vector{esp_suite("aes-gcm-128/esn")}, kSpi, ChildExchange::ike_auth), without_esn, {}, ChildExchange::ike_auth));
}

TEST_CASE("unknown transform IDs are passed over") {
    const auto offer = offer_of({{TransformType::encryption, 3}, kGcm256, {TransformType::prf, 2}, kPrf256, {TransformType::key_exchange, 2}, kP256});
    CHECK(choose_ike(offer, std::vector{kGcmSuite}, std::nullopt, false)->suite == kGcmSuite);
}

TEST_CASE("a transform with an attribute that we do not know is not chosen") {
    Transform odd = kGcm256;
    odd.unknown_attribute = true;
    CHECK_FALSE(choose_ike(offer_of({odd, kPrf256, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
    CHECK(choose_ike(offer_of({odd, kGcm256, kPrf256, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
}

TEST_CASE("a proposal with a transform type that we do not know is refused, the next one is not") {
    auto offer = offer_of({kGcm256, kPrf256, kP256, {TransformType{13}, 35}});
    CHECK_FALSE(choose_ike(offer, std::vector{kGcmSuite}, std::nullopt, false));
    offer.proposals.push_back({2, Protocol::ike, {}, {kGcm256, kPrf256, kP256}});
    CHECK(choose_ike(offer, std::vector{kGcmSuite}, std::nullopt, false)->number == 2);
}

TEST_CASE("AES without a key length or with another one is not chosen") {
    CHECK_FALSE(choose_ike(offer_of({{TransformType::encryption, 20}, kPrf256, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
    CHECK_FALSE(choose_ike(offer_of({{TransformType::encryption, 20, 192}, kPrf256, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
}

TEST_CASE("integrity NONE beside an AEAD is accepted, a real one alone is not") {
    CHECK(choose_ike(offer_of({kGcm256, kPrf256, {TransformType::integrity, 0}, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
    CHECK_FALSE(choose_ike(offer_of({kGcm256, kPrf256, {TransformType::integrity, 12}, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
}

TEST_CASE("a proposal without a mandatory transform type is refused") {
    CHECK_FALSE(choose_ike(offer_of({kGcm256, kP256}), std::vector{kGcmSuite}, std::nullopt, false));
    const SaPayload without_esn{{Proposal{1, Protocol::esp, hex("12345678"), {kGcm256}}}};
    CHECK_FALSE(choose_esp(without_esn, default_esp_proposals(), std::nullopt, ChildExchange::ike_auth));
}

TEST_CASE("SPIs of the wrong size, zero or reserved ones make a proposal unacceptable") {
    const std::vector ours{kGcmSuite};
    CHECK(choose_ike(offer_ike(ours, 0x1122334455667788), ours, std::nullopt, true)->spi == 0x1122334455667788);
    CHECK_FALSE(choose_ike(offer_ike(ours, 0), ours, std::nullopt, true));
    CHECK_FALSE(choose_ike(offer_ike(ours, 1), ours, std::nullopt, false));
    const std::vector child{esp_suite("aes-gcm-256")};
    CHECK(choose_esp(offer_esp(child, kSpi, ChildExchange::ike_auth), child, std::nullopt, ChildExchange::ike_auth)->spi == kSpi);
    CHECK_FALSE(choose_esp(offer_esp(child, Spi{255}, ChildExchange::ike_auth), child, std::nullopt, ChildExchange::ike_auth));
}

TEST_CASE("IKE_AUTH leaves groups out of the child's offer and ignores those of a peer") {
    const std::vector ours{esp_suite("aes-gcm-256/esn/p384")};
    const SaPayload offer = offer_esp(ours, kSpi, ChildExchange::ike_auth);
    CHECK(std::ranges::count(offer.proposals[0].transforms, TransformType::key_exchange, &Transform::type) == 0);
    const SaPayload with_group = offer_esp(ours, kSpi, ChildExchange::create_child_sa);
    CHECK(choose_esp(with_group, ours, std::nullopt, ChildExchange::ike_auth)->suite == esp_suite("aes-gcm-256/esn"));
}

TEST_CASE("a child rekey keeps to the group that both want, and does without one only when both may") {
    const std::vector strict{esp_suite("aes-gcm-256/esn/p384")}, none{esp_suite("aes-gcm-256/esn")};
    const auto exchange = ChildExchange::create_child_sa;
    CHECK(choose_esp(offer_esp(strict, kSpi, exchange), default_esp_proposals(), Group::p384, exchange)->suite == strict[0]);
    CHECK(choose_esp(offer_esp(none, kSpi, exchange), default_esp_proposals(), std::nullopt, exchange)->suite == none[0]);
    CHECK_FALSE(choose_esp(offer_esp(none, kSpi, exchange), strict, std::nullopt, exchange));
    CHECK_FALSE(choose_esp(offer_esp(strict, kSpi, exchange), none, Group::p384, exchange));
}

TEST_CASE("an ESP suite of CBC and HMAC is two transforms, with the key's length (RFC 3602, RFC 4868)") {
    const SaPayload offer = offer_esp(std::vector{esp_suite("aes-cbc-128/sha256/no-esn")}, kSpi, ChildExchange::ike_auth);
    CHECK(offer == SaPayload{{Proposal{1, Protocol::esp, hex("12345678"),
                                       {{TransformType::encryption, 12, 128}, {TransformType::integrity, 12}, {TransformType::extended_sequence_numbers, 0}}}}});
    const SaPayload strong = offer_esp(std::vector{esp_suite("aes-cbc-256/sha512")}, kSpi, ChildExchange::ike_auth);
    const std::vector<Transform> wanted{{TransformType::encryption, 12, 256}, {TransformType::integrity, 14}, {TransformType::extended_sequence_numbers, 1}};
    CHECK(strong.proposals[0].transforms == wanted);
}

TEST_CASE("CBC and HMAC for ESP are chosen when both ends configured them, in our order, and never by default") {
    const auto exchange = ChildExchange::ike_auth;
    const std::vector cbc{esp_suite("aes-cbc-256/sha256/no-esn"), esp_suite("aes-cbc-128/sha256/no-esn")}, mixed{esp_suite("aes-gcm-256"), cbc[1], cbc[0]};
    CHECK(choose_esp(offer_esp(cbc, kSpi, exchange), mixed, {}, exchange)->suite == cbc[1]);
    CHECK(choose_esp(offer_esp(mixed, kSpi, exchange), mixed, {}, exchange)->suite == mixed[0]);
    CHECK(accept_esp(answer_esp({cbc[0], 1, {}}, kSpi), mixed, exchange)->suite == cbc[0]);
    CHECK_FALSE(choose_esp(offer_esp(cbc, kSpi, exchange), default_esp_proposals(), {}, exchange));
}

TEST_CASE("AES-GMAC is one transform with the key's length (RFC 4543), NULL is one without and comes with an integrity algorithm (RFC 2410)") {
    const auto transforms = [](const char* suite) { return offer_esp(std::vector{esp_suite(suite)}, kSpi, ChildExchange::ike_auth).proposals.at(0).transforms; };
    CHECK(transforms("aes-gmac-128/no-esn") == std::vector<Transform>{{TransformType::encryption, 21, 128}, {TransformType::extended_sequence_numbers, 0}});
    CHECK(transforms("aes-gmac-256") == std::vector<Transform>{{TransformType::encryption, 21, 256}, {TransformType::extended_sequence_numbers, 1}});
    CHECK(transforms("null/sha384") == std::vector<Transform>{{TransformType::encryption, 11}, {TransformType::integrity, 13}, {TransformType::extended_sequence_numbers, 1}});
}

TEST_CASE("what does not encrypt is chosen when both ends configured it, and never by default; NULL never without integrity") {
    const auto exchange = ChildExchange::ike_auth;
    for (const char* text : {"aes-gmac-128", "aes-gmac-256/no-esn", "null/sha256", "null/sha512/no-esn"}) {
        const std::vector suite{esp_suite(text)};
        CHECK(choose_esp(offer_esp(suite, kSpi, exchange), suite, {}, exchange)->suite == suite[0]);
        CHECK(accept_esp(answer_esp({suite[0], 1, {}}, kSpi), suite, exchange)->suite == suite[0]);
        CHECK_FALSE(choose_esp(offer_esp(suite, kSpi, exchange), default_esp_proposals(), {}, exchange));
    }
    const Transform null{TransformType::encryption, 11}, none{TransformType::integrity, 0}, esn{TransformType::extended_sequence_numbers, 1};
    const std::vector all{esp_suite("null/sha256"), esp_suite("aes-gmac-128"), esp_suite("aes-gcm-128")};
    CHECK_FALSE(choose_esp(SaPayload{{Proposal{1, Protocol::esp, hex("12345678"), {null, none, esn}}}}, all, {}, exchange));
    CHECK_FALSE(choose_esp(SaPayload{{Proposal{1, Protocol::esp, hex("12345678"), {null, esn}}}}, all, {}, exchange));
}

TEST_CASE("CBC for ESP is not chosen without integrity, or with another hash or key length than ours") {
    const auto exchange = ChildExchange::ike_auth;
    const std::vector ours{esp_suite("aes-cbc-256/sha256")};
    for (const char* theirs : {"aes-cbc-256/sha384", "aes-cbc-128/sha256", "aes-cbc-256/sha256/no-esn", "aes-gcm-256"})
        CHECK_FALSE(choose_esp(offer_esp(std::vector{esp_suite(theirs)}, kSpi, exchange), ours, {}, exchange));
    const Transform cbc{TransformType::encryption, 12, 256}, esn{TransformType::extended_sequence_numbers, 1};
    CHECK_FALSE(choose_esp(SaPayload{{Proposal{1, Protocol::esp, hex("12345678"), {cbc, esn}}}}, ours, {}, exchange));
    CHECK_FALSE(choose_esp(SaPayload{{Proposal{1, Protocol::esp, hex("12345678"), {cbc, {TransformType::integrity, 0}, esn}}}}, ours, {}, exchange));
}

TEST_CASE("the initiator accepts an answer only if it is one of the suites that it offered") {
    const std::vector ours{ike_suite("aes-gcm-256/prf-sha384/p384"), ike_suite("aes-gcm-128/prf-sha256/p256")};
    const auto choice = choose_ike(offer_ike(ours, 0), ours, std::nullopt, false).value();
    CHECK(accept_ike(answer_ike(choice, 0), ours, false)->suite == ours[0]);
    CHECK_FALSE(accept_ike(answer_ike({kGcmSuite, 1, 0}, 0), ours, false));
    const EspChoice child{esp_suite("aes-gcm-256/no-esn"), 1, {}};
    CHECK(accept_esp(answer_esp(child, kSpi), default_esp_proposals(), ChildExchange::ike_auth)->spi == kSpi);
    CHECK_FALSE(accept_esp(answer_esp(child, kSpi), std::vector{esp_suite("aes-gcm-256/esn")}, ChildExchange::ike_auth));
}

TEST_CASE("an answer that still leaves a choice is refused") {
    const auto ours = default_ike_proposals();
    CHECK_FALSE(accept_ike(offer_ike(ours, 0), ours, false));
    CHECK_FALSE(accept_ike(offer_of({kGcm256, {TransformType::encryption, 20, 128}, kPrf256, kP256}), ours, false));
    CHECK_FALSE(accept_ike(SaPayload{}, ours, false));
}
