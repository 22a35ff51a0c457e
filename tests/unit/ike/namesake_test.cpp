// Two trusted authorities with one name: what one of them says of a serial number says nothing of the other's.
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/revocation_desk.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/lab.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;
using pki::Issued;
using pki::kToday;

namespace {

const std::string kList = "http://pki.example/root.crl", kResponder = "http://ocsp.example";

/// Either of both may come first in any table.
struct Namesakes {
    Issued first = pki::authority("O=Example, CN=Root", pki::key("p256", 1)), second = pki::authority("O=Example, CN=Root", pki::key("p256", 9));
    bool is_first = GENERATE(true, false), by_list = GENERATE(true, false);
    const Issued &own = is_first ? first : second, &other = is_first ? second : first;

    Issued leaf(const std::string& name, const Issued& issuer) const {
        return pki::issue({.subject = "O=Example, CN=" + name, .names = "DNS:" + name + ".example", .lists = by_list ? "URI:" + kList : "",
                           .responders = by_list ? "" : "OCSP;URI:" + kResponder, .authority_key = "keyid", .serial = 7},
                          pki::key("p256", 3), &issuer);
    }
    /// What the issuer says of serial number 7.
    Bytes answer(const Issued& issuer, bool revoked) const {
        if (by_list) return pki::revocation_list(issuer, revoked ? std::vector<long>{7} : std::vector<long>{});
        return pki::ocsp_response({.issuer = issuer, .serial = 7, .status = revoked ? "revoked" : "good"});
    }
};

/// A spoke below each authority, both with serial number 7, at a hub that trusts both.
struct Shared : Namesakes {
    Lab lab{83};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& twin = lab.gateway("twin", "192.0.2.11");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    Shared() {
        certify(hub, pki::issue({.subject = "O=Example, CN=hub", .names = "DNS:hub.example", .authority_key = "keyid", .serial = 8}, pki::key("p256", 3), &own));
        certify(spoke, leaf("spoke", own)), certify(twin, leaf("twin", other));
        hub.settings.ticket_keys = {Secret{Bytes(32, 7)}};
        for (Gateway* each : {&hub, &spoke, &twin}) each->start();
    }
    void certify(Gateway& gateway, const Issued& certificate) const {
        Profile& profile = gateway.settings.profiles[0];
        profile.credential = Credential{{certificate.certificate}, certificate.private_key()};
        profile.authorities = {{pattern("*"), first.certificate}, {pattern("*"), second.certificate}};
        profile.keys.clear();
    }
    void connect(Gateway& from) {
        lab.act(from, [&](Endpoint& endpoint, Outbox& out) {
            endpoint.connect({.profile = {}, .local = {from.address, 500}, .remote = {hub.address, 500}, .expected = {}, .token = 1, .resumable = true}, lab.now, out);
        });
        lab.run();
    }
    void hear(const Bytes& content) {
        REQUIRE_FALSE(hub.fetches.empty());
        const FetchRevocation fetch = hub.fetches.front();
        hub.fetches.pop_front();
        lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.fetched(fetch.id, content, lab.now, out); });
        lab.run();
    }
    void come_in() {
        connect(spoke), hear(answer(own, false));
        lab.advance(1s);
        connect(twin), hear(answer(other, false));
        REQUIRE((spoke.is_up() && twin.is_up()));
    }
    void check_that_the_twin_returns_by_its_ticket() {
        lab.act(twin, [&](Endpoint& endpoint, Outbox& out) { endpoint.local_address_gone(twin.address, lab.now, out); });
        connect(twin);
        CHECK(hub.logged("authenticated twin.example by the ticket of an earlier session"));
        CHECK(twin.is_up());
    }
};

}  // namespace

TEST_CASE_METHOD(Namesakes, "an authority says nothing of its namesake's certificates, neither good nor revoked (RFC 5280 §6.3.3(f), RFC 6960 §4.1.1)") {
    const bool is_revoked = GENERATE(true, false);
    RevocationDesk desk;
    Outbox out;
    const Moment moment{TimePoint{1h}, kToday};
    const Certificate mine = leaf("spoke", own).certificate, theirs = leaf("spoke", other).certificate;
    const CertificateId id = mine.id_by(own.certificate), others_id = theirs.id_by(other.certificate);
    const auto fetch = desk.ask({mine, own.certificate, "http://pki.example", by_list}, moment, out).value();
    const auto news = desk.take(fetch.value(), answer(own, is_revoked), moment);
    CHECK(news->failure == "");
    CHECK(news->revokes(id) == is_revoked);
    CHECK_FALSE(news->revokes(others_id));
    CHECK(desk.standing(id, kToday) == (is_revoked ? RevocationDesk::Standing::revoked : RevocationDesk::Standing::good));
    CHECK(desk.standing(others_id, kToday) == RevocationDesk::Standing::unknown);
    CHECK(desk.lists(std::array{others_id}, kToday).empty());
    CHECK(desk.responses(std::array{others_id}, kToday).empty());
    CHECK(desk.lists(std::array{id}, kToday).size() + desk.responses(std::array{id}, kToday).size() == 1);
}

TEST_CASE_METHOD(Shared, "of two peers with one issuer name and serial number the one goes whose own issuer revokes it, the other may come back by its ticket") {
    come_in();
    lab.advance(1h + 1s);  // both are asked about anew, in that order
    REQUIRE(hub.fetches.size() == 2);
    hear(answer(own, true)), hear(answer(other, false));
    CHECK(hub.count("revocation-failures") == 0);
    CHECK(hub.count("peers-revoked") == 1);
    CHECK_FALSE(spoke.is_up());
    CHECK(twin.is_up());
    check_that_the_twin_returns_by_its_ticket();
    connect(spoke);
    CHECK_FALSE(spoke.is_up());
}

TEST_CASE_METHOD(Shared, "what is known of a namesake's certificate opens no ticket") {
    come_in();
    hub.start();
    while (spoke.is_up() || twin.is_up()) lab.advance(1s);
    connect(spoke), hear(answer(own, false));
    CHECK(spoke.is_up());
    connect(twin);
    CHECK(hub.logged("nothing is known of the certificate of twin.example today; it has to be shown again"));
    CHECK_FALSE(twin.is_up());
}

TEST_CASE_METHOD(Shared, "a list from a file revokes nobody whose issuer has not signed it, neither who is up nor who comes by a ticket") {
    come_in();
    const std::vector lists{RevocationList::decode(pki::revocation_list(own, {7})).value()};
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.replace_revocations(ProfileId{}, lists, lab.now, out); });
    lab.run();
    CHECK(hub.count("peers-revoked") == 1);
    CHECK_FALSE(spoke.is_up());
    CHECK(twin.is_up());
    check_that_the_twin_returns_by_its_ticket();
}
