// One run of OpenSSL's path validation, set up as we want it; for the crypto_*.cpp files alone.
#pragma once

#include "controlplane/ike/crypto_parsed.hpp"

#include <chrono>
#include <openssl/x509_vfy.h>
#include <span>

namespace nave::ike::pkix {

// The elements belong to others.
inline void free_stack(STACK_OF(X509)* stack) { sk_X509_free(stack); }
inline void free_lists(STACK_OF(X509_CRL)* stack) { sk_X509_CRL_free(stack); }
using OwnedCertificates = Owned<STACK_OF(X509), free_stack>;
using OwnedLists = Owned<STACK_OF(X509_CRL), free_lists>;
using OwnedStore = Owned<X509_STORE, X509_STORE_free>;
using OwnedCheck = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

OwnedCertificates stack_of(std::span<const Certificate> certificates);

/// Whatever authority is an anchor is trusted, whether it is a root or not; 112 bits of security are the least. What it is given outlives it.
class PathCheck {
public:
    PathCheck(X509* leaf, std::span<const Certificate> untrusted, std::span<const Certificate> anchors, std::chrono::sys_seconds now);

    /// This list must say that the leaf is not revoked.
    void ask(const RevocationList& list);
    /// What the leaf's dates say does not count.
    void overlook_age_of_leaf();
    bool holds() { return X509_verify_cert(check_.get()) == 1; }

    int error() const { return X509_STORE_CTX_get_error(check_.get()); }
    /// The certificate at which it stopped; may be null.
    const X509* stopped_at() const { return X509_STORE_CTX_get_current_cert(check_.get()); }
    /// The leaf first, the anchor last.
    STACK_OF(X509)* chain() const { return X509_STORE_CTX_get0_chain(check_.get()); }

private:
    OwnedCertificates untrusted_, anchors_;
    OwnedLists lists_;
    OwnedStore store_;
    OwnedCheck check_;
};

}  // namespace nave::ike::pkix
