// The choice of a signature, and the bytes of AUTH around it.
#include "controlplane/ike/signature_auth.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr std::array kHashes{SignatureHash::sha256, SignatureHash::sha384, SignatureHash::sha512, SignatureHash::identity};

/// The hash that is as strong as the key first.
std::vector<SignatureHash> preferred_hashes(KeyKind key) {
    using enum SignatureHash;
    switch (key) {
    case KeyKind::rsa:
    case KeyKind::p256:    return {sha256, sha384, sha512};
    case KeyKind::p384:    return {sha384, sha512, sha256};
    case KeyKind::p521:    return {sha512, sha384, sha256};
    case KeyKind::ed25519: return {identity};
    }
    return {};
}

SignatureScheme preferred_scheme(KeyKind key) {
    switch (key) {
    case KeyKind::rsa:     return SignatureScheme::rsa_pss;
    case KeyKind::ed25519: return SignatureScheme::ed25519;
    case KeyKind::p256:
    case KeyKind::p384:
    case KeyKind::p521:    break;
    }
    return SignatureScheme::ecdsa;
}

/// The older method of a key, and the one algorithm that it means when we sign.
std::optional<SignatureChoice> older_method(KeyKind key) {
    switch (key) {
    case KeyKind::rsa:     return SignatureChoice{AuthMethod::rsa_signature, {SignatureScheme::rsa_pkcs1, SignatureHash::sha256}};
    case KeyKind::p256:    return SignatureChoice{AuthMethod::ecdsa_p256, {SignatureScheme::ecdsa, SignatureHash::sha256}};
    case KeyKind::p384:    return SignatureChoice{AuthMethod::ecdsa_p384, {SignatureScheme::ecdsa, SignatureHash::sha384}};
    case KeyKind::p521:    return SignatureChoice{AuthMethod::ecdsa_p521, {SignatureScheme::ecdsa, SignatureHash::sha512}};
    case KeyKind::ed25519: break;
    }
    return std::nullopt;
}

std::unexpected<std::string> wrong_signature(const Certificate& certificate) {
    return std::unexpected{fmt::format("the signature is not by the key of {}", certificate.subject())};
}

/// RFC 7427 §3: the length of an AlgorithmIdentifier, that, and the signature.
std::expected<SignatureAlgorithm, std::string> verify_digital_signature(const Certificate& certificate, ByteView data, ByteView octets) {
    ByteReader in{data};
    const auto algorithm = decode_algorithm(in.take(in.u8()));
    const ByteView signature = in.take_rest();
    if (in.failed() || !algorithm) return std::unexpected{std::string{"it is signed by an algorithm that does not exist here, such as one with SHA-1"}};
    if (!fits(certificate.key_kind(), algorithm->scheme))
        return std::unexpected{fmt::format("it is signed by {}, but the key of {} is {}", to_string(*algorithm), certificate.subject(), name(certificate.key_kind()))};
    if (!verify(certificate, *algorithm, octets, signature)) return wrong_signature(certificate);
    return *algorithm;
}

/// The padding tells which hash it is; without it nobody says.
std::expected<SignatureAlgorithm, std::string> verify_rsa_signature(const Certificate& certificate, ByteView data, ByteView octets) {
    for (const SignatureHash hash : preferred_hashes(KeyKind::rsa)) {
        const SignatureAlgorithm algorithm{SignatureScheme::rsa_pkcs1, hash};
        if (verify(certificate, algorithm, octets, data)) return algorithm;
    }
    return std::unexpected{fmt::format("the signature is not by the key of {}, or is one with SHA-1, which does not exist here", certificate.subject())};
}

std::expected<SignatureAlgorithm, std::string> verify_older_ecdsa(const Certificate& certificate, const AuthPayload& auth, ByteView octets) {
    const auto choice = older_method(certificate.key_kind());
    if (!choice || choice->method != auth.method)
        return std::unexpected{fmt::format("authentication method {} does not fit the key of {}", static_cast<unsigned>(auth.method), certificate.subject())};
    const auto der = der_ecdsa(certificate.key_kind(), auth.data);
    if (!der || !verify(certificate, choice->algorithm, octets, *der)) return wrong_signature(certificate);
    return choice->algorithm;
}

}  // namespace

SignatureSupport signature_support(std::span<const Payload> init) {
    SignatureSupport support;
    if (const Notify* notify = find_notify(init, NotifyType::signature_hash_algorithms)) {
        support.digital_signature = true;
        ByteReader in{notify->data};
        while (in.remaining() >= 2) {
            const auto hash = SignatureHash{in.u16()};
            if (std::ranges::find(kHashes, hash) != kHashes.end() && std::ranges::find(support.hashes, hash) == support.hashes.end()) support.hashes.push_back(hash);
        }
    }
    support.certificates = support.digital_signature || find<CertificateRequest>(init) != nullptr;
    return support;
}

Notify signature_hash_algorithms() {
    ByteWriter out;
    for (const SignatureHash hash : kHashes) out.u16(static_cast<std::uint16_t>(hash));
    return {.type = NotifyType::signature_hash_algorithms, .data = out.take()};
}

bool is_signature(AuthMethod method) {
    switch (method) {
    case AuthMethod::rsa_signature:
    case AuthMethod::dss_signature:
    case AuthMethod::ecdsa_p256:
    case AuthMethod::ecdsa_p384:
    case AuthMethod::ecdsa_p521:
    case AuthMethod::digital_signature: return true;
    case AuthMethod::shared_key:
    case AuthMethod::null:              break;
    }
    return false;
}

std::expected<SignatureChoice, std::string> choose_signature(KeyKind key, const SignatureSupport& peer) {
    for (const SignatureHash hash : preferred_hashes(key))
        if (std::ranges::find(peer.hashes, hash) != peer.hashes.end()) return SignatureChoice{AuthMethod::digital_signature, {preferred_scheme(key), hash}};
    if (const auto older = older_method(key)) return *older;
    return std::unexpected{std::string{"our key is Ed25519, and the peer does not announce that it can judge such signatures (RFC 8420)"}};
}

AuthPayload sign_auth(const PrivateKey& key, const SignatureChoice& choice, ByteView octets) {
    Bytes signature = sign(key, choice.algorithm, octets);
    if (choice.method == AuthMethod::rsa_signature) return {choice.method, std::move(signature)};
    if (choice.method != AuthMethod::digital_signature) return {choice.method, raw_ecdsa(key.kind(), signature).value()};
    const Bytes algorithm = encode_algorithm(choice.algorithm);
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(algorithm.size()));
    out.bytes(algorithm);
    out.bytes(signature);
    return {choice.method, out.take()};
}

std::expected<SignatureAlgorithm, std::string> verify_auth(const Certificate& certificate, const AuthPayload& auth, ByteView octets) {
    switch (auth.method) {
    case AuthMethod::digital_signature: return verify_digital_signature(certificate, auth.data, octets);
    case AuthMethod::rsa_signature:     return verify_rsa_signature(certificate, auth.data, octets);
    case AuthMethod::ecdsa_p256:
    case AuthMethod::ecdsa_p384:
    case AuthMethod::ecdsa_p521:        return verify_older_ecdsa(certificate, auth, octets);
    case AuthMethod::dss_signature:
    case AuthMethod::shared_key:
    case AuthMethod::null:              break;
    }
    return std::unexpected{fmt::format("authentication method {} does not exist here", static_cast<unsigned>(auth.method))};
}

}  // namespace nave::ike
