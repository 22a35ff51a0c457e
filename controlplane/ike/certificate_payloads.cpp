// CERT and CERTREQ between values and bytes.
#include "controlplane/ike/certificate_payloads.hpp"

namespace nave::ike {

std::expected<CertificatePayload, Malformed> decode_certificate(ByteView body) {  // §3.6
    ByteReader in{body};
    const auto encoding = CertificateEncoding{in.u8()};
    const ByteView data = in.take_rest();
    if (in.failed()) return std::unexpected{Malformed::truncated};
    return CertificatePayload{encoding, {data.begin(), data.end()}};
}

void encode_body(const CertificatePayload& payload, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(payload.encoding));
    out.bytes(payload.data);
}

std::expected<CertificateRequest, Malformed> decode_certificate_request(ByteView body) {  // §3.7
    ByteReader in{body};
    const auto encoding = CertificateEncoding{in.u8()};
    const ByteView authorities = in.take_rest();
    if (in.failed()) return std::unexpected{Malformed::truncated};
    return CertificateRequest{encoding, {authorities.begin(), authorities.end()}};
}

void encode_body(const CertificateRequest& payload, ByteWriter& out) {
    out.u8(static_cast<std::uint8_t>(payload.encoding));
    out.bytes(payload.authorities);
}

}  // namespace nave::ike
