// What revocation lists and OCSP responses prove of a certificate, and which of them prove nothing.
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/crypto_revocation.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::pki;

namespace {

/// An authority, one that shares its name, and a leaf with serial number 7.
struct Issuers {
    Issued root = authority("O=Example, CN=Root", key("p256", 1)), namesake = authority("O=Example, CN=Root", key("p256", 9));
    Issued leaf = issue({.subject = "O=Example, CN=spoke", .names = "DNS:spoke.example", .serial = 7}, key("p256", 3), &root);

    Issued responder(const std::string& purposes, const Issued& issuer) const {
        return issue({.subject = "CN=Responder", .purposes = purposes, .serial = 50}, key("p256", 5), &issuer);
    }
    std::expected<Verdict, std::string> judge(const Bytes& response) const {
        return judge_by_response(leaf.certificate.id_by(root.certificate), root.certificate, response, kToday);
    }
    std::expected<Verdict, std::string> judge(const OcspWish& wish) const { return judge(ocsp_response(wish)); }
    std::string complaint(const OcspWish& wish) const {
        const auto verdict = judge(wish);
        return verdict ? "" : verdict.error();
    }
    std::expected<Verdict, std::string> judge_list(const Bytes& der, std::chrono::sys_seconds now = kToday) const {
        return judge_by_list(leaf.certificate, root.certificate, RevocationList::decode(der).value(), now);
    }
};

}  // namespace

TEST_CASE_METHOD(Issuers, "an OCSP response of the issuer says good or revoked, and until when it counts") {
    for (const char* identifier : {"SHA1", "SHA256"}) {
        const auto good = judge({.issuer = root, .serial = 7, .identifier = identifier});
        REQUIRE(good);
        CHECK_FALSE(good->revoked);
        CHECK(good->until == kToday + 24h);
        CHECK(judge({.issuer = root, .serial = 7, .status = "revoked", .identifier = identifier})->revoked);
    }
    CHECK(complaint({.issuer = root, .serial = 7, .identifier = "MD5"}) == "the OCSP response is about other certificates");
}

TEST_CASE_METHOD(Issuers, "unknown is not good (RFC 6960 §2.2)") {
    CHECK(complaint({.issuer = root, .serial = 7, .status = "unknown"}) == "the OCSP responder does not know the certificate");
}

TEST_CASE_METHOD(Issuers, "a response about another certificate, or one of another issuer, says nothing") {
    CHECK(complaint({.issuer = root, .serial = 8}) == "the OCSP response is about other certificates");
    CHECK(complaint({.issuer = namesake, .serial = 7}) == "the OCSP response is about other certificates");
}

TEST_CASE_METHOD(Issuers, "a delegate signs with id-kp-OCSPSigning, from the same issuer (RFC 6960 §4.2.2.2)") {
    const Issued fit = responder("OCSPSigning", root), any = responder("anyExtendedKeyUsage", root), unfit = responder("", root), foreign = responder("OCSPSigning", namesake);
    const auto said_by = [&](const Issued& signer) { return complaint({.issuer = root, .serial = 7, .signer = &signer}); };
    CHECK(said_by(fit) == "");
    CHECK(judge({.issuer = root, .serial = 7, .status = "revoked", .signer = &fit})->revoked);
    for (const Issued* signer : {&any, &unfit}) CHECK(said_by(*signer) == "the OCSP response is signed by CN=Responder, whose certificate is not for that (id-kp-OCSPSigning)");
    CHECK(said_by(foreign) == "the OCSP response is signed by CN=Responder, whom O=Example, CN=Root does not vouch for");
    CHECK(said_by(leaf) == "the OCSP response is signed by O=Example, CN=spoke, whose certificate is not for that (id-kp-OCSPSigning)");
    const Issued middle = intermediate("CN=Middle", key("p256", 2), root), below = responder("OCSPSigning", middle);
    CHECK(said_by(below) == "the OCSP response is signed by CN=Responder, whom O=Example, CN=Root does not vouch for");
}

TEST_CASE_METHOD(Issuers, "a delegate counts within its dates") {
    const Issued late = issue({.subject = "CN=Responder", .purposes = "OCSPSigning", .from = kToday - 48h, .until = kToday - 1h}, key("p256", 5), &root);
    CHECK(complaint({.issuer = root, .serial = 7, .signer = &late}) == "the OCSP response is signed by CN=Responder, whom O=Example, CN=Root does not vouch for");
}

TEST_CASE_METHOD(Issuers, "a forged, weakly signed or broken response says nothing") {
    const Issued impostor{root.certificate, root.der, key("p256", 9)};
    CHECK_THROWS(ocsp_response({.issuer = impostor, .serial = 7}));  // OpenSSL itself would not
    Bytes response = ocsp_response({.issuer = root, .serial = 7});
    response.back() ^= 1;
    CHECK(judge(response).error() == "the signature of the OCSP response is wrong");
    CHECK(complaint({.issuer = root, .serial = 7, .digest = "SHA1"}) == "the OCSP response is signed by an algorithm that does not exist here, such as one with SHA-1");
    response.push_back(0);
    CHECK(judge(response).error() == "it is no OCSP response");
    for (std::size_t size = 0; size < response.size(); ++size) CHECK_FALSE(judge(Bytes(response.begin(), response.begin() + static_cast<std::ptrdiff_t>(size))));
    CHECK(judge(hex("3003 0a0103")).error() == "the OCSP responder says \"trylater\"");
}

