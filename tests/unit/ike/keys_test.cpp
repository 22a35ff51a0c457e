// Key derivation and AUTH: the values of real exchanges between strongSwan gateways, and what must not be confused.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "tests/unit/ike/captured.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const IkeProposal kSuite{IkeEncryption::aes_gcm_256, Integrity::none, Prf::hmac_sha384, Group::p384};

Bytes nonce_of(ByteView message) { return find<NoncePayload>(decode_message(message)->payloads)->data; }

/// What a captured IKE_SA_INIT exchange agreed on; owns the nonces that the seed looks at.
struct Exchange {
    Bytes initiator_nonce, responder_nonce;
    std::uint64_t initiator_spi, responder_spi;
    Exchange(ByteView request, ByteView response)
        : initiator_nonce{nonce_of(request)}, responder_nonce{nonce_of(response)},
          initiator_spi{decode_header(response)->initiator_spi}, responder_spi{decode_header(response)->responder_spi} {}
    SessionSeed seed() const { return {kSuite, initiator_nonce, responder_nonce, initiator_spi, responder_spi}; }
};

const Exchange kFirst{captured::first::init_request, captured::first::init_response};
SessionKeys first_keys() { return derive_session_keys(kFirst.seed(), Secret{captured::first::skeyseed}); }
Bytes bytes_of(const Secret& secret) { return to_bytes(secret.view()); }

const Secret kPreSharedKey{as_bytes(captured::kPreSharedKey)};
const IdentificationPayload kInitiatorId{Role::initiator, Identity::parse("192.0.2.11").value()}, kResponderId{Role::responder, Identity::parse("192.0.2.1").value()};

}  // namespace

TEST_CASE("SKEYSEED of a captured IKE_SA_INIT is strongSwan's") {
    CHECK(bytes_of(initial_skeyseed(kFirst.seed(), Secret{captured::first::shared_secret})) == captured::first::skeyseed);
}

TEST_CASE("SK_d, SK_e and SK_p of a captured IKE_SA_INIT are strongSwan's") {
    const SessionKeys keys = first_keys();
    CHECK(bytes_of(keys.derivation) == captured::first::sk_d);
    CHECK(bytes_of(keys.sent_by(Role::initiator).encryption_key) == captured::first::sk_ei);
    CHECK(bytes_of(keys.sent_by(Role::responder).encryption_key) == captured::first::sk_er);
    CHECK(bytes_of(keys.auth_of(Role::initiator)) == captured::first::sk_pi);
    CHECK(bytes_of(keys.auth_of(Role::responder)) == captured::first::sk_pr);
    CHECK(keys.from_initiator.integrity_key.empty());
}

TEST_CASE("the first child's keys are strongSwan's, initiator to responder first") {
    const ChildKeys keys = derive_child_keys(first_keys(), EspAlgorithm::aes_gcm_256, Secret{}, kFirst.initiator_nonce, kFirst.responder_nonce);
    CHECK(to_bytes(keys.sent_by(Role::initiator).view()) == captured::first::child_key_initiator);
    CHECK(to_bytes(keys.sent_by(Role::responder).view()) == captured::first::child_key_responder);
}

TEST_CASE("AUTH of both ends of a captured IKE_AUTH is strongSwan's") {
    const AuthInput initiator{captured::first::init_request, kFirst.responder_nonce, &kInitiatorId};
    const AuthInput responder{captured::first::init_response, kFirst.initiator_nonce, &kResponderId};
    CHECK(shared_key_auth(first_keys(), Role::initiator, kPreSharedKey, initiator) == captured::first::auth_initiator);
    CHECK(shared_key_auth(first_keys(), Role::responder, kPreSharedKey, responder) == captured::first::auth_responder);
    CHECK(verify_shared_key_auth(first_keys(), Role::initiator, kPreSharedKey, initiator, captured::first::auth_initiator));
}

TEST_CASE("AUTH fails with a wrong key, identity, nonce, message, role or length") {
    const AuthInput genuine{captured::first::init_request, kFirst.responder_nonce, &kInitiatorId};
    const auto verify = [&](Role role, std::string_view key, const AuthInput& input, ByteView auth) {
        return verify_shared_key_auth(first_keys(), role, Secret{as_bytes(key)}, input, auth);
    };
    const ByteView auth = captured::first::auth_initiator;
    CHECK(verify(Role::initiator, captured::kPreSharedKey, genuine, auth));
    CHECK_FALSE(verify(Role::initiator, "lab-only-secreT", genuine, auth));
    CHECK_FALSE(verify(Role::initiator, captured::kPreSharedKey, {captured::first::init_request, kFirst.responder_nonce, &kResponderId}, auth));
    CHECK_FALSE(verify(Role::initiator, captured::kPreSharedKey, {captured::first::init_request, kFirst.initiator_nonce, &kInitiatorId}, auth));
    CHECK_FALSE(verify(Role::initiator, captured::kPreSharedKey, {captured::first::init_response, kFirst.responder_nonce, &kInitiatorId}, auth));
    CHECK_FALSE(verify(Role::responder, captured::kPreSharedKey, genuine, auth));
    CHECK_FALSE(verify(Role::initiator, captured::kPreSharedKey, genuine, auth.first(47)));
    CHECK_FALSE(verify(Role::initiator, captured::kPreSharedKey, genuine, {}));
}

TEST_CASE("AUTH covers the reserved bytes of the identity as they were sent") {
    IdentificationPayload odd = kInitiatorId;
    odd.reserved = {0, 0, 1};
    CHECK(shared_key_auth(first_keys(), Role::initiator, kPreSharedKey, {captured::first::init_request, kFirst.responder_nonce, &odd}) != captured::first::auth_initiator);
}

