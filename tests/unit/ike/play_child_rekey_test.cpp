// Plays of child SA rekeying: make before break, every order of a collision, refusals, lifetimes.
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Established {
    Lab lab{11};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    Established() { lab.establish(spoke, hub); }

    void restart_with(const std::function<void(Profile&)>& change) {
        for (Gateway* gateway : {&spoke, &hub}) change(gateway->settings.profiles[0]), gateway->start();
        lab.wire.clear();
        lab.establish(spoke, hub);
    }
    /// One child SA at both ends, the same, in use both ways, after drains are over.
    void require_one_child() {
        lab.advance(8s);
        REQUIRE(spoke.view().children.size() == 1);
        REQUIRE(hub.view().children.size() == 1);
        REQUIRE((spoke.inbound.size() == 1 && hub.inbound.size() == 1));
        REQUIRE((spoke.outbound.size() == 1 && hub.outbound.size() == 1));
        REQUIRE(Lab::talk(spoke, hub));
        REQUIRE((spoke.spis.size() == 1 && hub.spis.size() == 1));
    }
};

}  // namespace

TEST_CASE_METHOD(Established, "a child SA that the peer's request made is not rekeyed before the peer knows it") {
    lab.rekey_child(spoke);
    lab.deliver(spoke);  // CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr } -->
    lab.lose(hub);       // <-- CREATE_CHILD_SA { SA, Nr, TSi, TSr } (lost)
    lab.rekey_child(hub);
    REQUIRE(lab.in_flight() == 0);  // the peer would not find it
    lab.advance(1s);
    REQUIRE(hub.count("rekey-refused-CHILD_SA_NOT_FOUND") == 0);
    REQUIRE(hub.count("child-rekeys") == 1);
    require_one_child();
}

TEST_CASE_METHOD(Established, "a rekey that waited begins when traffic shows that the peer holds the child SA") {
    lab.rekey_child(spoke);
    lab.deliver(spoke), lab.deliver(hub);
    lab.rekey_child(hub);
    lab.lose(spoke);  // INFORMATIONAL { D(old) } --> (lost)
    REQUIRE(lab.in_flight() == 0);
    lab.send_traffic(spoke, hub);
    REQUIRE(lab.in_flight() == 1);
    lab.run();
    lab.advance(2s);
    require_one_child();
}

TEST_CASE_METHOD(Established, "a child rekey makes the new pair before it breaks the old one") {
    const Spi old = spoke.inbound_spi();
    lab.rekey_child(spoke);
    REQUIRE(spoke.view().state == "rekeying");
    lab.deliver(spoke);  // CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, TSi, TSr } -->
    REQUIRE(hub.inbound.size() == 2);
    REQUIRE(hub.outbound.size() == 1);  // the hub goes on sending on the old one
    REQUIRE(Lab::talk(spoke, hub));
    lab.deliver(hub);  // <-- CREATE_CHILD_SA { SA, Nr, TSi, TSr }
    REQUIRE(spoke.outbound.size() == 2);  // the initiator switches at once
    REQUIRE(Lab::talk(spoke, hub));
    lab.deliver(spoke);  // INFORMATIONAL { D(old) } -->
    REQUIRE(hub.outbound.size() == 1);
    REQUIRE(Lab::talk(spoke, hub));
    lab.run();
    REQUIRE(spoke.inbound.size() == 2);  // the old inbound drains
    require_one_child();
    REQUIRE(spoke.inbound_spi() != old);
}

TEST_CASE_METHOD(Established, "the responder of a rekey switches when the first packet comes on the new SA") {
    lab.rekey_child(spoke);
    lab.deliver(spoke);
    lab.deliver(hub);
    lab.wire.clear();  // the DELETE is lost
    REQUIRE(hub.outbound.size() == 1);
    lab.send_traffic(spoke, hub);
    REQUIRE(hub.outbound.size() == 2);
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(2s);
    require_one_child();
}

