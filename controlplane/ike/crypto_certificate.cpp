// Certificates: their bytes, names and dates.
#include "controlplane/ike/crypto_certificate.hpp"

#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/crypto_name.hpp"
#include "controlplane/ike/crypto_parsed.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {

namespace pkix {

std::string text_of(const X509_NAME* name) {
    constexpr std::size_t kCharactersMax = 200;  // of a stranger's certificate, on a log line
    std::string text = Identity{Identity::Type::der_distinguished_name, der_of(name, i2d_X509_NAME)}.to_string();
    if (text.size() > kCharactersMax) text.replace(kCharactersMax, std::string::npos, "...");
    return text;
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
    std::tm fields{};
    if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
    const std::chrono::year_month_day day{std::chrono::year{fields.tm_year + 1900}, std::chrono::month{static_cast<unsigned>(fields.tm_mon + 1)},
                                          std::chrono::day{static_cast<unsigned>(fields.tm_mday)}};
    return std::chrono::sys_days{day} + std::chrono::hours{fields.tm_hour} + std::chrono::minutes{fields.tm_min} + std::chrono::seconds{fields.tm_sec};
}

namespace {

ByteView content_of(const ASN1_STRING* text) { return {ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text))}; }

std::optional<Identity> identity_of(const GENERAL_NAME* name) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(name, &type);
    const auto as_text = [&](Identity::Type kind) {
        const ByteView bytes = content_of(static_cast<const ASN1_STRING*>(value));
        return Identity{kind, {bytes.begin(), bytes.end()}};
    };
    switch (type) {
    case GEN_DNS:     return as_text(Identity::Type::fqdn);
    case GEN_EMAIL:   return as_text(Identity::Type::rfc822_address);
    case GEN_DIRNAME: return Identity{Identity::Type::der_distinguished_name, der_of(static_cast<const X509_NAME*>(value), i2d_X509_NAME)};
    case GEN_IPADD: {
        const auto address = IpAddress::from_bytes(content_of(static_cast<const ASN1_STRING*>(value)));
        return address ? std::optional{Identity::of(*address)} : std::nullopt;
    }
    default: return std::nullopt;
    }
}

std::vector<Identity> identities_of(const X509* x509) {
    std::vector<Identity> identities;
    const Owned<GENERAL_NAMES, GENERAL_NAMES_free> names{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
        if (auto identity = identity_of(sk_GENERAL_NAME_value(names.get(), i))) identities.push_back(std::move(*identity));
    const X509_NAME* subject = X509_get_subject_name(x509);
    if (X509_NAME_entry_count(subject) > 0) identities.push_back({Identity::Type::der_distinguished_name, der_of(subject, i2d_X509_NAME)});
    return identities;
}

}  // namespace
}  // namespace pkix

std::expected<Certificate, std::string> Certificate::decode(ByteView der) {
    const pkix::QuietErrors quiet;
    auto x509 = pkix::from_der<pkix::OwnedCertificate>(der, d2i_X509);
    if (!x509) return std::unexpected{std::string{"it is not an X.509 certificate in DER"}};
    // Computes what OpenSSL keeps of the extensions, once, before several threads look at it.
    (void)X509_check_purpose(x509.get(), -1, 0);
    const auto kind = pkix::judge(X509_get0_pubkey(x509.get()));
    if (!kind) return std::unexpected{fmt::format("{} has {}", pkix::text_of(X509_get_subject_name(x509.get())), kind.error())};
    auto identities = pkix::identities_of(x509.get());
    const KeyId key_id = sha1({pkix::der_of(X509_get_X509_PUBKEY(x509.get()), i2d_X509_PUBKEY)});
    return Certificate{std::make_shared<Parsed>(Bytes{der.begin(), der.end()}, std::move(x509), *kind, std::move(identities), key_id)};
}

const Bytes& Certificate::der() const { return parsed_->der; }
KeyKind Certificate::key_kind() const { return parsed_->kind; }

KeyId Certificate::key_id() const { return parsed_->key_id; }

CertificateId Certificate::id_by(const Certificate& issuer) const {
    const X509* x509 = parsed_->x509.get();
    return {pkix::der_of(X509_get_issuer_name(x509), i2d_X509_NAME), issuer.key_id(), pkix::der_of(X509_get0_serialNumber(x509), i2d_ASN1_INTEGER)};
}

bool Certificate::is_authority() const { return X509_check_ca(parsed_->x509.get()) == 1; }

std::chrono::sys_seconds Certificate::valid_from() const { return pkix::time_of(X509_get0_notBefore(parsed_->x509.get())); }
std::chrono::sys_seconds Certificate::valid_until() const { return pkix::time_of(X509_get0_notAfter(parsed_->x509.get())); }

std::string Certificate::subject() const { return pkix::text_of(X509_get_subject_name(parsed_->x509.get())); }
std::string Certificate::issuer() const { return pkix::text_of(X509_get_issuer_name(parsed_->x509.get())); }
Bytes Certificate::subject_name() const { return pkix::der_of(X509_get_subject_name(parsed_->x509.get()), i2d_X509_NAME); }
const std::vector<Identity>& Certificate::identities() const { return parsed_->identities; }

Identity Certificate::principal() const {
    const auto& all = parsed_->identities;
    const auto domain = std::ranges::find(all, Identity::Type::fqdn, &Identity::type);
    if (domain != all.end()) return *domain;
    return {Identity::Type::der_distinguished_name, subject_name()};
}

bool Certificate::names(const Identity& identity) const {
    if (identity.type == Identity::Type::key_id) {
        const ASN1_OCTET_STRING* own = X509_get0_subject_key_id(parsed_->x509.get());
        return own && std::ranges::equal(pkix::content_of(own), identity.data);
    }
    return std::ranges::any_of(parsed_->identities, [&](const Identity& each) { return same_identity(each, identity); });
}

std::string date_text(std::chrono::sys_seconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count());
}

}  // namespace nave::ike
