// Plays of revocation: what is asked by HTTP and when, who waits for it, what counts without an answer, and OCSP inside of IKE (RFC 4806).
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/revocation.hpp"
#include "controlplane/ike/revocation_desk.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;
using pki::Issued;

namespace {

const std::string kList = "http://pki.example/root.crl", kResponder = "http://ocsp.example";

/// A hub and a spoke below one root. The spoke's certificate has serial number 7, the hub's 8; whom they name is up to the test.
struct Asked {
    Lab lab{31};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Issued root = pki::authority("O=Example, CN=Root", pki::key("p256", 1));

    Asked() { certify(spoke, 7), certify(hub, 8); }

    static Profile& profile(Gateway& gateway) { return gateway.settings.profiles[0]; }
    void certify(Gateway& gateway, long serial, const std::string& lists = "", const std::string& responders = "") {
        const Issued own = pki::issue({.subject = "O=Example, CN=" + gateway.name, .names = "DNS:" + gateway.name + ".example",
                                       .lists = lists.empty() ? "" : "URI:" + lists, .responders = responders.empty() ? "" : "OCSP;URI:" + responders, .serial = serial},
                                      pki::key("p256", 3), &root);
        profile(gateway).credential = Credential{{own.certificate}, own.private_key()};
        profile(gateway).authorities = {{pattern("*"), root.certificate}};
        profile(gateway).keys.clear();
        gateway.start();
    }
    void begin() {
        lab.connect(spoke, hub);
        lab.run();
    }
    /// The oldest question of a gateway is answered so.
    void answer(Gateway& gateway, const std::expected<Bytes, std::string>& content) {
        REQUIRE_FALSE(gateway.fetches.empty());
        const FetchRevocation fetch = gateway.fetches.front();
        gateway.fetches.pop_front();
        lab.act(gateway, [&](Endpoint& endpoint, Outbox& out) { endpoint.fetched(fetch.id, content, lab.now, out); });
        lab.run();
    }
    Bytes list(std::vector<long> revoked) const { return pki::revocation_list(root, std::move(revoked)); }
    Bytes response(long serial, const std::string& status = "good") const { return pki::ocsp_response({.issuer = root, .serial = serial, .status = status}); }
    void refused(std::string_view words) {
        CAPTURE(hub.logs);
        CHECK(hub.logged(words));
        CHECK_FALSE(hub.is_up());
        REQUIRE_FALSE(spoke.downs.empty());
        CHECK(spoke.downs.back().reason == DownReason::authentication_failed);
    }
};

}  // namespace

TEST_CASE_METHOD(Asked, "a responder asks for the list that a certificate names, and answers IKE_AUTH when it is there") {
    certify(spoke, 7, kList, kResponder);
    lab.connect(spoke, hub);
    for (int i = 0; i < 3; ++i) lab.deliver();  // IKE_SA_INIT both ways, IKE_AUTH { IDi, CERT, CERTREQ, AUTH, ... } -->
    CHECK_FALSE(hub.is_up());
    CHECK(lab.in_flight() == 0);
    REQUIRE(hub.fetches.size() == 1);
    CHECK(hub.fetches.front().url == kList);
    CHECK(hub.fetches.front().body.empty());
    answer(hub, list({6}));
    CHECK(Lab::talk(spoke, hub));
    CHECK(hub.count("revocation-answers") == 1);
}

TEST_CASE_METHOD(Asked, "who is on that list is refused, and told nothing more than AUTHENTICATION_FAILED") {
    certify(spoke, 7, kList);
    begin();
    answer(hub, list({7}));
    refused("spoke.example does not prove that it is: the certificate of O=Example, CN=spoke is revoked by O=Example, CN=Root");
}

