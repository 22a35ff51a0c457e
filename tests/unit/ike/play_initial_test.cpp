// Plays of IKE_SA_INIT and IKE_AUTH between two gateways: agreement, restarts, refusals, keys by identity.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct TwoGateways {
    Lab lab{3};
    Gateway& spoke = lab.gateway("spoke", "192.0.2.10");
    Gateway& hub = lab.gateway("hub", "192.0.2.1");

    Profile& spoke_profile() { return spoke.settings.profiles[0]; }
    Profile& hub_profile() { return hub.settings.profiles[0]; }
    void restart() { spoke.start(), hub.start(); }
};

std::vector<IkeProposal> suites(std::initializer_list<const char*> texts) {
    std::vector<IkeProposal> result;
    for (const char* text : texts) result.push_back(parse_ike_proposal(text).value());
    return result;
}

/// What an observer makes of somebody's IKE_SA_INIT request: the same SA, KE and nonce, other NAT hashes and one payload more.
Packet altered(const Packet& genuine, std::uint8_t mark) {
    Message message = decode_message(genuine.payload).value();
    for (Payload& payload : message.payloads)
        if (auto* notify = std::get_if<Notify>(&payload)) notify->data.assign(20, mark);
    message.payloads.emplace_back(VendorId{Bytes{mark}});
    Packet copy = genuine;
    copy.payload = encode_message(message.header, message.payloads);
    return copy;
}

}  // namespace

TEST_CASE_METHOD(TwoGateways, "two gateways with one key come up in four messages and can talk both ways") {
    lab.connect(spoke, hub, 42);
    lab.deliver();  // IKE_SA_INIT { SA, KE, Ni } -->
    lab.deliver();  // <-- IKE_SA_INIT { SA, KE, Nr }
    lab.deliver();  // IKE_AUTH { IDi, AUTH, SA, TSi, TSr, N(USE_TRANSPORT_MODE) } -->
    REQUIRE(hub.is_up());
    REQUIRE_FALSE(spoke.is_up());
    lab.deliver();  // <-- IKE_AUTH { IDr, AUTH, SA, TSi, TSr, N(USE_TRANSPORT_MODE) }
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.ups[0].token == 42);
    REQUIRE(spoke.ups[0].remote_identity == identity("hub.example"));
    REQUIRE(hub.ups[0].remote_identity == identity("spoke.example"));
    REQUIRE((spoke.ups[0].initiator && !hub.ups[0].initiator));
    REQUIRE_FALSE(spoke.ups[0].encapsulated);
    REQUIRE(spoke.outbound[0].mode == EspMode::transport);
}

TEST_CASE_METHOD(TwoGateways, "the two ends see the same IKE SA, and each other's child SPIs") {
    lab.establish(spoke, hub);
    const SaView a = spoke.view(), b = hub.view();
    REQUIRE(a.state == "established");
    REQUIRE(a.initiator_spi == b.initiator_spi);
    REQUIRE(a.responder_spi == b.responder_spi);
    REQUIRE(a.ike_proposal == b.ike_proposal);
    REQUIRE(a.children.at(0).inbound == b.children.at(0).outbound);
    REQUIRE(a.children.at(0).outbound == b.children.at(0).inbound);
    REQUIRE(a.established_at == lab.now);
    REQUIRE(a.rekey_at > lab.now);
}

TEST_CASE_METHOD(TwoGateways, "every suite of the default list can be agreed upon") {
    for (const IkeProposal& suite : default_ike_proposals()) {
        spoke_profile().ike_proposals = {suite};
        restart();
        lab.establish(spoke, hub);
        CHECK(spoke.view().ike_proposal == to_string(suite));
    }
}

