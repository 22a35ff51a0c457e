// Suites as the configuration writes them.
#include "controlplane/ike/proposal.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using namespace nave::ike;

TEST_CASE("an AEAD suite for IKE needs encryption, PRF and group") {
    CHECK(parse_ike_proposal("aes-gcm-256/prf-sha384/p384") == IkeProposal{IkeEncryption::aes_gcm_256, Integrity::none, Prf::hmac_sha384, Group::p384});
    for (const char* text : {"aes-gcm-256/prf-sha384", "aes-gcm-256/p384", "prf-sha384/p384"}) CHECK_FALSE(parse_ike_proposal(text));
}

TEST_CASE("a CBC suite needs an integrity algorithm and an AEAD suite must not have one") {
    CHECK(parse_ike_proposal("aes-cbc-256/sha256/prf-sha256/x25519") == IkeProposal{IkeEncryption::aes_cbc_256, Integrity::hmac_sha256_128, Prf::hmac_sha256, Group::x25519});
    CHECK_FALSE(parse_ike_proposal("aes-cbc-256/prf-sha256/x25519"));
    CHECK_FALSE(parse_ike_proposal("aes-gcm-256/sha256/prf-sha256/x25519"));
}

TEST_CASE("weak, unknown and repeated words are refused") {
    for (const char* text : {"", "/", "3des/sha1/prf-sha1/modp1024", "aes-gcm-256/prf-sha384/p384/", "aes-gcm-256/prf-sha384/p384/p256",
                             "AES-GCM-256/prf-sha384/p384", "aes-gcm-256 /prf-sha384/p384"}) {
        INFO(text);
        CHECK_FALSE(parse_ike_proposal(text));
    }
    for (const char* text : {"", "aes-cbc-256", "aes-cbc-256/esn", "sha256", "aes-gcm-256/sha256", "chacha20-poly1305/sha256", "aes-cbc-256/sha1", "aes-cbc-192/sha256",
                             "aes-cbc-256/sha256/sha512", "aes-gcm-256/esn/no-esn", "esn", "aes-gcm-256/prf-sha256", "null",
                             "null/no-esn", "aes-gmac-256/sha256", "aes-gmac-192", "null/sha1"}) {
        INFO(text);
        CHECK_FALSE(parse_esp_proposal(text));
    }
}

TEST_CASE("ESN is on in an ESP suite unless said otherwise") {
    CHECK(parse_esp_proposal("aes-gcm-256") == EspProposal{EspAlgorithm::aes_gcm_256, true, std::nullopt});
    CHECK(parse_esp_proposal("chacha20-poly1305/no-esn/x25519") == EspProposal{EspAlgorithm::chacha20_poly1305, false, Group::x25519});
}

TEST_CASE("a CBC suite for ESP names its integrity algorithm, as one for IKE does, and reads back from its text") {
    CHECK(parse_esp_proposal("aes-cbc-128/sha256") == EspProposal{EspAlgorithm::aes_cbc_128_sha256, true, std::nullopt});
    CHECK(parse_esp_proposal("aes-cbc-256/sha512/no-esn/p384") == EspProposal{EspAlgorithm::aes_cbc_256_sha512, false, Group::p384});
    for (const char* text : {"aes-cbc-128/sha256/esn", "aes-cbc-128/sha384/no-esn", "aes-cbc-128/sha512/esn/x25519", "aes-cbc-256/sha256/no-esn/p256",
                             "aes-cbc-256/sha384/esn", "aes-cbc-256/sha512/esn/p384"}) {
        INFO(text);
        CHECK(to_string(parse_esp_proposal(text).value()) == text);
    }
}

TEST_CASE("suites that do not encrypt are read and shown like the others, and no default is one") {
    CHECK(parse_esp_proposal("null/sha384") == EspProposal{EspAlgorithm::null_sha384, true, std::nullopt});
    for (const char* text : {"aes-gmac-128/esn", "aes-gmac-256/no-esn/p384", "null/sha256/esn", "null/sha384/no-esn", "null/sha512/esn/x25519"}) {
        INFO(text);
        CHECK(to_string(parse_esp_proposal(text).value()) == text);
        CHECK_FALSE(encrypts(parse_esp_proposal(text)->algorithm));
    }
    for (const EspProposal& suite : default_esp_proposals()) CHECK(encrypts(suite.algorithm));
    CHECK(encrypts(EspAlgorithm::aes_cbc_256_sha512));
}

TEST_CASE("every default suite reads back from its text and occurs once") {
    std::set<std::string> texts;
    for (const IkeProposal& suite : default_ike_proposals()) {
        CHECK(parse_ike_proposal(to_string(suite)) == suite);
        CHECK(texts.insert(to_string(suite)).second);
    }
    for (const EspProposal& suite : default_esp_proposals()) {
        CHECK(parse_esp_proposal(to_string(suite)) == suite);
        CHECK(texts.insert(to_string(suite) + " esp").second);
    }
}

TEST_CASE("the default suites begin with AES-GCM-256 and X25519, and CBC comes last") {
    const auto suites = default_ike_proposals();
    CHECK(suites.front().encryption == IkeEncryption::aes_gcm_256);
    CHECK(suites.front().group == Group::x25519);
    CHECK(suites.back().encryption == IkeEncryption::aes_cbc_128);
    CHECK(default_esp_proposals().front() == EspProposal{EspAlgorithm::aes_gcm_256, true, Group::x25519});
}

TEST_CASE("every group has a word, for IKE and for fresh keys of a child SA") {
    const std::pair<const char*, unsigned> groups[] = {{"modp2048", 14}, {"modp3072", 15}, {"modp4096", 16}, {"p256", 19}, {"p384", 20},
                                                       {"p521", 21}, {"x25519", 31}, {"x448", 32}};
    for (const auto& [word, number] : groups) {
        INFO(word);
        CHECK(name(Group{static_cast<std::uint16_t>(number)}) == word);
        CHECK(parse_ike_proposal("aes-gcm-256/prf-sha384/" + std::string{word})->group == Group{static_cast<std::uint16_t>(number)});
        CHECK(parse_esp_proposal("aes-gcm-256/" + std::string{word})->group == Group{static_cast<std::uint16_t>(number)});
    }
}

TEST_CASE("by default no group is weaker than 128 bits, and elliptic curves go before MODP") {
    for (const IkeProposal& suite : default_ike_proposals()) CHECK(suite.group != Group::modp2048);
    for (const EspProposal& suite : default_esp_proposals()) CHECK(suite.group != Group::modp2048);
    const auto suites = default_ike_proposals();
    CHECK(suites[0].group == Group::x25519);
    CHECK(suites[3].group == Group::modp3072);
}

TEST_CASE("by default ESP is offered AEADs only") {
    for (const EspProposal& suite : default_esp_proposals()) CHECK(integrity_of(suite.algorithm) == Integrity::none);
    CHECK(integrity_of(EspAlgorithm::aes_cbc_256_sha384) == Integrity::hmac_sha384_192);
}

TEST_CASE("a group that we only know from the wire has a printable name") {
    CHECK(name(Group::x25519) == "x25519");
    CHECK(name(Group{5}) == "group-5");
}
