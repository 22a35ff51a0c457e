// Plays of IKE_AUTH by certificate: every kind of key, chains, identities, refusals, and both ways of authenticating side by side.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/hex.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;
using pki::Issued;
using pki::Wish;

namespace {

/// A hub and a spoke below one root; the spoke's certificate comes from an intermediate authority.
struct Certified {
    Lab lab{5};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Issued root = pki::authority("O=Example, CN=Root", pki::key("p256", 1));
    Issued middle = pki::intermediate("O=Example, CN=Middle", pki::key("p256", 2), root);

    Certified() {
        hold(hub, "p256"), hold(spoke, "p256");
        restart();
    }

    static Profile& profile(Gateway& gateway) { return gateway.settings.profiles[0]; }
    static Wish wish_for(const Gateway& gateway) { return {.subject = "O=Example, CN=" + gateway.name, .names = "DNS:" + gateway.name + ".example"}; }
    void hold(Gateway& gateway, const std::string& kind) { hold(gateway, kind, wish_for(gateway)); }
    /// Takes a certificate of the intermediate authority, trusts the root, and knows no pre-shared key.
    void hold(Gateway& gateway, const std::string& kind, const Wish& wish) {
        const Issued own = pki::issue(wish, pki::key(kind, 3), &middle);
        profile(gateway).credential = Credential{{own.certificate, middle.certificate}, own.private_key()};
        profile(gateway).authorities = {{pattern("*"), root.certificate}};
        profile(gateway).keys.clear();
    }
    void restart() { spoke.start(), hub.start(); }
    /// The spoke tries, and the hub says why it is refused; the wire does not.
    void refused(std::string_view words) {
        restart();
        hub.logs.clear();
        lab.connect(spoke, hub);
        lab.run();
        CAPTURE(hub.logs);
        CHECK_FALSE(hub.is_up());
        CHECK(hub.count("authentication-failed") == 1);
        CHECK(hub.logged(words));
        REQUIRE_FALSE(spoke.downs.empty());
        CHECK(spoke.downs.back().reason == DownReason::authentication_failed);
        CHECK(spoke.spis.empty());
    }
};

}  // namespace

TEST_CASE_METHOD(Certified, "two gateways come up by certificates below an intermediate authority") {
    lab.connect(spoke, hub, 1, pattern("hub.example"));
    lab.deliver();  // IKE_SA_INIT { SA, KE, Ni, N(SIGNATURE_HASH_ALGORITHMS) } -->
    lab.deliver();  // <-- IKE_SA_INIT { SA, KE, Nr, N(SIGNATURE_HASH_ALGORITHMS), CERTREQ }
    lab.deliver();  // IKE_AUTH { IDi, CERTREQ, CERT, CERT, AUTH, SA, TSi, TSr } -->
    CHECK(hub.is_up());
    lab.deliver();  // <-- IKE_AUTH { IDr, CERT, CERT, AUTH, SA, TSi, TSr }
    CHECK(Lab::talk(spoke, hub));
    CHECK(hub.ups[0].remote_identity == identity("spoke.example"));
    REQUIRE(hub.ups[0].subject);
    CHECK(hub.ups[0].subject->to_string() == "O=Example, CN=spoke");
    CHECK(hub.logged("authenticated spoke.example by the certificate of O=Example, CN=spoke (ecdsa-sha256)"));
    CHECK(spoke.logged("authenticated hub.example by the certificate of O=Example, CN=hub (ecdsa-sha256)"));
}

TEST_CASE_METHOD(Certified, "every kind of key authenticates to every other") {
    for (const char* of_spoke : {"rsa2048", "p256", "p384", "p521", "ed25519"}) {
        for (const char* of_hub : {"rsa2048", "ed25519"}) {
            CAPTURE(of_spoke, of_hub);
            hold(spoke, of_spoke), hold(hub, of_hub);
            restart();
            lab.establish(spoke, hub);
        }
    }
    CHECK(spoke.logged("(rsa-pss-sha256)"));
    CHECK(hub.logged("(ecdsa-sha512)"));
}

TEST_CASE_METHOD(Certified, "a rekeyed IKE SA and a closed one are no different with certificates") {
    lab.establish(spoke, hub);
    lab.rekey_ike(hub);
    lab.rekey_child(spoke);
    lab.run();
    CHECK(Lab::talk(spoke, hub));
    lab.close(spoke);
    lab.run();
    CHECK_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Certified, "identities are alternative names of every kind, or the subject") {
    for (const char* own : {"spoke.example", "192.0.2.10", "2001:db8::10", "spoke@example.org", "O=Example, CN=spoke"}) {
        CAPTURE(own);
        Wish wish = wish_for(spoke);
        wish.names = "DNS:spoke.example,IP:192.0.2.10,IP:2001:db8::10,email:spoke@example.org";
        hold(spoke, "p256", wish);
        profile(spoke).local = identity(own);
        restart();
        lab.establish(spoke, hub);
        CHECK(hub.ups.back().remote_identity == identity(own));
    }
}