TEST_CASE_METHOD(Asked, "who is revoked by OCSP is refused, who is good comes in") {
    certify(spoke, 7, "", kResponder);
    begin();
    REQUIRE_FALSE(hub.fetches.empty());
    CHECK(hub.fetches.front().url == kResponder);
    CHECK_FALSE(hub.fetches.front().body.empty());
    const std::string status = GENERATE("good", "revoked", "unknown");
    answer(hub, response(7, status));
    if (status == "good") CHECK(Lab::talk(spoke, hub));
    else refused("spoke.example does not prove that it is: ");
    CHECK(hub.logged("is revoked by O=Example, CN=Root") == (status == "revoked"));
}

TEST_CASE_METHOD(Asked, "when a list is not to be had the OCSP responder is asked, and when that is silent too the policy decides") {
    certify(spoke, 7, kList, kResponder);
    const auto policy = GENERATE(RevocationPolicy::strict, RevocationPolicy::relaxed);
    profile(hub).revocation = policy;
    hub.start();
    begin();
    answer(hub, std::unexpected{"connection refused"});
    CHECK(hub.logged("revocation: nothing to be had from http://pki.example/root.crl: connection refused"));
    CHECK_FALSE(hub.is_up());
    CHECK(hub.fetches.front().url == kResponder);
    answer(hub, std::unexpected{"timeout"});
    if (policy == RevocationPolicy::relaxed) CHECK(Lab::talk(spoke, hub));
    else refused("nobody says whether O=Example, CN=spoke is revoked: no list of O=Example, CN=Root is there, nor a response by OCSP");
}

TEST_CASE_METHOD(Asked, "relaxed lets nobody in who is revoked, and off asks nobody") {
    certify(spoke, 7, kList);
    profile(hub).revocation = RevocationPolicy::relaxed;
    hub.start();
    begin();
    answer(hub, list({7}));
    refused("is revoked by O=Example, CN=Root");
    profile(hub).revocation = RevocationPolicy::off;
    hub.start(), spoke.start();
    begin();
    CHECK(hub.fetches.empty());
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Asked, "a certificate that names nobody needs no word, unless the operator names whom to ask") {
    begin();
    CHECK(hub.fetches.empty());
    CHECK(Lab::talk(spoke, hub));
    profile(hub).ocsp_responder = "http://own.example";
    hub.start(), spoke.start();
    lab.run();
    begin();
    REQUIRE_FALSE(hub.fetches.empty());
    CHECK(hub.fetches.front().url == "http://own.example");
    answer(hub, response(7));
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Asked, "nothing is fetched for whoever does not hold the key of its certificate, or has none of our authorities") {
    certify(spoke, 7, kList, kResponder);
    profile(spoke).credential = Credential{profile(spoke).credential->chain, pki::issue({.subject = "CN=x"}, pki::key("p256", 8), &root).private_key()};
    spoke.start();
    begin();
    refused("the signature is not by the key of O=Example, CN=spoke");
    CHECK(hub.fetches.empty());
    profile(hub).authorities = {{pattern("*"), pki::authority("CN=Other", pki::key("p256", 5)).certificate}};
    certify(spoke, 7, kList, kResponder);
    hub.start();
    begin();
    refused("which is no CA of ours");
    CHECK(hub.fetches.empty());
}

TEST_CASE_METHOD(Asked, "while the hub waits for an answer a repeated IKE_AUTH changes nothing, and others come and go") {
    certify(spoke, 7, kList);
    Gateway& other = lab.gateway("other", "192.0.2.11");
    certify(other, 9);
    begin();
    lab.advance(2s);  // the spoke repeats its request
    CHECK(hub.fetches.size() == 1);
    lab.connect(other, hub);
    lab.run();
    CHECK(other.is_up());
    answer(hub, list({}));
    CHECK(spoke.is_up());
    CHECK(hub.ups.size() == 2);
}

