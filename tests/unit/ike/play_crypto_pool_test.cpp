// Plays in which costly operations take their time: what waits for them, and what does not.
#include "controlplane/ike/waiting_room.hpp"
#include "tests/unit/ike/certificate_authority.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Busy {
    Lab lab{23};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    Busy() { with_pool(hub); }
    static void with_pool(Gateway& gateway) {
        gateway.settings.crypto_pool = true;
        gateway.start();
    }
    template <class Job>
    std::size_t count_jobs(const Gateway& gateway) const {
        return static_cast<std::size_t>(std::ranges::count_if(gateway.jobs, [](const Compute& each) { return std::holds_alternative<Job>(each.work); }));
    }
};

/// Certificates instead of keys; gives the root that issued them.
pki::Issued certify(std::initializer_list<Gateway*> gateways) {
    const pki::Issued root = pki::authority("O=Example, CN=Root", pki::key("p256", 1));
    for (Gateway* gateway : gateways) {
        const pki::Issued own = pki::issue({.subject = "O=Example, CN=" + gateway->name, .names = "DNS:" + gateway->name + ".example"}, pki::key("p256", 3), &root);
        Profile& profile = gateway->settings.profiles[0];
        profile.credential = Credential{{own.certificate}, own.private_key()};
        profile.authorities = {{pattern("*"), root.certificate}};
        profile.keys.clear();
        gateway->start();
    }
    return root;
}

}  // namespace

TEST_CASE_METHOD(Busy, "a responder answers IKE_SA_INIT when its key exchange is computed, however often it was asked meanwhile") {
    lab.connect(spoke, hub);
    lab.deliver();
    for (int i = 0; i < 2; ++i) lab.advance_to_next_deadline();  // the spoke repeats it
    while (lab.deliver()) {}
    REQUIRE(hub.jobs.size() == 1);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE(lab.in_flight() == 0);
    lab.compute(hub);
    REQUIRE(hub.endpoint->snapshot().size() == 1);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    CHECK(hub.count("init-requests") == 3);
    CHECK(hub.count("init-repeated") == 2);
}

TEST_CASE_METHOD(Busy, "while a handshake is computed, a peer that is up is answered") {
    Gateway& other = lab.gateway("other", "192.0.2.11");
    lab.connect(spoke, hub);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    lab.connect(other, hub);
    lab.run();
    REQUIRE(hub.jobs.size() == 1);
    lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(spoke.sa(), lab.now, out); });
    lab.run();
    CHECK(spoke.view().state == "established");
    CHECK(hub.jobs.size() == 1);
    const std::size_t answered = spoke.count("requests-repeated");
    lab.advance(2s);
    CHECK(spoke.count("requests-repeated") == answered);
    lab.run_with_pools();
    CHECK(Lab::talk(other, hub));
}

TEST_CASE_METHOD(Busy, "both ends verify and sign in their pools") {
    certify({&spoke, &hub});
    with_pool(spoke), with_pool(hub);
    lab.connect(spoke, hub);
    std::size_t chains = 0, checks = 0, signings = 0, responses = 0, agreements = 0;
    do {
        lab.run();
        for (const Gateway* each : {&spoke, &hub}) {
            chains += count_jobs<ChainCheck>(*each), checks += count_jobs<SignatureCheck>(*each), signings += count_jobs<Signing>(*each);
            responses += count_jobs<KeyResponse>(*each), agreements += count_jobs<KeyAgreement>(*each);
        }
    } while (lab.compute(spoke) || lab.compute(hub));
    REQUIRE(Lab::talk(spoke, hub));
    CHECK(chains == 2);
    CHECK(checks == 2);
    CHECK(signings == 2);
    CHECK(responses == 1);
    CHECK(agreements == 1);
    CHECK(spoke.spis.size() == 1);
    CHECK(hub.spis.size() == 1);
}

TEST_CASE_METHOD(Busy, "a request in fragments is handled again as a whole") {
    certify({&spoke, &hub});
    hub.settings.packet_size_max = spoke.settings.packet_size_max = 576;
    with_pool(spoke), with_pool(hub);
    lab.connect(spoke, hub);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    CHECK(hub.count("fragments-complete") == 1);
    CHECK(spoke.count("fragments-complete") == 1);
}

TEST_CASE_METHOD(Busy, "rekeys by either end go through the pools, and several at once keep their order") {
    with_pool(spoke);
    lab.connect(spoke, hub);
    lab.run_with_pools();
    for (Gateway* each : {&spoke, &hub}) {
        const std::uint64_t before = spoke.view().initiator_spi;
        lab.rekey_child(*each);
        lab.run_with_pools();
        lab.send_traffic(*each, each == &spoke ? hub : spoke);
        lab.run_with_pools();
        lab.rekey_ike(*each);
        lab.run_with_pools();
        REQUIRE(Lab::talk(spoke, hub));
        CHECK(spoke.view().initiator_spi != before);
        CHECK(spoke.view().children.size() == 1);
        CHECK(hub.view().children.size() == 1);
    }
}