TEST_CASE_METHOD(Certified, "a peer whose subject is encoded otherwise is the same peer, and patterns with wildcards find it") {
    // O=Example, CN=SPOKE in PrintableString; the certificate has UTF8String, and a small s.
    const Bytes printable = hex("3022 3110 300e 060355040a 13074578616d706c65 310e 300c 0603550403 13055350 4f4b45");
    const Identity encoded{Identity::Type::der_distinguished_name, printable};
    profile(spoke).local = encoded;
    profile(hub).authorities[0].remote = pattern("O=example, CN=*");
    restart();
    lab.establish(spoke, hub);
    CHECK(hub.ups.back().remote_identity == identity("O=Example, CN=SPOKE"));
    CHECK(hub.ups.back().remote_identity != encoded);
}

TEST_CASE_METHOD(Certified, "a certificate of another authority is refused in words, and on the wire like anything else") {
    const Issued stranger = pki::authority("CN=Stranger", pki::key("p256", 7));
    const Issued own = pki::issue(wish_for(spoke), pki::key("p256", 3), &stranger);
    profile(spoke).credential = Credential{{own.certificate}, own.private_key()};
    refused("spoke.example does not prove that it is: O=Example, CN=spoke is issued by CN=Stranger, which is no CA of ours");
}

TEST_CASE_METHOD(Certified, "an expired certificate, and one for later, are refused with their dates") {
    hub.calendar.today += 24h * 300;
    Wish wish = wish_for(spoke);
    wish.until = pki::kToday + 24h;
    hold(spoke, "p256", wish);
    refused("the certificate of O=Example, CN=spoke expired on 2031-05-18 12:00 UTC");
    wish.until = pki::kToday + 24h * 400;
    wish.from = pki::kToday + 24h * 301;
    hold(spoke, "p256", wish);
    refused("the certificate of O=Example, CN=spoke is valid from");
}

TEST_CASE_METHOD(Certified, "without a date no certificate is believed") {
    hub.settings.calendar = nullptr;
    refused("nobody tells us the date");
}

TEST_CASE_METHOD(Certified, "a revoked certificate is refused") {
    const auto list = [](const Issued& issuer, std::vector<long> serials) { return RevocationList::decode(pki::revocation_list(issuer, std::move(serials))).value(); };
    profile(hub).revocations = {list(root, {}), list(middle, {2})};
    Wish wish = wish_for(spoke);
    wish.serial = 3;
    hold(spoke, "p256", wish);
    restart();
    lab.establish(spoke, hub);
    wish.serial = 2;
    hold(spoke, "p256", wish);
    refused("the certificate of O=Example, CN=spoke is revoked by O=Example, CN=Middle");
}

TEST_CASE_METHOD(Certified, "new revocation lists end what is up with those that they revoke, and nothing else") {
    Gateway& other = lab.gateway("other", "192.0.2.11");
    Wish wish = wish_for(other);
    wish.serial = 8;
    hold(other, "p384", wish);
    other.start();
    lab.establish(spoke, hub);
    lab.connect(other, hub);
    lab.run();
    const auto lists = [&](std::vector<long> serials) {
        return std::vector{RevocationList::decode(pki::revocation_list(root, {})).value(), RevocationList::decode(pki::revocation_list(middle, std::move(serials))).value()};
    };
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.replace_revocations(ProfileId{0}, lists({7, 9}), lab.now, out); });
    CHECK(hub.downs.empty());
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.replace_revocations(ProfileId{0}, lists({8}), lab.now, out); });
    lab.run();
    REQUIRE(hub.downs.size() == 1);
    CHECK(hub.downs[0].reason == DownReason::authentication_failed);
    CHECK(hub.logged("other.example at 192.0.2.11:500: established -> closing: authentication-failed: its certificate is revoked"));
    CHECK_FALSE(other.is_up());
    CHECK(Lab::talk(spoke, hub));
    lab.connect(other, hub);
    lab.run();
    CHECK_FALSE(other.is_up());
}

TEST_CASE_METHOD(Certified, "an identity that the certificate does not name is refused") {
    for (const char* other : {"other.example", "hub.example", "192.0.2.10", "spoke@example", "O=Example, CN=other", "@#0102"}) {
        profile(spoke).local = identity(other);
        refused("its certificate is for O=Example, CN=spoke, not for " + std::string{other});
    }
}

