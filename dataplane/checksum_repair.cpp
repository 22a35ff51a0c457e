// Finding the TCP or UDP checksum of a frame, and finishing it when only the pseudo-header was summed.
#include "dataplane/checksum_repair.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <cstddef>
#include <optional>

namespace nave::dataplane {

namespace {

constexpr std::uint16_t kEtherTypeServiceVlan = 0x88a8;
constexpr std::size_t kIpv6HeaderSize = 40, kIpv6AddressesOffset = 8, kIpv6AddressesSize = 32;

/// A whole TCP segment or UDP datagram.
struct Transport {
    std::span<std::uint8_t> bytes;
    std::uint64_t pseudo_header_sum;
    std::size_t checksum_offset;
};

std::uint16_t load16(std::span<const std::uint8_t> bytes, std::size_t offset) { return static_cast<std::uint16_t>(bytes[offset] << 8 | bytes[offset + 1]); }

std::optional<Transport> transport(std::span<std::uint8_t> bytes, std::uint8_t protocol, std::uint64_t addresses_sum) {
    // The checksum field of TCP lies at 16 (RFC 9293 §3.1), that of UDP at 6 (RFC 768).
    const bool udp = protocol == kProtocolUdp;
    if (!udp && protocol != kProtocolTcp) return std::nullopt;
    if (bytes.size() < (udp ? sizeof(UdpHeader) : sizeof(TcpHeader))) return std::nullopt;
    if (udp && load16(bytes, 4) != bytes.size()) return std::nullopt;
    return Transport{bytes, addresses_sum + protocol + bytes.size(), udp ? std::size_t{6} : std::size_t{16}};
}

std::optional<Transport> transport_of_ipv4(std::span<std::uint8_t> packet) {
    if (packet.size() < sizeof(Ipv4Header)) return std::nullopt;
    const auto& ip = *reinterpret_cast<const Ipv4Header*>(packet.data());
    const std::size_t header = ip.header_length(), total = ip.total_length.host();
    if (ip.version() != 4 || header < sizeof(Ipv4Header) || total < header || total > packet.size()) return std::nullopt;
    // A kernel finishes the checksum before it fragments; and a fragment alone could not be summed.
    if (ip.is_fragment()) return std::nullopt;
    return transport(packet.subspan(header, total - header), ip.protocol, checksum_add(0, packet.subspan(offsetof(Ipv4Header, source), 8)));
}

std::optional<Transport> transport_of_ipv6(std::span<std::uint8_t> packet) {
    if (packet.size() < kIpv6HeaderSize || packet[0] >> 4 != 6) return std::nullopt;
    const std::size_t payload = load16(packet, 4);
    if (payload > packet.size() - kIpv6HeaderSize) return std::nullopt;
    return transport(packet.subspan(kIpv6HeaderSize, payload), packet[6], checksum_add(0, packet.subspan(kIpv6AddressesOffset, kIpv6AddressesSize)));
}

std::optional<Transport> transport_of_frame(std::span<std::uint8_t> frame) {
    if (frame.size() < sizeof(EthernetHeader)) return std::nullopt;
    std::size_t type_offset = offsetof(EthernetHeader, type);
    for (int tags = 0; tags < 2; ++tags) {
        const std::uint16_t type = load16(frame, type_offset);
        if (type != kEtherTypeVlan && type != kEtherTypeServiceVlan) break;
        type_offset += sizeof(VlanHeader);
        if (frame.size() < type_offset + 2) return std::nullopt;
    }
    const auto packet = frame.subspan(type_offset + 2);
    switch (load16(frame, type_offset)) {
    case kEtherTypeIpv4: return transport_of_ipv4(packet);
    case kEtherTypeIpv6: return transport_of_ipv6(packet);
    default: return std::nullopt;
    }
}

}  // namespace

bool complete_partial_checksum(std::span<std::uint8_t> frame) {
    const auto found = transport_of_frame(frame);
    if (!found) return false;
    const std::uint16_t stored = load16(found->bytes, found->checksum_offset);
    if (stored != checksum_fold(found->pseudo_header_sum)) return false;
    // The field holds the pseudo-header's part, so the sum over the bytes includes it. A UDP checksum of zero would say
    // "none" (RFC 768); for TCP zero and its complement mean the same.
    std::uint16_t complete = internet_checksum(found->bytes);
    if (complete == 0) complete = 0xffff;
    found->bytes[found->checksum_offset] = static_cast<std::uint8_t>(complete >> 8);
    found->bytes[found->checksum_offset + 1] = static_cast<std::uint8_t>(complete);
    return complete != stored;
}

}  // namespace nave::dataplane