TEST_CASE("prf+ is T1 | T2 | ... of RFC 7296 §2.13 and its beginning does not depend on the length") {
    const Bytes key = hex("0102"), seed = hex("0304");
    const Secret t1 = prf(Prf::hmac_sha256, key, {seed, hex("01")}), t2 = prf(Prf::hmac_sha256, key, {t1.view(), seed, hex("02")});
    const Secret stream = prf_plus(Prf::hmac_sha256, key, seed, 50);
    CHECK(to_bytes(stream.view().first(32)) == bytes_of(t1));
    CHECK(to_bytes(stream.view().subspan(32)) == to_bytes(t2.view().first(18)));
    CHECK(prf_plus(Prf::hmac_sha256, key, seed, 0).empty());
    CHECK(prf_plus(Prf::hmac_sha256, key, seed, 255 * 32).size() == 255 * 32);
}

TEST_CASE("a CBC suite gets integrity keys, and all keys of both directions differ") {
    SessionSeed seed = kFirst.seed();
    seed.suite = {IkeEncryption::aes_cbc_256, Integrity::hmac_sha512_256, Prf::hmac_sha512, Group::x25519};
    const SessionKeys keys = derive_session_keys(seed, Secret{captured::first::skeyseed});
    CHECK(keys.from_initiator.integrity_key.size() == 64);
    CHECK(keys.from_initiator.encryption_key.size() == 32);
    CHECK(keys.auth_initiator.size() == 64);
    CHECK_FALSE(keys.from_initiator.integrity_key == keys.from_responder.integrity_key);
    CHECK_FALSE(keys.from_initiator.encryption_key == keys.from_responder.encryption_key);
}

TEST_CASE("a PPK changes SK_d, SK_pi and SK_pr by prf+(PPK, key) as RFC 8784 §3 says, and nothing else") {
    const auto counted = [](std::uint8_t first) {
        Bytes bytes(48);
        for (std::uint8_t& byte : bytes) byte = first++;
        return Secret{bytes};
    };
    SessionKeys keys = first_keys();
    keys.derivation = counted(1), keys.auth_initiator = counted(65), keys.auth_responder = counted(129);
    const SessionKeys mixed = with_ppk(keys, Secret{as_bytes("post-quantum preshared key")});
    // Computed with Python's hmac.
    CHECK(bytes_of(mixed.derivation) == hex("24ebe6346e4e14288b679ee95575043e3fe1aadb4a79aa0c41d93176dc5dc64613dc6f50dab19c1b66e4129f34279ee6"));
    CHECK(bytes_of(mixed.auth_initiator) == hex("9b1a6b1aa2f1131b353bc92d609401dc414ee59031fc42077158968df8bc5f3a78f8644bc0876f309dda79f25c047e70"));
    CHECK(bytes_of(mixed.auth_responder) == hex("0a625b7b06fddfdc2e72df156732834e61ddae21196230e2ee3db0fe92beb5764e81a2799108d97080582ea56052c829"));
    CHECK(mixed.from_initiator.encryption_key == keys.from_initiator.encryption_key);
    CHECK(mixed.from_responder.encryption_key == keys.from_responder.encryption_key);
}

TEST_CASE("other nonces or SPIs give other keys") {
    SessionSeed other = kFirst.seed();
    ++other.responder_spi;
    CHECK_FALSE(derive_session_keys(other, Secret{captured::first::skeyseed}).derivation == first_keys().derivation);
    std::swap(other.initiator_nonce, other.responder_nonce);
    CHECK(bytes_of(initial_skeyseed(other, Secret{captured::first::shared_secret})) != captured::first::skeyseed);
}

TEST_CASE("key material of a child has the size of its algorithm's keys and salt, and both directions are one stream") {
    const auto stream = [](std::size_t size) {
        const ChildKeys longest = derive_child_keys(first_keys(), EspAlgorithm::aes_cbc_256_sha512, Secret{}, kFirst.initiator_nonce, kFirst.responder_nonce);
        Bytes bytes = to_bytes(longest.initiator_to_responder.view());
        bytes.insert(bytes.end(), longest.responder_to_initiator.view().begin(), longest.responder_to_initiator.view().end());
        bytes.resize(size);
        return bytes;
    };
    for (const auto& [algorithm, size] : {std::pair{EspAlgorithm::aes_gcm_128, 20u}, {EspAlgorithm::aes_gcm_256, 36u}, {EspAlgorithm::chacha20_poly1305, 36u},
                                          {EspAlgorithm::aes_cbc_128_sha256, 48u}, {EspAlgorithm::aes_cbc_256_sha256, 64u}, {EspAlgorithm::aes_cbc_128_sha384, 64u},
                                          {EspAlgorithm::aes_cbc_256_sha384, 80u}, {EspAlgorithm::aes_cbc_128_sha512, 80u}, {EspAlgorithm::aes_cbc_256_sha512, 96u}}) {
        const ChildKeys keys = derive_child_keys(first_keys(), algorithm, Secret{}, kFirst.initiator_nonce, kFirst.responder_nonce);
        CHECK(keys.initiator_to_responder.view().size() == size);
        CHECK(keys.responder_to_initiator.view().size() == size);
        CHECK(to_bytes(keys.initiator_to_responder.view()) != to_bytes(keys.responder_to_initiator.view()));
        Bytes both = to_bytes(keys.initiator_to_responder.view());
        both.insert(both.end(), keys.responder_to_initiator.view().begin(), keys.responder_to_initiator.view().end());
        CHECK(both == stream(2 * size));
    }
}
