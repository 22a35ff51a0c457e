// Signing and verifying with OpenSSL, and the names of algorithms in DER.
#include "controlplane/ike/crypto_signature.hpp"

#include "controlplane/ike/crypto_parsed.hpp"

#include <fmt/format.h>
#include <openssl/rsa.h>

namespace nave::ike {
namespace {

const char* digest_name(SignatureHash hash) {
    switch (hash) {
    case SignatureHash::sha256:   return "SHA256";
    case SignatureHash::sha384:   return "SHA384";
    case SignatureHash::sha512:   return "SHA512";
    case SignatureHash::identity: break;
    }
    return nullptr;
}

std::size_t digest_size(SignatureHash hash) { return hash == SignatureHash::sha256 ? 32 : hash == SignatureHash::sha384 ? 48 : 64; }

bool set_padding(EVP_PKEY_CTX* context, SignatureScheme scheme) {
    if (scheme == SignatureScheme::rsa_pkcs1) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    if (scheme != SignatureScheme::rsa_pss) return true;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

std::optional<SignatureHash> hash_of(int id) {
    switch (id) {
    case NID_sha256: return SignatureHash::sha256;
    case NID_sha384: return SignatureHash::sha384;
    case NID_sha512: return SignatureHash::sha512;
    default:         return std::nullopt;
    }
}

int id_of(const X509_ALGOR* algorithm) {
    const ASN1_OBJECT* object = nullptr;
    if (algorithm) X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
    return object ? OBJ_obj2nid(object) : NID_undef;
}

/// One hash throughout, and a salt of its length (RFC 8247 §3.2): the defaults of PSS mean SHA-1.
std::optional<SignatureAlgorithm> decode_pss(const ASN1_TYPE* encoded) {
    using namespace nave::ike::pkix;
    const Owned<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free> parameters{
        encoded ? static_cast<RSA_PSS_PARAMS*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), encoded)) : nullptr};
    if (!parameters || !parameters->hashAlgorithm || !parameters->maskGenAlgorithm || !parameters->saltLength) return std::nullopt;
    const auto hash = hash_of(id_of(parameters->hashAlgorithm));
    const ASN1_TYPE* mask = parameters->maskGenAlgorithm->parameter;
    const Owned<X509_ALGOR, X509_ALGOR_free> mask_hash{mask ? static_cast<X509_ALGOR*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), mask)) : nullptr};
    if (!hash || id_of(parameters->maskGenAlgorithm) != NID_mgf1 || hash_of(id_of(mask_hash.get())) != hash) return std::nullopt;
    if (ASN1_INTEGER_get(parameters->saltLength) != static_cast<long>(digest_size(*hash))) return std::nullopt;
    if (parameters->trailerField && ASN1_INTEGER_get(parameters->trailerField) != 1) return std::nullopt;
    return SignatureAlgorithm{SignatureScheme::rsa_pss, *hash};
}

Bytes encode_pss(SignatureHash hash) {
    const std::uint8_t number = static_cast<std::uint8_t>(static_cast<unsigned>(hash) - 1);  // last arc: 1, 2, 3
    const auto size = static_cast<std::uint8_t>(digest_size(hash));
    return {0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34,                                    // id-RSASSA-PSS
            0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number, 0x05, 0x00,                      // hash
            0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,                                    // id-mgf1
            0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, size};   // its hash, salt
}

std::size_t order_size(KeyKind key) { return key == KeyKind::p256 ? 32 : key == KeyKind::p384 ? 48 : key == KeyKind::p521 ? 66 : 0; }

}  // namespace

std::string to_string(const SignatureAlgorithm& algorithm) {
    const std::string hash = fmt::format("-sha{}", digest_size(algorithm.hash) * 8);
    switch (algorithm.scheme) {
    case SignatureScheme::rsa_pkcs1: return "rsa-pkcs1" + hash;
    case SignatureScheme::rsa_pss:   return "rsa-pss" + hash;
    case SignatureScheme::ecdsa:     return "ecdsa" + hash;
    case SignatureScheme::ed25519:   break;
    }
    return "ed25519";
}

bool fits(KeyKind key, SignatureScheme scheme) {
    switch (scheme) {
    case SignatureScheme::rsa_pkcs1:
    case SignatureScheme::rsa_pss: return key == KeyKind::rsa;
    case SignatureScheme::ecdsa:   return order_size(key) != 0;
    case SignatureScheme::ed25519: return key == KeyKind::ed25519;
    }
    return false;
}

