// Error Indications (RFC 2332 §5.2.7): each code sent where the RFC says, believed only about our outstanding requests.
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include "common/checksum.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;
using std::chrono::seconds;

namespace {

/// An Error Indication of the hub about `original`.
Packet error_about(const Packet& original, ErrorCode code) {
    Packet packet;
    packet.type = PacketType::error_indication;
    packet.hop_count = 255;
    packet.source_nbma = NbmaAddress{ip("192.0.2.1")};
    packet.source_protocol = ip("10.255.0.1");
    packet.destination_protocol = original.source_protocol;
    packet.error_code = static_cast<std::uint16_t>(code);
    packet.quoted = encode(original);
    return packet;
}

Bytes with_byte(Bytes bytes, std::size_t offset, int value) {
    bytes.at(offset) = static_cast<std::uint8_t>(value);
    bytes[12] = bytes[13] = 0;
    const auto sum = internet_checksum(bytes);
    bytes[12] = static_cast<std::uint8_t>(sum >> 8);
    bytes[13] = static_cast<std::uint8_t>(sum);
    return bytes;
}

}  // namespace

TEST_CASE("a compulsory extension that the destination does not know is answered with error 1 and where it stood") {
    Triangle t;
    Packet request = *decode(frr::bytes(frr::registration_request));
    request.extensions.insert(request.extensions.begin(), {0x234, true, {}});
    t.hub.receive(t.b, request);
    const Packet error = t.lab.last(PacketType::error_indication);
    CHECK(error.error_code == 1);
    CHECK(error.error_offset == 52);
    CHECK(error.destination_protocol == ip("10.255.0.12"));
    CHECK(t.hub.count("unknown-extension") == 1);
}

TEST_CASE("the egress, too, refuses a compulsory extension that it does not know") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    Packet request = t.lab.lose_one();
    request.extensions.insert(request.extensions.begin(), {0x234, true, {}});
    t.hub.receive(t.a, request);
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::error_indication).error_code == 1);
    CHECK(t.a.said<ResolutionFailed>().at(0).reason == ResolutionFailure::refused);
}

TEST_CASE("an extension that its type forbids is answered with error 9") {
    Triangle t;
    Packet request = *decode(frr::bytes(frr::registration_request));
    request.extensions[0].value = {1, 2, 3};  // no list of entries
    t.hub.receive(t.b, request);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 9);
}

TEST_CASE("a broken chain of extensions is answered with error 9, other broken packets with error 7") {
    Triangle t;
    t.hub.receive_bytes(t.b, with_byte(frr::bytes(frr::registration_request), 55, 200));
    CHECK(t.lab.last(PacketType::error_indication).error_code == 9);
    t.hub.receive_bytes(t.b, with_byte(frr::bytes(frr::registration_request), 15, 1));
    CHECK(t.lab.last(PacketType::error_indication).error_code == 7);
    CHECK(t.hub.count("malformed") == 2);
}

TEST_CASE("a packet with a wrong checksum is dropped without a word") {
    Triangle t;
    Bytes bytes = frr::bytes(frr::registration_request);
    bytes[30] ^= 1;
    t.hub.receive_bytes(t.b, bytes);
    CHECK(t.hub.count("bad-checksum") == 1);
    CHECK(t.lab.sent(PacketType::error_indication) == 0);
}

TEST_CASE("a reply to a question that nobody asked is answered with error 10") {
    Triangle t;
    Packet reply = *decode(frr::bytes(frr::resolution_reply_forwarded));
    reply.request_id = 0x12345678;
    t.a.receive(t.hub, reply);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 10);
    CHECK(t.a.said<Resolved>().empty());
    CHECK(t.a.count("unexpected-reply") == 1);
}

TEST_CASE("a reply about another destination than the one asked for is answered with error 10") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    for (int i = 0; i < 3; ++i) t.lab.deliver_one();
    Packet reply = t.lab.lose_one();
    reply.destination_protocol = ip("8.8.8.8");
    t.a.receive(t.hub, reply);
    CHECK(t.lab.last(PacketType::error_indication).error_code == 10);
    CHECK(t.a.said<Resolved>().empty());
}

