// Plays of IKE SA rekeying: child SAs stay, every order of a collision, lifetimes.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct IkeRekey {
    Lab lab{23};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    SaId sa{};
    std::size_t installs = 0;
    IkeRekey() {
        lab.establish(spoke, hub);
        sa = spoke.sa();
        installs = spoke.outbound_installs;
    }
    void require_one_ike_sa() {
        lab.advance(45s);
        REQUIRE(spoke.sa() == sa);
        REQUIRE((spoke.is_up() && hub.is_up()));
        REQUIRE((spoke.view().state == "established" && hub.view().state == "established"));
        REQUIRE(spoke.view().initiator_spi == hub.view().initiator_spi);
        REQUIRE(spoke.view().responder_spi == hub.view().responder_spi);
        REQUIRE(Lab::talk(spoke, hub));
        // The new IKE SA works in both directions.
        lab.rekey_child(spoke);
        lab.run();
        lab.rekey_child(hub);
        lab.run();
        REQUIRE(Lab::talk(spoke, hub));
    }
};

}  // namespace

TEST_CASE_METHOD(IkeRekey, "an IKE rekey gives new SPIs and keys, and child SAs and the association's name stay") {
    const SaView before = spoke.view();
    lab.rekey_ike(spoke);
    lab.deliver(spoke);  // CREATE_CHILD_SA { SA, Ni, KEi } -->
    REQUIRE(hub.view().initiator_spi == before.initiator_spi);  // not before the peer is known to have the answer
    lab.deliver(hub);    // <-- CREATE_CHILD_SA { SA, Nr, KEr }
    lab.run();           // INFORMATIONAL { D } on the old IKE SA
    REQUIRE(spoke.view().initiator_spi != before.initiator_spi);
    REQUIRE(spoke.view().children.at(0).inbound == before.children.at(0).inbound);
    REQUIRE(spoke.outbound_installs == installs);
    REQUIRE(hub.view().initiator_spi == spoke.view().initiator_spi);
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "an IKE rekey survives the loss of each of its messages") {
    const int lost = GENERATE(0, 1, 2, 3);
    lab.rekey_ike(hub);
    for (int i = 0; i < lost; ++i) lab.deliver();
    lab.lose();
    lab.advance(5s);
    require_one_ike_sa();
    REQUIRE(hub.count("ike-rekeyed") == 1);
    REQUIRE(spoke.count("ike-rekeyed") == 1);
}

TEST_CASE_METHOD(IkeRekey, "both ends rekey the IKE SA at once and both notice: one survives (2.8.2)") {
    const bool hub_first = GENERATE(false, true);
    Gateway& first = hub_first ? hub : spoke;
    Gateway& second = hub_first ? spoke : hub;
    lab.rekey_ike(spoke);
    lab.rekey_ike(hub);
    lab.deliver(first);
    lab.deliver(second);
    lab.deliver(second);  // the answer to first
    lab.deliver(first);
    lab.run();
    REQUIRE(spoke.count("ike-rekey-collisions") == 1);
    REQUIRE(hub.count("ike-rekey-collisions") == 1);
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "an IKE rekey collision that only one end notices ends in the one that was answered first") {
    lab.rekey_ike(spoke);
    lab.rekey_ike(hub);
    const Packet late = lab.intercept(&hub);  // <-- req2 is delayed
    lab.deliver(spoke);                       // req1 -->
    lab.deliver(hub);                         // <-- resp1; the spoke sends D(old)
    lab.inject(late);
    REQUIRE(spoke.count("answered-TEMPORARY_FAILURE") == 1);
    lab.run();
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "an IKE rekey collision in which an answer is lost still leaves one IKE SA") {
    Gateway* loser = GENERATE(0, 1) == 0 ? &spoke : &hub;
    lab.rekey_ike(spoke);
    lab.rekey_ike(hub);
    lab.deliver(spoke), lab.deliver(hub);
    lab.lose(*loser);
    lab.run();
    lab.advance(5s);
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "in a collision, use of the peer's new IKE SA settles it before our own late answer, whose SA is deleted") {
    int settled = 0;
    for (int round = 0; round < 8; ++round) {
        const auto before = hub.view().initiator_spi;
        lab.rekey_ike(spoke);
        lab.rekey_ike(hub);
        lab.deliver(spoke), lab.deliver(hub);       // both requests
        const Packet late = lab.intercept(&hub);    // <-- resp1 is delayed
        lab.deliver(spoke);                         // resp2 -->
        if (hub.view().initiator_spi != before) {   // the hub's won: it uses it, and its D(old) is lost
            lab.lose(hub);
            lab.act(hub, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(hub.sa(), lab.now, out); });
            lab.run();
            REQUIRE(spoke.view().initiator_spi == hub.view().initiator_spi);
            ++settled;
        }
        lab.inject(late);
        lab.run();
        lab.advance(40s);
        REQUIRE(spoke.view().initiator_spi == hub.view().initiator_spi);
        REQUIRE(Lab::talk(spoke, hub));
    }
    REQUIRE(settled > 0);
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "many collisions in a row, with every order of delivery, keep traffic and one IKE SA") {
    for (std::uint32_t order = 0; order < 16; ++order) {
        lab.rekey_ike(spoke);
        lab.rekey_ike(hub);
        for (std::uint32_t i = 0; i < 4; ++i)
            if (!lab.deliver((order >> i & 1) != 0 ? spoke : hub)) lab.deliver();
        lab.run();
        lab.advance(40s);
        REQUIRE(spoke.view().initiator_spi == hub.view().initiator_spi);
        REQUIRE(Lab::talk(spoke, hub));
    }
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "a child SA is rekeyed on the new IKE SA right after an IKE rekey") {
    lab.rekey_ike(spoke);
    lab.deliver(spoke), lab.deliver(hub);
    lab.rekey_child(spoke);  // on the new one; the hub has not yet seen the DELETE of the old
    std::swap(lab.wire.front(), lab.wire.back());
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "a rekeyed IKE SA takes the strongest group that both know, by INVALID_KE_PAYLOAD if need be") {
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/p384").value(), parse_ike_proposal("aes-gcm-256/prf-sha384/x25519").value()};
    spoke.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/p384").value()};
    hub.start(), spoke.start();
    lab.wire.clear();
    lab.establish(spoke, hub);
    REQUIRE(spoke.view().ike_proposal == "aes-gcm-256/prf-sha384/p384");
    lab.rekey_ike(hub);
    lab.run();
    REQUIRE(hub.view().ike_proposal == "aes-gcm-256/prf-sha384/p384");
}

