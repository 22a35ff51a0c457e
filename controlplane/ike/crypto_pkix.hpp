// OpenSSL's objects of certificates and keys, owned; for the crypto_*.cpp files alone, which know OpenSSL.
#pragma once

#include "common/bytes.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>

namespace nave::ike::pkix {

template <auto Free>
struct Release {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Release<Free>>;

using OwnedCertificate = Owned<X509, X509_free>;
using OwnedList = Owned<X509_CRL, X509_CRL_free>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedName = Owned<X509_NAME, X509_NAME_free>;
using OwnedDigest = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using OwnedNumber = Owned<BIGNUM, BN_free>;
using OwnedSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using OwnedInput = Owned<BIO, BIO_free>;

/// What OpenSSL refuses only when a machine is broken: nothing could go on safely.
inline void demand(bool held, std::string_view what) {
    if (held) return;
    fmt::print(stderr, "naved: OpenSSL cannot {}\n", what);
    std::abort();
}

/// Whatever OpenSSL complained of is forgotten when this goes: its queue of errors belongs to the thread, not to us.
struct QuietErrors {
    QuietErrors() = default;
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;
    ~QuietErrors() { ERR_clear_error(); }
};

/// The DER of an object, by one of OpenSSL's i2d functions.
template <class T, class Encode>
Bytes der_of(const T* object, Encode encode) {
    unsigned char* encoded = nullptr;
    const int size = encode(object, &encoded);
    demand(size >= 0, "encode an object");
    Bytes der(encoded, encoded + size);
    OPENSSL_free(encoded);
    return der;
}

/// An object out of DER that holds nothing else, by one of OpenSSL's d2i functions; null if it is none.
template <class Owner, class Decode>
Owner from_der(ByteView der, Decode decode) {
    const QuietErrors quiet;
    const unsigned char* position = der.data();
    Owner object{decode(nullptr, &position, static_cast<long>(der.size()))};
    return position == der.data() + der.size() ? std::move(object) : Owner{};
}

}  // namespace nave::ike::pkix
