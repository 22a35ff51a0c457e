// Every payload goes through the wire format unchanged, and the bytes are those of RFC 7296's figures.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/hex.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const Header kHeader{.initiator_spi = 0x0102030405060708, .responder_spi = 0x1112131415161718, .exchange = ExchangeType::informational, .from_initiator = true, .message_id = 7};

/// Encodes a message with this payload only and gives back what decodes.
Payload round_trip(const Payload& payload) {
    const auto message = decode_message(encode_message(kHeader, std::vector{payload}));
    REQUIRE(message);
    REQUIRE(message->payloads.size() == 1);
    return message->payloads.front();
}

/// The bytes behind the IKE header.
Bytes chain_of(const Payload& payload) {
    ByteWriter out;
    encode_payload_chain(std::vector{payload}, out);
    return out.take();
}

}  // namespace

TEST_CASE("the header has the layout of RFC 7296 figure 4") {
    const Bytes message = encode_message(kHeader, {});
    CHECK(message == hex("0102030405060708 1112131415161718 00 20 25 08 00000007 0000001c"));
    const auto decoded = decode_message(message);
    REQUIRE(decoded);
    CHECK(decoded->header == kHeader);
    CHECK(decoded->payloads.empty());
}

TEST_CASE("the flags of the header are read one by one") {
    Bytes message = encode_message(kHeader, {});
    message[19] = 0x30;  // version and response, not initiator
    const auto header = decode_header(message).value();
    CHECK(header.higher_version);
    CHECK(header.response);
    CHECK_FALSE(header.from_initiator);
    message[19] = 0xc7;  // reserved bits only: ignored on receipt
    CHECK_FALSE(decode_header(message)->response);
}

TEST_CASE("an SA payload keeps proposals, SPIs, transforms and key lengths") {
    const SaPayload sa{{Proposal{1, Protocol::esp, hex("c0ffee01"), {{TransformType::encryption, 20, 256}, {TransformType::extended_sequence_numbers, 1}}},
                        Proposal{2, Protocol::ike, hex("0102030405060708"), {{TransformType::encryption, 12, 128}, {TransformType::prf, 5}, {TransformType{9}, 77}}}}};
    CHECK(round_trip(sa) == Payload{sa});
    CHECK(round_trip(SaPayload{{Proposal{1, Protocol::ah, {}, {}}}}) == Payload{SaPayload{{Proposal{1, Protocol::ah, {}, {}}}}});
}

TEST_CASE("a KE payload keeps its group, also one that nobody knows") {
    CHECK(round_trip(KeyExchange{Group::x25519, Bytes(32, 9)}) == Payload{KeyExchange{Group::x25519, Bytes(32, 9)}});
    CHECK(round_trip(KeyExchange{Group{0x1234}, {}}) == Payload{KeyExchange{Group{0x1234}, {}}});
    CHECK(chain_of(KeyExchange{Group::x25519, hex("aabb")}) == hex("0000000a 001f0000 aabb"));
}

TEST_CASE("IDi and IDr keep their role, type, reserved bytes and data") {
    const IdentificationPayload id{Role::responder, Identity::parse("hub.example").value(), {1, 2, 3}};
    CHECK(round_trip(id) == Payload{id});
    CHECK(chain_of(IdentificationPayload{Role::initiator, Identity::parse("192.0.2.1").value()}) == hex("0000000c 01000000 c0000201"));
    CHECK(id.signed_body() == [] { Bytes b = hex("02010203"), n = to_bytes("hub.example"); b.insert(b.end(), n.begin(), n.end()); return b; }());
}

TEST_CASE("AUTH, nonce and vendor id keep their data") {
    CHECK(round_trip(AuthPayload{AuthMethod::shared_key, Bytes(48, 7)}) == Payload{AuthPayload{AuthMethod::shared_key, Bytes(48, 7)}});
    CHECK(round_trip(NoncePayload{Bytes(16, 1)}) == Payload{NoncePayload{Bytes(16, 1)}});
    CHECK(round_trip(NoncePayload{Bytes(256, 1)}) == Payload{NoncePayload{Bytes(256, 1)}});
    CHECK(round_trip(VendorId{to_bytes("nave")}) == Payload{VendorId{to_bytes("nave")}});
}

TEST_CASE("a Notify keeps its type, protocol, SPI and data, also of a type that nobody knows") {
    const Notify rekey{NotifyType::rekey_sa, {}, Protocol::esp, hex("c0ffee01")};
    CHECK(round_trip(rekey) == Payload{rekey});
    CHECK(chain_of(rekey) == hex("0000000c 0304 4009 c0ffee01"));
    CHECK(round_trip(Notify{NotifyType{40961}, hex("00")}) == Payload{Notify{NotifyType{40961}, hex("00")}});
}

