// Chains by OpenSSL's path validation, the usage of the leaf, and what is wrong in words.
#include "controlplane/ike/crypto_chain.hpp"

#include "controlplane/ike/crypto_parsed.hpp"

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

namespace nave::ike {
namespace pkix {
namespace {

using OwnedCertificates = Owned<STACK_OF(X509), [](STACK_OF(X509)* stack) { sk_X509_free(stack); }>;  // the elements belong to others
using OwnedLists = Owned<STACK_OF(X509_CRL), [](STACK_OF(X509_CRL)* stack) { sk_X509_CRL_free(stack); }>;
using OwnedStore = Owned<X509_STORE, X509_STORE_free>;
using OwnedCheck = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

constexpr int kSecurityLevel = 2;  // 112 bits: RSA from 2048 bits, no SHA-1

OwnedCertificates stack_of(std::span<const Certificate> certificates) {
    OwnedCertificates stack{sk_X509_new_null()};
    require(stack != nullptr, "make a list of certificates");
    for (const Certificate& each : certificates) require(sk_X509_push(stack.get(), each.parsed().x509.get()) > 0, "list a certificate");
    return stack;
}

OwnedLists stack_of(std::span<const RevocationList> lists) {
    OwnedLists stack{sk_X509_CRL_new_null()};
    require(stack != nullptr, "make a list of revocation lists");
    for (const RevocationList& each : lists) require(sk_X509_CRL_push(stack.get(), each.parsed().list.get()) > 0, "list a revocation list");
    return stack;
}

/// The anchor is the operator's own word: nobody has to say that it is not revoked.
int forgive_anchor(int ok, X509_STORE_CTX* check) {
    const int last = sk_X509_num(X509_STORE_CTX_get0_chain(check)) - 1;
    const bool is_about_anchor = X509_STORE_CTX_get_error(check) == X509_V_ERR_UNABLE_TO_GET_CRL && X509_STORE_CTX_get_error_depth(check) == last;
    return ok == 1 || is_about_anchor ? 1 : 0;
}

/// What is wrong in words that say what to do; about the certificate at which the check stopped.
std::string words_of(X509_STORE_CTX* check) {
    const int error = X509_STORE_CTX_get_error(check);
    const X509* at = X509_STORE_CTX_get_current_cert(check);
    if (!at) return X509_verify_cert_error_string(error);
    const std::string subject = text_of(X509_get_subject_name(at)), issuer = text_of(X509_get_issuer_name(at));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return fmt::format("the certificate of {} expired on {}", subject, date_text(time_of(X509_get0_notAfter(at))));
    case X509_V_ERR_CERT_NOT_YET_VALID: return fmt::format("the certificate of {} is valid from {} on", subject, date_text(time_of(X509_get0_notBefore(at))));
    case X509_V_ERR_CERT_REVOKED: return fmt::format("the certificate of {} is revoked by {}", subject, issuer);
    case X509_V_ERR_CRL_HAS_EXPIRED: return fmt::format("the revocation list of {} has expired, so nobody knows whether {} is revoked; get a new one", issuer, subject);
    case X509_V_ERR_UNABLE_TO_GET_CRL: return fmt::format("no revocation list of {} is configured that would say whether {} is revoked", issuer, subject);
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

}  // namespace
}  // namespace pkix

std::expected<void, std::string> validate_chain(const Certificate& leaf, const ChainInput& input) {
    using namespace nave::ike::pkix;
    const QuietErrors quiet;
    const OwnedCertificates untrusted = stack_of(input.untrusted), anchors = stack_of(input.anchors);
    const OwnedLists lists = stack_of(input.revocations);
    const OwnedStore store{X509_STORE_new()};
    const OwnedCheck check{X509_STORE_CTX_new()};
    require(store && check && X509_STORE_CTX_init(check.get(), store.get(), leaf.parsed().x509.get(), untrusted.get()) == 1, "start to check a chain");
    X509_STORE_CTX_set0_trusted_stack(check.get(), anchors.get());
    X509_STORE_CTX_set0_crls(check.get(), lists.get());
    X509_STORE_CTX_set_verify_cb(check.get(), forgive_anchor);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(check.get());
    X509_VERIFY_PARAM_set_time(parameters, input.now.time_since_epoch().count());
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kChainMax));
    X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
    // Whatever authority the operator names is trusted, whether it is a root or not.
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (!input.revocations.empty()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    require(X509_VERIFY_PARAM_set_flags(parameters, flags) == 1, "set what to check of a chain");
    if (X509_verify_cert(check.get()) != 1) return std::unexpected{words_of(check.get())};
    // A chain of one is a leaf that is an anchor itself: an authority vouches for others, it is no peer.
    if (sk_X509_num(X509_STORE_CTX_get0_chain(check.get())) < 2) return std::unexpected{fmt::format("{} is a CA's own certificate, not one that it issued", leaf.subject())};
    return check_usage(leaf);
}

}  // namespace nave::ike
