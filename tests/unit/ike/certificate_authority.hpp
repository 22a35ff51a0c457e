// Authorities, certificates and revocation lists for tests, made by OpenSSL at run time.
#pragma once

#include "controlplane/ike/crypto_certificate.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

namespace nave::ike::pki {

using namespace std::chrono_literals;

/// When the tests' certificates are looked at.
inline constexpr std::chrono::sys_seconds kToday = std::chrono::sys_days{std::chrono::year{2031} / 5 / 17} + 12h;

using Key = std::shared_ptr<evp_pkey_st>;
/// "rsa2048", "p256", "p384", "p521", "ed25519", "rsa1024", "p224", "ed448": made once for each name and number.
Key key(const std::string& kind, int number = 0);
/// A public key alone, with the modulus of an RSA key or of so many bits, and that exponent.
Key rsa_public(int bits, std::uint64_t exponent);
/// The same point, with the curve's parameters written out.
Key with_explicit_curve(const Key& key);

struct Wish {
    std::string subject;                       // "O=Example, CN=spoke"
    std::string names = {};                    // "DNS:spoke.example,IP:192.0.2.1"
    std::string constraints = {};              // "critical,CA:TRUE,pathlen:0"
    std::string usage = {};                    // "digitalSignature"
    std::string purposes = {};                 // "serverAuth"
    std::string name_constraints = {};         // "permitted;DNS:example"
    std::string lists = {};                    // "URI:http://crl.example/middle.crl"
    std::string responders = {};               // "OCSP;URI:http://ocsp.example"
    std::string authority_key = {};            // "keyid"
    std::chrono::sys_seconds from = kToday - 24h, until = kToday + 24h * 365;
    std::string digest = "SHA256";
    long serial = 1;
};

struct Issued {
    Certificate certificate;
    Bytes der;
    Key key;

    std::string pem() const;
    std::string key_pem() const;
    PrivateKey private_key() const;
};

/// The DER of a certificate for that key, fit or not, signed by the issuer, or by itself.
Bytes der_for(const Wish& wish, const Key& key, const Issued* issuer);
Issued issue(const Wish& wish, const Key& key, const Issued* issuer = nullptr);
/// A self-signed authority of that name.
Issued authority(const std::string& subject, const Key& key);
/// An authority below another.
Issued intermediate(const std::string& subject, const Key& key, const Issued& issuer, const std::string& constraints = "critical,CA:TRUE");

Bytes revocation_list(const Issued& issuer, std::vector<long> serials, std::optional<std::chrono::sys_seconds> until = kToday + 24h * 7, const std::string& digest = "SHA256",
                      std::chrono::sys_seconds from = kToday - 48h);

struct OcspWish {
    const Issued& issuer;                      // of the certificate in question
    long serial = 1;
    std::string status = "good";               // or "revoked", "unknown"
    const Issued* signer = nullptr;            // the issuer, if nobody else
    std::chrono::sys_seconds from = kToday - 1h;
    std::optional<std::chrono::sys_seconds> until = kToday + 24h;
    std::string identifier = "SHA1", digest = "SHA256";
    std::size_t padding = 0;                   // so many copies of the issuer's certificate, of which nobody has need
};
/// An OCSP response about one certificate; a signer that is not the issuer sends its certificate along.
Bytes ocsp_response(const OcspWish& wish);
std::string pem_of(std::string_view kind, ByteView der);

/// What an RSA key makes of a block as long as its modulus, without padding of its own; and the block of a signature.
Bytes raw_rsa(const Key& key, ByteView block);
Bytes open_rsa(const Key& key, ByteView signature);

}  // namespace nave::ike::pki
