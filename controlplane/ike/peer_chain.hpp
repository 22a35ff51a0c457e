// The certificates that a peer sends.
#pragma once

#include "controlplane/ike/certificate_payloads.hpp"
#include "controlplane/ike/crypto_certificate.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// As they came: its own first, the others in any order (RFC 7296 §3.6).
struct PeerChain {
    Certificate own;
    std::vector<Certificate> others;
    std::vector<Bytes> responses{};  // of OCSP, about any of them (RFC 4806)
};
/// In words why there is none: no certificate, too many of them, one that is unfit, hash and URL. From any thread.
std::expected<PeerChain, std::string> read_chain(std::span<const CertificatePayload> sent);

}  // namespace nave::ike
