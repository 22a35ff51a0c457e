// Certificates, keys and revocation lists out of files' contents.
#include "controlplane/ike/crypto_parsed.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>

namespace nave::ike {
namespace {

constexpr std::size_t kObjectsMax = 64;  // of one file

pkix::OwnedInput input_of(ByteView bytes) {
    static constexpr std::uint8_t kNothing = 0;  // OpenSSL takes no null pointer, even to no bytes
    pkix::OwnedInput input{BIO_new_mem_buf(bytes.empty() ? &kNothing : bytes.data(), static_cast<int>(bytes.size()))};
    pkix::require(input != nullptr, "read from memory");
    return input;
}

/// Every PEM block of that name, in DER.
std::vector<Bytes> blocks(ByteView pem, std::string_view wanted) {
    const pkix::QuietErrors quiet;
    const auto input = input_of(pem);
    std::vector<Bytes> found;
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    while (found.size() <= kObjectsMax && PEM_read_bio(input.get(), &name, &header, &data, &size) == 1) {
        if (wanted == name) found.emplace_back(data, data + size);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, static_cast<std::size_t>(size));
    }
    return found;
}

/// A key under a passphrase is never asked for one: nobody sits at the terminal of a gateway.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

std::expected<std::vector<Certificate>, std::string> certificates_from_pem(ByteView pem) {
    const std::vector<Bytes> found = blocks(pem, PEM_STRING_X509);
    if (found.empty()) return std::unexpected{std::string{"no certificate in PEM (\"-----BEGIN CERTIFICATE-----\") is in it"}};
    if (found.size() > kObjectsMax) return std::unexpected{fmt::format("more than {} certificates are in it", kObjectsMax)};
    std::vector<Certificate> certificates;
    for (const Bytes& der : found) {
        auto certificate = Certificate::decode(der);
        if (!certificate) return std::unexpected{fmt::format("certificate {} of it: {}", certificates.size() + 1, certificate.error())};
        certificates.push_back(std::move(*certificate));
    }
    return certificates;
}

std::expected<PrivateKey, std::string> PrivateKey::from_pem(const Secret& pem) {
    const pkix::QuietErrors quiet;
    const auto input = input_of(pem.view());
    pkix::OwnedKey key{PEM_read_bio_PrivateKey(input.get(), nullptr, no_passphrase, nullptr)};
    if (!key) return std::unexpected{std::string{"no private key in PEM (\"-----BEGIN PRIVATE KEY-----\") is in it, or it is under a passphrase"}};
    const auto kind = pkix::judge(key.get());
    if (!kind) return std::unexpected{"it is " + kind.error()};
    return PrivateKey{std::make_shared<Parsed>(std::move(key), *kind)};
}

KeyKind PrivateKey::kind() const { return parsed_->kind; }

bool PrivateKey::belongs_to(const Certificate& certificate) const {
    const pkix::QuietErrors quiet;
    return EVP_PKEY_eq(parsed_->key.get(), X509_get0_pubkey(certificate.parsed().x509.get())) == 1;
}

std::expected<RevocationList, std::string> RevocationList::decode(ByteView der) {
    const pkix::QuietErrors quiet;
    auto list = pkix::from_der<pkix::OwnedList>(der, d2i_X509_CRL);
    if (!list) return std::unexpected{std::string{"it is not a certificate revocation list"}};
    return RevocationList{std::make_shared<Parsed>(std::move(list))};
}

std::string RevocationList::issuer() const { return pkix::text_of(X509_CRL_get_issuer(parsed_->list.get())); }

bool RevocationList::is_by(const CertificateId& certificate) const {
    const auto issuer_name = pkix::from_der<pkix::OwnedName>(certificate.issuer, d2i_X509_NAME);
    return issuer_name && X509_NAME_cmp(issuer_name.get(), X509_CRL_get_issuer(parsed_->list.get())) == 0;
}

bool RevocationList::revokes(const CertificateId& certificate) const {
    const pkix::QuietErrors quiet;
    const auto serial = pkix::from_der<pkix::Owned<ASN1_INTEGER, ASN1_INTEGER_free>>(certificate.serial, d2i_ASN1_INTEGER);
    X509_REVOKED* entry = nullptr;  // belongs to the list
    return serial && is_by(certificate) && X509_CRL_get0_by_serial(parsed_->list.get(), &entry, serial.get()) == 1;
}

bool RevocationList::is_signed_by(const Certificate& authority) const {
    const pkix::QuietErrors quiet;
    const X509* x509 = authority.parsed().x509.get();
    X509_CRL* list = parsed_->list.get();
    return X509_NAME_cmp(X509_get_subject_name(x509), X509_CRL_get_issuer(list)) == 0 && X509_CRL_verify(list, X509_get0_pubkey(x509)) == 1;
}

bool RevocationList::is_about_all() const { return X509_CRL_get_ext_by_NID(parsed_->list.get(), NID_issuing_distribution_point, -1) < 0; }

std::optional<std::chrono::sys_seconds> RevocationList::valid_until() const {
    const ASN1_TIME* next = X509_CRL_get0_nextUpdate(parsed_->list.get());
    return next ? std::optional{pkix::time_of(next)} : std::nullopt;
}

std::expected<std::vector<RevocationList>, std::string> revocation_lists_from(ByteView pem_or_der) {
    std::vector<Bytes> found = blocks(pem_or_der, PEM_STRING_X509_CRL);
    if (found.empty()) found.emplace_back(pem_or_der.begin(), pem_or_der.end());
    if (found.size() > kObjectsMax) return std::unexpected{fmt::format("more than {} revocation lists are in it", kObjectsMax)};
    std::vector<RevocationList> lists;
    for (const Bytes& der : found) {
        auto list = RevocationList::decode(der);
        if (!list) return std::unexpected{list.error()};
        lists.push_back(std::move(*list));
    }
    return lists;
}

}  // namespace nave::ike
