// Revocation lists of one issuer, and where a certificate says that there are some.
#include "controlplane/ike/crypto_revocation.hpp"

#include "controlplane/ike/crypto_path_check.hpp"
#include "controlplane/ike/crypto_signature.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <string_view>

namespace nave::ike {
namespace {

using namespace nave::ike::pkix;

constexpr std::size_t kSourcesMax = 4, kUrlMax = 512;

void add_url(std::vector<std::string>& urls, const ASN1_STRING* text) {
    const std::string_view url{reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))};
    const bool is_printable = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
    if (is_printable && url.size() <= kUrlMax && urls.size() < kSourcesMax && (url.starts_with("http://") || url.starts_with("https://"))) urls.emplace_back(url);
}

std::vector<std::string> distribution_points(const X509* x509) {
    std::vector<std::string> urls;
    const Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free> points{static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(x509, NID_crl_distribution_points, nullptr, nullptr))};
    for (int i = 0; i < sk_DIST_POINT_num(points.get()); ++i) {
        const DIST_POINT* point = sk_DIST_POINT_value(points.get(), i);
        if (point->CRLissuer || point->reasons || !point->distpoint || point->distpoint->type != 0) continue;  // another issuer's, or of some reasons only
        const GENERAL_NAMES* names = point->distpoint->name.fullname;
        for (int j = 0; j < sk_GENERAL_NAME_num(names); ++j) {
            const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, j);
            if (name->type == GEN_URI) add_url(urls, name->d.uniformResourceIdentifier);
        }
    }
    return urls;
}

std::vector<std::string> responders(const X509* x509) {
    std::vector<std::string> urls;
    const Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free> all{
        static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(x509, NID_info_access, nullptr, nullptr))};
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all.get()); ++i) {
        const ACCESS_DESCRIPTION* each = sk_ACCESS_DESCRIPTION_value(all.get(), i);
        if (OBJ_obj2nid(each->method) == NID_ad_OCSP && each->location->type == GEN_URI) add_url(urls, each->location->d.uniformResourceIdentifier);
    }
    return urls;
}

std::string words_of(int error, const Certificate& subject, const std::string& issuer) {
    switch (error) {
    case X509_V_ERR_CRL_HAS_EXPIRED: return fmt::format("the revocation list of {} has expired, so nobody knows whether {} is revoked; get a new one", issuer, subject.subject());
    case X509_V_ERR_UNABLE_TO_GET_CRL: return fmt::format("the revocation list of {} is not for certificates such as that of {}", issuer, subject.subject());
    default: return fmt::format("the revocation list of {}: {}", issuer, X509_verify_cert_error_string(error));
    }
}

}  // namespace

RevocationSources revocation_sources(const Certificate& certificate) {
    const QuietErrors quiet;
    const X509* x509 = certificate.parsed().x509.get();
    return {distribution_points(x509), responders(x509)};
}

std::vector<Certificate> possible_issuers(const Certificate& subject, std::span<const Certificate> authorities) {
    const QuietErrors quiet;
    X509* x509 = subject.parsed().x509.get();
    std::vector<Certificate> possible;
    std::ranges::copy_if(authorities, std::back_inserter(possible), [&](const Certificate& each) { return X509_check_issued(each.parsed().x509.get(), x509) == X509_V_OK; });
    return possible;
}

std::optional<Certificate> issuer_among(const Certificate& subject, std::span<const Certificate> authorities) {
    const QuietErrors quiet;
    const std::vector<Certificate> possible = possible_issuers(subject, authorities);
    const bool is_settled = std::ranges::all_of(possible, [&](const Certificate& each) { return each.key_id() == possible.front().key_id(); });
    const auto has_signed = [&](const Certificate& each) { return X509_verify(subject.parsed().x509.get(), X509_get0_pubkey(each.parsed().x509.get())) == 1; };
    const auto found = std::ranges::find_if(possible, [&](const Certificate& each) { return is_settled || has_signed(each); });
    return found == possible.end() ? std::nullopt : std::optional{*found};
}

std::expected<Verdict, std::string> judge_by_list(const Certificate& subject, const Certificate& issuer, const RevocationList& list, std::chrono::sys_seconds now) {
    const QuietErrors quiet;
    const X509_CRL* crl = list.parsed().list.get();
    const X509_ALGOR* algorithm = nullptr;
    X509_CRL_get0_signature(crl, nullptr, &algorithm);
    // What follows looks at the signature, not at how strong its hash is.
    if (!decode_algorithm(der_of(algorithm, i2d_X509_ALGOR)))
        return std::unexpected{fmt::format("the revocation list of {} is signed by an algorithm that does not exist here, such as one with SHA-1", list.issuer())};
    PathCheck check{subject.parsed().x509.get(), {}, {&issuer, 1}, now};
    check.ask(list);
    check.overlook_age_of_leaf();  // the list outlives whoever was the first to need it
    const bool is_good = check.holds();
    if (!is_good && check.error() != X509_V_ERR_CERT_REVOKED) return std::unexpected{words_of(check.error(), subject, list.issuer())};
    return Verdict{!is_good, list.valid_until().value_or(now + kWithoutEnd), time_of(X509_CRL_get0_lastUpdate(crl))};
}

}  // namespace nave::ike
