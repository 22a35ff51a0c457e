// Certificates in the configuration: what is taken from their files, and every mistake that is told before the gateway starts.
#include "controlplane/config/revocation_files.hpp"
#include "tests/unit/control/config_sample.hpp"
#include "tests/unit/ike/certificate_authority.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::config;
using ike::pki::Issued;
using ike::pki::Wish;
using ike::pki::key;
using namespace std::chrono_literals;

namespace {

const auto kNow = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());

/// A folder with an authority and a spoke's certificate from an intermediate one.
struct CertificateFolder : Folder {
    static Wish authority(const std::string& subject) {
        return {.subject = subject, .constraints = "critical,CA:TRUE", .usage = "keyCertSign,cRLSign", .from = kNow - 24h, .until = kNow + 24h * 99};
    }
    Issued root = ike::pki::issue(authority("O=Example, CN=Root"), key("p256", 1));
    Issued middle = ike::pki::issue(authority("O=Example, CN=Middle"), key("p256", 2), &root);
    Wish wish{.subject = "O=Example, CN=spoke1", .names = "DNS:spoke1.example,IP:192.0.2.11", .from = kNow - 24h, .until = kNow + 24h * 99};

    CertificateFolder() { hold(wish); }
    void hold(const Wish& changed) const {
        const Issued own = ike::pki::issue(changed, key("p384"), &middle);
        write("spoke1.pem", own.pem() + middle.pem(), 0644);
        write("spoke1.key", own.key_pem(), 0600);
        write("ca.pem", root.pem(), 0644);
    }
    /// The spoke's configuration with these lines in place of identity and psk.
    std::string file(const std::string& lines) const { return write("spoke.toml", spoke({{12, lines}, {13, ""}}), 0600); }
    /// What --check says, without the path.
    std::string said(const std::string& lines) const {
        std::string text = check(file(lines)).text;
        for (auto at = text.find(path.string() + "/"); at != std::string::npos; at = text.find(path.string() + "/")) text.erase(at, path.string().size() + 1);
        return text;
    }
};

const std::string kOwn = "certificate = \"spoke1.pem\"\nprivate_key = \"spoke1.key\"\n", kCa = "ca = [{ file = \"ca.pem\" }]\n";

