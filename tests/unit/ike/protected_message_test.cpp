// SK payloads: what is sealed opens, what was touched does not, and nothing is parsed before that is known.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const Header kHeader{.initiator_spi = 1, .responder_spi = 2, .exchange = ExchangeType::ike_auth, .from_initiator = true, .message_id = 1};
const std::vector<Payload> kInner{IdentificationPayload{Role::initiator, Identity::parse("spoke1.example").value()}, AuthPayload{AuthMethod::shared_key, Bytes(32, 5)}};

SessionKeys keys_for(const char* suite) {
    static const Bytes nonce(32, 1);
    return derive_session_keys({parse_ike_proposal(suite).value(), nonce, nonce, 1, 2}, Secret{nonce});
}
const char* const kSuites[] = {"aes-gcm-128/prf-sha256/x25519", "aes-gcm-256/prf-sha384/x25519", "aes-cbc-128/sha256/prf-sha256/x25519",
                               "aes-cbc-256/sha384/prf-sha384/x25519", "aes-cbc-256/sha512/prf-sha512/x25519", "chacha20-poly1305/prf-sha256/x25519"};

Bytes sealed(const char* suite, std::span<const Payload> inner = kInner) {
    SeededRandom random{9};
    return seal(kHeader, inner, keys_for(suite).from_initiator, random);
}
OpenError::Kind failure(ByteView message, const char* suite) { return open(message, keys_for(suite).from_initiator).error().kind; }

Bytes sealed_chain(PayloadType first, const char* chain, const char* suite) {
    SeededRandom random{9};
    return seal_chain(kHeader, first, hex(chain), keys_for(suite).from_initiator, random);
}

}  // namespace

TEST_CASE("a CBC message is IV, whole blocks of payloads and padding, and a checksum over all before it (RFC 7296 §3.14)") {
    const auto keys = keys_for(kSuites[2]).from_initiator;
    const Bytes message = sealed(kSuites[2], std::vector<Payload>{VendorId{hex("aabb")}});
    REQUIRE(message.size() == Header::kSize + 4 + 16 + 16 + 16);
    const ByteView all = message;
    CHECK(to_bytes(all.subspan(24, 8)) == hex("00000050 2b000034"));
    CHECK(to_bytes(all.last(16)) == integrity_checksum(keys.integrity, keys.integrity_key.view(), {all.first(message.size() - 16)}));
    CHECK(aes_cbc_decrypt(keys.encryption_key.view(), all.subspan(32, 16), all.subspan(48, 16)) == hex("00000006aabb 000000000000000000 09"));
}

TEST_CASE("a GCM message is an 8-byte IV, payloads and padding, and the tag, with all before the IV as associated data (RFC 5282)") {
    const auto keys = keys_for(kSuites[0]).from_initiator;
    const Bytes message = sealed(kSuites[0], std::vector<Payload>{VendorId{hex("aabb")}});
    REQUIRE(message.size() == Header::kSize + 4 + 8 + 7 + 16);
    const ByteView all = message, key = keys.encryption_key.view();
    Bytes nonce = to_bytes(key.last(4));
    nonce.insert(nonce.end(), message.begin() + 32, message.begin() + 40);
    CHECK(aead_open(IkeEncryption::aes_gcm_128, key.first(16), nonce, all.first(32), all.subspan(40)) == hex("00000006aabb 00"));
}

TEST_CASE("what is sealed opens to the same payloads under every suite") {
    for (const char* suite : kSuites) {
        const auto payloads = open(sealed(suite), keys_for(suite).from_initiator);
        REQUIRE(payloads);
        CHECK(*payloads == kInner);
        CHECK(decode_header(sealed(suite))->first == PayloadType::encrypted);
    }
}

TEST_CASE("an empty message, as liveness checks send it, is sealed and opened too") {
    for (const char* suite : kSuites) CHECK(open(sealed(suite, {}), keys_for(suite).from_initiator)->empty());
}

TEST_CASE("every length of the inner chain meets the padding rules") {
    for (const char* suite : kSuites)
        for (std::size_t size = 0; size < 40; ++size) {
            const std::vector<Payload> inner{VendorId{Bytes(size, 3)}};
            CHECK(open(sealed(suite, inner), keys_for(suite).from_initiator) == inner);
        }
}

TEST_CASE("a message with any byte changed does not open") {
    for (const char* suite : {kSuites[0], kSuites[2]}) {
        const Bytes genuine = sealed(suite);
        for (std::size_t i = 0; i < genuine.size(); ++i) {
            Bytes damaged = genuine;
            damaged[i] ^= 0x40;
            CHECK_FALSE(open(damaged, keys_for(suite).from_initiator));
        }
        Bytes damaged = genuine;
        damaged[40] ^= 1;
        CHECK(failure(damaged, suite) == OpenError::Kind::bad_integrity);
    }
}

