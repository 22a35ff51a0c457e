// Whether a certificate leads to an authority that we trust (RFC 5280 §6, RFC 4945 §5).
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"

#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

inline constexpr std::size_t kChainMax = 8;  // certificates of a peer, and steps from its own to the anchor

/// An OCSP response and whom it is known to be about; of one that came with the chain nobody has looked.
struct OcspEvidence {
    std::optional<CertificateId> subject;
    Bytes response;
    bool operator==(const OcspEvidence&) const = default;
};

struct ChainInput {
    std::span<const Certificate> untrusted{};        // in any order, superfluous ones too; what came with the leaf
    std::span<const Certificate> anchors{};
    std::span<const RevocationList> revocations{};   // of any issuers
    std::span<const OcspEvidence> responses{};
    std::chrono::sys_seconds now{};
};

/// A chain that is valid.
struct Path {
    /// A step of which none of the evidence says whether it is revoked, and why in words.
    struct Doubt {
        std::size_t step;  // index of the subject, whose issuer is the next one
        std::string words;
    };
    std::vector<Certificate> certificates;  // the leaf first, the anchor last
    std::vector<Doubt> doubts{};            // about the last there is never one: it is the operator's own word
};

/// A path if `leaf` may sign for IKE: a chain of at most kChainMax steps leads to an anchor; every step is within its dates, signed with
/// 112 bits of security or more, and within the path lengths and name constraints of those above; nothing is known to be revoked; the leaf's key
/// usage, if it has one, has digitalSignature or nonRepudiation (RFC 4945 §5.1.3.2), and its extended key usage, if any, is IKE, TLS
/// server or client, or any. Otherwise in words why not. From any thread; takes up to milliseconds.
std::expected<Path, std::string> validate_chain(const Certificate& leaf, const ChainInput& input);

}  // namespace nave::ike