bool has(const std::string& text, std::string_view words) {
    UNSCOPED_INFO(text);
    return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE_METHOD(CertificateFolder, "a certificate, its key and an authority take the place of identity and psk") {
    const auto result = load(file(kOwn + kCa));
    REQUIRE(result);
    const auto& profile = result->config.overlay.ike.profiles[0];
    CHECK(profile.local.to_string() == "spoke1.example");
    REQUIRE(profile.credential);
    CHECK(profile.credential->chain.size() == 2);
    CHECK(profile.credential->key.belongs_to(profile.credential->chain[0]));
    REQUIRE(profile.authorities.size() == 1);
    CHECK(profile.authorities[0].certificate.der() == root.der);
    CHECK(profile.authorities[0].remote.text() == "*");
    CHECK(profile.keys.empty());
    CHECK(result->warnings.empty());
}

TEST_CASE_METHOD(CertificateFolder, "without a domain name in the certificate we are its subject, and a subject goes out as it is encoded there") {
    wish.names = "";
    hold(wish);
    CHECK(load(file(kOwn + kCa))->config.overlay.ike.profiles[0].local.to_string() == "O=Example, CN=spoke1");
    const auto named = load(file("identity = \"o=EXAMPLE, cn=Spoke1\"\n" + kOwn + kCa));
    REQUIRE(named);
    CHECK(named->config.overlay.ike.profiles[0].local == named->config.overlay.ike.profiles[0].credential->chain[0].principal());
}

TEST_CASE_METHOD(CertificateFolder, "an identity must be one of the certificate's") {
    CHECK(load(file("identity = \"192.0.2.11\"\n" + kOwn + kCa)));
    CHECK(has(said("identity = \"spoke2.example\"\n" + kOwn + kCa),
              "spoke.toml:12:12: tunnel.nave0.identity: our certificate is not for spoke2.example, so no peer would believe it; it is for spoke1.example or 192.0.2.11 or "
              "O=Example, CN=spoke1"));
}

TEST_CASE_METHOD(CertificateFolder, "a key that is not the certificate's is told") {
    write("spoke1.key", root.key_pem(), 0600);
    CHECK(has(said(kOwn + kCa), "spoke.toml:13:15: tunnel.nave0.private_key: the key in spoke1.key does not belong to the certificate of O=Example, CN=spoke1, "
                                "the first in spoke1.pem"));
}

TEST_CASE_METHOD(CertificateFolder, "an expired certificate is told with its date, one for later is worth a warning") {
    wish.until = kNow - 1h;
    hold(wish);
    CHECK(has(said(kOwn + kCa), "spoke.toml:12:15: tunnel.nave0.certificate: the certificate of O=Example, CN=spoke1 expired on "));
    wish.from = kNow + 1h, wish.until = kNow + 2h;
    hold(wish);
    const std::string later = said(kOwn + kCa);
    CHECK(has(later, "is our clock right? (warning)"));
    CHECK(has(later, "spoke.toml: ok"));
}

TEST_CASE_METHOD(CertificateFolder, "without an authority, or without anything to prove ourselves by, the file is refused") {
    CHECK(has(said(kOwn), "tunnel.nave0.certificate: no ca is given, so that no peer's certificate could be judged; give ca = [{ file = ... }]"));
    CHECK(has(said("identity = \"spoke1.example\"\n" + kCa), "tunnel.nave0.ca: peers can be judged, but there is nothing to prove ourselves by"));
    CHECK(has(said("certificate = \"spoke1.pem\"\n" + kCa), "tunnel.nave0.certificate: private_key is missing; accepted: both or neither"));
    CHECK(has(said("private_key = \"spoke1.key\"\nidentity = \"a.example\"\n" + kCa), "tunnel.nave0.private_key: certificate is missing; accepted: both or neither"));
    CHECK(has(said(kCa), "\"identity\" is missing"));
}

TEST_CASE_METHOD(CertificateFolder, "files that are missing, unreadable or hold something else are told by name") {
    write("empty.pem", "nothing\n", 0644);
    CHECK(has(said("certificate = \"none.pem\"\nprivate_key = \"spoke1.key\"\n" + kCa), "tunnel.nave0.certificate: cannot read none.pem: No such file"));
    CHECK(has(said("certificate = \"empty.pem\"\nprivate_key = \"spoke1.key\"\n" + kCa), "cannot use the certificates in empty.pem: no certificate in PEM"));
    CHECK(has(said("certificate = \"spoke1.pem\"\nprivate_key = \"ca.pem\"\n" + kCa), "cannot use the key in ca.pem: others than its owner may use it (mode 0644)"));
    write("wrong.key", root.pem(), 0600);
    CHECK(has(said("certificate = \"spoke1.pem\"\nprivate_key = \"wrong.key\"\n" + kCa), "cannot use the key in wrong.key: no private key in PEM"));
    CHECK(has(said(kOwn + "ca = [{ file = \"empty.pem\" }]"), "tunnel.nave0.ca[0].file: cannot use the certificates in empty.pem"));
    CHECK(has(said(kOwn + "ca = [{ file = \"spoke1.pem\" }]"), "O=Example, CN=spoke1 is no authority (basicConstraints CA:TRUE)"));
    CHECK(has(said(kOwn + kCa + "crl = [\"ca.pem\"]"), "tunnel.nave0.crl[0]: cannot use the revocation lists in ca.pem: it is not a certificate revocation list"));
}

TEST_CASE_METHOD(CertificateFolder, "a private key of 8192 bits fits, and a longer file does not") {
    write("long.key", std::string(20000, 'k'), 0600);
    CHECK(has(said("certificate = \"spoke1.pem\"\nprivate_key = \"long.key\"\n" + kCa), "it is longer than 16384 bytes"));
}

TEST_CASE_METHOD(CertificateFolder, "revocation lists are read in both forms, and an expired one is worth a warning") {
    const Bytes good = ike::pki::revocation_list(middle, {9}, kNow + 24h), old = ike::pki::revocation_list(root, {}, kNow - 1h);
    write("middle.crl", std::string{good.begin(), good.end()}, 0644);
    write("root.crl", ike::pki::pem_of("X509 CRL", old), 0644);
    const auto result = load(file(kOwn + kCa + "crl = [\"middle.crl\", \"root.crl\"]"));
    REQUIRE(result);
    CHECK(result->config.overlay.ike.profiles[0].revocations.size() == 2);
    REQUIRE(result->warnings.size() == 1);
    CHECK(has(result->warnings[0].text, "the revocation list of O=Example, CN=Root expired on"));
}

TEST_CASE_METHOD(CertificateFolder, "a revocation list that is replaced is read anew, and a broken one leaves the former in force") {
    const auto put = [&](std::vector<long> serials) { write("middle.crl", ike::pki::pem_of("X509 CRL", ike::pki::revocation_list(middle, std::move(serials), kNow + 24h)), 0644); };
    put({1});
    RevocationFiles files{load(file(kOwn + kCa + "crl = [\"middle.crl\"]"))->config};
    CHECK(files.look().empty());
    put({1, 2, 3});
    const auto news = files.look();
    REQUIRE(news.size() == 1);
    CHECK(news[0].tunnel == TunnelId{0});
    const auto is_revoked = [&](long serial) {
        return news[0].lists->at(0).revokes(ike::pki::issue({.subject = "CN=x", .serial = serial}, key("p256", 4), &middle).certificate.id_by(middle.certificate));
    };
    CHECK(is_revoked(3));
    CHECK_FALSE(is_revoked(4));
    CHECK(files.look().empty());
    write("middle.crl", "nothing", 0644);
    CHECK(has(files.look().at(0).lists.error(), "cannot use the revocation lists in "));
    std::filesystem::remove(path / "middle.crl");
    CHECK(has(files.look().at(0).lists.error(), "cannot read "));
}

TEST_CASE_METHOD(CertificateFolder, "an OCSP responder is an http URL, and somebody must be asked about") {
    const std::string ocsp = "ocsp = \"http://ocsp.example:8080/x\"\n";
    const auto result = load(file(kOwn + kCa + ocsp));
    REQUIRE(result);
    CHECK(result->config.overlay.ike.profiles[0].ocsp_responder == "http://ocsp.example:8080/x");
    CHECK(value_of(result->config, "tunnel.nave0.ocsp") == "\"http://ocsp.example:8080/x\"");
    for (const char* wrong : {"ocsp.example", "ftp://ocsp.example", "http://", "http://ocsp example"})
        CHECK(has(said(kOwn + kCa + "ocsp = \"" + wrong + "\"\n"), "accepted: the URL of an OCSP responder"));
    CHECK(has(said(kOwn + kCa + ocsp + "revocation = \"off\"\n"), "tunnel.nave0.ocsp: nobody would be asked there"));
}

TEST_CASE_METHOD(CertificateFolder, "authorities and keys stand side by side, each for its identities") {
    const std::string psk = "psk = [{ identity = \"*.old.example\", key = \"0123456789abcdef\" }]\n";
    const auto result = load(file(kOwn + psk + "ca = [{ identity = \"*.example\", file = \"ca.pem\" }]"));
    REQUIRE(result);
    CHECK(result->config.overlay.ike.profiles[0].authorities[0].remote.text() == "*.example");
    CHECK(has(said(kOwn + "ca = [{ identity = \"*.elsewhere\", file = \"ca.pem\" }]"),
              "tunnel.nave0.hub[0].identity: no ca is for \"hub.example\"; give one whose identity matches"));
}

TEST_CASE_METHOD(CertificateFolder, "what is in force names the files and shows no key") {
    const Config config = load(file(kOwn + kCa))->config;
    CHECK(value_of(config, "tunnel.nave0.certificate") == "\"spoke1.pem\"");
    CHECK(value_of(config, "tunnel.nave0.private_key") == "\"spoke1.key\"");
    CHECK(value_of(config, "tunnel.nave0.ca") == "[{ identity = \"*\", file = \"ca.pem\" }]");
    CHECK(value_of(config, "tunnel.nave0.identity") == "\"spoke1.example\"");
    for (const Setting& setting : effective(config)) CHECK(setting.value.find("PRIVATE") == std::string::npos);
}

TEST_CASE_METHOD(CertificateFolder, "the example of a spoke with a certificate is right once its files are there") {
    std::ifstream stream{NAVE_SOURCE_FOLDER "/conf/spoke-certificate.toml"};
    const auto report = check(write("example.toml", {std::istreambuf_iterator<char>{stream}, {}}, 0644));
    CHECK(has(report.text, "example.toml: ok"));
    CHECK(report.ok());
}

TEST_CASE_METHOD(CertificateFolder, "a hub may be named by its subject") {
    const auto result = load(write("spoke.toml", spoke({{12, kOwn + kCa}, {13, ""}, {14, R"(hub = [{ address = "192.0.2.1", identity = "O=Example, CN=hub" }])"}}), 0600));
    REQUIRE(result);
    CHECK(result->config.overlay.tunnels[0].hubs[0].identity->text() == "O=Example, CN=hub");
}
