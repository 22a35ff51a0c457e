// Bytes that are no message are refused with a reason: cut anywhere, with any length lying, or too many of anything.
#include "controlplane/ike/message.hpp"
#include "tests/unit/ike/captured.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::ike;

namespace {

const Header kHeader{.initiator_spi = 1, .exchange = ExchangeType::ike_sa_init, .from_initiator = true};

/// Says in the header what the size now is.
Bytes with_true_length(Bytes message) {
    ByteWriter out;
    out.u32(static_cast<std::uint32_t>(message.size()));
    std::copy(out.view().begin(), out.view().end(), message.begin() + 24);
    return message;
}

/// A message of a chain that is bytes already.
Bytes message_of(PayloadType first, ByteView chain) {
    ByteWriter out;
    encode_header(kHeader, first, out);
    out.bytes(chain);
    return with_true_length(out.take());
}

DecodeError error_of(PayloadType first, std::string_view chain) {
    const auto message = decode_message(message_of(first, hex(chain)));
    REQUIRE_FALSE(message);
    return message.error();
}

Malformed sa_error(std::string_view body) { return decode_sa(hex(body)).error(); }

}  // namespace

TEST_CASE("a message cut at any byte is refused") {
    for (const Bytes* message : {&captured::first::init_request, &captured::first::init_response, &captured::first::auth_request})
        for (std::size_t size = 0; size < message->size(); ++size) CHECK_FALSE(decode_message(ByteView{*message}.first(size)));
}

TEST_CASE("a message cut at any byte is refused even if its header agrees") {
    for (const Bytes* message : {&captured::first::init_request, &captured::first::init_response, &captured::first::auth_request})
        for (std::size_t size = Header::kSize; size < message->size(); ++size)
            CHECK_FALSE(decode_message(with_true_length(to_bytes(ByteView{*message}.first(size)))));
}

TEST_CASE("a message with bytes behind its end is refused") {
    Bytes message = captured::first::init_request;
    message.push_back(0);
    CHECK(decode_message(message).error() == DecodeError{Malformed::wrong_message_length});
    CHECK(decode_message(with_true_length(message)).error() == DecodeError{Malformed::trailing_bytes});
}

TEST_CASE("a datagram shorter than a header is refused") {
    CHECK(decode_header({}).error().reason == Malformed::truncated);
    CHECK(decode_header(ByteView{captured::first::init_request}.first(27)).error().reason == Malformed::truncated);
}

TEST_CASE("each lying length of strongSwan's IKE_SA_INIT is noticed") {
    // Offsets of length fields: payload headers SA, KE, No, N...; then proposals and their first transforms.
    for (const std::size_t offset : {30u, 34u, 42u, 54u, 70u, 78u, 114u, 218u, 254u, 282u, 310u, 318u, 334u}) {
        const Bytes& genuine = captured::first::init_request;
        const int length = genuine[offset] << 8 | genuine[offset + 1];
        for (const int lie : {0, 1, 3, 4, 7, length - 1, length + 1, length + 4, 0x1000, 0xffff}) {
            Bytes message = genuine;
            message[offset] = static_cast<std::uint8_t>(lie >> 8);
            message[offset + 1] = static_cast<std::uint8_t>(lie);
            INFO("offset " << offset << ", length " << length << " said to be " << lie);
            CHECK((lie == length || !decode_message(message)));
        }
    }
}

TEST_CASE("any single byte of a message may change without harm") {
    for (std::size_t i = 0; i < captured::first::init_request.size(); ++i)
        for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
            Bytes message = captured::first::init_request;
            message[i] = static_cast<std::uint8_t>(value);
            const auto decoded = decode_message(message);
            if (decoded) CHECK(decode_message(encode_message(decoded->header, decoded->payloads)));
        }
}