TEST_CASE_METHOD(Established, "a rekey survives the loss of each of its messages") {
    const int lost = GENERATE(0, 1, 2, 3);
    lab.rekey_child(spoke);
    for (int i = 0; i < lost; ++i) lab.deliver();
    lab.lose();
    lab.advance(5s);
    REQUIRE(Lab::talk(spoke, hub));
    require_one_child();
    REQUIRE(spoke.count("child-rekeys") == 1);
}

TEST_CASE_METHOD(Established, "either end may rekey, also the original responder") {
    lab.rekey_child(hub);
    lab.run();
    require_one_child();
    lab.rekey_child(spoke);
    lab.run();
    require_one_child();
}

TEST_CASE_METHOD(Established, "a soft limit that is reported twice starts one rekey") {
    lab.rekey_child(spoke);
    lab.rekey_child(spoke);
    REQUIRE(lab.in_flight() == 1);
    lab.run();
    require_one_child();
    REQUIRE(hub.view().children.at(0).inbound == spoke.view().children.at(0).outbound);
}

TEST_CASE_METHOD(Established, "children are rekeyed between 85 and 95 percent of their lifetime, without a gap") {
    const TimePoint due = spoke.view().children.at(0).rekey_at;
    const TimePoint begun = spoke.view().children.at(0).established_at;
    REQUIRE(due >= begun + 51min);
    REQUIRE(due <= begun + 57min);
    lab.advance(58min);
    REQUIRE(spoke.count("child-rekeys") + hub.count("child-rekeys") >= 1);
    REQUIRE(spoke.view().children.at(0).established_at > begun);
    require_one_child();
}

TEST_CASE_METHOD(Established, "rekeying with PFS makes fresh keys by a key exchange") {
    restart_with([](Profile& profile) { profile.esp_proposals = {parse_esp_proposal("aes-gcm-256/esn/x25519").value()}; });
    const Bytes before{spoke.outbound.back().keymat.view().begin(), spoke.outbound.back().keymat.view().end()};
    lab.rekey_child(spoke);
    lab.run();
    require_one_child();
    REQUIRE(spoke.view().children.at(0).proposal == "aes-gcm-256/esn/x25519");
    REQUIRE_FALSE(std::ranges::equal(before, spoke.outbound.back().keymat.view()));
}

TEST_CASE_METHOD(Established, "a PFS group that the peer does not take leads to another one by INVALID_KE_PAYLOAD") {
    spoke.settings.profiles[0].esp_proposals = {parse_esp_proposal("aes-gcm-256/esn/x25519").value(), parse_esp_proposal("aes-gcm-256/esn/p384").value()};
    hub.settings.profiles[0].esp_proposals = {parse_esp_proposal("aes-gcm-256/esn/p384").value()};
    spoke.start(), hub.start();
    lab.establish(spoke, hub);
    lab.rekey_child(spoke);
    lab.run();
    REQUIRE(spoke.count("invalid-ke-received") == 1);
    require_one_child();
    REQUIRE(spoke.view().children.at(0).proposal == "aes-gcm-256/esn/p384");
}

TEST_CASE_METHOD(Established, "both ends rekey at once and both notice: one redundant pair is made and deleted (2.8.1)") {
    const bool hub_first = GENERATE(false, true);
    lab.rekey_child(spoke);
    lab.rekey_child(hub);
    Gateway& first = hub_first ? hub : spoke;
    Gateway& second = hub_first ? spoke : hub;
    lab.deliver(first);   // req1 -->
    lab.deliver(second);  // <-- req2
    REQUIRE((spoke.inbound.size() == 2 && hub.inbound.size() == 2));
    lab.deliver(second);  // <-- resp1
    REQUIRE(Lab::talk(spoke, hub));
    lab.deliver(first);   // resp2 -->
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.count("child-rekey-collisions") == 1);
    REQUIRE(hub.count("child-rekey-collisions") == 1);
    lab.run();
    require_one_child();
}

TEST_CASE_METHOD(Established, "in a collision the pair with the lowest nonce loses, whoever made it, for many seeds") {
    for (int i = 0; i < 12; ++i) {
        lab.rekey_child(spoke);
        lab.rekey_child(hub);
        lab.deliver(), lab.deliver();
        while (lab.deliver()) REQUIRE(Lab::talk(spoke, hub));
        require_one_child();
    }
}

