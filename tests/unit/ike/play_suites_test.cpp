// Plays of suites that somebody configures: child SAs without AEAD or without encryption, and every group.
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Configured {
    Lab lab{23};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    static void use(Gateway& gateway, std::initializer_list<const char*> suites) {
        auto& proposals = gateway.settings.profiles[0].esp_proposals;
        proposals.clear();
        for (const char* suite : suites) proposals.push_back(parse_esp_proposal(suite).value());
        gateway.start();
    }
};

}  // namespace

TEST_CASE_METHOD(Configured, "two ends that want CBC and HMAC install both keys of it, with extended numbers or without") {
    const auto [suite, algorithm, esn] = GENERATE(table<const char*, EspAlgorithm, bool>({{"aes-cbc-128/sha256/no-esn", EspAlgorithm::aes_cbc_128_sha256, false},
                                                                                          {"aes-cbc-256/sha256/esn", EspAlgorithm::aes_cbc_256_sha256, true},
                                                                                          {"aes-cbc-128/sha384/esn", EspAlgorithm::aes_cbc_128_sha384, true},
                                                                                          {"aes-cbc-256/sha512/no-esn", EspAlgorithm::aes_cbc_256_sha512, false}}));
    use(spoke, {suite}), use(hub, {suite});
    lab.establish(spoke, hub);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(hub.view().children.at(0).proposal == suite);
    const InstallInbound& installed = hub.inbound.begin()->second;
    REQUIRE(installed.algorithm == algorithm);
    REQUIRE(installed.esn == esn);
    REQUIRE(installed.keymat.view().size() == sizes_of(algorithm).keymat());
    REQUIRE(hub.outbound.back().keymat.view().size() == sizes_of(algorithm).keymat());
}

TEST_CASE_METHOD(Configured, "two ends that want no encryption have it, and both say so loudly") {
    const auto [suite, algorithm] = GENERATE(table<const char*, EspAlgorithm>({{"aes-gmac-128/esn", EspAlgorithm::aes_gmac_128},
                                                                               {"aes-gmac-256/no-esn/x25519", EspAlgorithm::aes_gmac_256},
                                                                               {"null/sha256/esn", EspAlgorithm::null_sha256},
                                                                               {"null/sha384/no-esn", EspAlgorithm::null_sha384},
                                                                               {"null/sha512/esn", EspAlgorithm::null_sha512}}));
    use(spoke, {suite}), use(hub, {suite});
    lab.establish(spoke, hub);
    lab.rekey_child(spoke);
    lab.run();
    lab.advance(8s);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(hub.inbound.begin()->second.algorithm == algorithm);
    REQUIRE(hub.inbound.begin()->second.keymat.view().size() == sizes_of(algorithm).keymat());
    for (const Gateway* gateway : {&spoke, &hub}) REQUIRE(gateway->logged("; NOT ENCRYPTED"));
}

TEST_CASE_METHOD(Configured, "a gateway that was not told of a suite without encryption never agrees to it") {
    use(spoke, {"aes-gmac-256", "null/sha256"});
    hub.start();
    lab.connect(spoke, hub, 3);
    lab.run();
    REQUIRE(hub.ups.empty());
    REQUIRE(hub.logged("peer offered aes-gmac-256/esn, null/sha256/esn; we accept aes-gcm-256/"));
}

TEST_CASE_METHOD(Configured, "an AEAD is preferred where the responder lists it first, and CBC serves the peer that has nothing else") {
    use(hub, {"aes-gcm-256", "aes-cbc-256/sha256"}), use(spoke, {"aes-cbc-256/sha256", "aes-gcm-256"});
    lab.establish(spoke, hub);
    REQUIRE(hub.view().children.at(0).proposal == "aes-gcm-256/esn");
    use(spoke, {"aes-cbc-256/sha256"}), hub.start();
    lab.wire.clear();
    lab.establish(spoke, hub);
    REQUIRE(hub.view().children.at(0).proposal == "aes-cbc-256/sha256/esn");
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Configured, "a gateway that was not told to accept CBC answers NO_PROPOSAL_CHOSEN") {
    use(spoke, {"aes-cbc-256/sha256"});
    hub.start();
    lab.connect(spoke, hub, 3);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.ups.empty());
    REQUIRE(hub.logged("peer offered aes-cbc-256/sha256/esn; we accept aes-gcm-256/"));
    REQUIRE((hub.endpoint->counters().contains("NO_PROPOSAL_CHOSEN")));
}