TEST_CASE_METHOD(Busy, "what strangers have computed counts as half-open") {
    hub.settings.half_open_per_source_max = 1000;
    hub.settings.cookies_from_half_open = 4;
    hub.start();
    for (std::uint32_t i = 0; i < 20; ++i) {
        RawPeer stranger{lab, hub, IpAddress::v4(0x0a000000 + i).to_string(), 1000 + i};
        stranger.ask(stranger.init_request());
    }
    CHECK(hub.jobs.size() == 4);
    CHECK(hub.count("cookies-asked") == 16);
    while (lab.compute(hub)) {}
    CHECK(hub.endpoint->snapshot().size() == 4);
}

TEST_CASE_METHOD(Busy, "one sender cannot make many datagrams wait") {
    RawPeer stranger{lab, hub, "10.0.0.1", 1000};
    const Bytes request = stranger.init_request();
    for (int i = 0; i < 30; ++i) stranger.ask(request);
    CHECK(hub.jobs.size() == 1);
    CHECK(hub.count("postponed-too-many") == 30 - 1 - WaitingRoom::kBehindMax);
}

TEST_CASE_METHOD(Busy, "a result that comes after its association is gone changes nothing") {
    lab.connect(spoke, hub);
    lab.run_with_pools();
    lab.rekey_child(spoke);
    lab.run();
    REQUIRE(hub.jobs.size() == 1);
    lab.close(hub, true);
    while (lab.compute(hub)) {}
    CHECK(hub.endpoint->snapshot().empty());
    CHECK(hub.spis.empty());
    CHECK(hub.inbound.empty());
}

TEST_CASE_METHOD(Busy, "a job that nobody asked for, or that comes back twice, is ignored") {
    lab.connect(spoke, hub);
    lab.deliver();
    Compute job = hub.jobs.front();
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.on_computed(JobId{77}, job.work, lab.now, out); });
    CHECK(hub.endpoint->snapshot().empty());
    lab.run_with_pools();
    compute(job.work);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.on_computed(job.job, job.work, lab.now, out); });
    CHECK(hub.endpoint->snapshot().size() == 1);
}

TEST_CASE_METHOD(Busy, "a revocation list that comes while a certificate is verified counts") {
    const pki::Issued root = certify({&spoke, &hub});
    with_pool(hub);
    lab.connect(spoke, hub);
    lab.run();
    lab.compute(hub);  // the key exchange
    lab.run();
    lab.compute(hub);  // reading the certificates
    REQUIRE(count_jobs<ChainCheck>(hub) == 1);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) {
        endpoint.replace_revocations(ProfileId{0}, {RevocationList::decode(pki::revocation_list(root, {1})).value()}, lab.now, out);
    });
    lab.run_with_pools();
    CHECK_FALSE(hub.is_up());
}

TEST_CASE_METHOD(Busy, "certificates and additional key exchanges of every kind go through the pools of both ends (RFC 9370)") {
    certify({&spoke, &hub});
    for (Gateway* gateway : {&spoke, &hub}) {
        gateway->settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/x25519/ke1-p384/ke2-p256").value()};
        gateway->settings.profiles[0].esp_proposals = {parse_esp_proposal("aes-gcm-256/x25519/ke1-p384").value()};
        with_pool(*gateway);
    }
    lab.connect(spoke, hub);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    CHECK(hub.count("intermediate-exchanges") == 2);
    CHECK(hub.logged("authenticated spoke.example by the certificate"));
    const SaView before = spoke.view();
    lab.rekey_ike(spoke);
    lab.run_with_pools();
    lab.rekey_child(hub);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    CHECK(spoke.count("follow-up-exchanges") + hub.count("follow-up-exchanges") == 3);
    CHECK(spoke.view().initiator_spi != before.initiator_spi);
    CHECK(spoke.view().children.at(0).proposal == "aes-gcm-256/esn/x25519/ke1-p384");
    CHECK(spoke.view().initiator_spi == hub.view().initiator_spi);
}

TEST_CASE_METHOD(Busy, "what a peer that is up waits for is urgent, what strangers ask for is not") {
    Gateway& other = lab.gateway("other", "192.0.2.11");
    lab.connect(spoke, hub);
    lab.run_with_pools();
    lab.connect(other, hub);
    lab.rekey_child(spoke);
    lab.run();
    REQUIRE(hub.jobs.size() == 2);
    CHECK_FALSE(hub.jobs[0].urgent);
    CHECK(hub.jobs[1].urgent);
}

TEST_CASE_METHOD(Busy, "an address that ESP has shown meanwhile is not lost to a request that was handled before") {
    lab.put_behind_nat(spoke, "198.51.100.1");
    lab.connect(spoke, hub);
    lab.run_with_pools();
    REQUIRE(Lab::talk(spoke, hub));
    lab.rekey_child(spoke);
    lab.run();
    REQUIRE(hub.jobs.size() == 1);
    const NbmaEndpoint moved = at("198.51.100.1", 45'678);
    lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.peer_moved(hub.sa(), moved, lab.now, out); });
    lab.compute(hub);
    CHECK(hub.view().remote == moved);
    CHECK(hub.moves.back().remote == moved);
}