TEST_CASE("another major version is told apart, and its header can still be answered") {
    Bytes message = captured::first::init_request;
    message[17] = 0x30;
    CHECK(decode_message(message).error().reason == Malformed::major_version);
    CHECK(decode_header(message)->major_version == 3);
    message[17] = 0x2f;  // a later minor version is fine (RFC 7296 §2.5)
    CHECK(decode_message(message));
}

TEST_CASE("a payload that claims to be shorter than its header or longer than the message is refused") {
    CHECK(error_of(PayloadType::vendor_id, "00000003") == DecodeError{Malformed::payload_length, PayloadType::vendor_id});
    CHECK(error_of(PayloadType::vendor_id, "00000005") == DecodeError{Malformed::payload_length, PayloadType::vendor_id});
    CHECK(error_of(PayloadType::vendor_id, "000000") == DecodeError{Malformed::payload_length, PayloadType::vendor_id});
    CHECK(error_of(PayloadType::vendor_id, "2b000004") == DecodeError{Malformed::payload_length, PayloadType::vendor_id});
}

TEST_CASE("a payload that ends inside of its fixed fields is refused") {
    CHECK(error_of(PayloadType::key_exchange, "00000007001300").reason == Malformed::truncated);
    CHECK(error_of(PayloadType::identification_initiator, "00000007010000").reason == Malformed::truncated);
    CHECK(error_of(PayloadType::authentication, "00000007020000").reason == Malformed::truncated);
    CHECK(error_of(PayloadType::notify, "00000007030040").reason == Malformed::truncated);
    CHECK(error_of(PayloadType::encrypted_fragment, "00000007000100").reason == Malformed::truncated);
}

TEST_CASE("a notification whose SPI is longer than the payload is refused") {
    CHECK(error_of(PayloadType::notify, "0000000a 03044009 c0ff").reason == Malformed::truncated);
}

TEST_CASE("nonces below 16 and above 256 bytes are refused") {
    CHECK(decode_message(encode_message(kHeader, std::vector<Payload>{NoncePayload{Bytes(15)}})).error().reason == Malformed::nonce_size);
    CHECK(decode_message(encode_message(kHeader, std::vector<Payload>{NoncePayload{Bytes(257)}})).error().reason == Malformed::nonce_size);
}

TEST_CASE("a Delete whose count or SPI size lies is refused") {
    CHECK(error_of(PayloadType::delete_, "0000000c 03040002 c0ffee01").reason == Malformed::truncated);
    CHECK(error_of(PayloadType::delete_, "0000000c 03040000 c0ffee01").reason == Malformed::trailing_bytes);
    CHECK(error_of(PayloadType::delete_, "0000000c 03080001 c0ffee01").reason == Malformed::spi_size);
    CHECK(error_of(PayloadType::delete_, "00000008 01080000").reason == Malformed::spi_size);
    CHECK(error_of(PayloadType::delete_, "00000008 0304ffff").reason == Malformed::too_many_spis);
    CHECK(error_of(PayloadType::delete_, "00000007 030400").reason == Malformed::truncated);
}

TEST_CASE("more payloads than any peer needs are refused before they cost memory") {
    Bytes chain;
    for (std::size_t i = 0; i < kPayloadsMax; ++i) for (const int byte : {0x2b, 0, 0, 4}) chain.push_back(static_cast<std::uint8_t>(byte));
    Bytes allowed = chain;
    allowed[allowed.size() - 4] = 0;
    CHECK(decode_message(message_of(PayloadType::vendor_id, allowed))->payloads.size() == kPayloadsMax);
    for (const int byte : {0, 0, 0, 4}) chain.push_back(static_cast<std::uint8_t>(byte));
    CHECK(decode_message(message_of(PayloadType::vendor_id, chain)).error().reason == Malformed::too_many_payloads);
}

