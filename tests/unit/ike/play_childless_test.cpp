// Plays of associations that begin without a child SA (RFC 6023), and of a cluster that wants to synchronise message IDs (RFC 6311).
#include "controlplane/ike/negotiation.hpp"
#include "tests/unit/ike/raw_peer.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;
using namespace nave::ike::play;

namespace {

struct Childless {
    Lab lab{71};
    Gateway& hub = lab.gateway("hub", "192.0.2.1");
    RawPeer peer{lab, hub, "192.0.2.66"};

    std::vector<Payload> begin() {
        hub.settings.profiles[0].liveness_interval = 1h;  // this peer answers no probe
        hub.start();
        peer.init();
        return peer.exchange(ExchangeType::ike_auth, peer.authentication());
    }
    /// CREATE_CHILD_SA { SA, Ni, TSi, TSr, N(USE_TRANSPORT_MODE) } without PFS.
    std::vector<Payload> ask_for_child(std::uint32_t spi) {
        auto suites = default_esp_proposals();
        std::erase_if(suites, [](const EspProposal& suite) { return suite.group.has_value(); });
        return peer.exchange(ExchangeType::create_child_sa, {offer_esp(suites, Spi{spi}, ChildExchange::create_child_sa), NoncePayload{Bytes(32, static_cast<std::uint8_t>(spi))},
                                                             TrafficSelectors{Role::initiator, {TrafficSelector::host(peer.self.address.value, 47)}},
                                                             TrafficSelectors{Role::responder, {TrafficSelector::host(hub.address.value, 47)}},
                                                             Notify{.type = NotifyType::use_transport_mode}});
    }
};

}  // namespace

TEST_CASE_METHOD(Childless, "IKE_AUTH without SA and TS is answered by IDr and AUTH alone, and CREATE_CHILD_SA makes the first child") {
    const Message answer = decode_message(peer.ask(peer.init_request())).value();
    REQUIRE(find_notify(answer.payloads, NotifyType::childless_ikev2_supported));
    const auto authenticated = begin();
    REQUIRE(authenticated.size() == 2);
    REQUIRE(find<AuthPayload>(authenticated));
    REQUIRE(hub.is_up());
    REQUIRE(hub.inbound.empty());

    const auto child = ask_for_child(0x2000);
    REQUIRE_FALSE(error_in(child));
    REQUIRE(hub.inbound.size() == 1);
    REQUIRE(hub.outbound.at(0).spi == Spi{0x2000});  // there is no older SA to send on
    lab.advance(40s);
    REQUIRE(hub.is_up());
}

TEST_CASE_METHOD(Childless, "an association for which nobody wants a child SA ends after half a minute") {
    begin();
    lab.advance_losing(29s, hub);
    REQUIRE(hub.is_up());
    lab.advance_losing(2s, hub);
    REQUIRE(hub.downs.at(0).reason == DownReason::no_child);
    REQUIRE(hub.spis.empty());
}

TEST_CASE_METHOD(Childless, "a second child beside the first is not used before the peer uses it") {
    begin();
    ask_for_child(0x2000);
    REQUIRE_FALSE(error_in(ask_for_child(0x3000)));
    REQUIRE(hub.inbound.size() == 2);
    REQUIRE(hub.outbound_installs == 1);
}

TEST_CASE_METHOD(Childless, "half a request for a child SA is a mistake, not a childless begin") {
    peer.init();
    const auto answer = peer.exchange(ExchangeType::ike_auth, peer.authentication() + std::vector<Payload>{TrafficSelectors{
                                                                  Role::initiator, {TrafficSelector::host(peer.self.address.value, 47)}}});
    REQUIRE(error_in(answer) == NotifyType::invalid_syntax);
    REQUIRE(hub.ups.empty());
}

TEST_CASE_METHOD(Childless, "a rekey of a child SA that is not there meets CHILD_SA_NOT_FOUND with its SPI (RFC 7296 2.25.1)") {
    begin();
    const auto answer = peer.exchange(ExchangeType::create_child_sa, {Notify{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = {0, 0, 0x40, 0}},
                                                                      offer_esp(default_esp_proposals(), Spi{0x3000}, ChildExchange::create_child_sa), NoncePayload{Bytes(32, 1)}});
    const Notify* refusal = find_notify(answer, NotifyType::child_sa_not_found);
    REQUIRE(refusal);
    REQUIRE(refusal->spi == Bytes{0, 0, 0x40, 0});
    REQUIRE(refusal->protocol == Protocol::esp);
}

TEST_CASE_METHOD(Childless, "a request to synchronise message IDs is refused by silence and a line in the log, and moves no window") {
    peer.establish();
    const std::uint32_t next = peer.next_id;
    peer.next_id = 0;  // RFC 6311 §5.1: the sync request has the message ID 0
    const Notify sync{.type = NotifyType::ikev2_message_id_sync, .data = {1, 2, 3, 4, 0, 0, 0, 9, 0, 0, 0, 9}};
    REQUIRE(peer.ask(peer.request(ExchangeType::informational, {sync})).empty());
    REQUIRE(hub.count("message-id-sync-refused") == 1);
    REQUIRE(hub.logged("synchronise message IDs after a failover"));
    peer.next_id = 0;
    REQUIRE(peer.ask(peer.request(ExchangeType::informational, {})).empty());  // without the notification it is just old
    REQUIRE(hub.count("message-id-sync-refused") == 1);
    peer.next_id = next;
    REQUIRE(peer.exchange(ExchangeType::informational, {sync}).empty());  // in the window it is a request like any other
    REQUIRE(hub.is_up());
}
