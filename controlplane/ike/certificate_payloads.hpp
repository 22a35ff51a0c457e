// CERT and CERTREQ payloads (RFC 7296 §3.6, §3.7).
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <vector>

namespace nave::ike {

/// Any other number is a valid value too.
enum class CertificateEncoding : std::uint8_t { x509_signature = 4, revocation_list = 7, hash_and_url = 12, hash_and_url_bundle = 13, ocsp = 14 };

struct CertificatePayload {
    CertificateEncoding encoding{};
    Bytes data{};
    bool operator==(const CertificatePayload&) const = default;
};

/// Which authorities' certificates the sender can judge: with x509_signature by the SHA-1 of their public keys.
struct CertificateRequest {
    static constexpr std::size_t kAuthoritiesMax = 32;  // in IKE_SA_INIT, which is never fragmented
    CertificateEncoding encoding{};
    Bytes authorities{};  // of x509_signature a row of hashes; of others whatever they hold
    bool operator==(const CertificateRequest&) const = default;
};

std::expected<CertificatePayload, Malformed> decode_certificate(ByteView body);
void encode_body(const CertificatePayload& payload, ByteWriter& out);
std::expected<CertificateRequest, Malformed> decode_certificate_request(ByteView body);
void encode_body(const CertificateRequest& payload, ByteWriter& out);

}  // namespace nave::ike
