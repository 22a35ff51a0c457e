// OpenSSL's objects of certificates and keys, owned; for the crypto_*.cpp files alone, which know OpenSSL.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/crypto_openssl.hpp"

#include <memory>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace nave::ike::pkix {

using openssl::require;

template <class T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

using OwnedCertificate = Owned<X509, X509_free>;
using OwnedList = Owned<X509_CRL, X509_CRL_free>;
using OwnedKey = openssl::Key;
using OwnedName = Owned<X509_NAME, X509_NAME_free>;
using OwnedDigest = openssl::DigestContext;
using OwnedNumber = openssl::Number;
using OwnedSignature = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using OwnedInput = Owned<BIO, BIO_free>;

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
    require(size >= 0, "encode an object");
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