TEST_CASE("an error indication quotes the packet, ends with the zeros that IOS wants, and is even") {
    Triangle t;
    t.a.resolve("203.0.113.1");
    const Bytes request = t.lab.wire.front().bytes;
    t.lab.deliver_one();
    const Packet error = t.lab.wire.front().packet();
    REQUIRE(error.quoted.size() == request.size() + 16);
    CHECK(std::equal(request.begin(), request.end(), error.quoted.begin()));
    CHECK(error.hop_count == 255);
    CHECK(t.lab.wire.front().bytes.size() % 2 == 0);
}

TEST_CASE("a broken error indication is never answered with another") {
    Triangle t;
    Packet error = error_about(*decode(frr::bytes(frr::registration_request)), ErrorCode::protocol_error);
    error.extensions = {{0x234, true, {1}}};
    Bytes bytes = encode(error);
    t.hub.receive_bytes(t.b, with_byte(bytes, bytes.size() - 6, 99));
    CHECK(t.hub.count("malformed") == 1);
    CHECK(t.lab.sent(PacketType::error_indication) == 0);
}

TEST_CASE("an error indication has no extensions, our own as little as one that passes") {
    Settings word;
    word.authentication = "spokes";
    Triangle t{word, word};
    t.a.resolve("203.0.113.1");
    Packet request = t.lab.wire.front().packet();
    t.lab.deliver();
    CHECK(t.lab.last(PacketType::error_indication).extensions.empty());
    Packet error = error_about(request, ErrorCode::protocol_address_unreachable);
    error.source_protocol = t.b.tunnel.value;
    error.extensions = {{extension_type::authentication, true, encode_authentication("spokes")}};
    t.hub.receive(t.b, error);
    CHECK(t.lab.last(PacketType::error_indication).source_protocol == t.b.tunnel.value);
    CHECK(t.lab.last(PacketType::error_indication).extensions.empty());
}

TEST_CASE("errors are limited in rate") {
    Triangle t;
    for (int i = 0; i < 30; ++i) t.hub.receive_bytes(t.b, with_byte(frr::bytes(frr::registration_request), 55, 200));
    CHECK(t.lab.sent(PacketType::error_indication) == 10);
    CHECK(t.hub.count("errors-suppressed") == 20);
    t.lab.advance(seconds{1});
    t.hub.receive_bytes(t.b, with_byte(frr::bytes(frr::registration_request), 55, 200));
    CHECK(t.lab.sent(PacketType::error_indication) == 11);
}

TEST_CASE("every error code about an outstanding resolution ends it; only code 6 means unreachable") {
    for (const auto code : {ErrorCode::unrecognized_extension, ErrorCode::loop_detected, ErrorCode::protocol_address_unreachable, ErrorCode::protocol_error,
                            ErrorCode::sdu_size_exceeded, ErrorCode::invalid_extension, ErrorCode::invalid_resolution_reply,
                            ErrorCode::authentication_failure, ErrorCode::hop_count_exceeded}) {
        Triangle t;
        t.a.resolve("172.16.12.10");
        t.a.receive(t.hub, error_about(t.lab.lose_one(), code));
        REQUIRE(t.a.said<ResolutionFailed>().size() == 1);
        const bool unreachable = code == ErrorCode::protocol_address_unreachable;
        CHECK(t.a.said<ResolutionFailed>()[0].reason == (unreachable ? ResolutionFailure::unreachable : ResolutionFailure::refused));
    }
}

TEST_CASE("an error about a request that is not ours, or not outstanding, changes nothing") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    Packet request = t.lab.lose_one();
    ++request.request_id;
    t.a.receive(t.hub, error_about(request, ErrorCode::protocol_address_unreachable));
    --request.request_id;
    request.source_protocol = ip("10.255.0.12");
    Packet foreign = error_about(request, ErrorCode::protocol_address_unreachable);
    foreign.destination_protocol = t.a.tunnel.value;
    t.a.receive(t.hub, foreign);
    CHECK(t.a.said<ResolutionFailed>().empty());
    CHECK(t.a.count("unexpected-error") == 2);
}

