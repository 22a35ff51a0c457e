// Whether a certificate leads to an authority that we trust (RFC 5280 §6, RFC 4945 §5).
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"

#include <chrono>
#include <expected>
#include <span>
#include <string>

namespace nave::ike {

inline constexpr std::size_t kChainMax = 8;  // certificates of a peer, and steps from its own to the anchor

struct ChainInput {
    std::span<const Certificate> untrusted{};        // in any order, superfluous ones too; what came with the leaf
    std::span<const Certificate> anchors{};
    std::span<const RevocationList> revocations{};   // with any, every authority of the chain needs a valid one
    std::chrono::sys_seconds now{};
};

/// Nothing if `leaf` may sign for IKE: a chain of at most kChainMax steps leads to an anchor; every step is within its dates, signed with
/// 112 bits of security or more, and within the path lengths and name constraints of those above; nothing is revoked; the leaf's key
/// usage, if it has one, has digitalSignature or nonRepudiation (RFC 4945 §5.1.3.2), and its extended key usage, if any, is IKE, TLS
/// server or client, or any. Otherwise in words why not. From any thread; takes up to milliseconds.
std::expected<void, std::string> validate_chain(const Certificate& leaf, const ChainInput& input);

}  // namespace nave::ike