Bytes encode_algorithm(const SignatureAlgorithm& algorithm) {
    const auto hash = static_cast<std::uint8_t>(algorithm.hash);
    switch (algorithm.scheme) {
    case SignatureScheme::rsa_pkcs1:  // sha256WithRSAEncryption is 11, then 12 and 13; the parameters are NULL
        return {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, static_cast<std::uint8_t>(hash + 9), 0x05, 0x00};
    case SignatureScheme::rsa_pss: return encode_pss(algorithm.hash);
    case SignatureScheme::ecdsa:   return {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, hash};  // ecdsa-with-SHA256 is 2, then 3 and 4
    case SignatureScheme::ed25519: break;
    }
    return {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
}

std::optional<SignatureAlgorithm> decode_algorithm(ByteView der) {
    using namespace nave::ike::pkix;
    const QuietErrors quiet;
    const auto algorithm = from_der<Owned<X509_ALGOR, X509_ALGOR_free>>(der, d2i_X509_ALGOR);
    switch (id_of(algorithm.get())) {
    case NID_sha256WithRSAEncryption: return SignatureAlgorithm{SignatureScheme::rsa_pkcs1, SignatureHash::sha256};
    case NID_sha384WithRSAEncryption: return SignatureAlgorithm{SignatureScheme::rsa_pkcs1, SignatureHash::sha384};
    case NID_sha512WithRSAEncryption: return SignatureAlgorithm{SignatureScheme::rsa_pkcs1, SignatureHash::sha512};
    case NID_ecdsa_with_SHA256:       return SignatureAlgorithm{SignatureScheme::ecdsa, SignatureHash::sha256};
    case NID_ecdsa_with_SHA384:       return SignatureAlgorithm{SignatureScheme::ecdsa, SignatureHash::sha384};
    case NID_ecdsa_with_SHA512:       return SignatureAlgorithm{SignatureScheme::ecdsa, SignatureHash::sha512};
    case NID_ED25519:                 return SignatureAlgorithm{SignatureScheme::ed25519, SignatureHash::identity};
    case NID_rsassaPss:               return decode_pss(algorithm->parameter);
    default:                          return std::nullopt;
    }
}

Bytes sign(const PrivateKey& key, const SignatureAlgorithm& algorithm, ByteView octets) {
    using namespace nave::ike::pkix;
    const OwnedDigest context{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* parameters = nullptr;  // belongs to the context
    require(context && fits(key.kind(), algorithm.scheme) &&
               EVP_DigestSignInit_ex(context.get(), &parameters, digest_name(algorithm.hash), nullptr, nullptr, key.parsed().key.get(), nullptr) == 1 &&
               set_padding(parameters, algorithm.scheme),
           "start a signature");
    std::size_t size = 0;
    require(EVP_DigestSign(context.get(), nullptr, &size, octets.data(), octets.size()) == 1, "measure a signature");
    Bytes signature(size);
    require(EVP_DigestSign(context.get(), signature.data(), &size, octets.data(), octets.size()) == 1, "sign");
    signature.resize(size);
    return signature;
}

bool verify(const Certificate& certificate, const SignatureAlgorithm& algorithm, ByteView octets, ByteView signature) {
    using namespace nave::ike::pkix;
    if (!fits(certificate.key_kind(), algorithm.scheme)) return false;
    const QuietErrors quiet;
    const OwnedDigest context{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* parameters = nullptr;
    EVP_PKEY* key = X509_get0_pubkey(certificate.parsed().x509.get());
    require(context && EVP_DigestVerifyInit_ex(context.get(), &parameters, digest_name(algorithm.hash), nullptr, nullptr, key, nullptr) == 1 &&
               set_padding(parameters, algorithm.scheme),
           "start to verify a signature");
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), octets.data(), octets.size()) == 1;
}

std::optional<Bytes> raw_ecdsa(KeyKind key, ByteView der) {
    using namespace nave::ike::pkix;
    const auto signature = from_der<OwnedSignature>(der, d2i_ECDSA_SIG);
    const std::size_t size = order_size(key);
    Bytes raw(2 * size);
    const int each = static_cast<int>(size);
    if (!signature || size == 0 || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), each) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, each) < 0)
        return std::nullopt;
    return raw;
}

std::optional<Bytes> der_ecdsa(KeyKind key, ByteView raw) {
    using namespace nave::ike::pkix;
    const std::size_t size = order_size(key);
    if (size == 0 || raw.size() != 2 * size) return std::nullopt;
    const OwnedSignature signature{ECDSA_SIG_new()};
    BIGNUM* r = BN_bin2bn(raw.data(), static_cast<int>(size), nullptr);
    BIGNUM* s = BN_bin2bn(raw.data() + size, static_cast<int>(size), nullptr);
    require(signature && r && s && ECDSA_SIG_set0(signature.get(), r, s) == 1, "make a signature");
    return der_of(signature.get(), i2d_ECDSA_SIG);
}

}  // namespace nave::ike
