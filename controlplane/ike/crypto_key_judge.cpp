// Which public keys may be used: their types, sizes, exponents and curves.
#include "controlplane/ike/crypto_parsed.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>

namespace nave::ike {

std::string_view name(KeyKind kind) {
    switch (kind) {
    case KeyKind::rsa:     return "RSA";
    case KeyKind::p256:    return "ECDSA P-256";
    case KeyKind::p384:    return "ECDSA P-384";
    case KeyKind::p521:    return "ECDSA P-521";
    case KeyKind::ed25519: return "Ed25519";
    }
    return "unknown";
}

namespace pkix {
namespace {

constexpr int kModulusBitsMin = 2048, kModulusBitsMax = 8192, kExponentBitsMin = 17, kExponentBitsMax = 64;

using Judgement = std::expected<KeyKind, std::string>;

/// A small exponent makes forged padding cheap, one of 1 makes every message its own signature, and a huge one lets a stranger buy much of
/// our time with one certificate.
Judgement judge_rsa(const EVP_PKEY* key) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < kModulusBitsMin || bits > kModulusBitsMax)
        return std::unexpected{fmt::format("an RSA key of {} bits; accepted: {} to {}", bits, kModulusBitsMin, kModulusBitsMax)};
    BIGNUM* raw = nullptr;
    const bool found = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) == 1;
    const OwnedNumber exponent{raw};
    if (found && BN_is_odd(exponent.get()) && BN_num_bits(exponent.get()) >= kExponentBitsMin && BN_num_bits(exponent.get()) <= kExponentBitsMax) return KeyKind::rsa;
    const bool is_short = found && BN_num_bits(exponent.get()) <= kExponentBitsMax;
    return std::unexpected{fmt::format("an RSA key with exponent {}; accepted: odd, from 65537, of at most {} bits",
                                       is_short ? fmt::format("{}", BN_get_word(exponent.get())) : "beyond measure", kExponentBitsMax)};
}

std::string text_parameter(const EVP_PKEY* key, const char* parameter) {
    char text[64] = {};
    std::size_t size = 0;
    return EVP_PKEY_get_utf8_string_param(key, parameter, text, sizeof text, &size) == 1 ? std::string{text, size} : std::string{};
}

Judgement judge_ec(const EVP_PKEY* key) {
    const std::string curve = text_parameter(key, OSSL_PKEY_PARAM_GROUP_NAME);
    // Parameters written out may describe a curve of somebody's own making that only looks like the named one (CVE-2020-0601).
    const bool is_named = text_parameter(key, OSSL_PKEY_PARAM_EC_ENCODING) == OSSL_PKEY_EC_ENCODING_GROUP;
    if (is_named && curve == "prime256v1") return KeyKind::p256;
    if (is_named && curve == "secp384r1") return KeyKind::p384;
    if (is_named && curve == "secp521r1") return KeyKind::p521;
    return std::unexpected{fmt::format("an EC key on {}; accepted: the named curves P-256, P-384 and P-521", is_named ? curve : "a curve with written out parameters")};
}

}  // namespace

Judgement judge(const EVP_PKEY* key) {
    const QuietErrors quiet;
    if (!key) return std::unexpected{std::string{"a key that cannot be read"}};
    if (EVP_PKEY_is_a(key, "RSA")) return judge_rsa(key);
    if (EVP_PKEY_is_a(key, "EC")) return judge_ec(key);
    if (EVP_PKEY_is_a(key, "ED25519")) return KeyKind::ed25519;
    const char* type = EVP_PKEY_get0_type_name(key);
    return std::unexpected{fmt::format("a key of type {}; accepted: RSA, EC and Ed25519", type ? type : "unknown")};
}

}  // namespace pkix
}  // namespace nave::ike
