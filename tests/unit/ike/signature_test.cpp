// Signatures of AUTH: each algorithm and method both ways, and forgeries that other implementations took for genuine.
#include "controlplane/ike/signature_auth.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::pki;

namespace {

const Bytes kOctets(200, 0x5a);

Issued holder(const std::string& kind) { return issue({.subject = "CN=holder"}, key(kind)); }

SignatureSupport announcing(std::vector<SignatureHash> hashes) { return {.digital_signature = true, .hashes = std::move(hashes), .certificates = true}; }

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace

TEST_CASE("algorithm identifiers are those of RFC 7427 appendix A and RFC 8420") {
    using enum SignatureHash;
    CHECK(encode_algorithm({SignatureScheme::rsa_pkcs1, sha256}) == hex("300d06092a864886f70d01010b0500"));
    CHECK(encode_algorithm({SignatureScheme::rsa_pkcs1, sha512}) == hex("300d06092a864886f70d01010d0500"));
    CHECK(encode_algorithm({SignatureScheme::ecdsa, sha256}) == hex("300a06082a8648ce3d040302"));
    CHECK(encode_algorithm({SignatureScheme::ecdsa, sha384}) == hex("300a06082a8648ce3d040303"));
    CHECK(encode_algorithm({SignatureScheme::rsa_pss, sha256}) ==
          hex("304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"));
    CHECK(encode_algorithm({SignatureScheme::ed25519, identity}) == hex("300506032b6570"));
}

TEST_CASE("every algorithm reads back, and those that do not exist here do not") {
    for (const auto scheme : {SignatureScheme::rsa_pkcs1, SignatureScheme::rsa_pss, SignatureScheme::ecdsa})
        for (const auto hash : {SignatureHash::sha256, SignatureHash::sha384, SignatureHash::sha512})
            CHECK(decode_algorithm(encode_algorithm({scheme, hash})) == SignatureAlgorithm{scheme, hash});
    CHECK(decode_algorithm(hex("300506032b6570")) == SignatureAlgorithm{SignatureScheme::ed25519, SignatureHash::identity});
    CHECK_FALSE(decode_algorithm(hex("300d06092a864886f70d0101050500")));              // sha1WithRSAEncryption
    CHECK_FALSE(decode_algorithm(hex("300906072a8648ce3d0401")));                      // ecdsa-with-SHA1
    CHECK_FALSE(decode_algorithm(hex("300d06092a864886f70d01010a3000")));              // PSS with its defaults: SHA-1
    CHECK_FALSE(decode_algorithm(hex("300b06092a864886f70d01010a")));                  // PSS without parameters
    CHECK_FALSE(decode_algorithm(hex("300d06092a864886f70d01010b050000")));            // a byte too much
    CHECK_FALSE(decode_algorithm({}));
    Bytes short_salt = encode_algorithm({SignatureScheme::rsa_pss, SignatureHash::sha256});
    short_salt.back() = 20;
    CHECK_FALSE(decode_algorithm(short_salt));
    Bytes huge_salt = encode_algorithm({SignatureScheme::rsa_pss, SignatureHash::sha256});  // CVE-2021-41990: a salt of 2^63 - 1 or of -1 bytes
    const Bytes number = hex("02087fffffffffffffff");
    huge_salt.erase(huge_salt.end() - 3, huge_salt.end());
    huge_salt.insert(huge_salt.end(), number.begin(), number.end());
    huge_salt[1] += 7, huge_salt[14] += 7, huge_salt[huge_salt.size() - 11] += 7;
    CHECK_FALSE(decode_algorithm(huge_salt));
    short_salt.back() = 0xff;
    CHECK_FALSE(decode_algorithm(short_salt));
    Bytes two_hashes = encode_algorithm({SignatureScheme::rsa_pss, SignatureHash::sha256});
    two_hashes[30] = 2;
    CHECK_FALSE(decode_algorithm(two_hashes));
}

TEST_CASE("PSS parameters without NULL and with the trailer field are the same algorithm") {
    CHECK(decode_algorithm(hex("304206092a864886f70d01010a3035a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120a303020101")) ==
          SignatureAlgorithm{SignatureScheme::rsa_pss, SignatureHash::sha256});
}

TEST_CASE("each kind of key signs by the new method and by its older one, and a changed octet or bit shows") {
    for (const char* kind : {"rsa2048", "p256", "p384", "p521", "ed25519"}) {
        CAPTURE(kind);
        const Issued signer = holder(kind);
        const PrivateKey own = signer.private_key();
        std::vector<SignatureSupport> peers{announcing({SignatureHash::sha256, SignatureHash::sha384, SignatureHash::sha512, SignatureHash::identity})};
        if (own.kind() != KeyKind::ed25519) peers.emplace_back();
        for (const SignatureSupport& peer : peers) {
            const auto choice = choose_signature(own.kind(), peer);
            REQUIRE(choice);
            CHECK((choice->method == AuthMethod::digital_signature) == peer.digital_signature);
            AuthPayload auth = sign_auth(own, *choice, kOctets);
            CHECK(verify_auth(signer.certificate, auth, kOctets) == choice->algorithm);
            CHECK_FALSE(verify_auth(signer.certificate, auth, Bytes(200, 0x5b)));
            CHECK_FALSE(verify_auth(issue({.subject = "CN=other"}, key(kind, 1)).certificate, auth, kOctets));
            auth.data.back() ^= 1;
            CHECK_FALSE(verify_auth(signer.certificate, auth, kOctets));
        }
    }
}

TEST_CASE("every hash that a peer announces is used, and RSA keys are judged by PKCS#1 v1.5 and PSS") {
    const Issued signer = holder("rsa2048");
    for (const auto hash : {SignatureHash::sha256, SignatureHash::sha384, SignatureHash::sha512}) {
        CHECK(choose_signature(KeyKind::rsa, announcing({hash}))->algorithm == SignatureAlgorithm{SignatureScheme::rsa_pss, hash});
        for (const auto scheme : {SignatureScheme::rsa_pkcs1, SignatureScheme::rsa_pss}) {
            const SignatureAlgorithm algorithm{scheme, hash};
            const AuthPayload auth = sign_auth(signer.private_key(), {AuthMethod::digital_signature, algorithm}, kOctets);
            CHECK(verify_auth(signer.certificate, auth, kOctets) == algorithm);
        }
        const AuthPayload older = sign_auth(signer.private_key(), {AuthMethod::rsa_signature, {SignatureScheme::rsa_pkcs1, hash}}, kOctets);
        CHECK(verify_auth(signer.certificate, older, kOctets));
    }
}

TEST_CASE("an Ed25519 key has no way to sign for a peer that does not announce it") {
    CHECK_FALSE(choose_signature(KeyKind::ed25519, {}));
    CHECK(choose_signature(KeyKind::ed25519, announcing({SignatureHash::sha256})).error().find("RFC 8420") != std::string::npos);
}

TEST_CASE("an ECDSA signature of the older methods is r | s of the order's size (RFC 4754 §7)") {
    for (const auto& [kind, size] : {std::pair{"p256", 64u}, std::pair{"p384", 96u}, std::pair{"p521", 132u}}) {
        const Issued signer = holder(kind);
        AuthPayload auth = sign_auth(signer.private_key(), *choose_signature(signer.private_key().kind(), {}), kOctets);
        CHECK(auth.data.size() == size);
        auth.data.push_back(0);
        CHECK_FALSE(verify_auth(signer.certificate, auth, kOctets));
        auth.data.assign(size, 0);  // r = s = 0 was taken for genuine elsewhere (CVE-2022-21449)
        CHECK_FALSE(verify_auth(signer.certificate, auth, kOctets));
        auth.method = AuthMethod::ecdsa_p521 == auth.method ? AuthMethod::ecdsa_p256 : AuthMethod::ecdsa_p521;
        CHECK_FALSE(verify_auth(signer.certificate, auth, kOctets));
    }
}

TEST_CASE("what is signed by one kind of key is not judged by another") {
    const Issued rsa = holder("rsa2048"), p256 = holder("p256");
    const AuthPayload auth = sign_auth(p256.private_key(), {AuthMethod::digital_signature, {SignatureScheme::ecdsa, SignatureHash::sha256}}, kOctets);
    CHECK(verify_auth(rsa.certificate, auth, kOctets).error().find("it is signed by ecdsa-sha256, but the key of CN=holder is RSA") != std::string::npos);
}

TEST_CASE("AUTH that is empty, cut or says a length that it has not is refused") {
    const Issued signer = holder("p256");
    const AuthPayload auth = sign_auth(signer.private_key(), *choose_signature(KeyKind::p256, announcing({SignatureHash::sha256})), kOctets);
    for (std::size_t size = 0; size < auth.data.size(); ++size)
        CHECK_FALSE(verify_auth(signer.certificate, {auth.method, {auth.data.begin(), auth.data.begin() + static_cast<std::ptrdiff_t>(size)}}, kOctets));
    CHECK_FALSE(verify_auth(signer.certificate, {auth.method, {0xff, 0x30}}, kOctets));
    for (const auto method : {AuthMethod::rsa_signature, AuthMethod::ecdsa_p256, AuthMethod::dss_signature, AuthMethod::null, AuthMethod{200}})
        CHECK_FALSE(verify_auth(signer.certificate, {method, {}}, kOctets));
}

TEST_CASE("PKCS#1 padding must fill the block, hold the whole DigestInfo, and nothing behind it (Bleichenbacher 2006)") {
    const Issued signer = holder("rsa2048");
    const SignatureAlgorithm algorithm{SignatureScheme::rsa_pkcs1, SignatureHash::sha256};
    // What the signer itself makes of the octets, opened again, is the block that all forgeries start from.
    const Bytes genuine = sign(signer.private_key(), algorithm, kOctets);
    const Bytes block = open_rsa(key("rsa2048"), genuine);
    REQUIRE(block.size() == 256);
    REQUIRE(verify(signer.certificate, algorithm, kOctets, raw_rsa(key("rsa2048"), block)));
    const Bytes info(block.end() - 51, block.end());  // DigestInfo with its hash
    const auto refused = [&](const Bytes& forged) { return !verify(signer.certificate, algorithm, kOctets, raw_rsa(key("rsa2048"), forged)); };

    Bytes garbage(256, 0xab);  // 00 01 ff*8 00 DigestInfo garbage
    garbage[0] = 0, garbage[1] = 1;
    std::fill(garbage.begin() + 2, garbage.begin() + 10, 0xff);
    garbage[10] = 0;
    std::copy(info.begin(), info.end(), garbage.begin() + 11);
    CHECK(refused(garbage));

    Bytes no_null = block;  // the NULL of the AlgorithmIdentifier left out, its bytes given to the padding
    const Bytes short_info = hex("302f300b0609608648016503040201") + hex("0420");
    std::fill(no_null.begin() + 2, no_null.end(), 0xff);
    std::copy(block.end() - 32, block.end(), no_null.end() - 32);
    std::copy(short_info.begin(), short_info.end(), no_null.end() - 32 - static_cast<std::ptrdiff_t>(short_info.size()));
    no_null[256 - 32 - short_info.size() - 1] = 0;
    CHECK(refused(no_null));

    Bytes in_parameters = garbage;  // garbage inside of the AlgorithmIdentifier's parameters (CVE-2014-1568, CVE-2018-16151)
    std::fill(in_parameters.begin() + 11, in_parameters.end(), 0x41);
    const Bytes head = hex("3081f23081cd06096086480165030402010481bf");
    std::copy(head.begin(), head.end(), in_parameters.begin() + 11);
    in_parameters[256 - 34] = 0x04, in_parameters[256 - 33] = 0x20;
    std::copy(block.end() - 32, block.end(), in_parameters.end() - 32);
    CHECK(refused(in_parameters));

    for (const std::size_t place : {0u, 1u, 2u, 100u, 204u}) {
        Bytes changed = block;
        changed[place] ^= 1;
        if (place != 0) CHECK(refused(changed));  // the first byte changed would be above the modulus
    }
    CHECK_FALSE(verify(signer.certificate, algorithm, kOctets, ByteView{genuine}.first(255)));
    CHECK_FALSE(verify(signer.certificate, algorithm, kOctets, Bytes(256, 0)));
    CHECK_FALSE(verify(signer.certificate, algorithm, kOctets, Bytes(256, 0xff)));
    CHECK_FALSE(verify(signer.certificate, algorithm, kOctets, {}));
}

TEST_CASE("what a peer's IKE_SA_INIT says of signatures is read with bounds") {
    const std::vector<Payload> all{signature_hash_algorithms()};
    CHECK(signature_support(all).hashes.size() == 4);
    CHECK(std::get<Notify>(all[0]).data == hex("0002000300040005"));
    const std::vector<Payload> odd{Notify{.type = NotifyType::signature_hash_algorithms, .data = hex("0001000200020009ff")}};
    CHECK(signature_support(odd).hashes == std::vector{SignatureHash::sha256});
    CHECK(signature_support(odd).certificates);
    CHECK_FALSE(signature_support({}).certificates);
    const std::vector<Payload> asks{CertificateRequest{CertificateEncoding::x509_signature, {}}};
    CHECK((signature_support(asks).certificates && !signature_support(asks).digital_signature));
}
