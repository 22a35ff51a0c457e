// Packet builders of the dataplane's tests.
#include "tests/unit/dataplane/packets.hpp"

#include "common/checksum.hpp"

#include <charconv>
#include <numeric>

namespace nave::test {

namespace {

template <class Header>
ByteView view(const Header& header) {
    return {reinterpret_cast<const std::uint8_t*>(&header), sizeof header};
}

}  // namespace

std::uint32_t address(std::string_view text) { return IpAddress::parse(text).value().v4_host(); }

Bytes concat(std::initializer_list<ByteView> parts) {
    Bytes all;
    for (const ByteView part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Bytes ipv4(const Ip& ip, ByteView payload) {
    Ipv4Header header{};
    header.version_and_length = static_cast<std::uint8_t>(0x45 + ip.options.size() / 4);
    header.type_of_service = ip.type_of_service;
    header.total_length = be16(static_cast<std::uint16_t>(sizeof header + ip.options.size() + payload.size()));
    header.identification = be16(ip.identification);
    header.fragment = be16(ip.fragment);
    header.time_to_live = ip.ttl;
    header.protocol = ip.protocol;
    header.source = be32(address(ip.source));
    header.destination = be32(address(ip.destination));
    Bytes packet = concat({view(header), ip.options, payload});
    return fix_checksum(packet);
}

Bytes& fix_checksum(Bytes& packet) {
    packet[10] = packet[11] = 0;
    const std::uint16_t sum = internet_checksum(ByteView{packet}.first(ip_of(packet).header_length()));
    packet[10] = static_cast<std::uint8_t>(sum >> 8), packet[11] = static_cast<std::uint8_t>(sum);
    return packet;
}

Ipv6Bytes ipv6_address(std::string_view text) { return IpAddress::parse(text).value().v6_bytes(); }

Bytes ipv6(const Ip6& ip, ByteView payload) {
    Ipv6Header header{};
    header.version_class_flow = be32(6u << 28 | std::uint32_t{ip.traffic_class} << 20);
    header.payload_length = be16(static_cast<std::uint16_t>(payload.size()));
    header.next_header = ip.next_header;
    header.hop_limit = ip.hop_limit;
    header.source = ipv6_address(ip.source);
    header.destination = ipv6_address(ip.destination);
    return concat({view(header), payload});
}

Bytes extension(std::uint8_t next_header, std::size_t bytes) {
    Bytes header(bytes, 0);
    header[0] = next_header;
    header[1] = static_cast<std::uint8_t>(bytes / 8 - 1);
    header[2] = 1, header[3] = static_cast<std::uint8_t>(bytes - 4);  // PadN
    return header;
}

Bytes fragment_header(std::uint8_t next_header, std::uint16_t offset, bool more) {
    Ipv6FragmentHeader header{};
    header.next_header = next_header;
    header.fragment = be16(static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
    header.identification = be32(7);
    return concat({view(header)});
}

Bytes udp(std::uint16_t source_port, std::uint16_t destination_port, ByteView payload) {
    const UdpHeader header{be16(source_port), be16(destination_port), be16(static_cast<std::uint16_t>(sizeof header + payload.size())), be16()};
    return concat({view(header), payload});
}

Bytes tcp_syn(const Ip& ip, std::uint16_t mss, std::size_t nops) {
    const std::size_t padding = (4 - nops % 4) % 4;
    TcpHeader header{};
    header.source_port = be16(40000), header.destination_port = be16(80);
    header.data_offset = static_cast<std::uint8_t>((sizeof header + nops + 4 + padding) / 4 << 4);
    header.flags = TcpHeader::kSyn;
    Bytes tcp = concat({view(header), Bytes(nops, 1), Bytes{2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)}, Bytes(padding, 0)});
    const be32 ends[] = {be32(address(ip.source)), be32(address(ip.destination))};
    std::uint64_t sum = checksum_add(kProtocolTcp + tcp.size(), {reinterpret_cast<const std::uint8_t*>(ends), sizeof ends});
    const auto checksum = static_cast<std::uint16_t>(~checksum_fold(checksum_add(sum, tcp)));
    tcp[16] = static_cast<std::uint8_t>(checksum >> 8), tcp[17] = static_cast<std::uint8_t>(checksum);
    Ip with_protocol = ip;
    with_protocol.protocol = kProtocolTcp;
    return ipv4(with_protocol, tcp);
}

Bytes tcp_syn6(const Ip6& ip, std::uint16_t mss, ByteView extensions) {
    TcpHeader header{};
    header.source_port = be16(40000), header.destination_port = be16(80);
    header.data_offset = (sizeof header + 4) / 4 << 4;
    header.flags = TcpHeader::kSyn;
    Bytes tcp = concat({view(header), Bytes{2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)}});
    const Bytes packet = ipv6(ip, concat({extensions, tcp}));
    const std::uint16_t sum = ipv6_checksum(ipv6_of(packet), kProtocolTcp, tcp);
    tcp[16] = static_cast<std::uint8_t>(sum >> 8), tcp[17] = static_cast<std::uint8_t>(sum);
    return ipv6(ip, concat({extensions, tcp}));
}

Bytes gre(std::uint16_t flags, std::uint16_t protocol, ByteView rest) {
    const GreHeader header{be16(flags), be16(protocol)};
    return concat({view(header), rest});
}

Bytes ethernet(const MacAddress& destination, const MacAddress& source, std::uint16_t type, ByteView payload) {
    const EthernetHeader header{destination, source, be16(type)};
    return concat({view(header), payload});
}

Bytes vlan_tagged(const Bytes& frame, std::uint16_t id) {
    const be16 tag[] = {be16(kEtherTypeVlan), be16(id)};
    return concat({ByteView{frame}.first(12), {reinterpret_cast<const std::uint8_t*>(tag), sizeof tag}, ByteView{frame}.subspan(12)});
}

Bytes pattern(std::size_t count) {
    Bytes bytes(count);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
    return bytes;
}

Bytes hex(std::string_view digits) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        std::uint8_t byte = 0;
        std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
        bytes.push_back(byte);
    }
    return bytes;
}

Bytes tail(const Bytes& bytes, std::size_t from) { return {bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end()}; }

}  // namespace nave::test