TEST_CASE("payloads that we skip count towards the limit too") {
    Bytes chain;
    for (int i = 0; i < 10'000; ++i) for (const int byte : {0xc8, 0, 0, 4}) chain.push_back(static_cast<std::uint8_t>(byte));
    CHECK(decode_payload_chain(PayloadType{200}, chain).error() == DecodeError{Malformed::too_many_payloads, PayloadType{200}});
}

TEST_CASE("a bomb of proposals or transforms is refused") {
    Bytes proposals;
    for (int i = 0; i < 100; ++i) for (const int byte : {i == 99 ? 0 : 2, 0, 0, 8, 1, 1, 0, 0}) proposals.push_back(static_cast<std::uint8_t>(byte));
    CHECK(decode_sa(proposals).error() == Malformed::too_many_proposals);
    Bytes transforms = hex("00000000 010100ff");
    for (int i = 0; i < 255; ++i) for (const int byte : {i == 254 ? 0 : 3, 0, 0, 8, 1, 0, 0, 20}) transforms.push_back(static_cast<std::uint8_t>(byte));
    transforms[2] = static_cast<std::uint8_t>(transforms.size() >> 8);
    transforms[3] = static_cast<std::uint8_t>(transforms.size());
    CHECK(decode_sa(transforms).error() == Malformed::too_many_transforms);
}

TEST_CASE("proposals that lie about length, chain, SPI or number of transforms are refused") {
    CHECK(sa_error("") == Malformed::substructure_length);
    CHECK(sa_error("00000007 010100") == Malformed::substructure_length);
    CHECK(sa_error("00000009 01010000") == Malformed::substructure_length);
    CHECK(sa_error("02000008 01010000") == Malformed::substructure_chain);
    CHECK(sa_error("01000008 01010000") == Malformed::substructure_chain);
    CHECK(sa_error("00000008 01010000 00000008 01010000") == Malformed::substructure_chain);
    CHECK(sa_error("0000000a 01030400 c0ff") == Malformed::spi_size);
    CHECK(sa_error("0000000c 01010000 00000000") == Malformed::substructure_chain);
    CHECK(sa_error("00000008 01010001") == Malformed::substructure_length);
}

TEST_CASE("transforms and attributes that lie are refused") {
    CHECK(sa_error("00000010 01010001 00000007 01000014") == Malformed::substructure_length);
    CHECK(sa_error("00000010 01010001 00000009 01000014") == Malformed::substructure_length);
    CHECK(sa_error("00000010 01010001 03000008 01000014") == Malformed::substructure_chain);
    CHECK(sa_error("00000018 01010002 00000008 01000014 00000008 01000014") == Malformed::substructure_chain);
    CHECK(sa_error("00000012 01010001 0000000a 01000014 800e") == Malformed::substructure_length);
    CHECK(sa_error("00000014 01010001 0000000c 01000014 00030001") == Malformed::substructure_length);
}

TEST_CASE("attributes that nobody knows mark their transform and are passed over") {
    const auto sa = decode_sa(hex("0000001a 01010001 00000012 01000014 00070002aabb 800e0100"));
    REQUIRE(sa);
    CHECK(sa->proposals[0].transforms[0] == Transform{TransformType::encryption, 20, 256, true});
    CHECK(decode_sa(hex("00000018 01010001 00000010 01000014 800e0100 800e0080"))->proposals[0].transforms[0].unknown_attribute);  // twice
}

TEST_CASE("nothing may follow an SK or SKF payload") {
    CHECK(error_of(PayloadType::encrypted, "29000005 aa 00000004") == DecodeError{Malformed::encrypted_not_last, PayloadType::encrypted});
    CHECK(error_of(PayloadType::encrypted_fragment, "29000008 00010001 00000004").reason == Malformed::encrypted_not_last);
}

TEST_CASE("a header without a first payload ends the message") {
    CHECK(error_of(PayloadType::none, "00000004") == DecodeError{Malformed::trailing_bytes});
}

TEST_CASE("every reason has a name of its own") {
    std::vector<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Malformed::unsupported_critical); ++i) {
        const auto text = name(static_cast<Malformed>(i));
        CHECK(text != "unknown");
        CHECK(std::find(names.begin(), names.end(), text) == names.end());
        names.push_back(text);
    }
}