TEST_CASE_METHOD(Asked, "many spokes of one authority cost one list") {
    begin();
    for (int i = 0; i < 5; ++i) {
        Gateway& each = lab.gateway("spoke" + std::to_string(i), "192.0.2." + std::to_string(20 + i));
        certify(each, 20 + i, kList);
        lab.connect(each, hub);
    }
    lab.run();
    CHECK(hub.fetches.size() == 1);
    answer(hub, list({22}));
    CHECK(hub.ups.size() == 5);
    CHECK(hub.logged("the certificate of O=Example, CN=spoke2 is revoked"));
}

TEST_CASE_METHOD(Asked, "in a storm of questions whoever finds no room is neither let in nor refused, and asks again") {
    profile(hub).revocation = GENERATE(RevocationPolicy::strict, RevocationPolicy::relaxed);
    hub.start();
    for (std::size_t i = 0; i < RevocationDesk::kListsMax; ++i) {
        Gateway& each = lab.gateway("spoke" + std::to_string(i), "192.0.2." + std::to_string(20 + i));
        certify(each, 20 + static_cast<long>(i), kList + std::to_string(i));
        lab.connect(each, hub);
        lab.run();
    }
    CHECK(hub.fetches.size() == RevocationDesk::kListsMax);
    certify(spoke, 7, kList);
    begin();
    CHECK(hub.count("revocation-busy") == 1);
    CHECK(hub.ups.empty());
    CHECK(spoke.downs.empty());
    answer(hub, std::unexpected{"no route"});
    CHECK_FALSE(spoke.is_up());
    lab.advance(3s);  // the spoke repeats its request
    REQUIRE(hub.fetches.back().url == kList);
    std::swap(hub.fetches.front(), hub.fetches.back());
    answer(hub, list({}));
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Asked, "when nobody ever answers the hub gives up, and refuses") {
    certify(spoke, 7, kList);
    begin();
    lab.advance(30s);
    refused("nobody says whether O=Example, CN=spoke is revoked");
}

TEST_CASE_METHOD(Asked, "an initiator waits as well, and leaves a responder that is revoked") {
    certify(hub, 8, kList);
    begin();
    CHECK(hub.is_up());
    CHECK_FALSE(spoke.is_up());
    REQUIRE(spoke.fetches.size() == 1);
    const bool is_revoked = GENERATE(false, true);
    answer(spoke, list(is_revoked ? std::vector<long>{8} : std::vector<long>{}));
    CHECK(spoke.is_up() == !is_revoked);
    CHECK(hub.is_up() == !is_revoked);
    if (is_revoked) CHECK(spoke.logged("hub.example does not prove that it is: the certificate of O=Example, CN=hub is revoked by O=Example, CN=Root"));
}

TEST_CASE_METHOD(Asked, "an intermediate authority is asked about as well") {
    const Issued middle = pki::issue({.subject = "O=Example, CN=Middle", .constraints = "critical,CA:TRUE", .usage = "critical,keyCertSign,cRLSign", .lists = "URI:" + kList,
                                      .serial = 100}, pki::key("p256", 2), &root);
    const Issued own = pki::issue({.subject = "O=Example, CN=spoke", .names = "DNS:spoke.example", .serial = 7}, pki::key("p256", 3), &middle);
    profile(spoke).credential = Credential{{own.certificate, middle.certificate}, own.private_key()};
    spoke.start();
    begin();
    answer(hub, list({100}));
    refused("the certificate of O=Example, CN=Middle is revoked by O=Example, CN=Root");
}

TEST_CASE_METHOD(Asked, "with a crypto pool it is no different") {
    certify(spoke, 7, kList);
    hub.settings.crypto_pool = spoke.settings.crypto_pool = true;
    hub.start(), spoke.start();
    lab.connect(spoke, hub);
    lab.run_with_pools();
    CHECK_FALSE(hub.is_up());
    answer(hub, list({}));
    lab.run_with_pools();
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Asked, "what is known is asked anew within an hour, and a peer that is revoked then goes at once") {
    const bool by_list = GENERATE(true, false);
    certify(spoke, 7, by_list ? kList : "", by_list ? "" : kResponder);
    begin();
    answer(hub, by_list ? list({}) : response(7));
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(1h + 1s);
    REQUIRE(hub.fetches.size() == 1);
    CHECK(hub.is_up());
    answer(hub, by_list ? list({7}) : response(7, "revoked"));
    CHECK_FALSE(hub.is_up());
    CHECK(hub.count("peers-revoked") == 1);
    CHECK(hub.logged("established -> closing: authentication-failed: its certificate is revoked"));
}

