// PRF, ciphers and key agreement against published vectors, and bad input of key agreement.
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
    CHECK(aes_gcm_seal(kGcmKey, kGcmNonce, kGcmAssociated, kGcmPlaintext) == kGcmSealed);
    CHECK(aes_gcm_seal(kGcmKey256, kGcmNonce, kGcmAssociated, kGcmPlaintext) == kGcmSealed256);
    CHECK(aes_gcm_open(kGcmKey, kGcmNonce, kGcmAssociated, kGcmSealed) == kGcmPlaintext);
    CHECK(aes_gcm_open(kGcmKey256, kGcmNonce, kGcmAssociated, kGcmSealed256) == kGcmPlaintext);
}

TEST_CASE("AES-GCM opens nothing when any bit differs") {
    for (std::size_t i = 0; i < kGcmSealed.size(); ++i) {
        Bytes damaged = kGcmSealed;
        damaged[i] ^= 1;
        CHECK_FALSE(aes_gcm_open(kGcmKey, kGcmNonce, kGcmAssociated, damaged));
    }
    CHECK_FALSE(aes_gcm_open(kGcmKey, kGcmNonce, {}, kGcmSealed));
    CHECK_FALSE(aes_gcm_open(kGcmKey, kGcmNonce, kGcmAssociated, ByteView{kGcmSealed}.first(15)));
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

TEST_CASE("X25519 agrees with RFC 7748 §6.1") {
    const auto alice = DhKeyPair::from_private(Group::x25519, hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")).value();
    const auto bob = DhKeyPair::from_private(Group::x25519, hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")).value();
    CHECK(alice.public_value() == hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    CHECK(bob.public_value() == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    const Bytes shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    CHECK(to_bytes(alice.shared_secret(bob.public_value())->view()) == shared);
    CHECK(to_bytes(bob.shared_secret(alice.public_value())->view()) == shared);
}

TEST_CASE("P-256 agrees with RFC 5903 §8.1") {
    const auto initiator = DhKeyPair::from_private(Group::p256, hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433")).value();
    const auto responder = DhKeyPair::from_private(Group::p256, hex("C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53")).value();
    CHECK(initiator.public_value() == hex("DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180 5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3"));
    CHECK(responder.public_value() == hex("D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63 56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"));
    const Bytes shared = hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE");
    CHECK(to_bytes(initiator.shared_secret(responder.public_value())->view()) == shared);
    CHECK(to_bytes(responder.shared_secret(initiator.public_value())->view()) == shared);
}

TEST_CASE("P-384 agrees with RFC 5903 §8.2") {
    const auto initiator = DhKeyPair::from_private(Group::p384, hex("099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194")).value();
    CHECK(initiator.public_value() == hex("667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA"
                                          "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C"));
    const Bytes responder = hex("E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571"
                                "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C");
    CHECK(to_bytes(initiator.shared_secret(responder)->view()) == hex("11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"));
}

TEST_CASE("both ends of every group compute one secret, and a seed replays its key") {
    for (const Group group : {Group::x25519, Group::p256, Group::p384}) {
        SeededRandom random{7}, replay{7};
        const auto a = DhKeyPair::generate(group, random), b = DhKeyPair::generate(group, random);
        CHECK(a.public_value() != b.public_value());
        CHECK(*a.shared_secret(b.public_value()) == *b.shared_secret(a.public_value()));
        CHECK(DhKeyPair::generate(group, replay).public_value() == a.public_value());
        const DhKeyPair copy = a;
        CHECK(*copy.shared_secret(b.public_value()) == *a.shared_secret(b.public_value()));
    }
}

TEST_CASE("a peer's public value of the wrong length is refused in every group") {
    SeededRandom random{1};
    for (const Group group : {Group::x25519, Group::p256, Group::p384}) {
        const auto key = DhKeyPair::generate(group, random);
        Bytes longer = key.public_value(), shorter = key.public_value();
        longer.push_back(0);
        shorter.pop_back();
        for (const Bytes& value : {longer, shorter, Bytes{}}) CHECK(key.shared_secret(value).error() == KeyExchangeError::wrong_length);
    }
}

TEST_CASE("a point beside the curve, out of range or at infinity is refused") {
    SeededRandom random{2};
    for (const Group group : {Group::p256, Group::p384}) {
        const auto key = DhKeyPair::generate(group, random);
        Bytes beside = key.public_value();
        beside.back() ^= 1;
        CHECK(key.shared_secret(beside).error() == KeyExchangeError::not_on_curve);
        CHECK(key.shared_secret(Bytes(beside.size(), 0)).error() == KeyExchangeError::not_on_curve);
        CHECK(key.shared_secret(Bytes(beside.size(), 0xff)).error() == KeyExchangeError::not_on_curve);
    }
}

TEST_CASE("X25519 values of small order are refused, because anybody knows the result") {
    SeededRandom random{3};
    const auto key = DhKeyPair::generate(Group::x25519, random);
    for (const char* value : {"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
                              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"})
        CHECK(key.shared_secret(hex(value)).error() == KeyExchangeError::zero_result);
}

TEST_CASE("a private key must be within the group's order and length") {
    CHECK_FALSE(DhKeyPair::from_private(Group::p256, Bytes(32, 0)));
    CHECK_FALSE(DhKeyPair::from_private(Group::p256, Bytes(32, 0xff)));
    CHECK_FALSE(DhKeyPair::from_private(Group::p384, Bytes(32, 1)));
    CHECK_FALSE(DhKeyPair::from_private(Group::x25519, Bytes(31, 1)));
    CHECK_FALSE(DhKeyPair::from_private(Group{14}, Bytes(32, 1)));
    CHECK_FALSE(is_supported(Group{14}));
}

TEST_CASE("the system's random generator does not repeat itself") {
    SystemRandom random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) CHECK(seen.insert(random.u64()).second);
}
