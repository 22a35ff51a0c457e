// The codec: packets of FRR decode and encode to the same bytes, and every field is where RFC 2332 puts it.
#include "common/checksum.hpp"
#include "controlplane/nhrp/packet.hpp"
#include "tests/unit/nhrp/lab.hpp"
#include "tests/unit/nhrp/vectors.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::nhrp;

namespace {

constexpr std::string_view kAll[] = {frr::registration_request, frr::registration_reply, frr::traffic_indication, frr::resolution_request,
                                     frr::resolution_request_forwarded, frr::resolution_reply, frr::resolution_reply_forwarded, frr::purge_request,
                                     frr::registration_renewal};

/// A request over IPv6 in both families, with everything that may repeat.
Packet rich_packet() {
    Packet packet;
    packet.families = {Family::v6, Family::v6};
    packet.hop_count = 7;
    packet.type = PacketType::resolution_reply;
    packet.source_nbma = NbmaAddress{ip("2001:db8::1")};
    packet.source_protocol = ip("fd00::1");
    packet.destination_protocol = ip("fd00:2::9");
    packet.flags = 0xe802;
    packet.request_id = 0xdeadbeef;
    for (std::uint8_t i = 1; i <= 3; ++i)
        packet.clients.push_back({CieCode::success, static_cast<std::uint8_t>(40 + i), 1400, std::chrono::seconds{600}, NbmaAddress{ip("2001:db8::2")}, ip("fd00::2"), i});
    packet.extensions = {{extension_type::vendor_private, false, {0, 0, 0x0c, 1}}, {extension_type::authentication, true, encode_authentication("nave")},
                         {extension_type::vendor_private, false, {0, 0, 0x0c, 2, 3}}, {0x123, true, {}}};
    return packet;
}

Packet traffic_indication(std::size_t quoted) {
    Packet packet;
    packet.type = PacketType::traffic_indication;
    packet.source_nbma = NbmaAddress{ip("192.0.2.1")};
    packet.quoted.assign(quoted, 0x45);
    return packet;
}

}  // namespace

TEST_CASE("every captured packet of FRR decodes and encodes to the same bytes") {
    for (const auto vector : kAll) {
        const Bytes bytes = frr::bytes(vector);
        const auto packet = decode(bytes);
        REQUIRE(packet);
        CHECK(encode(*packet) == bytes);
    }
}

TEST_CASE("FRR's registration request says what its operator configured") {
    const Packet packet = *decode(frr::bytes(frr::registration_request));
    CHECK(packet.type == PacketType::registration_request);
    CHECK(packet.hop_count == 1);
    CHECK(packet.flags == flag::nat);
    CHECK(packet.source_nbma == NbmaAddress{ip("192.0.2.12")});
    CHECK(packet.source_protocol == ip("10.255.0.12"));
    CHECK(packet.destination_protocol == packet.source_protocol);
    REQUIRE(packet.clients.size() == 1);
    CHECK(packet.clients[0].holding_time == std::chrono::seconds{30});
    CHECK_FALSE(packet.clients[0].nbma);
    CHECK(packet.clients[0].prefix(packet.source_protocol) == net("10.255.0.12/32"));
}

TEST_CASE("the order of extensions is that of the wire") {
    const Packet packet = *decode(frr::bytes(frr::registration_request));
    std::vector<std::uint16_t> types;
    for (const auto& extension : packet.extensions) types.push_back(extension.type);
    CHECK(types == std::vector<std::uint16_t>{4, 5, 3, 9});
    CHECK(packet.extensions[0].compulsory);
    CHECK_FALSE(packet.extensions[3].compulsory);
    CHECK(packet.extensions[0].offset == 52);
}

TEST_CASE("FRR's resolution reply names the prefix, the next hop and its NBMA address") {
    const Packet packet = *decode(frr::bytes(frr::resolution_reply_forwarded));
    CHECK(packet.flags == 0xe800);
    CHECK(packet.hop_count == 63);
    REQUIRE(packet.clients.size() == 1);
    CHECK(packet.clients[0].prefix_length == 24);
    CHECK(packet.clients[0].nbma == NbmaAddress{ip("192.0.2.12")});
    CHECK(packet.clients[0].protocol == ip("10.255.0.12"));
    const auto passed = decode_client_list(find(packet.extensions, extension_type::reverse_transit)->value, packet.families);
    REQUIRE(passed);
    CHECK(passed->at(0).protocol == ip("10.255.0.1"));
}

TEST_CASE("FRR's traffic indication quotes the packet whose destination matters") {
    const Packet packet = *decode(frr::bytes(frr::traffic_indication));
    CHECK(packet.destination_protocol == ip("172.16.11.10"));
    CHECK(packet.quoted.size() == 84);
    const auto addresses = inner_addresses(packet.quoted);
    REQUIRE(addresses);
    CHECK(addresses->source == ip("172.16.11.10"));
    CHECK(addresses->destination == ip("172.16.12.10"));
}

TEST_CASE("IPv6 in both families, repeated vendor extensions and unknown ones survive the round trip in order") {
    const Packet packet = rich_packet();
    const auto again = decode(encode(packet));
    REQUIRE(again);
    CHECK(*again == packet);
}