TEST_CASE_METHOD(Configured, "two hashes that do not agree are no proposal in common") {
    use(spoke, {"aes-cbc-256/sha256"}), use(hub, {"aes-cbc-256/sha384"});
    lab.connect(spoke, hub, 3);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.logged("peer offered aes-cbc-256/sha256/esn; we accept aes-cbc-256/sha384/esn"));
}

TEST_CASE_METHOD(Configured, "a rekey with a fresh key exchange keeps the suite and changes every key") {
    use(spoke, {"aes-cbc-128/sha256/esn/x25519"}), use(hub, {"aes-cbc-128/sha256/esn/x25519"});
    lab.establish(spoke, hub);
    const Bytes before{hub.inbound.begin()->second.keymat.view().begin(), hub.inbound.begin()->second.keymat.view().end()};
    lab.rekey_child(spoke);
    lab.run();
    lab.advance(8s);
    REQUIRE(hub.view().children.at(0).proposal == "aes-cbc-128/sha256/esn/x25519");
    const Bytes after{hub.inbound.begin()->second.keymat.view().begin(), hub.inbound.begin()->second.keymat.view().end()};
    REQUIRE(after.size() == 48);
    REQUIRE_FALSE(std::ranges::equal(std::span{before}.first(16), std::span{after}.first(16)));
    REQUIRE_FALSE(std::ranges::equal(std::span{before}.subspan(16), std::span{after}.subspan(16)));
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(Configured, "every group serves IKE_SA_INIT, a rekey of the IKE SA and fresh keys of a child SA") {
    const std::string group = GENERATE(as<std::string>{}, "x25519", "x448", "p256", "p384", "p521", "modp2048", "modp3072", "modp4096");
    const std::string ike = "aes-gcm-256/prf-sha384/" + group, esp = "aes-gcm-256/esn/" + group;
    for (Gateway* gateway : {&spoke, &hub}) gateway->settings.profiles[0].ike_proposals = {parse_ike_proposal(ike).value()};
    use(spoke, {esp.c_str()}), use(hub, {esp.c_str()});
    lab.establish(spoke, hub);
    REQUIRE(hub.view().ike_proposal == ike);
    lab.rekey_ike(spoke);
    lab.run();
    REQUIRE(hub.view().ike_proposal == ike);
    lab.rekey_child(hub);
    lab.run();
    lab.advance(8s);
    REQUIRE(hub.view().children.at(0).proposal == esp);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.count("ike-rekeyed") == 1);
}

TEST_CASE_METHOD(Configured, "ChaCha20-Poly1305 protects the IKE SA of a peer that wants nothing else") {
    spoke.settings.profiles[0].ike_proposals = {parse_ike_proposal("chacha20-poly1305/prf-sha512/x25519").value()};
    spoke.start();
    lab.establish(spoke, hub);
    REQUIRE(hub.view().ike_proposal == "chacha20-poly1305/prf-sha512/x25519");
    lab.rekey_ike(hub);
    lab.run();
    REQUIRE(hub.view().ike_proposal == "chacha20-poly1305/prf-sha512/x25519");
}

TEST_CASE_METHOD(Configured, "a peer without elliptic curves meets the default offer in modp3072, after INVALID_KE_PAYLOAD") {
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-cbc-128/sha256/prf-sha256/modp2048").value(),
                                              parse_ike_proposal("aes-cbc-128/sha256/prf-sha256/modp3072").value()};
    hub.start();
    lab.establish(spoke, hub);
    REQUIRE(spoke.count("invalid-ke-received") == 1);
    REQUIRE(spoke.view().ike_proposal == "aes-cbc-128/sha256/prf-sha256/modp3072");
}

TEST_CASE_METHOD(Configured, "a MODP value of the wrong length or without secrecy is not answered") {
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/modp2048").value()};
    hub.start();
    Bytes one(256, 0);
    one.back() = 1;
    for (const Bytes& value : {Bytes{}, Bytes(255, 7), Bytes(257, 7), Bytes(256, 0xff), one}) {
        const Header header{.initiator_spi = 77, .exchange = ExchangeType::ike_sa_init, .from_initiator = true};
        const std::vector<Payload> payloads{offer_ike(hub.settings.profiles[0].ike_proposals, 0), KeyExchange{Group::modp2048, value}, NoncePayload{Bytes(32, 5)}};
        lab.inject({nullptr, at("192.0.2.66"), {hub.address, 500}, encode_message(header, payloads)});
        REQUIRE(lab.in_flight() == 0);
    }
    REQUIRE(hub.count("bad-key-exchange") == 5);
}
