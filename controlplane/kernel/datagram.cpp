// Building and checking UDP over IP.
#include "controlplane/kernel/datagram.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <algorithm>

namespace nave::kernel {

namespace {

constexpr std::size_t kDatagramMax = 65535 - sizeof(Ipv4Header), kPayloadMaxIpv6 = 65535;  // no jumbograms
constexpr std::uint8_t kTimeToLive = 64;

std::uint64_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::size_t udp_length) {
    return checksum_add(checksum_add(kProtocolUdp + udp_length, source.bytes()), destination.bytes());
}

Bytes udp_segment(const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload) {
    const auto length = static_cast<std::uint16_t>(sizeof(UdpHeader) + payload.size());
    ByteWriter out;
    out.u16(local.port);
    out.u16(remote.port);
    out.u16(length);
    out.u16(0);
    out.bytes(payload);
    const std::uint16_t sum = checksum_fold(checksum_add(pseudo_header_sum(local.address.value, remote.address.value, length), out.view()));
    const auto checksum = static_cast<std::uint16_t>(~sum);
    out.patch_u16(6, checksum == 0 ? std::uint16_t{0xffff} : checksum);
    return out.take();
}

/// A fragment's part of the datagram, or all of it: offset in bytes.
struct Piece {
    std::size_t offset = 0;
    bool more = false;
    ByteView content;
};

void put_ipv4(ByteWriter& out, const FrameShape& shape, const IpAddress& local, const IpAddress& remote, const Piece& piece) {
    const std::size_t ip = out.size();
    out.u8(0x45);
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(sizeof(Ipv4Header) + piece.content.size()));
    out.u16(static_cast<std::uint16_t>(shape.identification));
    out.u16(static_cast<std::uint16_t>(piece.offset / 8 | (piece.more ? Ipv4Header::kMoreFragments : 0u)));
    out.u8(kTimeToLive);
    out.u8(kProtocolUdp);
    out.u16(0);
    out.bytes(local.bytes());
    out.bytes(remote.bytes());
    out.patch_u16(ip + 10, internet_checksum(out.view().subspan(ip)));
}

void put_ipv6(ByteWriter& out, const FrameShape& shape, const IpAddress& local, const IpAddress& remote, const Piece& piece) {
    const bool is_fragment = piece.offset != 0 || piece.more;
    out.u32(6u << 28);
    out.u16(static_cast<std::uint16_t>((is_fragment ? sizeof(Ipv6FragmentHeader) : 0) + piece.content.size()));
    out.u8(is_fragment ? kProtocolFragment : kProtocolUdp);
    out.u8(kTimeToLive);
    out.bytes(local.bytes());
    out.bytes(remote.bytes());
    if (!is_fragment) return;
    out.u8(kProtocolUdp);
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(piece.offset | (piece.more ? Ipv6FragmentHeader::kMoreFragments : 0u)));
    out.u32(shape.identification);
}

Bytes frame(const FrameShape& shape, const IpAddress& local, const IpAddress& remote, const Piece& piece) {
    ByteWriter out;
    out.bytes(shape.destination.bytes);
    out.bytes(shape.source.bytes);
    out.u16(local.is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6);
    (local.is_v4() ? put_ipv4 : put_ipv6)(out, shape, local, remote, piece);
    out.bytes(piece.content);
    return out.take();
}

/// A UDP datagram, header and all, between two hosts: what is in an IP packet that was checked.
struct Segment {
    IpAddress source, destination;
    ByteView bytes;
};

std::expected<Segment, DatagramError> parse_ipv4(ByteView packet) {
    if (packet.size() < sizeof(Ipv4Header)) return std::unexpected{DatagramError::runt};
    Ipv4Header ip;
    std::memcpy(&ip, packet.data(), sizeof ip);
    if (ip.header_length() < sizeof ip || ip.header_length() > packet.size()) return std::unexpected{DatagramError::bad_header_length};
    const std::size_t total = ip.total_length.host();
    if (total > packet.size() || total < ip.header_length()) return std::unexpected{DatagramError::bad_total_length};
    if (internet_checksum(packet.first(ip.header_length())) != 0) return std::unexpected{DatagramError::bad_ip_checksum};
    if (ip.is_fragment()) return std::unexpected{DatagramError::fragment};
    if (ip.protocol != kProtocolUdp) return std::unexpected{DatagramError::not_udp};
    return Segment{IpAddress::v4(ip.source.host()), IpAddress::v4(ip.destination.host()), packet.first(total).subspan(ip.header_length())};
}

