// Which CERT payloads count, and how many.
#include "controlplane/ike/peer_chain.hpp"

#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/crypto_revocation.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr std::size_t kCertificateBytesMax = 16384;

}  // namespace

std::expected<PeerChain, std::string> read_chain(std::span<const CertificatePayload> all) {
    std::vector<Certificate> certificates;
    std::vector<Bytes> responses;
    for (const CertificatePayload& sent : all) {
        if (sent.encoding == CertificateEncoding::hash_and_url || sent.encoding == CertificateEncoding::hash_and_url_bundle)
            return std::unexpected{std::string{"it sends the address of its certificate (hash and URL): we fetch nothing for a stranger"}};
        if (sent.encoding == CertificateEncoding::ocsp && responses.size() < kChainMax && sent.data.size() <= kOcspBytesMax) responses.push_back(sent.data);
        if (sent.encoding != CertificateEncoding::x509_signature) continue;
        if (certificates.size() == kChainMax || sent.data.size() > kCertificateBytesMax)
            return std::unexpected{fmt::format("it sends more than {} certificates, or one of more than {} bytes", kChainMax, kCertificateBytesMax)};
        auto certificate = Certificate::decode(sent.data);
        if (!certificate) return std::unexpected{fmt::format("its certificate {}: {}", certificates.size() + 1, certificate.error())};
        certificates.push_back(std::move(*certificate));
    }
    if (certificates.empty()) return std::unexpected{std::string{"it signs, but sends no certificate"}};
    const Certificate own = certificates.front();
    certificates.erase(certificates.begin());
    return PeerChain{own, std::move(certificates), std::move(responses)};
}

}  // namespace nave::ike