TEST_CASE_METHOD(Established, "a collision that only one end notices: the late request meets TEMPORARY_FAILURE or CHILD_SA_NOT_FOUND") {
    const bool after_delete = GENERATE(false, true);
    lab.rekey_child(spoke);
    lab.rekey_child(hub);
    const Packet late = lab.intercept(&hub);  // <-- req2 is delayed
    lab.deliver(spoke);                       // req1 -->
    lab.deliver(hub);                         // <-- resp1: the spoke is done and sends D(old)
    if (after_delete) lab.run();
    lab.inject(late);
    REQUIRE(spoke.count(after_delete ? "answered-CHILD_SA_NOT_FOUND" : "answered-TEMPORARY_FAILURE") == 1);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    require_one_child();
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(Established, "a collision with a lost answer is settled when the answer is repeated") {
    lab.rekey_child(spoke);
    lab.rekey_child(hub);
    lab.deliver(spoke), lab.deliver(hub);
    lab.lose(hub);  // <-- resp1 lost
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(3s);
    REQUIRE(Lab::talk(spoke, hub));
    require_one_child();
}

TEST_CASE_METHOD(Established, "a child that is deleted while the peer rekeys it: the new pair takes over (2.25.1)") {
    lab.rekey_child(spoke);
    const Packet request = lab.intercept(&spoke);
    lab.rekey_child(hub);
    lab.run();  // the hub's own rekey meets the spoke's outstanding one; D(old) may cross
    lab.inject(request);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(5s);
    require_one_child();
}

TEST_CASE_METHOD(Established, "a child rekey that meets an IKE rekey is put off by TEMPORARY_FAILURE on both sides, then done") {
    lab.rekey_child(spoke);
    lab.rekey_ike(hub);
    const auto old_ike = spoke.view().initiator_spi;
    lab.run();
    REQUIRE(spoke.count("answered-TEMPORARY_FAILURE") == 1);
    REQUIRE(hub.count("answered-TEMPORARY_FAILURE") == 1);
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(20s);
    REQUIRE(spoke.view().initiator_spi != old_ike);
    REQUIRE(spoke.count("child-rekeys") + hub.count("child-rekeys") >= 2);
    require_one_child();
}

TEST_CASE_METHOD(Established, "rekeying that the peer refuses goes on being tried, and at the end of its lifetime the child SA is gone") {
    hub.spis_max = 1;  // the hub has no SPI for another one
    lab.advance(58min);
    REQUIRE(hub.count("answered-NO_ADDITIONAL_SAS") + hub.count("limit-spis") >= 2);
    REQUIRE(Lab::talk(spoke, hub));
    lab.advance(3min);
    REQUIRE_FALSE(spoke.is_up());  // no child is left, so the IKE SA is closed too
    REQUIRE_FALSE(hub.is_up());
    REQUIRE(spoke.inbound.empty());
    REQUIRE(spoke.outbound.empty());
    REQUIRE(hub.inbound.empty());
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(Established, "rekeying that was refused succeeds once there is room again") {
    hub.spis_max = 1;
    lab.rekey_child(spoke);
    lab.run();
    REQUIRE(spoke.count("rekey-refused-NO_ADDITIONAL_SAS") == 1);
    REQUIRE(spoke.spis.size() == 1);
    hub.spis_max = 10;
    lab.advance(40s);
    REQUIRE(spoke.count("child-rekeys") == 2);
    require_one_child();
}

TEST_CASE_METHOD(Established, "out of SPIs, a rekey of ours is put off and nothing is sent") {
    spoke.spis_max = 1;
    lab.rekey_child(spoke);
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.count("limit-spis") == 1);
    spoke.spis_max = 10;
    lab.advance(40s);
    require_one_child();
}

TEST_CASE_METHOD(Established, "a dozen rekeys in a row lose no SPI and leave no SA behind") {
    for (int i = 0; i < 12; ++i) {
        lab.rekey_child(i % 2 == 0 ? spoke : hub);
        lab.run();
        REQUIRE(Lab::talk(spoke, hub));
        lab.advance(6s);
    }
    require_one_child();
}