TEST_CASE_METHOD(TwoGateways, "a responder that wants another group says so, and the initiator comes back with it") {
    hub_profile().ike_proposals = suites({"aes-gcm-256/prf-sha384/p384"});
    hub.start();
    lab.connect(spoke, hub);
    lab.deliver();  // IKE_SA_INIT { SA, KE(x25519), Ni } -->
    lab.deliver();  // <-- N(INVALID_KE_PAYLOAD, p384)
    REQUIRE(hub.endpoint->snapshot().empty());
    lab.run();  // IKE_SA_INIT { SA, KE(p384), Ni } --> ...
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.view().ike_proposal == "aes-gcm-256/prf-sha384/p384");
    REQUIRE(hub.count("invalid-ke-sent") == 1);
    REQUIRE(spoke.count("invalid-ke-received") == 1);
}

TEST_CASE_METHOD(TwoGateways, "a lost INVALID_KE_PAYLOAD only costs a retransmission") {
    hub_profile().ike_proposals = suites({"aes-gcm-256/prf-sha384/p384"});
    hub.start();
    lab.connect(spoke, hub);
    lab.deliver();
    lab.lose();  // <-- N(INVALID_KE_PAYLOAD) lost
    lab.advance(1s);
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(TwoGateways, "without a common proposal nothing is kept, both logs say what was offered, and the attempt fails soon") {
    hub_profile().ike_proposals = suites({"aes-cbc-256/sha512/prf-sha512/p384"});
    spoke_profile().ike_proposals = suites({"aes-gcm-128/prf-sha256/x25519"});
    restart();
    lab.connect(spoke, hub, 7);
    lab.advance(3s);
    REQUIRE(hub.endpoint->snapshot().empty());
    REQUIRE(hub.count("no-proposal-chosen") >= 1);
    REQUIRE(hub.logged("peer offered aes-gcm-128/prf-sha256/x25519; we accept aes-cbc-256/"));
    REQUIRE(spoke.downs.size() == 1);
    REQUIRE(spoke.downs[0].reason == DownReason::no_proposal_chosen);
    REQUIRE(spoke.downs[0].token == 7);
}

TEST_CASE_METHOD(TwoGateways, "a forged refusal does not end an attempt that the genuine responder answers") {
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept();
    const Header asked = decode_header(genuine.payload).value();
    for (const NotifyType type : {NotifyType::no_proposal_chosen, NotifyType::authentication_failed}) {
        const std::vector<Payload> lie{Notify{.type = type}};
        const Header header{.initiator_spi = asked.initiator_spi, .exchange = ExchangeType::ike_sa_init, .response = true};
        lab.inject({nullptr, genuine.destination, genuine.source, encode_message(header, lie)});
    }
    REQUIRE(spoke.downs.empty());
    lab.inject(genuine);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
    REQUIRE(spoke.count("init-refusals-received") == 2);
}

TEST_CASE_METHOD(TwoGateways, "an INVALID_KE_PAYLOAD for a group that we do not offer is ignored") {
    spoke_profile().ike_proposals = suites({"aes-gcm-256/prf-sha384/x25519"});
    spoke.start();
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept();
    const std::vector<Payload> lie{Notify{.type = NotifyType::invalid_ke_payload, .data = {0, 19}}};
    const Header header{.initiator_spi = decode_header(genuine.payload)->initiator_spi, .exchange = ExchangeType::ike_sa_init, .response = true};
    lab.inject({nullptr, genuine.destination, genuine.source, encode_message(header, lie)});
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.count("bad-invalid-ke") == 1);
    lab.inject(genuine);
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(TwoGateways, "forged restarts are bounded") {
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept();
    const Header header{.initiator_spi = decode_header(genuine.payload)->initiator_spi, .exchange = ExchangeType::ike_sa_init, .response = true};
    for (std::uint8_t i = 0; i < 50; ++i) {
        const std::vector<Payload> lie{Notify{.type = NotifyType::cookie, .data = {i, 1, 2, 3}}};
        lab.inject({nullptr, genuine.destination, genuine.source, encode_message(header, lie)});
    }
    REQUIRE(lab.in_flight() == 5);
    REQUIRE(spoke.count("init-restarts-exhausted") == 45);
}

TEST_CASE_METHOD(TwoGateways, "NO_PROPOSAL_CHOSEN from anybody is a rumour: the genuine answer still wins") {
    hub_profile().ike_proposals = suites({"aes-cbc-256/sha512/prf-sha512/p384"});
    spoke_profile().ike_proposals = suites({"aes-gcm-128/prf-sha256/x25519"});
    restart();
    lab.connect(spoke, hub);
    lab.run();  // <-- N(NO_PROPOSAL_CHOSEN), in clear
    REQUIRE(spoke.downs.empty());
    hub_profile().ike_proposals = spoke_profile().ike_proposals;
    hub.start();
    lab.advance(1s);  // the schedule went on
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(TwoGateways, "a wrong pre-shared key is refused on the wire without detail, and named in both logs") {
    spoke_profile().keys[0].key = secret("guess");
    spoke.start();
    lab.connect(spoke, hub, 9);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::authentication_failed);
    REQUIRE(spoke.downs.at(0).token == 9);
    REQUIRE_FALSE(hub.is_up());
    REQUIRE(hub.count("authentication-failed") == 1);
    REQUIRE(hub.logged("wrong pre-shared key for spoke.example: compare the key for '*' in profile 'dmvpn'"));
    REQUIRE(spoke.spis.empty());  // the reserved inbound SPI is given back
}

TEST_CASE_METHOD(TwoGateways, "an unknown identity gets the same bytes in answer as a wrong key, so nobody can ask who is known") {
    hub_profile().keys = {{pattern("other.example"), secret("secret")}};
    hub.start();
    lab.connect(spoke, hub);
    for (int i = 0; i < 3; ++i) lab.deliver();
    const std::size_t unknown = lab.lose().size();
    hub_profile().keys = {{pattern("*"), secret("different")}};
    restart();
    lab.connect(spoke, hub);
    for (int i = 0; i < 3; ++i) lab.deliver();
    REQUIRE(lab.lose().size() == unknown);
    REQUIRE(hub.logged("no pre-shared key is configured for spoke.example"));
    REQUIRE(hub.logged("wrong pre-shared key for spoke.example"));
}

TEST_CASE_METHOD(TwoGateways, "a refusal that is lost is repeated with identical bytes") {
    spoke_profile().keys[0].key = secret("guess");
    spoke.start();
    lab.connect(spoke, hub);
    for (int i = 0; i < 3; ++i) lab.deliver();
    const Bytes first = lab.lose();  // <-- N(AUTHENTICATION_FAILED) lost
    lab.advance_to_next_deadline();
    lab.deliver(spoke);
    REQUIRE(lab.in_flight() == 1);
    REQUIRE(lab.wire.front().payload == first);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::authentication_failed);
    REQUIRE(hub.count("authentication-failed") == 1);
}

