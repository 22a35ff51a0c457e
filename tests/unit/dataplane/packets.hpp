// Builds packets for the dataplane's tests, byte for byte.
#pragma once

#include "common/bytes.hpp"
#include "common/headers.hpp"

#include <string_view>

namespace nave::test {

/// "192.0.2.1" in host order.
std::uint32_t address(std::string_view text);

struct Ip {
    std::string_view source, destination;
    std::uint8_t protocol = kProtocolUdp, ttl = 64, type_of_service = 0;
    std::uint16_t identification = 1, fragment = 0;  // flags and offset
    Bytes options = {};                              // a multiple of four
};
/// An IPv4 packet with right lengths and checksum.
Bytes ipv4(const Ip& ip, ByteView payload);
/// Makes the header checksum right again after a test changed a byte.
Bytes& fix_checksum(Bytes& packet);

struct Ip6 {
    std::string_view source = {}, destination = {};
    std::uint8_t next_header = kProtocolUdp, hop_limit = 64, traffic_class = 0;
};
/// An IPv6 packet with the right payload length.
Bytes ipv6(const Ip6& ip, ByteView payload);
Ipv6Bytes ipv6_address(std::string_view text);
/// An extension header of `bytes`, a multiple of eight.
Bytes extension(std::uint8_t next_header, std::size_t bytes = 8);
/// `offset` in bytes.
Bytes fragment_header(std::uint8_t next_header, std::uint16_t offset, bool more = true);

Bytes udp(std::uint16_t source_port, std::uint16_t destination_port, ByteView payload);
/// A SYN with an MSS option behind `nops` NOPs; the checksum is right for `ip`.
Bytes tcp_syn(const Ip& ip, std::uint16_t mss, std::size_t nops = 0);
/// The same behind `extensions`, the first of which is of kind `ip.next_header`.
Bytes tcp_syn6(const Ip6& ip, std::uint16_t mss, ByteView extensions = {});
Bytes gre(std::uint16_t flags, std::uint16_t protocol, ByteView rest);
Bytes ethernet(const MacAddress& destination, const MacAddress& source, std::uint16_t type, ByteView payload);
Bytes vlan_tagged(const Bytes& frame, std::uint16_t id);

/// `count` bytes that differ.
Bytes pattern(std::size_t count);
Bytes concat(std::initializer_list<ByteView> parts);
Bytes hex(std::string_view digits);
Bytes tail(const Bytes& bytes, std::size_t from);

inline const Ipv6Header& ipv6_of(const Bytes& packet, std::size_t offset = 0) { return *reinterpret_cast<const Ipv6Header*>(packet.data() + offset); }
inline const Ipv4Header& ip_of(const Bytes& packet, std::size_t offset = 0) { return *reinterpret_cast<const Ipv4Header*>(packet.data() + offset); }

}  // namespace nave::test
