// OpenSSL's path validation with our parameters.
#include "controlplane/ike/crypto_path_check.hpp"

#include "controlplane/ike/crypto_chain.hpp"

namespace nave::ike::pkix {
namespace {

constexpr int kSecurityLevel = 2;  // 112 bits: RSA from 2048 bits, no SHA-1

}  // namespace

OwnedCertificates stack_of(std::span<const Certificate> certificates) {
    OwnedCertificates stack{sk_X509_new_null()};
    require(stack != nullptr, "make a list of certificates");
    for (const Certificate& each : certificates) require(sk_X509_push(stack.get(), each.parsed().x509.get()) > 0, "list a certificate");
    return stack;
}

PathCheck::PathCheck(X509* leaf, std::span<const Certificate> untrusted, std::span<const Certificate> anchors, std::chrono::sys_seconds now)
    : untrusted_{stack_of(untrusted)}, anchors_{stack_of(anchors)}, store_{X509_STORE_new()}, check_{X509_STORE_CTX_new()} {
    require(store_ && check_ && X509_STORE_CTX_init(check_.get(), store_.get(), leaf, untrusted_.get()) == 1, "start to check a chain");
    X509_STORE_CTX_set0_trusted_stack(check_.get(), anchors_.get());
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(check_.get());
    X509_VERIFY_PARAM_set_time(parameters, now.time_since_epoch().count());
    X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(kChainMax));
    X509_VERIFY_PARAM_set_auth_level(parameters, kSecurityLevel);
    require(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN) == 1, "set what to check of a chain");
}

void PathCheck::ask(const RevocationList& list) {
    lists_.reset(sk_X509_CRL_new_null());
    require(lists_ && sk_X509_CRL_push(lists_.get(), list.parsed().list.get()) > 0, "list a revocation list");
    X509_STORE_CTX_set0_crls(check_.get(), lists_.get());
    require(X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(check_.get()), X509_V_FLAG_CRL_CHECK) == 1, "ask a revocation list");
}

void PathCheck::overlook_age_of_leaf() {
    X509_STORE_CTX_set_verify_cb(check_.get(), [](int is_good, X509_STORE_CTX* check) {
        const int error = X509_STORE_CTX_get_error(check);
        const bool is_age = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
        return is_good == 1 || (is_age && X509_STORE_CTX_get_error_depth(check) == 0) ? 1 : 0;
    });
}

}  // namespace nave::ike::pkix
