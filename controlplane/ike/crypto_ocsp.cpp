// OCSP requests and responses (RFC 6960, RFC 5019).
#include "controlplane/ike/crypto_path_check.hpp"
#include "controlplane/ike/crypto_revocation.hpp"
#include "controlplane/ike/crypto_signature.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <openssl/ocsp.h>

namespace nave::ike {
namespace {

using namespace nave::ike::pkix;
using namespace std::chrono_literals;
using OwnedId = Owned<OCSP_CERTID, OCSP_CERTID_free>;
using OwnedBasic = Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;

constexpr std::chrono::seconds kClockSkew = 5min;

std::unexpected<std::string> words(std::string text) { return std::unexpected{std::move(text)}; }

/// By what requests and responses name a certificate: hashes of its issuer's name and key, and its serial number. Null if they cannot be read.
OwnedId id_of(const CertificateId& subject, const Certificate& issuer, const EVP_MD* hash) {
    const auto name = from_der<OwnedName>(subject.issuer, d2i_X509_NAME);
    const auto serial = from_der<Owned<ASN1_INTEGER, ASN1_INTEGER_free>>(subject.serial, d2i_ASN1_INTEGER);
    if (!name || !serial) return nullptr;
    return OwnedId{OCSP_cert_id_new(hash, name.get(), X509_get0_pubkey_bitstr(issuer.parsed().x509.get()), serial.get())};
}

/// What the response says of that certificate; null if it is about others. SHA-1 is a name here: nothing is trusted because of it.
OCSP_SINGLERESP* find_single(OCSP_BASICRESP* basic, const CertificateId& subject, const Certificate& issuer) {
    for (int i = 0; i < OCSP_resp_count(basic); ++i) {
        OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
        auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));  // the getter of its parts wants it so, and changes nothing
        ASN1_OBJECT* hash = nullptr;
        OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, id);
        const int kind = OBJ_obj2nid(hash);
        if (kind != NID_sha256 && kind != NID_sha1) continue;
        const OwnedId wanted = id_of(subject, issuer, EVP_get_digestbynid(kind));
        if (wanted && OCSP_id_cmp(wanted.get(), id) == 0) return single;
    }
    return nullptr;
}

bool may_sign_responses(X509* x509) {
    return (X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(x509) & XKU_OCSP_SIGN) != 0;
}

/// RFC 6960 §4.2.2.2.
std::expected<void, std::string> check_signer(OCSP_BASICRESP* basic, const Certificate& issuer, std::chrono::sys_seconds now) {
    const OwnedCertificates known = stack_of({&issuer, 1});
    X509* signer = nullptr;
    if (OCSP_resp_get0_signer(basic, &signer, known.get()) != 1) return words("the OCSP response is signed by somebody whose certificate is not in it");
    if (X509_cmp(signer, issuer.parsed().x509.get()) != 0) {
        const std::string name = text_of(X509_get_subject_name(signer));
        (void)X509_check_purpose(signer, -1, 0);
        if (!may_sign_responses(signer)) return words(fmt::format("the OCSP response is signed by {}, whose certificate is not for that (id-kp-OCSPSigning)", name));
        if (const auto kind = judge(X509_get0_pubkey(signer)); !kind) return words(fmt::format("the OCSP response is signed by {}, who has {}", name, kind.error()));
        if (!PathCheck{signer, {}, {&issuer, 1}, now}.holds()) return words(fmt::format("the OCSP response is signed by {}, whom {} does not vouch for", name, issuer.subject()));
    }
    if (!decode_algorithm(der_of(OCSP_resp_get0_tbs_sigalg(basic), i2d_X509_ALGOR)))
        return words("the OCSP response is signed by an algorithm that does not exist here, such as one with SHA-1");
    if (OCSP_basic_verify(basic, known.get(), nullptr, OCSP_NOVERIFY) != 1) return words("the signature of the OCSP response is wrong");
    return {};
}

}  // namespace

Bytes ocsp_request(const CertificateId& subject, const Certificate& issuer) {
    const QuietErrors quiet;
    const Owned<OCSP_REQUEST, OCSP_REQUEST_free> request{OCSP_REQUEST_new()};
    // Some responders know answers by SHA-1 alone (RFC 5019 §2.1.1), and it only tells whom we mean.
    OwnedId id = id_of(subject, issuer, EVP_sha1());
    require(request && id && OCSP_request_add0_id(request.get(), id.get()), "make an OCSP request");
    (void)id.release();
    return der_of(request.get(), i2d_OCSP_REQUEST);
}

std::expected<Verdict, std::string> judge_by_response(const CertificateId& subject, const Certificate& issuer, ByteView response, std::chrono::sys_seconds now) {
    const QuietErrors quiet;
    const auto whole = from_der<Owned<OCSP_RESPONSE, OCSP_RESPONSE_free>>(response.first(std::min(response.size(), kOcspBytesMax)), d2i_OCSP_RESPONSE);
    if (!whole) return words("it is no OCSP response");
    if (const int status = OCSP_response_status(whole.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return words(fmt::format("the OCSP responder says \"{}\"", OCSP_response_status_str(status)));
    const OwnedBasic basic{OCSP_response_get1_basic(whole.get())};
    if (!basic) return words("the OCSP response is none of the basic type");
    OCSP_SINGLERESP* single = find_single(basic.get(), subject, issuer);
    if (!single) return words("the OCSP response is about other certificates");
    if (auto trusted = check_signer(basic.get(), issuer, now); !trusted) return std::unexpected{std::move(trusted.error())};

    ASN1_GENERALIZEDTIME *from_field = nullptr, *until_field = nullptr;
    const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from_field, &until_field);
    const auto from = time_of(from_field), until = until_field ? time_of(until_field) : from + kWithoutEnd;
    if (from == std::chrono::sys_seconds{} || from > now + kClockSkew) return words(fmt::format("the OCSP response is of {}, which is later than our clock says", date_text(from)));
    if (until < now) return words(fmt::format("the OCSP response counted until {}", date_text(until)));
    if (status != V_OCSP_CERTSTATUS_GOOD && status != V_OCSP_CERTSTATUS_REVOKED) return words("the OCSP responder does not know the certificate");
    return Verdict{status == V_OCSP_CERTSTATUS_REVOKED, until, from};
}

}  // namespace nave::ike
