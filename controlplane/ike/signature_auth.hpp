// AUTH by signature: method 14 with the hashes that both announce (RFC 7427, RFC 8420), and the older methods (RFC 7296 §3.8, RFC 4754).
#pragma once

#include "controlplane/ike/crypto_signature.hpp"
#include "controlplane/ike/payloads.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// What a peer's IKE_SA_INIT says of the signatures that it can judge. Nobody has authenticated it yet; AUTH covers it.
struct SignatureSupport {
    bool digital_signature = false;          // it sent SIGNATURE_HASH_ALGORITHMS, so it knows method 14
    std::vector<SignatureHash> hashes{};
    bool certificates = false;               // digital_signature, or it sent CERTREQ
};
SignatureSupport signature_support(std::span<const Payload> init);
/// SIGNATURE_HASH_ALGORITHMS with all that we can judge.
Notify signature_hash_algorithms();

/// Whether AUTH of this method is a signature, whether we can judge it or not.
bool is_signature(AuthMethod method);

struct SignatureChoice {
    AuthMethod method{};
    SignatureAlgorithm algorithm{};
    bool operator==(const SignatureChoice&) const = default;
};
/// How a key signs for a peer: by method 14 where a hash is common, with RSA by PSS, else by the older method of the key. In words why
/// there is no way.
std::expected<SignatureChoice, std::string> choose_signature(KeyKind key, const SignatureSupport& peer);

/// The octets are signed_octets() of the sender. Method 1 is signed with SHA-256: SHA-1 does not exist here.
AuthPayload sign_auth(const PrivateKey& key, const SignatureChoice& choice, ByteView octets);
/// By which algorithm the payload is genuine, or in words why it is not.
std::expected<SignatureAlgorithm, std::string> verify_auth(const Certificate& certificate, const AuthPayload& auth, ByteView octets);

}  // namespace nave::ike
