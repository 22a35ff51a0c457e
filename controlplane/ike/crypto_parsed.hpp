// What certificates, private keys and revocation lists hold inside; for the crypto_*.cpp files alone.
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"
#include "controlplane/ike/crypto_pkix.hpp"

namespace nave::ike {

struct Certificate::Parsed {
    Bytes der;
    pkix::OwnedCertificate x509;
    KeyKind kind{};
    std::vector<Identity> identities{};
    KeyId key_id{};
};

struct PrivateKey::Parsed {
    pkix::OwnedKey key;
    KeyKind kind{};
};

struct RevocationList::Parsed {
    pkix::OwnedList list;
};

namespace pkix {

/// Which kind a key is, or in words why it may not be used.
std::expected<KeyKind, std::string> judge(const EVP_PKEY* key);
std::string text_of(const X509_NAME* name);
std::chrono::sys_seconds time_of(const ASN1_TIME* time);

}  // namespace pkix
}  // namespace nave::ike
