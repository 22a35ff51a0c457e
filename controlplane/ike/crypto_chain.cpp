// Chains by OpenSSL's path validation, the usage of the leaf, and what is wrong in words.
#include "controlplane/ike/crypto_chain.hpp"

#include "controlplane/ike/crypto_path_check.hpp"
#include "controlplane/ike/crypto_revocation.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace pkix {
namespace {

/// What is wrong in words that say what to do; about the certificate at which the check stopped.
std::string words_of(const PathCheck& check) {
    const int error = check.error();
    const X509* at = check.stopped_at();
    if (!at) return X509_verify_cert_error_string(error);
    const std::string subject = text_of(X509_get_subject_name(at)), issuer = text_of(X509_get_issuer_name(at));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return fmt::format("the certificate of {} expired on {}", subject, date_text(time_of(X509_get0_notAfter(at))));
    case X509_V_ERR_CERT_NOT_YET_VALID: return fmt::format("the certificate of {} is valid from {} on", subject, date_text(time_of(X509_get0_notBefore(at))));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return fmt::format("its chain ends at {}, which is no CA of ours", subject);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return fmt::format("{} is issued by {}, which is no CA of ours, nor did its certificate come along", subject, issuer);
    default: return fmt::format("the certificate of {}: {}", subject, X509_verify_cert_error_string(error));
    }
}

bool has_purpose(X509* leaf) {
    const std::uint32_t flags = X509_get_extension_flags(leaf);
    if ((flags & EXFLAG_XKUSAGE) == 0) return true;
    if ((X509_get_extended_key_usage(leaf) & (XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_ANYEKU)) != 0) return true;
    const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> purposes{static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(leaf, NID_ext_key_usage, nullptr, nullptr))};
    for (int i = 0; i < sk_ASN1_OBJECT_num(purposes.get()); ++i)
        if (OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes.get(), i)) == NID_ipsec_IKE) return true;
    return false;
}

/// What RFC 4945 §5.1.3 asks of the certificate that signs.
std::expected<void, std::string> check_usage(const Certificate& leaf) {
    X509* x509 = leaf.parsed().x509.get();
    if ((X509_get_extension_flags(x509) & EXFLAG_INVALID) != 0) return std::unexpected{fmt::format("the certificate of {} has a broken extension", leaf.subject())};
    if ((X509_get_key_usage(x509) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
        return std::unexpected{fmt::format("the certificate of {} is not for signatures (its key usage lacks digitalSignature)", leaf.subject())};
    if (!has_purpose(x509)) return std::unexpected{fmt::format("the certificate of {} is for other purposes than IKE (extended key usage)", leaf.subject())};
    return {};
}

/// The certificates of a chain that holds, as we know them: peers and operators may have copies of the same.
std::vector<Certificate> path_of(const PathCheck& check, const Certificate& leaf, const ChainInput& input) {
    std::vector<Certificate> path{leaf};
    for (int i = 1; i < sk_X509_num(check.chain()); ++i) {
        const Certificate* found = nullptr;
        for (const auto known : {input.anchors, input.untrusted})
            for (const Certificate& each : known)
                if (!found && X509_cmp(each.parsed().x509.get(), sk_X509_value(check.chain(), i)) == 0) found = &each;
        require(found != nullptr, "find the certificates of a chain");
        path.push_back(*found);
    }
    return path;
}

/// What the evidence says of one step. Whoever says that it is revoked is believed before all others.
std::expected<Verdict, std::string> judge_step(const Certificate& subject, const Certificate& issuer, const ChainInput& input) {
    std::optional<std::expected<Verdict, std::string>> said;
    const auto hear = [&](std::expected<Verdict, std::string> verdict) {
        if (!said || !*said || (verdict && verdict->revoked)) said = std::move(verdict);
    };
    const CertificateId id = subject.id_by(issuer);
    for (const RevocationList& list : input.revocations)
        if (list.is_by(id)) hear(judge_by_list(subject, issuer, list, input.now));
    for (const OcspEvidence& each : input.responses)
        if (!each.subject || *each.subject == id) hear(judge_by_response(id, issuer, each.response, input.now));
    if (said) return *said;
    return std::unexpected{fmt::format("nobody says whether {} is revoked: no list of {} is there, nor a response by OCSP", subject.subject(), subject.issuer())};
}

}  // namespace
}  // namespace pkix

std::expected<Path, std::string> validate_chain(const Certificate& leaf, const ChainInput& input) {
    using namespace nave::ike::pkix;
    const QuietErrors quiet;
    PathCheck check{leaf.parsed().x509.get(), input.untrusted, input.anchors, input.now};
    if (!check.holds()) return std::unexpected{words_of(check)};
    Path path{.certificates = path_of(check, leaf, input)};
    // A chain of one is a leaf that is an anchor itself: an authority vouches for others, it is no peer.
    if (path.certificates.size() < 2) return std::unexpected{fmt::format("{} is a CA's own certificate, not one that it issued", leaf.subject())};
    if (auto fit = check_usage(leaf); !fit) return std::unexpected{std::move(fit.error())};
    for (std::size_t i = 0; i + 1 < path.certificates.size(); ++i) {
        const Certificate& subject = path.certificates[i];
        auto verdict = judge_step(subject, path.certificates[i + 1], input);
        if (verdict && verdict->revoked) return std::unexpected{fmt::format("the certificate of {} is revoked by {}", subject.subject(), subject.issuer())};
        if (!verdict) path.doubts.push_back({i, std::move(verdict.error())});
    }
    return path;
}

}  // namespace nave::ike
