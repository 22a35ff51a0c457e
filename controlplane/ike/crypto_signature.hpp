// Signatures of AUTH payloads: the algorithms of RFC 7427, RFC 8420 and RFC 4754 that exist here. SHA-1 is not among them.
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nave::ike {

/// Numbers of SIGNATURE_HASH_ALGORITHMS (RFC 7427 §7); `identity` is for Ed25519, which hashes by itself (RFC 8420 §2).
enum class SignatureHash : std::uint16_t { sha256 = 2, sha384 = 3, sha512 = 4, identity = 5 };

enum class SignatureScheme : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, ed25519 };

struct SignatureAlgorithm {
    SignatureScheme scheme{};
    SignatureHash hash{};
    bool operator==(const SignatureAlgorithm&) const = default;
};
/// "rsa-pss-sha256".
std::string to_string(const SignatureAlgorithm& algorithm);
bool fits(KeyKind key, SignatureScheme scheme);

/// The AlgorithmIdentifier as RFC 7427 appendix A gives it; with PSS the salt is as long as the hash.
Bytes encode_algorithm(const SignatureAlgorithm& algorithm);
/// Nothing for one that does not exist here, such as with SHA-1 or with PSS parameters of other hashes or salts.
std::optional<SignatureAlgorithm> decode_algorithm(ByteView der);

/// A signature over the octets; of ECDSA in DER. The algorithm must fit the key. Takes OpenSSL's randomness for ECDSA and PSS.
/// From any thread; up to milliseconds.
Bytes sign(const PrivateKey& key, const SignatureAlgorithm& algorithm, ByteView octets);
/// False also if the algorithm does not fit the key. PKCS#1 padding must be complete and hold nothing else than the hash.
/// From any thread; up to milliseconds.
bool verify(const Certificate& certificate, const SignatureAlgorithm& algorithm, ByteView octets, ByteView signature);

/// ECDSA as r | s, each as long as the group's order (RFC 4754 §7), from DER and to it; nothing if it is none or does not fit the curve.
std::optional<Bytes> raw_ecdsa(KeyKind key, ByteView der);
std::optional<Bytes> der_ecdsa(KeyKind key, ByteView raw);

}  // namespace nave::ike
