// Which certificates, keys and chains are trusted for IKE, and what is said of those that are not.
#include "controlplane/ike/crypto_chain.hpp"
#include "tests/unit/ike/certificate_authority.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::pki;

namespace {

/// A root, an authority below it, and what they say of a leaf.
struct Authorities {
    Issued root = authority("O=Example, CN=Root", key("p256", 1));
    Issued middle = intermediate("O=Example, CN=Middle", key("p256", 2), root);
    Wish wish{.subject = "O=Example, CN=spoke", .names = "DNS:spoke.example", .serial = 7};
    std::vector<Certificate> untrusted{middle.certificate}, anchors{root.certificate};
    std::vector<RevocationList> revocations{};

    Issued leaf() const { return issue(wish, key("p256", 3), &middle); }
    std::string complaint(const Certificate& of, std::chrono::sys_seconds now = kToday) const {
        const auto outcome = validate_chain(of, {.untrusted = untrusted, .anchors = anchors, .revocations = revocations, .now = now});
        if (!outcome) return outcome.error();
        return revocations.empty() || outcome->doubts.empty() ? "" : outcome->doubts.front().words;
    }
    std::string complaint() const { return complaint(leaf().certificate); }
    void revoke(const Issued& issuer, std::vector<long> serials, std::chrono::sys_seconds until = kToday + 24h) {
        revocations.push_back(RevocationList::decode(revocation_list(issuer, std::move(serials), until)).value());
    }
};

std::string refusal(const Bytes& der) {
    const auto certificate = Certificate::decode(der);
    return certificate ? "" : certificate.error();
}

Bytes self_signed(const std::string& kind) { return der_for({.subject = "CN=x"}, key(kind), nullptr); }

bool contains(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace

TEST_CASE_METHOD(Authorities, "a leaf below an intermediate authority is trusted when that one's certificate came along") {
    CHECK(complaint() == "");
    untrusted.clear();
    CHECK(complaint() == "O=Example, CN=spoke is issued by O=Example, CN=Middle, which is no CA of ours, nor did its certificate come along");
}

TEST_CASE_METHOD(Authorities, "the order of what comes along does not matter, nor does what is not needed") {
    const Issued low = intermediate("CN=Low", key("p384"), middle), other = authority("CN=Other", key("p384", 1));
    const Issued leaf = issue(wish, key("p256", 3), &low);
    untrusted = {other.certificate, low.certificate, root.certificate, middle.certificate, low.certificate};
    CHECK(complaint(leaf.certificate) == "");
}

TEST_CASE_METHOD(Authorities, "an intermediate authority that the operator names is an anchor without its root") {
    anchors = {middle.certificate};
    untrusted.clear();
    CHECK(complaint() == "");
}

TEST_CASE_METHOD(Authorities, "an authority of the same name with another key is not ours") {
    const Issued impostor = authority("O=Example, CN=Root", key("p256", 9));
    const Issued below = intermediate("O=Example, CN=Middle", key("p256", 8), impostor);
    untrusted = {below.certificate, impostor.certificate};
    CHECK_FALSE(complaint(issue(wish, key("p256", 3), &below).certificate).empty());
    CHECK(contains(complaint(impostor.certificate), "no CA of ours"));
}

TEST_CASE_METHOD(Authorities, "a certificate counts between its dates only, and so does each authority") {
    wish.from = kToday - 2h, wish.until = kToday + 2h;
    CHECK(complaint(leaf().certificate, kToday + 2h - 1s) == "");
    CHECK(complaint(leaf().certificate, kToday + 2h + 1s) == "the certificate of O=Example, CN=spoke expired on 2031-05-17 14:00 UTC");
    CHECK(complaint(leaf().certificate, kToday - 3h) == "the certificate of O=Example, CN=spoke is valid from 2031-05-17 10:00 UTC on");
    wish.until = kToday + 24h * 800;
    CHECK(complaint(leaf().certificate, kToday + 24h * 400) == "the certificate of O=Example, CN=Root expired on 2032-05-16 12:00 UTC");
}

TEST_CASE_METHOD(Authorities, "what is revoked is refused, be it the leaf or an authority") {
    revoke(root, {});
    revoke(middle, {6});
    CHECK(complaint() == "");
    revoke(middle, {6, 7});
    revocations.erase(revocations.begin() + 1);
    CHECK(complaint() == "the certificate of O=Example, CN=spoke is revoked by O=Example, CN=Middle");
    revocations.clear();
    revoke(root, {100});
    revoke(middle, {});
    CHECK(complaint() == "the certificate of O=Example, CN=Middle is revoked by O=Example, CN=Root");
}

TEST_CASE_METHOD(Authorities, "where revocation lists are given, a missing, expired or forged one refuses") {
    revoke(root, {});
    CHECK(complaint() == "nobody says whether O=Example, CN=spoke is revoked: no list of O=Example, CN=Middle is there, nor a response by OCSP");
    revoke(middle, {}, kToday - 1h);
    CHECK(contains(complaint(), "the revocation list of O=Example, CN=Middle has expired, so nobody knows whether O=Example, CN=spoke is revoked"));
    revocations.pop_back();
    revoke(Issued{middle.certificate, middle.der, key("p256", 9)}, {});
    CHECK_FALSE(complaint().empty());
}

TEST_CASE_METHOD(Authorities, "an anchor needs no revocation list of those above it") {
    anchors = {middle.certificate};
    revoke(middle, {});
    CHECK(complaint() == "");
}

TEST_CASE_METHOD(Authorities, "what is no authority cannot issue, however it is dressed up") {
    for (const char* constraints : {"", "critical,CA:FALSE"}) {
        const Issued pretender = issue({.subject = "CN=Pretender", .constraints = constraints, .usage = "keyCertSign"}, key("p256", 5), &middle);
        untrusted = {middle.certificate, pretender.certificate};
        CHECK_FALSE(complaint(issue(wish, key("p256", 3), &pretender).certificate).empty());
    }
    const Issued no_usage = issue({.subject = "CN=Unsigned", .constraints = "critical,CA:TRUE", .usage = "digitalSignature"}, key("p256", 5), &middle);
    untrusted = {middle.certificate, no_usage.certificate};
    CHECK_FALSE(complaint(issue(wish, key("p256", 3), &no_usage).certificate).empty());
}

TEST_CASE_METHOD(Authorities, "a path length counts the authorities below") {
    middle = intermediate("O=Example, CN=Middle", key("p256", 2), root, "critical,CA:TRUE,pathlen:0");
    const Issued low = intermediate("CN=Low", key("p384"), middle);
    untrusted = {middle.certificate, low.certificate};
    CHECK(complaint() == "");
    CHECK(contains(complaint(issue(wish, key("p256", 3), &low).certificate), "path length"));
}

TEST_CASE_METHOD(Authorities, "names outside of an authority's constraints are refused, in alternative names and subject alike") {
    middle = issue({.subject = "O=Example, CN=Middle", .constraints = "critical,CA:TRUE", .usage = "keyCertSign",
                    .name_constraints = "critical,permitted;DNS:spokes.example,permitted;IP:10.1.0.0/255.255.0.0,permitted;email:spokes.example,excluded;DNS:hub.spokes.example"},
                   key("p256", 2), &root);
    untrusted = {middle.certificate};
    for (const char* good : {"DNS:a.spokes.example", "IP:10.1.2.3", "email:a@spokes.example", "DNS:a.spokes.example,IP:10.1.0.1"}) {
        wish.names = good;
        CAPTURE(good);
        CHECK(complaint() == "");
    }
    for (const char* bad : {"DNS:hub.example", "DNS:a.spokes.example,DNS:hub.example", "DNS:hub.spokes.example", "DNS:xspokes.example", "IP:10.2.0.1", "email:a@example",
                            "DNS:spokes.example.evil"}) {
        wish.names = bad;
        CAPTURE(bad);
        CHECK(contains(complaint(), "subtree violation"));
    }
}

TEST_CASE_METHOD(Authorities, "a name constraint on the subject holds where the subject is the identity") {
    middle = issue({.subject = "CN=Middle", .constraints = "critical,CA:TRUE", .usage = "keyCertSign", .name_constraints = "critical,permitted;email:spokes.example"},
                   key("p256", 2), &root);
    untrusted = {middle.certificate};
    wish = {.subject = "emailAddress=admin@hub.example, CN=x"};
    CHECK(contains(complaint(), "subtree violation"));
}

TEST_CASE_METHOD(Authorities, "a leaf with a key usage must be for signatures, with purposes for IKE, TLS or any") {
    for (const char* usage : {"", "digitalSignature", "critical,nonRepudiation", "keyEncipherment,digitalSignature"}) {
        wish.usage = usage;
        CHECK(complaint() == "");
    }
    wish.usage = "keyEncipherment";
    CHECK(contains(complaint(), "is not for signatures"));
    wish.usage = "";
    for (const char* purposes : {"1.3.6.1.5.5.7.3.17", "serverAuth", "clientAuth", "anyExtendedKeyUsage", "codeSigning,1.3.6.1.5.5.7.3.17"}) {
        wish.purposes = purposes;
        CHECK(complaint() == "");
    }
    wish.purposes = "codeSigning";
    CHECK(contains(complaint(), "is for other purposes than IKE"));
}

TEST_CASE_METHOD(Authorities, "a signature with SHA-1 in the chain is refused") {
    wish.digest = "SHA1";
    CHECK_FALSE(complaint().empty());
}

TEST_CASE_METHOD(Authorities, "an authority's own certificate is no peer's") {
    CHECK(contains(complaint(root.certificate), "is a CA's own certificate"));
}

TEST_CASE("authorities that issue each other lead nowhere, and soon") {
    const Issued a = authority("CN=A", key("p256", 1)), b = authority("CN=B", key("p256", 2));
    const Issued a_by_b = intermediate("CN=A", key("p256", 1), b), b_by_a = intermediate("CN=B", key("p256", 2), a);
    const Issued leaf = issue({.subject = "CN=x"}, key("p256", 3), &a);
    const std::vector<Certificate> untrusted{a_by_b.certificate, b_by_a.certificate};
    CHECK_FALSE(validate_chain(leaf.certificate, {.untrusted = untrusted, .now = kToday}));
    const std::vector<Certificate> anchors{authority("CN=Unrelated", key("p256", 4)).certificate};
    CHECK_FALSE(validate_chain(leaf.certificate, {.untrusted = untrusted, .anchors = anchors, .now = kToday}));
    // With one of them trusted, the loop is no harm.
    const std::vector<Certificate> b_trusted{b.certificate};
    CHECK(validate_chain(leaf.certificate, {.untrusted = untrusted, .anchors = b_trusted, .now = kToday}));
}

TEST_CASE("a chain that is longer than we follow is refused") {
    std::vector<Issued> chain{authority("CN=0", key("p256", 1))};
    for (int i = 1; i <= 10; ++i) chain.push_back(intermediate("CN=" + std::to_string(i), key("p256", 1), chain.back()));
    const auto judge = [&](std::size_t length) {
        std::vector<Certificate> untrusted;
        for (std::size_t i = 1; i < length; ++i) untrusted.push_back(chain[i].certificate);
        return validate_chain(issue({.subject = "CN=x"}, key("p256", 3), &chain[length - 1]).certificate,
                              {.untrusted = untrusted, .anchors = std::span{&chain[0].certificate, 1}, .now = kToday}).has_value();
    };
    CHECK(judge(8));
    CHECK_FALSE(judge(11));
}

TEST_CASE("keys that are too weak, too large or absurd make no certificate") {
    for (const char* kind : {"rsa2048", "p256", "p384", "p521", "ed25519"}) CHECK(refusal(self_signed(kind)) == "");
    CHECK(refusal(self_signed("rsa1024")) == "CN=x has an RSA key of 1024 bits; accepted: 2048 to 8192");
    CHECK(contains(refusal(self_signed("p224")), "an EC key on secp224r1; accepted: the named curves"));
    CHECK(contains(refusal(self_signed("ed448")), "a key of type ED448; accepted: RSA, EC and Ed25519"));
    const Issued root = authority("CN=Root", key("p256", 1));
    const auto with = [&](int bits, std::uint64_t exponent) { return refusal(der_for({.subject = "CN=x"}, rsa_public(bits, exponent), &root)); };
    CHECK(with(2048, 65537) == "");
    CHECK(with(8192, 65537) == "");
    CHECK(contains(with(2048, 0), "exponent 0; accepted: odd, from 65537"));
    CHECK(contains(with(2048, 1), "exponent 1; accepted: odd, from 65537"));
    CHECK(contains(with(2048, 3), "exponent 3; accepted: odd, from 65537"));
    CHECK(contains(with(2048, 65538), "exponent 65538"));
    CHECK(contains(with(16384, 65537), "an RSA key of 16384 bits"));
}

TEST_CASE("a curve with written out parameters is none that we know, whatever it looks like (CVE-2020-0601)") {
    CHECK(contains(refusal(der_for({.subject = "CN=x"}, with_explicit_curve(key("p256")), nullptr)), "written out parameters"));
}

TEST_CASE("bytes that are cut, changed in form or followed by others are no certificate") {
    const Bytes der = self_signed("p256");
    for (std::size_t size = 0; size < der.size(); ++size) CHECK_FALSE(Certificate::decode(ByteView{der}.first(size)));
    Bytes longer = der;
    longer.push_back(0);
    CHECK_FALSE(Certificate::decode(longer));
}

TEST_CASE("a certificate is for its alternative names and its subject, and for nobody else") {
    const Issued issued = issue({.subject = "C=DE, O=Example, CN=spoke1", .names = "DNS:spoke1.example,IP:192.0.2.7,IP:2001:db8::7,email:admin@example.org"}, key("p256"));
    const Certificate& certificate = issued.certificate;
    for (const char* good : {"spoke1.example", "SPOKE1.example", "192.0.2.7", "2001:db8::7", "admin@EXAMPLE.org", "C=DE, O=Example, CN=spoke1", "c=de,o = example , cn=SPOKE1"})
        CHECK(certificate.names(Identity::parse(good).value()));
    for (const char* bad : {"spoke2.example", "example", "192.0.2.8", "admin@example.com", "Admin@example.org", "O=Example, CN=spoke1", "C=DE, CN=spoke1, O=Example", "spoke1"})
        CHECK_FALSE(certificate.names(Identity::parse(bad).value()));
    CHECK_FALSE(certificate.names(Identity{Identity::Type::fqdn, {}}));
    CHECK_FALSE(certificate.names(Identity{Identity::Type::key_id, {}}));
    CHECK(certificate.principal() == Identity::parse("spoke1.example").value());
    CHECK(issue({.subject = "CN=spoke1"}, key("p256")).certificate.principal().to_string() == "CN=spoke1");
}

TEST_CASE("a zero inside of a name does not end it (CVE-2009-2408)") {
    Bytes der = der_for({.subject = "CN=x", .names = "DNS:hub.example_.evil.example"}, key("p256"), nullptr);
    const std::string_view name = "hub.example_";
    const auto found = std::search(der.begin(), der.end(), name.begin(), name.end());
    REQUIRE(found != der.end());
    found[static_cast<std::ptrdiff_t>(name.size()) - 1] = 0;
    const Certificate certificate = Certificate::decode(der).value();
    CHECK_FALSE(certificate.names(Identity::parse("hub.example").value()));
    CHECK_FALSE(IdentityPattern::parse("*.example")->matches(certificate.principal()));
    CHECK(certificate.principal().to_string() == "fqdn:hub.example\\x00.evil.example");
}

TEST_CASE("a wildcard in an alternative name stands for itself alone") {
    const Issued issued = issue({.subject = "CN=x", .names = "DNS:*.example"}, key("p256"));
    CHECK_FALSE(issued.certificate.names(Identity::parse("spoke1.example").value()));
}

TEST_CASE("PEM files give certificates and keys, and tell what is wrong with others") {
    const Issued issued = issue({.subject = "CN=x"}, key("p256")), other = issue({.subject = "CN=y"}, key("p384"));
    const std::string both = "some words\n" + issued.pem() + issued.key_pem() + other.pem();
    const auto certificates = certificates_from_pem(as_bytes(both));
    REQUIRE(certificates);
    CHECK(certificates->size() == 2);
    CHECK(certificates->at(1).der() == other.der);
    CHECK(contains(certificates_from_pem(as_bytes(issued.key_pem())).error(), "no certificate in PEM"));
    CHECK(contains(certificates_from_pem(as_bytes(issued.pem() + pem_of("CERTIFICATE", self_signed("rsa1024")))).error(), "certificate 2 of it: CN=x has an RSA key of 1024"));
    CHECK(issued.private_key().belongs_to(issued.certificate));
    CHECK_FALSE(issued.private_key().belongs_to(other.certificate));
    CHECK(contains(PrivateKey::from_pem(Secret{as_bytes(issued.pem())}).error(), "no private key in PEM"));
    CHECK(contains(certificates_from_pem({}).error(), "no certificate in PEM"));
    CHECK(contains(PrivateKey::from_pem(Secret{}).error(), "no private key in PEM"));
    CHECK_FALSE(revocation_lists_from({}));
}

TEST_CASE("revocation lists come in PEM or DER") {
    const Issued root = authority("CN=Root", key("p256", 1));
    const Bytes der = revocation_list(root, {1});
    CHECK(revocation_lists_from(der)->at(0).issuer() == "CN=Root");
    CHECK(revocation_lists_from(as_bytes(pem_of("X509 CRL", der) + pem_of("X509 CRL", der)))->size() == 2);
    CHECK_FALSE(revocation_lists_from(as_bytes("nothing")));
    const Issued below = issue({.subject = "CN=x", .serial = 1}, key("p256", 2), &root), other = issue({.subject = "CN=x", .serial = 2}, key("p256", 2), &root);
    const Issued elsewhere = authority("CN=Elsewhere", key("p256", 3));
    CHECK(RevocationList::decode(der)->revokes(below.certificate.id_by(root.certificate)));
    CHECK_FALSE(RevocationList::decode(der)->revokes(other.certificate.id_by(root.certificate)));
    CHECK_FALSE(RevocationList::decode(der)->revokes(issue({.subject = "CN=x", .serial = 1}, key("p256", 2), &elsewhere).certificate.id_by(elsewhere.certificate)));
    CHECK(RevocationList::decode(der)->valid_until() == kToday + 24h * 7);
}