TEST_CASE("an error that quotes garbage is counted and ignored") {
    Triangle t;
    Packet error = error_about(*decode(frr::bytes(frr::registration_request)), ErrorCode::protocol_error);
    error.destination_protocol = t.a.tunnel.value;
    error.quoted.assign(10, 0xff);
    t.a.receive(t.hub, error);
    CHECK(t.a.count("unexpected-error") == 1);
}

TEST_CASE("an error without authentication is believed about an outstanding request, other packets are not") {
    Settings word;
    word.authentication = "spokes";
    Triangle t{word, word};
    t.a.resolve("172.16.12.10");
    const Packet request = t.lab.lose_one();
    t.a.receive(t.hub, error_about(request, ErrorCode::protocol_address_unreachable));
    CHECK(t.a.said<ResolutionFailed>().size() == 1);
}

TEST_CASE("an error about a registration leaves it to the repetitions") {
    Lab lab;
    Station& hub = lab.hub("hub", "10.255.0.1", "192.0.2.1");
    Station& spoke = lab.spoke("spoke", "10.255.0.12", "192.0.2.12");
    lab.join(spoke, hub);
    spoke.receive(hub, error_about(lab.lose_one(), ErrorCode::authentication_failure));
    CHECK(spoke.count("unexpected-error") == 0);
    lab.advance(seconds{1});
    CHECK(spoke.is_registered());
}

TEST_CASE("a hub carries an error indication to the station that it is for") {
    Triangle t;
    t.a.resolve("172.16.12.10");
    const Packet request = t.lab.wire.front().packet();
    t.lab.deliver_one();
    t.lab.lose_one();
    Packet error = error_about(request, ErrorCode::protocol_address_unreachable);
    error.source_protocol = t.b.tunnel.value;
    t.hub.receive(t.b, error);
    t.lab.deliver();
    CHECK(t.a.said<ResolutionFailed>().size() == 1);
}

TEST_CASE("a packet of another family than the tunnel's is dropped") {
    Triangle t;
    Packet packet;
    packet.families = {Family::v4, Family::v6};
    packet.source_protocol = ip("fd00::1");
    packet.destination_protocol = ip("fd00::2");
    t.hub.receive(t.a, packet);
    CHECK(t.hub.count("malformed") == 1);
}

TEST_CASE("the quote of an odd packet is padded to an even length") {
    Triangle t;
    Packet request = *decode(frr::bytes(frr::registration_request));
    request.extensions.push_back({0x234, true, {1}});
    t.hub.receive(t.b, request);
    CHECK(t.lab.last(PacketType::error_indication).quoted.size() == encode(request).size() + 1 + 16);
}

TEST_CASE("only who was asked may answer with an error, even one that knows the request") {
    Triangle t;
    t.lab.connect(t.a, t.b);
    t.a.resolve("172.16.12.10");
    const Packet request = t.lab.lose_one();
    t.a.receive(t.b, error_about(request, ErrorCode::protocol_address_unreachable));
    CHECK(t.a.said<ResolutionFailed>().empty());
    CHECK(t.a.count("unexpected-error") == 1);
    t.a.receive(t.hub, error_about(request, ErrorCode::protocol_address_unreachable));
    CHECK(t.a.said<ResolutionFailed>().size() == 1);
}

TEST_CASE("the number of one request says nothing about the next") {
    Triangle t;
    std::set<std::uint32_t> steps;
    std::uint32_t last = 0;
    for (int host = 1; host <= 8; ++host) {
        t.a.resolve("172.16.12." + std::to_string(host));
        const std::uint32_t id = t.lab.lose_one().request_id;
        steps.insert(id - last);
        last = id;
    }
    CHECK(steps.size() == 8);
    CHECK_FALSE(steps.contains(1));
}