TEST_CASE_METHOD(Asked, "a hub sends along what the OCSP responder says of it, so that its spokes need ask nobody (RFC 4806)") {
    certify(hub, 8, "", kResponder);
    lab.advance_to_next_deadline();
    REQUIRE(hub.fetches.size() == 1);
    const std::string status = GENERATE("good", "revoked");
    answer(hub, response(8, status));
    begin();  // <-- IKE_SA_INIT { ..., CERTREQ(X.509), CERTREQ(OCSP) }, IKE_AUTH { IDr, CERT(X.509), CERT(OCSP), AUTH, ... }
    CHECK(spoke.fetches.empty());
    CHECK(spoke.is_up() == (status == "good"));
    if (status == "revoked") {
        CHECK(hub.logged("revocation: our own certificate of O=Example, CN=hub is revoked"));
        CHECK(spoke.logged("the certificate of O=Example, CN=hub is revoked by O=Example, CN=Root"));
    }
}

TEST_CASE_METHOD(Asked, "a genuine response that somebody padded with certificates counts, but is not sent along") {
    certify(hub, 8, "", kResponder);
    lab.advance_to_next_deadline();
    const Bytes padded = pki::ocsp_response({.issuer = root, .serial = 8, .padding = 20});
    REQUIRE(padded.size() > 4096);
    answer(hub, padded);
    CHECK(hub.count("revocation-answers") == 1);
    begin();
    REQUIRE(spoke.fetches.size() == 1);
    answer(spoke, response(8));
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Asked, "a spoke sends its own response along when the hub asks for it, and a hub that does not want to know gets none") {
    certify(spoke, 7, "", kResponder);
    lab.advance_to_next_deadline();
    answer(spoke, response(7));
    begin();
    CHECK(hub.fetches.empty());
    CHECK(Lab::talk(spoke, hub));
    profile(hub).revocation = RevocationPolicy::off;
    certify(spoke, 7, kList, kResponder);
    hub.start();
    begin();
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE("CERTREQ and CERT of OCSP are read and written as RFC 4806 has them") {
    std::vector<Payload> payloads;
    Profile profile{.name = "x", .local = identity("x.example"), .child_limits = {}};
    append_ocsp_request(payloads, {&profile, 1});
    CHECK(payloads.empty());  // it judges no certificates
    profile.authorities = {{pattern("*"), pki::authority("CN=R", pki::key("p256", 1)).certificate}};
    append_ocsp_request(payloads, {&profile, 1});
    REQUIRE(payloads.size() == 1);
    CHECK(std::get<CertificateRequest>(payloads[0]).encoding == CertificateEncoding::ocsp);
    CHECK(std::get<CertificateRequest>(payloads[0]).authorities.empty());  // any responder
    CHECK(asks_for_ocsp(payloads));
    CHECK_FALSE(asks_for_ocsp(std::vector<Payload>{CertificateRequest{CertificateEncoding::x509_signature, {}}}));
    const CertificatePayload own{CertificateEncoding::x509_signature, pki::authority("CN=R", pki::key("p256", 1)).der};
    std::vector<CertificatePayload> sent{own, {CertificateEncoding::ocsp, {2}}, {CertificateEncoding::ocsp, Bytes(70'000, 1)}};
    CHECK(read_chain(sent)->responses == std::vector<Bytes>{{2}});
    sent.resize(20, {CertificateEncoding::ocsp, {3}});
    CHECK(read_chain(sent)->responses.size() == 8);
}
