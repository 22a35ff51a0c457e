// A real conversation between strongSwan gateways, read from its first to its last message.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/keys.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/nat_detection.hpp"
#include "controlplane/ike/negotiation.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "tests/unit/ike/captured.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const IkeProposal kSuite{IkeEncryption::aes_gcm_256, Integrity::none, Prf::hmac_sha384, Group::p384};

/// Keys of the IKE SA between 192.0.2.11 and .12, from the shared secret on.
SessionKeys session() {
    const auto request = decode_message(captured::rekeyed::init_request).value(), response = decode_message(captured::rekeyed::init_response).value();
    const Header& header = response.header;
    const SessionSeed seed{kSuite, find<NoncePayload>(request.payloads)->data, find<NoncePayload>(response.payloads)->data, header.initiator_spi, header.responder_spi};
    return derive_session_keys(seed, initial_skeyseed(seed, Secret{captured::rekeyed::shared_secret}));
}

std::vector<Payload> opened(ByteView message, Role sender) {
    auto payloads = open(message, session().sent_by(sender));
    REQUIRE(payloads);
    return *payloads;
}

std::string described(ByteView message, Role sender) { return describe(*decode_header(message), opened(message, sender)); }

const SaPayload& sa_of(const std::vector<Payload>& payloads) { return *find<SaPayload>(payloads); }
const Bytes& nonce_of(const std::vector<Payload>& payloads) { return find<NoncePayload>(payloads)->data; }

}  // namespace

TEST_CASE("strongSwan's IKE_SA_INIT decodes to the payloads that its log names, and encodes to the same bytes") {
    const auto request = decode_message(captured::first::init_request).value();
    CHECK(describe(request.header, request.payloads) ==
          "IKE_SA_INIT request 0 [ SA KE No N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) "
          "N(IKEV2_FRAGMENTATION_SUPPORTED) N(SIGNATURE_HASH_ALGORITHMS) N(REDIRECT_SUPPORTED) ]");
    CHECK(encode_message(request.header, request.payloads) == captured::first::init_request);
    const auto response = decode_message(captured::first::init_response).value();
    CHECK(encode_message(response.header, response.payloads) == captured::first::init_response);
}

TEST_CASE("strongSwan's IKE_AUTH opens to the payloads that its log names") {
    CHECK(described(captured::rekeyed::auth_request, Role::initiator) ==
          "IKE_AUTH request 1 [ IDi AUTH N(USE_TRANSPORT_MODE) SA TSi TSr N(MULTIPLE_AUTH_SUPPORTED) N(EAP_ONLY_AUTHENTICATION) N(IKEV2_MESSAGE_ID_SYNC_SUPPORTED) ]");
    CHECK(described(captured::rekeyed::auth_response, Role::responder) == "IKE_AUTH response 1 [ IDr AUTH N(USE_TRANSPORT_MODE) SA TSi TSr ]");
}

TEST_CASE("strongSwan's AUTH verifies with the pre-shared key") {
    const auto request = opened(captured::rekeyed::auth_request, Role::initiator);
    const auto nonce = nonce_of(decode_message(captured::rekeyed::init_response)->payloads);
    const AuthInput input{captured::rekeyed::init_request, nonce, find<IdentificationPayload>(request, Role::initiator)};
    CHECK(input.id->identity.to_string() == "192.0.2.11");
    CHECK(verify_shared_key_auth(session(), Role::initiator, Secret{as_bytes(captured::kPreSharedKey)}, input, find<AuthPayload>(request)->data));
    CHECK_FALSE(verify_shared_key_auth(session(), Role::initiator, Secret{as_bytes("guess")}, input, find<AuthPayload>(request)->data));
}

TEST_CASE("strongSwan's selectors for GRE narrow to the whole host") {
    const auto request = opened(captured::rekeyed::auth_request, Role::initiator);
    const auto host = TrafficSelector::host(ip("192.0.2.12"), 47);
    CHECK(narrow(find<TrafficSelectors>(request, Role::responder)->selectors, host) == host);
}

TEST_CASE("strongSwan's rekey of a child opens, its group is chosen, and the keys are strongSwan's") {
    const auto request = opened(captured::rekeyed::child_request, Role::initiator), response = opened(captured::rekeyed::child_response, Role::responder);
    CHECK(describe({}, request).ends_with("[ N(REKEY_SA) N(USE_TRANSPORT_MODE) SA No KE TSi TSr ]"));
    const auto choice = choose_esp(sa_of(request), default_esp_proposals(), find<KeyExchange>(request)->group, ChildExchange::create_child_sa);
    REQUIRE(choice);
    CHECK(to_string(choice->suite) == "aes-gcm-256/no-esn/p384");
    CHECK(accept_esp(sa_of(response), default_esp_proposals(), ChildExchange::create_child_sa)->suite == choice->suite);
    const auto keys = derive_child_keys(session(), EspAlgorithm::aes_gcm_256, Secret{captured::rekeyed::child_shared_secret}, nonce_of(request), nonce_of(response));
    CHECK(to_bytes(keys.initiator_to_responder.view()) == captured::rekeyed::child_key_initiator);
    CHECK(to_bytes(keys.responder_to_initiator.view()) == captured::rekeyed::child_key_responder);
}

TEST_CASE("strongSwan's Delete of the old child names its SPIs") {
    const auto request = opened(captured::rekeyed::delete_request, Role::initiator), response = opened(captured::rekeyed::delete_response, Role::responder);
    CHECK(*find<DeletePayload>(request) == DeletePayload{Protocol::esp, {Spi{0xc60c4b77}}});
    CHECK(*find<DeletePayload>(response) == DeletePayload{Protocol::esp, {Spi{0xc8cba7bf}}});
}

TEST_CASE("strongSwan's rekey of the IKE SA gives the keys of its log") {
    const auto request = opened(captured::rekeyed::ike_request, Role::initiator), response = opened(captured::rekeyed::ike_response, Role::responder);
    const auto choice = choose_ike(sa_of(request), default_ike_proposals(), find<KeyExchange>(request)->group, true);
    const auto accepted = accept_ike(sa_of(response), default_ike_proposals(), true);
    REQUIRE((choice && accepted));
    const SessionSeed seed{choice->suite, nonce_of(request), nonce_of(response), choice->spi, accepted->spi};
    const Secret skeyseed = rekey_skeyseed(session(), seed, Secret{captured::rekeyed::new_shared_secret});
    CHECK(to_bytes(skeyseed.view()) == captured::rekeyed::new_skeyseed);
    const SessionKeys keys = derive_session_keys(seed, skeyseed);
    CHECK(to_bytes(keys.derivation.view()) == captured::rekeyed::new_sk_d);
    CHECK(to_bytes(keys.from_initiator.encryption_key.view()) == captured::rekeyed::new_sk_ei);
    CHECK(to_bytes(keys.from_responder.encryption_key.view()) == captured::rekeyed::new_sk_er);
}

TEST_CASE("strongSwan deletes the old IKE SA with a Delete without SPIs and an empty answer") {
    CHECK(*find<DeletePayload>(opened(captured::rekeyed::close_request, Role::initiator)) == DeletePayload{Protocol::ike});
    CHECK(opened(captured::rekeyed::close_response, Role::responder).empty());
}

TEST_CASE("strongSwan's NAT detection finds no NAT between the gateways that it ran on") {
    const auto request = decode_message(captured::first::init_request).value();
    const auto findings = detect_nat(request.payloads, request.header.initiator_spi, 0, endpoint("192.0.2.1", 500), endpoint("192.0.2.11", 500));
    CHECK(findings.supported);
    CHECK_FALSE(findings.any());
}