TEST_CASE("IPv6 inside and IPv4 underneath have lengths of their own") {
    Packet packet = rich_packet();
    packet.families.nbma = Family::v4;
    packet.source_nbma = NbmaAddress{ip("192.0.2.9")};
    for (auto& client : packet.clients) client.nbma = NbmaAddress{ip("192.0.2.8")};
    CHECK(*decode(encode(packet)) == packet);
}

TEST_CASE("a source NBMA address of zero length is absent, not an error") {
    Packet packet = *decode(frr::bytes(frr::resolution_request));
    packet.source_nbma.reset();
    const auto again = decode(encode(packet));
    REQUIRE(again);
    CHECK_FALSE(again->source_nbma);
}

TEST_CASE("prefix lengths 0, 32 and 255 of a client entry all mean the host") {
    for (const int length : {0, 32, 255}) {
        ClientInfo info;
        info.prefix_length = static_cast<std::uint8_t>(length);
        CHECK(info.prefix(ip("10.255.0.12")) == net("10.255.0.12/32"));
    }
}

TEST_CASE("a quoted packet is cut to an even length, which old checksums need") {
    const Bytes bytes = encode(traffic_indication(85));
    CHECK(bytes.size() % 2 == 0);
    CHECK(decode(bytes)->quoted.size() == 84);
}

TEST_CASE("a packet never grows beyond what a punted packet can hold") {
    const Bytes bytes = encode(traffic_indication(60'000));
    CHECK(bytes.size() <= kPacketBytesMax);
    CHECK(decode(bytes));
}

TEST_CASE("a packet of 9000 bytes is handled") {
    Packet packet = *decode(frr::bytes(frr::resolution_request));
    packet.extensions.push_back({extension_type::vendor_private, false, Bytes(8900, 7)});
    const Bytes bytes = encode(packet);
    REQUIRE(bytes.size() > 8900);
    CHECK(*decode(bytes) == packet);
}

TEST_CASE("an odd packet is accepted with the sum of RFC 2332 and with that of older FRR and OpenNHRP") {
    Bytes odd = frr::bytes(frr::traffic_indication);
    odd.push_back(0x5a);
    odd[11] = static_cast<std::uint8_t>(odd.size());
    const auto with_tail = [&](std::uint64_t tail) {
        Bytes bytes = odd;
        bytes[12] = bytes[13] = 0;
        const auto sum = static_cast<std::uint16_t>(~checksum_fold(checksum_add(0, ByteView{bytes}.first(bytes.size() - 1)) + tail));
        bytes[12] = static_cast<std::uint8_t>(sum >> 8);
        bytes[13] = static_cast<std::uint8_t>(sum);
        return decode(bytes).has_value();
    };
    CHECK(with_tail(0x5a00));
    CHECK(with_tail(0x005a));
    CHECK_FALSE(with_tail(0));
}

TEST_CASE("bytes behind the packet's own length are ignored") {
    Bytes bytes = frr::bytes(frr::registration_reply);
    const Packet packet = *decode(bytes);
    bytes.resize(bytes.size() + 13, 0xaa);
    REQUIRE(decode(bytes));
    CHECK(*decode(bytes) == packet);
}

TEST_CASE("an End extension with or without the compulsory bit ends the chain") {
    Bytes bytes = frr::bytes(frr::resolution_request);
    bytes[bytes.size() - 4] = 0;  // 0x8000 -> 0x0000
    bytes[12] = bytes[13] = 0;
    const auto sum = internet_checksum(bytes);
    bytes[12] = static_cast<std::uint8_t>(sum >> 8);
    bytes[13] = static_cast<std::uint8_t>(sum);
    CHECK(decode(bytes));
}

TEST_CASE("an outline is read from a packet that is cut short behind its addresses") {
    const Bytes bytes = frr::bytes(frr::resolution_request);
    const auto about = outline(ByteView{bytes}.first(40));
    REQUIRE(about);
    CHECK(about->request_id == 2);
    CHECK(about->source_protocol == ip("10.255.0.11"));
    CHECK_FALSE(outline(ByteView{bytes}.first(39)));
}

TEST_CASE("the addresses of an inner packet are read for both versions of IP, and not from less than a header") {
    Bytes v6(40, 0);
    v6[0] = 0x60, v6[23] = 1, v6[39] = 2;
    CHECK(inner_addresses(v6)->source == ip("::1"));
    CHECK(inner_addresses(v6)->destination == ip("::2"));
    CHECK_FALSE(inner_addresses(ByteView{v6}.first(39)));
    CHECK_FALSE(inner_addresses(Bytes(40, 0)));
    CHECK_FALSE(inner_addresses({}));
}

TEST_CASE("the authentication word is that behind type 1, without padding") {
    CHECK(decode_authentication(encode_authentication("secret")) == "secret");
    CHECK_FALSE(decode_authentication(Bytes{0, 0, 0, 2, 'x'}));
    CHECK_FALSE(decode_authentication(Bytes{0, 0}));
}