TEST_CASE_METHOD(Certified, "an authority vouches only for the identities that it is named for") {
    profile(hub).authorities[0].remote = pattern("*.branches.example");
    refused("no ca is configured for spoke.example");
    profile(hub).authorities.push_back({pattern("spoke.example"), pki::authority("CN=Other", pki::key("p256", 6)).certificate});
    refused("which is no CA of ours");
}

TEST_CASE_METHOD(Certified, "a name outside of the intermediate authority's constraints is refused") {
    const Wish narrow{.subject = "O=Example, CN=Middle", .constraints = "critical,CA:TRUE", .usage = "keyCertSign",
                      .name_constraints = "critical,permitted;DNS:branches.example"};
    middle = pki::issue(narrow, pki::key("p256", 2), &root);
    hold(spoke, "p256");
    refused("the certificate of O=Example, CN=spoke: permitted subtree violation");
}

TEST_CASE_METHOD(Certified, "a certificate without its intermediate authority, and a chain in a loop, are refused") {
    auto& chain = profile(spoke).credential->chain;
    chain.pop_back();
    refused("nor did its certificate come along");
    const Issued a = pki::authority("CN=A", pki::key("p256", 4)), b = pki::authority("CN=B", pki::key("p256", 5));
    const Issued own = pki::issue(wish_for(spoke), pki::key("p256", 3), &a);
    chain = {own.certificate, pki::intermediate("CN=A", pki::key("p256", 4), b).certificate, pki::intermediate("CN=B", pki::key("p256", 5), a).certificate};
    refused("spoke.example does not prove that it is");
}

TEST_CASE_METHOD(Certified, "more certificates than we look at are refused unseen") {
    auto& chain = profile(spoke).credential->chain;
    while (chain.size() < 9) chain.push_back(middle.certificate);
    refused("it sends more than 8 certificates");
}

TEST_CASE_METHOD(Certified, "of what comes in CERT payloads only certificates in DER are looked at, and nothing is fetched") {
    const CertificatePayload own{CertificateEncoding::x509_signature, profile(spoke).credential->chain[0].der()};
    const CertificatePayload list{CertificateEncoding::revocation_list, {1}}, odd{CertificateEncoding{99}, {1}};
    const CertificatePayload url{CertificateEncoding::hash_and_url, Bytes(30, 'x')}, broken{CertificateEncoding::x509_signature, {0x30, 0x00}};
    const auto complaint = [](std::vector<CertificatePayload> sent) {
        const auto chain = read_chain(sent);
        return chain ? std::string{} : chain.error();
    };
    CHECK(complaint({list, own, odd, own}) == "");
    CHECK(read_chain(std::vector<CertificatePayload>{list, own, odd, own})->others.size() == 1);
    CHECK(complaint({list}) == "it signs, but sends no certificate");
    CHECK(complaint({own, url}) == "it sends the address of its certificate (hash and URL): we fetch nothing for a stranger");
    CHECK(complaint({own, broken}) == "its certificate 2: it is not an X.509 certificate in DER");
    CHECK(complaint({CertificatePayload{CertificateEncoding::x509_signature, Bytes(20000, 0x30)}}).starts_with("it sends more than 8 certificates, or one of more"));
}

TEST_CASE_METHOD(Certified, "a certificate of somebody else's key does not help") {
    profile(spoke).credential->key = pki::issue(wish_for(spoke), pki::key("p256", 8), &middle).private_key();
    refused("the signature is not by the key of O=Example, CN=spoke");
}

TEST_CASE_METHOD(Certified, "the answers to all that is wrong have one length") {
    std::vector<std::size_t> sizes;
    const auto try_it = [&] {
        restart();
        lab.connect(spoke, hub);
        for (int i = 0; i < 3; ++i) lab.deliver();
        sizes.push_back(lab.lose(hub).size());
        lab.wire.clear();
    };
    profile(spoke).local = identity("other.example");
    try_it();
    profile(spoke).local = identity("spoke.example");
    hub.calendar.today += 24h * 3000;
    try_it();
    profile(hub).authorities[0].remote = pattern("x.example");
    try_it();
    CHECK(std::ranges::all_of(sizes, [&](std::size_t size) { return size == sizes[0]; }));
}

