// What a certificate's issuer says of it later, by a revocation list (RFC 5280 §6.3) or an OCSP response (RFC 6960), each verified for itself.
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"

#include <chrono>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// What is said, and how long it counts.
struct Verdict {
    bool revoked = false;
    std::chrono::sys_seconds until{};
    std::chrono::sys_seconds since{};  // thisUpdate: of two answers the later one is true
};

/// Where a certificate says that one may ask about it: http and https only, in its order.
struct RevocationSources {
    std::vector<std::string> lists;       // distribution points (RFC 5280 §4.2.1.13)
    std::vector<std::string> responders;  // of OCSP (RFC 5280 §4.2.2.1)
};
RevocationSources revocation_sources(const Certificate& certificate);
/// Those who may have issued it, by name and key id; nobody has looked at its signature.
std::vector<Certificate> possible_issuers(const Certificate& subject, std::span<const Certificate> authorities);
/// The one of them that did, by its signature as well where names and key ids leave a choice; nothing if none of them did.
std::optional<Certificate> issuer_among(const Certificate& subject, std::span<const Certificate> authorities);

/// How long what says nothing of its end counts.
inline constexpr std::chrono::seconds kWithoutEnd = std::chrono::hours{1};
inline constexpr std::size_t kRevocationListBytesMax = 1 << 20, kOcspBytesMax = 1 << 14;

// `issuer` is the subject's issuer in a chain that is valid. From any thread; up to milliseconds. In words why nothing is said, or nothing that counts.

/// The list is by the issuer, signed by an algorithm that exists here, within its dates, and concerns certificates such as this one, whose own dates nobody
/// looks at. A missing end counts as an hour from now on.
std::expected<Verdict, std::string> judge_by_list(const Certificate& subject, const Certificate& issuer, const RevocationList& list, std::chrono::sys_seconds now);

/// The body of a request by HTTP POST (RFC 6960 appendix A.1). Without a nonce: the dates of an answer bound its replay, and responders may sign ahead.
Bytes ocsp_request(const CertificateId& subject, const Certificate& issuer);
/// The response is signed by the issuer, or by whom it issued a certificate with id-kp-OCSPSigning; it concerns this certificate by SHA-256 or SHA-1
/// as identifiers; and it is within its dates, of which a missing end counts as an hour. "unknown" is no verdict.
/// Whether who signs is revoked itself nobody asks: such certificates live shortly, and most say so (id-pkix-ocsp-nocheck).
std::expected<Verdict, std::string> judge_by_response(const CertificateId& subject, const Certificate& issuer, ByteView response, std::chrono::sys_seconds now);

}  // namespace nave::ike
