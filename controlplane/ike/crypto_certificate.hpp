// X.509 certificates, private keys and revocation lists as immutable values; what is unfit for IKE does not become one.
#pragma once

#include "common/bytes.hpp"
#include "common/secret.hpp"
#include "controlplane/ike/identity.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike {

// All of these share their parsed form when they are copied, and may be used from any thread. Errors are words for the operator.

/// Kinds of keys that may sign here; others do not exist.
enum class KeyKind : std::uint8_t { rsa, p256, p384, p521, ed25519 };
std::string_view name(KeyKind kind);

/// SHA-1 of a subject's public key, by which CERTREQ names authorities (RFC 7296 §3.7). It tells keys apart; nothing is trusted because of it.
using KeyId = std::array<std::uint8_t, 20>;

/// Which certificate is meant, of all whose chains are valid; small, to be kept for every peer. Authorities may share a name: by its key only the one that
/// issued it has a say about it (RFC 5280 §6.3.3(f), RFC 6960 §4.1.1).
struct CertificateId {
    Bytes issuer;        // DER
    KeyId issuer_key{};
    Bytes serial;        // DER
    auto operator<=>(const CertificateId&) const = default;
};

class Certificate {
public:
    /// From DER that holds nothing else. RSA keys have 2048 to 8192 bits and an odd exponent from 65537 to 2^64, EC keys a named curve.
    static std::expected<Certificate, std::string> decode(ByteView der);

    const Bytes& der() const;
    bool operator==(const Certificate& other) const { return der() == other.der(); }
    KeyKind key_kind() const;
    KeyId key_id() const;
    /// As one that this issuer has issued; whether it has nobody looks.
    CertificateId id_by(const Certificate& issuer) const;
    /// Whether it may issue others (basicConstraints, RFC 5280 §4.2.1.9).
    bool is_authority() const;
    std::chrono::sys_seconds valid_from() const;
    std::chrono::sys_seconds valid_until() const;
    /// The subject in words, and the issuer.
    std::string subject() const;
    std::string issuer() const;
    /// The subject in DER; an empty sequence when it has none.
    Bytes subject_name() const;
    /// Who it says that its holder is: alternative names in their order, then the subject.
    const std::vector<Identity>& identities() const;
    /// Who its holder is when nothing else is said: the first domain name, else the subject.
    Identity principal() const;
    /// Whether its holder may be that one; a key id is that of the certificate (RFC 5280 §4.2.1.2).
    bool names(const Identity& identity) const;

    struct Parsed;
    const Parsed& parsed() const { return *parsed_; }

private:
    explicit Certificate(std::shared_ptr<const Parsed> parsed) : parsed_{std::move(parsed)} {}
    std::shared_ptr<const Parsed> parsed_;
};

/// All certificates of a PEM text, at least one and at most 64; other things in it are skipped.
std::expected<std::vector<Certificate>, std::string> certificates_from_pem(ByteView pem);

class PrivateKey {
public:
    /// From PEM, unencrypted.
    static std::expected<PrivateKey, std::string> from_pem(const Secret& pem);

    KeyKind kind() const;
    bool belongs_to(const Certificate& certificate) const;

    struct Parsed;
    const Parsed& parsed() const { return *parsed_; }

private:
    explicit PrivateKey(std::shared_ptr<const Parsed> parsed) : parsed_{std::move(parsed)} {}
    std::shared_ptr<const Parsed> parsed_;
};

/// A certificate revocation list (RFC 5280 §5). Nobody has verified it yet; that comes with each chain.
class RevocationList {
public:
    static std::expected<RevocationList, std::string> decode(ByteView der);

    /// Whether it is a copy of that one.
    bool operator==(const RevocationList&) const = default;
    /// The issuer in words.
    std::string issuer() const;
    /// Whether its issuer has the name of that one's. Says nothing about the list itself.
    bool is_by(const CertificateId& certificate) const;
    /// Whether it names that certificate, and its issuer has the name of that one's. Says nothing about the list itself.
    bool revokes(const CertificateId& certificate) const;
    /// Whether that authority, by its name and key, has signed it. Takes up to milliseconds.
    bool is_signed_by(const Certificate& authority) const;
    /// Whether it is about all certificates of its issuer, and not those of one distribution point alone (RFC 5280 §5.2.5).
    bool is_about_all() const;
    /// Nothing if it does not say when the next one comes.
    std::optional<std::chrono::sys_seconds> valid_until() const;

    struct Parsed;
    const Parsed& parsed() const { return *parsed_; }

private:
    explicit RevocationList(std::shared_ptr<const Parsed> parsed) : parsed_{std::move(parsed)} {}
    std::shared_ptr<const Parsed> parsed_;
};

/// All lists of a PEM text, or the one that the bytes are in DER.
std::expected<std::vector<RevocationList>, std::string> revocation_lists_from(ByteView pem_or_der);

/// "2026-11-24 10:00 UTC".
std::string date_text(std::chrono::sys_seconds time);

}  // namespace nave::ike