TEST_CASE_METHOD(Issuers, "a response counts between its dates, and without an end for an hour") {
    CHECK(complaint({.issuer = root, .serial = 7, .until = kToday}) == "");
    CHECK(complaint({.issuer = root, .serial = 7, .until = kToday - 1s}) == "the OCSP response counted until 2031-05-17 11:59 UTC");
    CHECK(complaint({.issuer = root, .serial = 7, .from = kToday + 5min}) == "");  // clocks differ
    CHECK(complaint({.issuer = root, .serial = 7, .from = kToday + 6min}) == "the OCSP response is of 2031-05-17 12:06 UTC, which is later than our clock says");
    CHECK(judge({.issuer = root, .serial = 7, .from = kToday - 59min, .until = {}})->until == kToday + 1min);
    CHECK(complaint({.issuer = root, .serial = 7, .from = kToday - 61min, .until = {}}) == "the OCSP response counted until 2031-05-17 11:59 UTC");
}

TEST_CASE_METHOD(Issuers, "an RSA authority's response is as good, and a request names the certificate by SHA-1 as RFC 5019 has it") {
    const Issued rsa = authority("CN=Rsa", key("rsa2048", 1)), below = issue({.subject = "CN=x", .serial = 9}, key("p256", 3), &rsa);
    CHECK_FALSE(judge_by_response(below.certificate.id_by(rsa.certificate), rsa.certificate, ocsp_response({.issuer = rsa, .serial = 9}), kToday)->revoked);
    const Bytes request = ocsp_request(leaf.certificate.id_by(root.certificate), root.certificate);
    const Bytes sha1 = hex("06052b0e03021a");
    CHECK(std::ranges::search(request, sha1).begin() != request.end());
    CHECK(std::ranges::equal(ByteView{request}.last(3), hex("020107")));
}

TEST_CASE_METHOD(Issuers, "a list says good or revoked, if it is the issuer's, within its dates, and not signed with SHA-1") {
    CHECK_FALSE(judge_list(revocation_list(root, {6}))->revoked);
    CHECK(judge_list(revocation_list(root, {6, 7}))->revoked);
    CHECK(judge_list(revocation_list(root, {}))->until == kToday + 24h * 7);
    CHECK(judge_list(revocation_list(root, {}, {}))->until == kToday + 1h);
    CHECK_FALSE(judge_list(revocation_list(namesake, {7})));
    CHECK_FALSE(judge_list(revocation_list(root, {}), kToday + 24h * 8));
    CHECK_FALSE(judge_list(revocation_list(root, {}), kToday - 72h));
    CHECK(judge_list(revocation_list(root, {}, kToday + 24h, "SHA1")).error() ==
          "the revocation list of O=Example, CN=Root is signed by an algorithm that does not exist here, such as one with SHA-1");
}

TEST_CASE_METHOD(Issuers, "a certificate tells by http where lists and responders are; other schemes and oddities are left out") {
    const auto sources = [&](const std::string& lists, const std::string& responders) {
        return revocation_sources(issue({.subject = "CN=x", .lists = lists, .responders = responders}, key("p256", 3), &root).certificate);
    };
    const auto both = sources("URI:http://crl.example/a.crl,URI:ldap://crl.example/a,URI:https://crl.example/b.crl",
                              "OCSP;URI:http://ocsp.example,caIssuers;URI:http://ca.example");
    CHECK(both.lists == std::vector<std::string>{"http://crl.example/a.crl", "https://crl.example/b.crl"});
    CHECK(both.responders == std::vector<std::string>{"http://ocsp.example"});
    CHECK(sources("URI:file:///etc/passwd", "OCSP;DNS:ocsp.example").lists.empty());
    CHECK(sources("URI:http://crl.example/" + std::string(600, 'a'), "").lists.empty());
    CHECK(sources("URI:http://1,URI:http://2,URI:http://3,URI:http://4,URI:http://5", "").lists.size() == 4);
    CHECK(revocation_sources(leaf.certificate).lists.empty());
}

TEST_CASE_METHOD(Issuers, "of all evidence about a chain what says revoked counts, then what says good; the rest leaves a doubt") {
    const std::vector<Certificate> anchors{root.certificate};
    std::vector<OcspEvidence> responses;
    const auto outcome = [&](const std::vector<RevocationList>& lists) {
        const auto path = validate_chain(leaf.certificate, {.anchors = anchors, .revocations = lists, .responses = responses, .now = kToday});
        return !path ? path.error() : path->doubts.empty() ? "good" : "doubt";
    };
    const auto list = [&](std::vector<long> serials) { return RevocationList::decode(revocation_list(root, std::move(serials))).value(); };
    CHECK(outcome({}) == "doubt");
    CHECK(outcome({list({})}) == "good");
    responses = {{std::nullopt, ocsp_response({.issuer = root, .serial = 7})}};
    CHECK(outcome({}) == "good");
    CHECK(outcome({list({7})}) == "the certificate of O=Example, CN=spoke is revoked by O=Example, CN=Root");
    responses = {{std::nullopt, ocsp_response({.issuer = root, .serial = 7, .status = "revoked"})}};
    CHECK(outcome({list({})}) == "the certificate of O=Example, CN=spoke is revoked by O=Example, CN=Root");
    responses = {{std::nullopt, ocsp_response({.issuer = root, .serial = 7, .status = "unknown"})}};
    CHECK(outcome({}) == "doubt");
    CHECK(outcome({list({})}) == "good");
}
