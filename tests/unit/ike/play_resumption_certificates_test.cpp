// Plays of session resumption between peers with certificates: what the ticket does not outlive.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;
using pki::Issued;

namespace {

struct CertifiedResuming {
    Lab lab{57};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Issued root = pki::authority("O=Example, CN=Root", pki::key("p256", 1));
    Issued other = pki::authority("O=Example, CN=Other", pki::key("p256", 2));

    CertifiedResuming() {
        hold(hub, 11), hold(spoke, 12);
        hub.settings.ticket_keys = {Secret{Bytes(32, 7)}};
        hub.start(), spoke.start();
        connect();
        lab.run();
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE(spoke.count("tickets-received") == 1);
    }
    void hold(Gateway& gateway, long serial, const std::string& responders = "") {
        const Issued own = pki::issue({.subject = "O=Example, CN=" + gateway.name, .names = "DNS:" + gateway.name + ".example", .responders = responders,
                                       .until = pki::kToday + 48h, .serial = serial},
                                      pki::key("p256", 3), &root);
        Profile& profile = gateway.settings.profiles[0];
        profile.credential = Credential{{own.certificate}, own.private_key()};
        profile.authorities = {{pattern("*"), root.certificate}};
        profile.keys.clear();
    }
    void connect() {
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) {
            endpoint.connect({.profile = {}, .local = {spoke.address, 500}, .remote = {hub.address, 500}, .expected = {}, .token = 1, .resumable = true}, lab.now, out);
        });
    }
    void come_back() {
        hub.start();
        while (spoke.is_up()) lab.advance(1s);
        connect();
        lab.run();
    }
    std::vector<RevocationList> list(std::vector<long> serials, std::chrono::sys_seconds until = pki::kToday + 24h * 7) const {
        return {RevocationList::decode(pki::revocation_list(root, std::move(serials), until)).value()};
    }
    bool is_resumed() const { return Lab::talk(spoke, hub) && hub.logged("authenticated spoke.example by the ticket of an earlier session"); }
};

}  // namespace

TEST_CASE_METHOD(CertifiedResuming, "a session between certificates is resumed without a signature") {
    come_back();
    REQUIRE(is_resumed());
    REQUIRE(hub.count("init-requests") == 0);
}

TEST_CASE_METHOD(CertifiedResuming, "a ticket of a certificate that is revoked meanwhile is refused") {
    SECTION("by a hub that starts with the list") {
        hub.settings.profiles[0].revocations = list({12});
        come_back();
    }
    SECTION("by a hub that gets the list while it runs") {
        hub.endpoint->replace_revocations(ProfileId{}, list({12}), lab.now, *std::make_unique<Outbox>());
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(spoke.address, lab.now, out); });
        connect();
        lab.run();
    }
    REQUIRE(hub.logged("IKE_SESSION_RESUME refused: the certificate of spoke.example is revoked"));
    REQUIRE_FALSE(is_resumed());
    REQUIRE(spoke.downs.back().reason == DownReason::authentication_failed);
}

TEST_CASE_METHOD(CertifiedResuming, "a certificate that is revoked between the ticket and IKE_AUTH does not come in") {
    hub.start();
    while (spoke.is_up()) lab.advance(1s);
    connect();
    lab.deliver(spoke);  // IKE_SESSION_RESUME { Ni, N(TICKET_OPAQUE) } -->
    lab.deliver(hub);    // <-- IKE_SESSION_RESUME { Nr }
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.replace_revocations(ProfileId{}, list({12}), lab.now, out); });
    lab.run();           // IKE_AUTH { IDi, IDr, AUTH, SA, TSi, TSr } -->, <-- IKE_AUTH { N(AUTHENTICATION_FAILED) }
    REQUIRE_FALSE(hub.is_up());
    REQUIRE(hub.logged("the certificate of spoke.example is revoked"));
}

TEST_CASE_METHOD(CertifiedResuming, "a ticket does not outlive the certificate, the authority, or the revocation list that would tell") {
    SECTION("the certificate") {
        hub.calendar.today += 49h;
        come_back();
        REQUIRE(hub.logged("the ticket of spoke.example has expired"));
    }
    SECTION("the authority") {
        hub.settings.profiles[0].authorities = {{pattern("*"), other.certificate}};
        come_back();
        REQUIRE(hub.logged("the keys or authorities for spoke.example in profile 'dmvpn' are not those of its ticket"));
    }
    SECTION("the list") {
        hub.settings.profiles[0].revocations = list({99}, pki::kToday - 1h);
        come_back();
        REQUIRE(hub.logged("has expired, so that nobody knows who is revoked"));
    }
    REQUIRE_FALSE(is_resumed());
}

TEST_CASE_METHOD(CertifiedResuming, "a spoke does not resume with a hub whose certificate it knows to be revoked") {
    spoke.endpoint->replace_revocations(ProfileId{}, list({11}), lab.now, *std::make_unique<Outbox>());
    connect();
    REQUIRE(spoke.count("resumptions") == 0);
}

TEST_CASE_METHOD(CertifiedResuming, "a certificate that a responder is asked about lets a session be resumed only while its answer is known and good") {
    const auto says = [&](const std::string& status) {
        while (!hub.fetches.empty()) {
            const FetchRevocation fetch = hub.fetches.front();
            hub.fetches.pop_front();
            lab.act(hub, [&](Endpoint& endpoint, Outbox& out) {
                endpoint.fetched(fetch.id, pki::ocsp_response({.issuer = root, .serial = 12, .status = status}), lab.now, out);
            });
            lab.run();
        }
    };
    const auto move_away = [&] { lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(spoke.address, lab.now, out); }); };
    hold(spoke, 12, "OCSP;URI:http://ocsp.example");
    spoke.start(), hub.start();
    connect();
    lab.run();
    says("good");
    REQUIRE(Lab::talk(spoke, hub));
    SECTION("the answer is there") {
        move_away();
        connect();
        lab.run();
        CHECK(is_resumed());
    }
    SECTION("a hub that started anew asks before it believes") {
        come_back();
        CHECK(hub.logged("nothing is known of the certificate of spoke.example today; it has to be shown again"));
        REQUIRE_FALSE(hub.fetches.empty());
        CHECK_FALSE(hub.is_up());
        const std::string status = GENERATE("good", "revoked");
        says(status);
        CHECK(hub.is_up() == (status == "good"));
        CHECK_FALSE(is_resumed());
    }
}