TEST_CASE("notification types print as IANA lists them, and split into errors and status") {
    constexpr std::pair<std::uint16_t, std::string_view> kNames[] = {
        {1, "UNSUPPORTED_CRITICAL_PAYLOAD"}, {4, "INVALID_IKE_SPI"}, {5, "INVALID_MAJOR_VERSION"}, {7, "INVALID_SYNTAX"}, {9, "INVALID_MESSAGE_ID"},
        {11, "INVALID_SPI"}, {14, "NO_PROPOSAL_CHOSEN"}, {17, "INVALID_KE_PAYLOAD"}, {24, "AUTHENTICATION_FAILED"}, {34, "SINGLE_PAIR_REQUIRED"},
        {35, "NO_ADDITIONAL_SAS"}, {36, "INTERNAL_ADDRESS_FAILURE"}, {37, "FAILED_CP_REQUIRED"}, {38, "TS_UNACCEPTABLE"}, {39, "INVALID_SELECTORS"},
        {43, "TEMPORARY_FAILURE"}, {44, "CHILD_SA_NOT_FOUND"}, {48, "TS_MAX_QUEUE"}, {16384, "INITIAL_CONTACT"}, {16385, "SET_WINDOW_SIZE"},
        {16386, "ADDITIONAL_TS_POSSIBLE"}, {16387, "IPCOMP_SUPPORTED"}, {16388, "NAT_DETECTION_SOURCE_IP"}, {16389, "NAT_DETECTION_DESTINATION_IP"},
        {16390, "COOKIE"}, {16391, "USE_TRANSPORT_MODE"}, {16392, "HTTP_CERT_LOOKUP_SUPPORTED"}, {16393, "REKEY_SA"},
        {16394, "ESP_TFC_PADDING_NOT_SUPPORTED"}, {16395, "NON_FIRST_FRAGMENTS_ALSO"}, {16396, "MOBIKE_SUPPORTED"}, {16397, "ADDITIONAL_IP4_ADDRESS"},
        {16404, "MULTIPLE_AUTH_SUPPORTED"}, {16406, "REDIRECT_SUPPORTED"}, {16407, "REDIRECT"}, {16408, "REDIRECTED_FROM"},
        {16417, "EAP_ONLY_AUTHENTICATION"}, {16418, "CHILDLESS_IKEV2_SUPPORTED"}, {16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED"},
        {16422, "IKEV2_MESSAGE_ID_SYNC"}, {16430, "IKEV2_FRAGMENTATION_SUPPORTED"}, {16431, "SIGNATURE_HASH_ALGORITHMS"}, {16435, "USE_PPK"},
        {16436, "PPK_IDENTITY"}, {16437, "NO_PPK_AUTH"}, {16444, "SA_RESOURCE_INFO"}};
    for (const auto& [number, name] : kNames) CHECK(to_string(NotifyType{number}) == name);
    CHECK(to_string(NotifyType{40961}) == "notify 40961");
    CHECK(is_error(NotifyType::no_proposal_chosen));
    CHECK(is_error(NotifyType{16383}));
    CHECK_FALSE(is_error(NotifyType::initial_contact));
}

TEST_CASE("a Delete names the IKE SA without SPIs and child SAs by theirs") {
    CHECK(round_trip(DeletePayload{Protocol::ike}) == Payload{DeletePayload{Protocol::ike}});
    const DeletePayload children{Protocol::esp, {Spi{0xc0ffee01}, Spi{0x100}}};
    CHECK(round_trip(children) == Payload{children});
    CHECK(chain_of(children) == hex("00000010 03040002 c0ffee01 00000100"));
}

TEST_CASE("TSi and TSr keep their role and selectors") {
    const TrafficSelectors selectors{Role::initiator, {TrafficSelector::host(ip("192.0.2.1"), 47)}};
    CHECK(round_trip(selectors) == Payload{selectors});
    CHECK(chain_of(selectors) == hex("00000018 01000000 072f0010 0000ffff c0000201 c0000201"));
}

TEST_CASE("SK and SKF are recognised with the type of their first inner payload") {
    CHECK(round_trip(Encrypted{PayloadType::identification_initiator, Bytes(40, 3)}) == Payload{Encrypted{PayloadType::identification_initiator, Bytes(40, 3)}});
    const EncryptedFragment fragment{PayloadType::none, 2, 3, Bytes(40, 3)};
    CHECK(round_trip(fragment) == Payload{fragment});
}

TEST_CASE("CERT and CERTREQ keep their encoding and content, and are refused without an encoding") {
    const CertificatePayload certificate{CertificateEncoding::x509_signature, hex("3000")};
    CHECK(round_trip(certificate) == Payload{certificate});
    CHECK(chain_of(certificate) == hex("00000007 043000"));
    const CertificateRequest request{CertificateEncoding::x509_signature, Bytes(40, 1)};
    CHECK(round_trip(request) == Payload{request});
    for (const auto type : {PayloadType::certificate, PayloadType::certificate_request})
        CHECK(decode_payload_chain(type, hex("00000004")).error() == DecodeError{Malformed::truncated, type});
}

TEST_CASE("CP and EAP are kept as they are") {
    for (const auto type : {PayloadType::configuration, PayloadType::extensible_authentication}) {
        const OpaquePayload payload{type, true, hex("0102")};
        CHECK(round_trip(payload) == Payload{payload});
    }
}

TEST_CASE("payloads of unknown types are left out unless they are critical") {
    const std::vector<Payload> payloads{OpaquePayload{PayloadType{200}, false, hex("0102")}, VendorId{hex("aa")}};
    CHECK(decode_message(encode_message(kHeader, payloads))->payloads == std::vector<Payload>{VendorId{hex("aa")}});
    const std::vector<Payload> critical{VendorId{hex("aa")}, OpaquePayload{PayloadType{200}, true, {}}};
    CHECK(decode_message(encode_message(kHeader, critical)).error() == DecodeError{Malformed::unsupported_critical, PayloadType{200}});
}

TEST_CASE("the critical bit of a payload that we know is ignored") {
    Bytes message = encode_message(kHeader, std::vector<Payload>{VendorId{hex("aa")}});
    message[Header::kSize + 1] = 0xff;  // critical and reserved bits
    CHECK(decode_message(message)->payloads == std::vector<Payload>{VendorId{hex("aa")}});
}

TEST_CASE("payloads are found by kind, role and notification type") {
    const std::vector<Payload> payloads{Notify{NotifyType::cookie, hex("01")}, IdentificationPayload{Role::responder, Identity::parse("hub").value()},
                                        Notify{NotifyType::invalid_syntax}};
    CHECK(find<Notify>(payloads)->type == NotifyType::cookie);
    CHECK(find<IdentificationPayload>(payloads, Role::responder));
    CHECK_FALSE(find<IdentificationPayload>(payloads, Role::initiator));
    CHECK_FALSE(find<SaPayload>(payloads));
    CHECK(find_notify(payloads, NotifyType::cookie)->data == hex("01"));
    CHECK_FALSE(find_notify(payloads, NotifyType::rekey_sa));
    CHECK(find_error(payloads)->type == NotifyType::invalid_syntax);
}

TEST_CASE("a message describes itself as the RFC's figures do") {
    const std::vector<Payload> payloads{SaPayload{}, KeyExchange{}, NoncePayload{}, Notify{NotifyType::cookie}, DeletePayload{}};
    CHECK(describe(kHeader, payloads) == "INFORMATIONAL request 7 [ SA KE No N(COOKIE) D ]");
    CHECK(describe(Header{.exchange = ExchangeType{240}, .response = true}, {}) == "exchange 240 response 0 [ ]");
}

TEST_CASE("every payload is described as the figures of RFC 7296 write it") {
    Header header = kHeader;
    header.exchange = ExchangeType::ike_sa_init;
    CHECK(describe(header, std::vector<Payload>{SaPayload{}, KeyExchange{}, NoncePayload{}, VendorId{}}) == "IKE_SA_INIT request 7 [ SA KE No V ]");
    header.exchange = ExchangeType::ike_auth;
    header.response = true;
    CHECK(describe(header, std::vector<Payload>{IdentificationPayload{.role = Role::responder}, CertificatePayload{}, AuthPayload{}, TrafficSelectors{Role::initiator, {}},
                                                TrafficSelectors{Role::responder, {}}, Notify{NotifyType::use_transport_mode}}) ==
          "IKE_AUTH response 7 [ IDr CERT AUTH TSi TSr N(USE_TRANSPORT_MODE) ]");
    header.response = false;
    CHECK(describe(header, std::vector<Payload>{IdentificationPayload{.role = Role::initiator}, CertificateRequest{}, OpaquePayload{PayloadType::configuration},
                                                OpaquePayload{PayloadType::extensible_authentication}}) == "IKE_AUTH request 7 [ IDi CERTREQ CP EAP ]");
    header.exchange = ExchangeType::create_child_sa;
    CHECK(describe(header, std::vector<Payload>{Encrypted{}}) == "CREATE_CHILD_SA request 7 [ SK ]");
    CHECK(describe(header, std::vector<Payload>{EncryptedFragment{}}) == "CREATE_CHILD_SA request 7 [ SKF ]");
}