TEST_CASE("a message does not open with the keys of the other direction, so it cannot be reflected") {
    for (const char* suite : kSuites) CHECK(open(sealed(suite), keys_for(suite).from_responder).error().kind == OpenError::Kind::bad_integrity);
}

TEST_CASE("a sealed message cut at any byte is refused, also if its lengths agree") {
    for (const char* suite : {kSuites[0], kSuites[2]}) {
        const Bytes genuine = sealed(suite);
        for (std::size_t size = 0; size < genuine.size(); ++size) {
            Bytes cut = to_bytes(ByteView{genuine}.first(size));
            CHECK(failure(cut, suite) == OpenError::Kind::malformed);
            if (size < Header::kSize + 4) continue;
            cut[27] = static_cast<std::uint8_t>(size);
            cut[31] = static_cast<std::uint8_t>(size - Header::kSize);
            CHECK_FALSE(open(cut, keys_for(suite).from_initiator));
        }
    }
}

TEST_CASE("bad payloads inside are the peer's own fault, and told apart from damage") {
    for (const char* suite : kSuites) {
        const auto error = open(sealed_chain(PayloadType{200}, "00800004", suite), keys_for(suite).from_initiator).error();
        CHECK(error.kind == OpenError::Kind::malformed_inside);
        CHECK(error.decode == DecodeError{Malformed::unsupported_critical, PayloadType{200}});
        CHECK(failure(sealed_chain(PayloadType::vendor_id, "00000009", suite), suite) == OpenError::Kind::malformed_inside);
    }
}

TEST_CASE("padding longer than the content is refused") {
    SeededRandom random{9};
    const auto keys = keys_for(kSuites[0]).from_initiator;
    Bytes message = seal_chain(kHeader, PayloadType::none, {}, keys, random);
    // Seal again by hand, with a padding length of one where no byte is left.
    const ByteView key = keys.encryption_key.view(), outside = ByteView{message}.first(32), iv = ByteView{message}.subspan(32, 8);
    Bytes nonce = to_bytes(key.last(4));
    nonce.insert(nonce.end(), iv.begin(), iv.end());
    const Bytes forged = aead_seal(IkeEncryption::aes_gcm_128, key.first(16), nonce, outside, hex("01"));
    std::copy(forged.begin(), forged.end(), message.begin() + 40);
    CHECK(failure(message, kSuites[0]) == OpenError::Kind::malformed_inside);
}

TEST_CASE("messages without SK, with SKF, or with something behind SK do not open") {
    const auto keys = keys_for(kSuites[0]).from_initiator;
    CHECK(open(encode_message(kHeader, {}), keys).error().kind == OpenError::Kind::not_protected);
    CHECK(open(encode_message(kHeader, std::vector<Payload>{VendorId{}}), keys).error().kind == OpenError::Kind::not_protected);
    SeededRandom random{9};
    CHECK(open(seal_fragment(kHeader, {1, 1}, PayloadType::none, {}, keys, random), keys).error().kind == OpenError::Kind::not_protected);
    CHECK(open(encode_message(kHeader, std::vector<Payload>{EncryptedFragment{}}), keys).error().kind == OpenError::Kind::invalid_fragment);
    Bytes longer = sealed(kSuites[0]);
    for (const int byte : {0, 0, 0, 4}) longer.push_back(static_cast<std::uint8_t>(byte));
    longer[27] = static_cast<std::uint8_t>(longer.size());
    CHECK(open(longer, keys).error().decode == DecodeError{Malformed::encrypted_not_last, PayloadType::encrypted});
    CHECK(open(encode_message(kHeader, std::vector<Payload>{Encrypted{}}), keys).error().kind == OpenError::Kind::malformed);
}

TEST_CASE("payloads in front of SK are passed over, up to a limit") {
    Bytes chain;
    for (int i = 0; i < 100; ++i) for (const int byte : {0x2b, 0, 0, 4}) chain.push_back(static_cast<std::uint8_t>(byte));
    ByteWriter out;
    encode_header(kHeader, PayloadType::vendor_id, out);
    out.bytes(chain);
    out.patch_u32(24, static_cast<std::uint32_t>(out.size()));
    CHECK(open(out.view(), keys_for(kSuites[0]).from_initiator).error().decode.reason == Malformed::too_many_payloads);
}

TEST_CASE("another major version does not open") {
    Bytes message = sealed(kSuites[0]);
    message[17] = 0x30;
    CHECK(open(message, keys_for(kSuites[0]).from_initiator).error().decode.reason == Malformed::major_version);
}

TEST_CASE("the IV comes from the random source, so that one message is never sealed twice alike") {
    SeededRandom random{9};
    const auto keys = keys_for(kSuites[0]).from_initiator;
    CHECK(seal(kHeader, kInner, keys, random) != seal(kHeader, kInner, keys, random));
}
