// PRF and ciphers against published vectors.
#include "controlplane/ike/crypto.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using namespace nave::ike;

namespace {

Bytes prf_bytes(Prf algorithm, ByteView key, std::initializer_list<ByteView> parts) { return to_bytes(prf(algorithm, key, parts).view()); }

// NIST's GCM specification, test cases 4 and 16.
const Bytes kGcmKey = hex("feffe9928665731c6d6a8f9467308308"), kGcmKey256 = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const Bytes kGcmNonce = hex("cafebabefacedbaddecaf888"), kGcmAssociated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const Bytes kGcmPlaintext = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
const Bytes kGcmSealed = hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                             "5bc94fbc3221a5db94fae95ae7121a47");
const Bytes kGcmSealed256 = hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                "76fc6ece0f4e1768cddf8853bb2d551b");

}  // namespace

TEST_CASE("HMAC-SHA-256, -384 and -512 compute RFC 4231's test case 1") {
    const Bytes key(20, 0x0b);
    CHECK(prf_bytes(Prf::hmac_sha256, key, {as_bytes("Hi There")}) == hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    CHECK(prf_bytes(Prf::hmac_sha384, key, {as_bytes("Hi There")}) ==
          hex("afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"));
    CHECK(prf_bytes(Prf::hmac_sha512, key, {as_bytes("Hi There")}) ==
          hex("87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"));
}

TEST_CASE("an HMAC key longer than a block is hashed first (RFC 4231's test case 6)") {
    const Bytes key(131, 0xaa);
    CHECK(prf_bytes(Prf::hmac_sha256, key, {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}) ==
          hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

TEST_CASE("the PRF takes its input in parts, and empty keys and parts") {
    CHECK(prf_bytes(Prf::hmac_sha256, as_bytes("Jefe"), {as_bytes("what do ya want "), {}, as_bytes("for nothing?")}) ==
          hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    CHECK(prf_bytes(Prf::hmac_sha256, {}, {}) == hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

TEST_CASE("integrity checksums are HMACs cut to half (RFC 4868)") {
    const Bytes key(32, 0x0b);
    CHECK(integrity_checksum(Integrity::hmac_sha256_128, key, {as_bytes("Hi There")}) == hex("198a607eb44bfbc69903a0f1cf2bbdc5"));
    CHECK(integrity_checksum(Integrity::hmac_sha384_192, Bytes(48, 0x0b), {as_bytes("Hi There")}) == hex("b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"));
    CHECK(integrity_checksum(Integrity::hmac_sha512_256, Bytes(64, 0x0b), {as_bytes("Hi There")}) == hex("637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"));
    CHECK(integrity_key_size(Integrity::hmac_sha384_192) == 48);
    CHECK(integrity_key_size(Integrity::none) == 0);
}

TEST_CASE("SHA-1 computes FIPS 180's example") {
    CHECK(to_bytes(sha1({as_bytes("a"), as_bytes("bc")})) == hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
}

TEST_CASE("AES-GCM seals and opens the vectors of its specification") {
    CHECK(aead_seal(IkeEncryption::aes_gcm_128, kGcmKey, kGcmNonce, kGcmAssociated, kGcmPlaintext) == kGcmSealed);
    CHECK(aead_seal(IkeEncryption::aes_gcm_256, kGcmKey256, kGcmNonce, kGcmAssociated, kGcmPlaintext) == kGcmSealed256);
    CHECK(aead_open(IkeEncryption::aes_gcm_128, kGcmKey, kGcmNonce, kGcmAssociated, kGcmSealed) == kGcmPlaintext);
    CHECK(aead_open(IkeEncryption::aes_gcm_256, kGcmKey256, kGcmNonce, kGcmAssociated, kGcmSealed256) == kGcmPlaintext);
}

TEST_CASE("AES-GCM opens nothing when any bit differs") {
    for (std::size_t i = 0; i < kGcmSealed.size(); ++i) {
        Bytes damaged = kGcmSealed;
        damaged[i] ^= 1;
        CHECK_FALSE(aead_open(IkeEncryption::aes_gcm_128, kGcmKey, kGcmNonce, kGcmAssociated, damaged));
    }
    CHECK_FALSE(aead_open(IkeEncryption::aes_gcm_128, kGcmKey, kGcmNonce, {}, kGcmSealed));
    CHECK_FALSE(aead_open(IkeEncryption::aes_gcm_128, kGcmKey, kGcmNonce, kGcmAssociated, ByteView{kGcmSealed}.first(15)));
}

TEST_CASE("ChaCha20-Poly1305 seals and opens RFC 8439's vector (2.8.2), and nothing that differs") {
    const Bytes key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"), nonce = hex("070000004041424344454647");
    const Bytes associated = hex("50515253c0c1c2c3c4c5c6c7");
    const ByteView plaintext = as_bytes("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
    Bytes sealed = hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                       "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691");
    CHECK(aead_seal(IkeEncryption::chacha20_poly1305, key, nonce, associated, plaintext) == sealed);
    CHECK(aead_open(IkeEncryption::chacha20_poly1305, key, nonce, associated, sealed) == to_bytes(plaintext));
    sealed.back() ^= 1;
    CHECK_FALSE(aead_open(IkeEncryption::chacha20_poly1305, key, nonce, associated, sealed));
}

TEST_CASE("AES-CBC encrypts and decrypts SP 800-38A's vectors") {
    const Bytes iv = hex("000102030405060708090a0b0c0d0e0f"), plaintext = hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51");
    const Bytes key = hex("2b7e151628aed2a6abf7158809cf4f3c"), key256 = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    const Bytes encrypted = hex("7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2"),
                encrypted256 = hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d");
    CHECK(aes_cbc_encrypt(key, iv, plaintext) == encrypted);
    CHECK(aes_cbc_encrypt(key256, iv, plaintext) == encrypted256);
    CHECK(aes_cbc_decrypt(key, iv, encrypted) == plaintext);
    CHECK(aes_cbc_decrypt(key256, iv, encrypted256) == plaintext);
}

TEST_CASE("the system's random generator does not repeat itself") {
    SystemRandom random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) CHECK(seen.insert(random.u64()).second);
}