TEST_CASE_METHOD(Certified, "a responder with a revoked certificate is left, and told") {
    profile(spoke).revocations = {RevocationList::decode(pki::revocation_list(root, {})).value(), RevocationList::decode(pki::revocation_list(middle, {1})).value()};
    restart();
    lab.connect(spoke, hub);
    lab.run();
    CHECK(spoke.downs.at(0).reason == DownReason::authentication_failed);
    CHECK(spoke.logged("hub.example does not prove that it is: the certificate of O=Example, CN=hub is revoked"));
    CHECK_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Certified, "a hub with both ways takes spokes of either kind, and answers each in its own way") {
    Gateway& old = lab.gateway("old", "192.0.2.11");
    profile(hub).keys = {{pattern("*"), secret("secret")}};
    restart();
    lab.establish(spoke, hub);
    lab.connect(old, hub);
    lab.run();
    CHECK(Lab::talk(old, hub));
    CHECK(hub.logged("authenticated old.example by pre-shared key"));
    CHECK(old.logged("authenticated hub.example by pre-shared key"));
}

TEST_CASE_METHOD(Certified, "a spoke with both ways proves itself by key to a peer that judges no certificates") {
    Gateway& old = lab.gateway("old", "192.0.2.11");
    profile(spoke).keys = {{pattern("*"), secret("secret")}};
    restart();
    lab.establish(spoke, old);
    CHECK(old.logged("authenticated spoke.example by pre-shared key"));
    lab.connect(spoke, hub);
    lab.run();
    CHECK(hub.logged("authenticated spoke.example by the certificate"));
}

TEST_CASE_METHOD(Certified, "a shared key for many does not speak for one for whom an authority is named more closely, nor the other way round") {
    Gateway& liar = lab.gateway("liar", "192.0.2.66");
    profile(liar).local = identity("spoke.example");
    liar.start();
    profile(hub).keys = {{pattern("*.example"), secret("secret")}};
    profile(hub).authorities[0].remote = pattern("spoke.example");
    hub.start();
    lab.connect(liar, hub);
    lab.run();
    CHECK_FALSE(hub.is_up());
    CHECK(hub.logged("no pre-shared key is configured for spoke.example"));
    profile(hub).authorities[0].remote = pattern("*");
    refused("no ca is configured for spoke.example");
}

TEST_CASE_METHOD(Certified, "an attacker who strips the offer of certificates from IKE_SA_INIT gains nothing") {
    profile(spoke).keys = profile(hub).keys = {{pattern("*"), secret("secret")}};
    restart();
    lab.connect(spoke, hub);
    lab.deliver();
    Packet answer = lab.intercept(&hub);
    Message message = decode_message(answer.payload).value();
    std::erase_if(message.payloads, [](const Payload& payload) {
        const auto* notify = std::get_if<Notify>(&payload);
        return std::holds_alternative<CertificateRequest>(payload) || (notify && notify->type == NotifyType::signature_hash_algorithms);
    });
    answer.payload = encode_message(message.header, message.payloads);
    lab.inject(answer);
    lab.run();
    CHECK_FALSE(spoke.is_up());
}

TEST_CASE_METHOD(Certified, "without a certificate and a key for the peer nothing is sent") {
    profile(spoke).credential.reset();
    spoke.start();
    lab.connect(spoke, hub, 4);
    CHECK(lab.in_flight() == 0);
    CHECK(spoke.downs.at(0).token == 4);
}

TEST_CASE_METHOD(Certified, "an Ed25519 key has no answer to a peer that knows only older methods, and says so") {
    hold(spoke, "ed25519");
    profile(spoke).authorities.clear();
    hold(hub, "ed25519");
    profile(hub).authorities.clear();
    profile(hub).keys = {{pattern("*"), secret("secret")}};
    restart();
    lab.connect(spoke, hub);
    lab.advance(60s);
    CHECK(spoke.logged("ignored an answer: our key is Ed25519, and the peer does not announce"));
    CHECK(spoke.count("bad-init-answers") >= 1);
    CHECK_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Certified, "a post-quantum key goes into signatures as well, or NO_PPK_AUTH carries a signature without it (RFC 8784)") {
    const auto ppk = [](std::string id) { return Ppk{.id = std::move(id), .remote = pattern("*"), .key = secret("quantum")}; };
    profile(spoke).ppks = {ppk("site-7")}, profile(hub).ppks = {ppk("site-7")};
    restart();
    lab.establish(spoke, hub);
    CHECK(hub.logged("authenticated spoke.example by the certificate of O=Example, CN=spoke (ecdsa-sha256) and PPK 'site-7'"));
    CHECK(spoke.logged("authenticated hub.example by the certificate of O=Example, CN=hub (ecdsa-sha256) and PPK 'site-7'"));

    profile(hub).ppks = {ppk("site-8")};
    restart();
    lab.wire.clear();
    lab.establish(spoke, hub);
    CHECK(hub.logged("established without PPK"));

    profile(hub).ppks[0].required = true;
    refused("profile 'dmvpn' requires a PPK of spoke.example");
    profile(hub).ppks = {ppk("site-7")};
    profile(hub).ppks[0].key = secret("mistyped");
    refused("spoke.example does not prove that it is");
}
