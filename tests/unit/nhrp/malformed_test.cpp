// Bad input to the codec: cut short, lying about lengths, too long; always refused with a reason, never believed.
#include "common/checksum.hpp"
#include "controlplane/nhrp/packet.hpp"
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace nave;
using namespace nave::nhrp;

namespace {

Bytes summed(Bytes bytes) {
    bytes[12] = bytes[13] = 0;
    const auto sum = internet_checksum(bytes);
    bytes[12] = static_cast<std::uint8_t>(sum >> 8);
    bytes[13] = static_cast<std::uint8_t>(sum);
    return bytes;
}

/// The vector with one byte changed and the checksum made right again.
Bytes changed(std::string_view vector, std::size_t offset, int value) {
    Bytes bytes = frr::bytes(vector);
    bytes.at(offset) = static_cast<std::uint8_t>(value);
    return summed(std::move(bytes));
}

DecodeError error(const Bytes& bytes) {
    const auto packet = decode(bytes);
    return packet ? DecodeError::count : packet.error().error;
}

}  // namespace

TEST_CASE("a packet cut short at any byte is refused") {
    for (const auto vector : {frr::registration_reply, frr::resolution_reply_forwarded, frr::traffic_indication, frr::purge_request}) {
        const Bytes bytes = frr::bytes(vector);
        for (std::size_t length = 0; length < bytes.size(); ++length) CHECK(error({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)}) == DecodeError::truncated);
    }
}

TEST_CASE("a packet cut short at any byte whose length field says so is refused or whole") {
    const Bytes bytes = frr::bytes(frr::registration_reply);
    for (std::size_t length = 20; length < bytes.size(); ++length) {
        Bytes cut{bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)};
        cut[10] = static_cast<std::uint8_t>(length >> 8);
        cut[11] = static_cast<std::uint8_t>(length);
        CHECK_FALSE(decode(summed(cut)));
    }
}

TEST_CASE("one wrong bit anywhere fails the checksum") {
    const Bytes bytes = frr::bytes(frr::resolution_request);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Bytes flipped = bytes;
        flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ 1 << bit % 8);
        CHECK_FALSE(decode(flipped));
    }
}

TEST_CASE("a wrong version, type or family has a reason of its own") {
    CHECK(error(changed(frr::resolution_request, 16, 2)) == DecodeError::bad_version);
    CHECK(error(changed(frr::resolution_request, 17, 0)) == DecodeError::unknown_type);
    CHECK(error(changed(frr::resolution_request, 17, 9)) == DecodeError::unknown_type);
    CHECK(error(changed(frr::resolution_request, 1, 3)) == DecodeError::unknown_family);
    CHECK(error(changed(frr::resolution_request, 2, 0x81)) == DecodeError::unknown_family);
}

TEST_CASE("address lengths that fit no family are refused") {
    for (const int length : {1, 3, 5, 8, 16, 0x44, 0x84, 255}) {
        CHECK(error(changed(frr::resolution_request, 18, length)) == DecodeError::bad_address_length);  // source NBMA
        CHECK(error(changed(frr::resolution_request, 20, length)) == DecodeError::bad_address_length);  // source protocol
        CHECK(error(changed(frr::resolution_request, 21, length)) == DecodeError::bad_address_length);  // destination protocol
    }
    CHECK(error(changed(frr::resolution_request, 19, 4)) == DecodeError::bad_address_length);  // subaddress
    CHECK(error(changed(frr::resolution_request, 20, 0)) == DecodeError::bad_address_length);
}

TEST_CASE("an extension offset inside the mandatory part or at the end is refused") {
    for (const int offset : {1, 19, 20, 39, 72, 73, 255}) CHECK(error(changed(frr::resolution_request, 15, offset)) == DecodeError::bad_extension_offset);
    CHECK(error(changed(frr::resolution_request, 14, 0xff)) == DecodeError::bad_extension_offset);
}

TEST_CASE("an extension offset in the middle of a client entry is refused") {
    for (int offset = 41; offset < 52; ++offset) CHECK(error(changed(frr::resolution_request, 15, offset)) == DecodeError::bad_client_info);
}

TEST_CASE("a client entry whose lengths run over the end is refused") {
    CHECK(error(changed(frr::resolution_request, 40 + 8, 4)) == DecodeError::bad_client_info);   // NBMA
    CHECK(error(changed(frr::resolution_request, 40 + 9, 4)) == DecodeError::bad_client_info);   // subaddress
    CHECK(error(changed(frr::resolution_request, 40 + 10, 4)) == DecodeError::bad_client_info);  // protocol
    CHECK(error(changed(frr::resolution_request, 40 + 8, 3)) == DecodeError::bad_client_info);
}

TEST_CASE("an extension whose length runs over the end is refused") {
    for (const int length : {1, 17, 255}) CHECK(error(changed(frr::resolution_request, 55, length)) == DecodeError::bad_extensions);
    CHECK(error(changed(frr::resolution_request, 54, 255)) == DecodeError::bad_extensions);
}

TEST_CASE("a chain of extensions without an end is refused") {
    CHECK(error(changed(frr::resolution_request, 69, 6)) == DecodeError::bad_extensions);  // End becomes type 6
}

TEST_CASE("a chain of more extensions than anybody sends is refused") {
    Packet packet = *decode(frr::bytes(frr::resolution_request));
    packet.extensions.assign(kExtensionsMax, {extension_type::vendor_private, false, {}});
    CHECK(decode(encode(packet)));
    packet.extensions.push_back({extension_type::vendor_private, false, {}});
    CHECK(error(encode(packet)) == DecodeError::bad_extensions);
}

TEST_CASE("more client entries than anybody sends are refused") {
    Packet packet = *decode(frr::bytes(frr::resolution_request));
    packet.clients.resize(kClientsMax);
    CHECK(decode(encode(packet)));
    packet.clients.resize(kClientsMax + 1);
    CHECK(error(encode(packet)) == DecodeError::bad_client_info);
}

TEST_CASE("what is longer than the longest packet is refused unread") {
    CHECK(error(Bytes(kPacketBytesMax + 1, 0)) == DecodeError::too_long);
}

TEST_CASE("every reason to refuse a packet has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < static_cast<std::size_t>(DecodeError::count); ++i) names.insert(name(static_cast<DecodeError>(i)));
    CHECK(names.size() == static_cast<std::size_t>(DecodeError::count));
    CHECK_FALSE(names.contains("unknown"));
}