TEST_CASE_METHOD(TwoGateways, "the most specific key is used, whatever the order of the keys") {
    hub_profile().keys = {{pattern("*"), secret("for all")}, {pattern("spoke.example"), secret("for spoke")}, {pattern("*.example"), secret("for example")}};
    spoke_profile().keys = {{pattern("hub.example"), secret("for spoke")}};
    restart();
    lab.establish(spoke, hub);
}

TEST_CASE_METHOD(TwoGateways, "the initiator takes the key of the peer that it expects") {
    spoke_profile().keys = {{pattern("*"), secret("wrong")}, {pattern("hub.example"), secret("secret")}};
    spoke.start();
    lab.connect(spoke, hub, 1, pattern("hub.example"));
    lab.run();
    REQUIRE(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(TwoGateways, "a responder that proves the wrong identity is left, told so, and forgets the SA") {
    lab.connect(spoke, hub, 5, pattern("other-hub.example"));
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::authentication_failed);
    REQUIRE(spoke.logged("expected other-hub.example, but the peer is hub.example"));
    REQUIRE_FALSE(hub.is_up());  // INFORMATIONAL { N(AUTHENTICATION_FAILED), D } came
    REQUIRE(hub.downs.at(0).reason == DownReason::authentication_failed);
    REQUIRE(hub.inbound.empty());
    REQUIRE(spoke.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(TwoGateways, "a responder with another key for us is detected by its AUTH") {
    // The hub accepts the spoke's key only because its own most specific key is the same; the spoke holds another one for the hub.
    spoke_profile().keys = {{pattern("*"), secret("secret")}, {pattern("hub.example"), secret("another")}};
    spoke.start();
    lab.connect(spoke, hub, 1, pattern("*"));
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::authentication_failed);
    REQUIRE(spoke.logged("wrong pre-shared key for hub.example"));
    REQUIRE_FALSE(hub.is_up());
}

TEST_CASE_METHOD(TwoGateways, "the initiator's IDr chooses among a responder's profiles") {
    Profile second = hub_profile();
    second.name = "blue";
    second.local = identity("blue.example");
    hub.settings.profiles.push_back(second);
    hub.start();
    lab.connect(spoke, hub, 1, pattern("blue.example"));
    lab.run();
    REQUIRE(spoke.ups.at(0).remote_identity == identity("blue.example"));
    REQUIRE(hub.ups.at(0).profile == ProfileId{1});
    REQUIRE(hub.ups.at(0).local == identity("blue.example"));
}

TEST_CASE_METHOD(TwoGateways, "a profile without a key for the expected peer fails at once and sends nothing") {
    spoke_profile().keys = {{pattern("other.example"), secret("x")}};
    spoke.start();
    lab.connect(spoke, hub, 8, pattern("hub.example"));
    REQUIRE(lab.in_flight() == 0);
    REQUIRE(spoke.downs.at(0).token == 8);
    REQUIRE_FALSE(spoke.endpoint->next_deadline());
}

TEST_CASE_METHOD(TwoGateways, "without a common ESP proposal the peer is authenticated but nothing stays up") {
    hub_profile().esp_proposals = {parse_esp_proposal("chacha20-poly1305").value()};
    spoke_profile().esp_proposals = {parse_esp_proposal("aes-gcm-128").value()};
    restart();
    lab.connect(spoke, hub, 3);
    lab.run();
    REQUIRE(spoke.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.ups.empty());
    REQUIRE(hub.logged("peer offered aes-gcm-128"));
    REQUIRE((hub.endpoint->counters().contains("NO_PROPOSAL_CHOSEN")));
    lab.advance(60s);
    REQUIRE(spoke.endpoint->snapshot().empty());
    REQUIRE(hub.endpoint->snapshot().empty());
}

TEST_CASE_METHOD(TwoGateways, "ESN is used when both can, and left out when one cannot") {
    lab.establish(spoke, hub);
    REQUIRE(spoke.view().children.at(0).esn);
    hub_profile().esp_proposals = {parse_esp_proposal("aes-gcm-256/no-esn").value()};
    restart();
    lab.establish(spoke, hub);
    REQUIRE_FALSE(spoke.view().children.at(0).esn);
    // RFC 4303 §3.3.3: 32 bits of sequence number end; the rekey comes first.
    const InstallInbound& installed = spoke.inbound.begin()->second;
    REQUIRE(installed.limits.soft_packets < installed.limits.hard_packets);
    REQUIRE(installed.limits.hard_packets < std::uint64_t{1} << 32);
}

TEST_CASE_METHOD(TwoGateways, "a second connect to the same place waits for the first one's outcome") {
    const SaId first = lab.connect(spoke, hub, 1);
    const SaId second = lab.connect(spoke, hub, 2);
    REQUIRE(first == second);
    REQUIRE(lab.in_flight() == 1);
    lab.run();
    REQUIRE(spoke.ups.size() == 2);
    REQUIRE((spoke.ups[0].token == 1 && spoke.ups[1].token == 2));
    REQUIRE(spoke.inbound.size() == 1);
}

TEST_CASE_METHOD(TwoGateways, "a connect while the peer's own attempt is under way sends nothing and gets that one's outcome") {
    lab.connect(hub, spoke, 1);
    lab.deliver();  // IKE_SA_INIT of the hub reaches the spoke
    const std::size_t before = lab.in_flight();
    lab.connect(spoke, hub, 77);
    REQUIRE(lab.in_flight() == before);
    lab.run();
    REQUIRE(spoke.ups.size() == 1);
    REQUIRE(spoke.ups[0].token == 77);
    REQUIRE_FALSE(spoke.ups[0].initiator);
}

TEST_CASE_METHOD(TwoGateways, "a stranger's IKE_SA_INIT that comes to nothing holds up our own attempt only for a moment") {
    lab.connect(hub, spoke, 1);
    lab.deliver();
    lab.wire.clear();
    hub.start();  // whoever sent that never goes on
    lab.connect(spoke, hub, 77);
    REQUIRE(lab.in_flight() == 0);
    lab.advance(3s);
    REQUIRE(spoke.ups.size() == 1);
    REQUIRE(spoke.ups[0].token == 77);
    REQUIRE(spoke.ups[0].initiator);
}

TEST_CASE_METHOD(TwoGateways, "a joined attempt of somebody else than expected leads to an attempt of our own") {
    lab.connect(hub, spoke, 1);
    lab.deliver();
    lab.connect(spoke, hub, 77, pattern("third.example"));
    lab.run();
    REQUIRE(spoke.ups.size() == 1);  // the hub's, for nobody who waited
    REQUIRE(spoke.ups[0].token == 0);
    REQUIRE(spoke.downs.size() >= 1);  // ours met the hub, too
    REQUIRE(spoke.downs[0].token == 77);
    REQUIRE(spoke.downs[0].reason == DownReason::authentication_failed);
}

TEST_CASE_METHOD(TwoGateways, "altered copies of IKE_SA_INIT get the answer to the first, and break nothing, whenever they come") {
    for (std::size_t place = 0; place < 3; ++place) {
        restart();
        lab.connect(spoke, hub);
        const Packet genuine = lab.intercept();
        std::vector<Bytes> answers;
        for (std::size_t i = 0; i < 3; ++i) {
            lab.inject(i == place ? genuine : altered(genuine, static_cast<std::uint8_t>(i)));
            answers.push_back(lab.wire.back().payload);
        }
        CHECK(std::ranges::all_of(answers, [&](const Bytes& answer) { return answer == answers.front(); }));
        CHECK(hub.endpoint->snapshot().size() == 1);
        lab.run();
        CHECK(Lab::talk(spoke, hub));
        CHECK_FALSE(hub.view().remote_behind_nat);  // it is the genuine one that counts
        CHECK_FALSE(hub.ups.back().encapsulated);
    }
}

TEST_CASE_METHOD(TwoGateways, "more altered copies than the responder keeps make it answer the genuine request by itself") {
    lab.connect(spoke, hub);
    const Packet genuine = lab.intercept();
    for (std::uint8_t mark = 1; mark <= 9; ++mark) lab.inject(altered(genuine, mark));
    lab.inject(genuine);
    CHECK(hub.endpoint->snapshot().size() == 3);
    lab.advance(30s);
    CHECK(Lab::talk(spoke, hub));
}

TEST_CASE_METHOD(TwoGateways, "an identity that is pinned to addresses is refused from elsewhere, with the right key too, and ends nobody's SA") {
    Gateway& liar = lab.gateway("liar", "192.0.2.66");
    spoke_profile().pinned = {{pattern("hub.example"), {hub.address}}};
    liar.settings.profiles[0].local = identity("hub.example");
    restart(), liar.start();
    lab.establish(spoke, hub);
    lab.connect(liar, spoke);
    lab.run();
    CHECK_FALSE(liar.is_up());
    CHECK(spoke.count("authentication-failed") == 1);
    CHECK(spoke.logged("hub.example is a hub's identity, and no such hub is at 192.0.2.66"));
    lab.connect(spoke, liar);  // as for a shortcut: whoever is there
    lab.run();
    CHECK(spoke.count("authentication-failed") == 2);
    CHECK(Lab::talk(spoke, hub));
    CHECK(spoke.ups.size() == 1);
}