std::expected<Segment, DatagramError> parse_ipv6(ByteView packet) {
    if (packet.size() < sizeof(Ipv6Header)) return std::unexpected{DatagramError::runt};
    Ipv6Header ip;
    std::memcpy(&ip, packet.data(), sizeof ip);
    const std::size_t length = ip.payload_length.host();
    if (length > packet.size() - sizeof ip) return std::unexpected{DatagramError::bad_total_length};
    if (ip.next_header == kProtocolFragment) return std::unexpected{DatagramError::fragment};
    const bool is_extension = ip.next_header == kProtocolHopByHop || ip.next_header == kProtocolRouting || ip.next_header == kProtocolDestinationOptions;
    if (is_extension) return std::unexpected{DatagramError::extension_header};
    if (ip.next_header != kProtocolUdp) return std::unexpected{DatagramError::not_udp};
    return Segment{IpAddress::v6(ip.source), IpAddress::v6(ip.destination), packet.subspan(sizeof ip, length)};
}

}  // namespace

std::vector<Bytes> datagram_frames(const FrameShape& shape, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload) {
    const IpAddress &from = local.address.value, &to = remote.address.value;
    if (from.family() != to.family() || payload.size() > (from.is_v4() ? kDatagramMax : kPayloadMaxIpv6) - sizeof(UdpHeader)) return {};
    const Bytes segment = udp_segment(local, remote, payload);
    const std::size_t header = from.is_v4() ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
    if (shape.mtu >= header + segment.size()) return {frame(shape, from, to, {.content = segment})};
    const std::size_t in_fragment = header + (from.is_v4() ? 0 : sizeof(Ipv6FragmentHeader));
    if (shape.mtu < in_fragment + 8) return {};
    std::vector<Bytes> frames;
    const std::size_t step = (shape.mtu - in_fragment) / 8 * 8;
    for (std::size_t offset = 0; offset < segment.size(); offset += step) {
        const std::size_t length = std::min(step, segment.size() - offset);
        frames.push_back(frame(shape, from, to, {.offset = offset, .more = offset + length < segment.size(), .content = ByteView{segment}.subspan(offset, length)}));
    }
    return frames;
}

std::string_view name(DatagramError error) {
    switch (error) {
    case DatagramError::runt: return "runt";
    case DatagramError::bad_version: return "bad-version";
    case DatagramError::bad_header_length: return "bad-header-length";
    case DatagramError::bad_total_length: return "bad-total-length";
    case DatagramError::bad_ip_checksum: return "bad-ip-checksum";
    case DatagramError::fragment: return "fragment";
    case DatagramError::extension_header: return "extension-header";
    case DatagramError::not_udp: return "not-udp";
    case DatagramError::bad_udp_length: return "bad-udp-length";
    case DatagramError::bad_udp_checksum: return "bad-udp-checksum";
    }
    return "unknown";
}

std::expected<Datagram, DatagramError> parse_datagram(ByteView packet) {
    if (packet.empty()) return std::unexpected{DatagramError::runt};
    const unsigned version = packet[0] >> 4;
    if (version != 4 && version != 6) return std::unexpected{DatagramError::bad_version};
    const auto segment = version == 4 ? parse_ipv4(packet) : parse_ipv6(packet);
    if (!segment) return std::unexpected{segment.error()};
    UdpHeader udp;
    if (segment->bytes.size() < sizeof udp) return std::unexpected{DatagramError::runt};
    std::memcpy(&udp, segment->bytes.data(), sizeof udp);
    const std::size_t length = udp.length.host();
    if (length < sizeof udp || length > segment->bytes.size()) return std::unexpected{DatagramError::bad_udp_length};
    const bool without_checksum = version == 4 && udp.checksum.host() == 0;
    const std::uint64_t sum = checksum_add(pseudo_header_sum(segment->source, segment->destination, length), segment->bytes.first(length));
    if (!without_checksum && (udp.checksum.host() == 0 || checksum_fold(sum) != 0xffff)) return std::unexpected{DatagramError::bad_udp_checksum};
    return Datagram{.local = {.address = {segment->destination}, .port = udp.destination_port.host()},
                    .remote = {.address = {segment->source}, .port = udp.source_port.host()},
                    .payload = segment->bytes.subspan(sizeof udp, length - sizeof udp)};
}

}  // namespace nave::kernel