TEST_CASE_METHOD(IkeRekey, "an IKE SA lives through many lifetimes by rekeying in time") {
    lab.advance(30h);
    REQUIRE(spoke.count("ike-rekeyed") >= 3);
    REQUIRE(spoke.count("ike-rekeyed") == hub.count("ike-rekeyed"));
    REQUIRE(spoke.downs.empty());
    REQUIRE(spoke.ups.size() == 1);
    require_one_ike_sa();
}

TEST_CASE_METHOD(IkeRekey, "an IKE SA whose rekey is refused ends at its lifetime, with a farewell") {
    hub.settings.profiles[0].ike_proposals = {parse_ike_proposal("aes-gcm-256/prf-sha384/p384").value(), default_ike_proposals()[0]};
    hub.settings.profiles[0].ike_lifetime = 30h;
    hub.settings.profiles[0].liveness_interval = 30h;
    hub.start();
    spoke.settings.profiles[0].ike_proposals = {default_ike_proposals()[0]};
    spoke.start();
    lab.wire.clear();
    lab.establish(spoke, hub);
    lab.advance_losing(8h, hub);  // everything that the hub says is lost
    REQUIRE_FALSE(spoke.is_up());
    REQUIRE(spoke.downs.at(0).reason == DownReason::timed_out);
}

TEST_CASE_METHOD(IkeRekey, "an IKE SA that the peer has rekeyed outlives its lifetime, though the peer's DELETE is late") {
    hub.settings.profiles[0].ike_lifetime = 20s;
    hub.start();
    spoke.start();
    lab.wire.clear();
    lab.establish(spoke, hub);
    lab.advance(16s);
    lab.rekey_ike(spoke);
    lab.deliver(spoke);            // CREATE_CHILD_SA { SA, Ni, KEi } -->
    lab.deliver(hub);              // <-- CREATE_CHILD_SA { SA, Nr, KEr }
    lab.advance_losing(5s, spoke); // INFORMATIONAL { D } --> (lost, several times)
    REQUIRE(hub.is_up());
    REQUIRE(hub.downs.empty());
    REQUIRE(hub.view().initiator_spi == spoke.view().initiator_spi);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE("an IKE SA that both ends rekey around the end of its lifetime leaves one to both, whoever wins") {
    Lab lab{static_cast<std::uint64_t>(GENERATE(range(1, 9)))};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    hub.settings.profiles[0].ike_lifetime = 20s;
    hub.start();
    lab.establish(spoke, hub);
    lab.advance(16s);
    lab.rekey_ike(spoke);
    lab.rekey_ike(hub);
    lab.deliver(spoke);             // CREATE_CHILD_SA { SA, Ni, KEi } -->
    lab.advance_losing(5s, spoke);  // <-- CREATE_CHILD_SA { SA, Nr, KEr }, <-- CREATE_CHILD_SA { SA, Ni, KEi }; its answers are lost
    lab.advance(2s);
    REQUIRE((spoke.is_up() && hub.is_up()));
    REQUIRE((spoke.downs.empty() && hub.downs.empty()));
    REQUIRE(hub.view().initiator_spi == spoke.view().initiator_spi);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(IkeRekey, "deleting during an IKE rekey ends the association at both ends") {
    lab.rekey_ike(spoke);
    lab.deliver(spoke);
    lab.close(hub);
    lab.run();
    lab.advance(60s);
    REQUIRE_FALSE(spoke.is_up());
    REQUIRE_FALSE(hub.is_up());
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(IkeRekey, "a peer that rekeys again and again, and deletes no old IKE SA, has to wait") {
    for (int i = 0; i < 6; ++i) {
        lab.rekey_ike(spoke);
        lab.deliver(spoke), lab.deliver(hub);
        if (lab.in_flight() > 0) lab.lose(spoke);  // DELETE of the old IKE SA
        lab.act(spoke, [&](Endpoint& endpoint, Outbox& out) { endpoint.probe(sa, lab.now, out); });
        lab.deliver(spoke), lab.deliver(hub);  // on the new one
    }
    CHECK(hub.count("ike-rekeyed") == 4);
    CHECK(hub.count("answered-TEMPORARY_FAILURE") > 0);
    require_one_ike_sa();
}
