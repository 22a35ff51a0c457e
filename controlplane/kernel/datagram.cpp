// Building and checking UDP over IPv4.
#include "controlplane/kernel/datagram.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <algorithm>

namespace nave::kernel {

namespace {

constexpr std::size_t kDatagramMax = 65535 - sizeof(Ipv4Header);
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

Bytes frame(const FrameShape& shape, const NbmaEndpoint& local, const NbmaEndpoint& remote, std::uint16_t fragment, ByteView content) {
    ByteWriter out;
    out.bytes(shape.destination.bytes);
    out.bytes(shape.source.bytes);
    out.u16(kEtherTypeIpv4);
    const std::size_t ip = out.size();
    out.u8(0x45);
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(sizeof(Ipv4Header) + content.size()));
    out.u16(shape.identification);
    out.u16(fragment);
    out.u8(kTimeToLive);
    out.u8(kProtocolUdp);
    out.u16(0);
    out.bytes(local.address.value.bytes());
    out.bytes(remote.address.value.bytes());
    out.patch_u16(ip + 10, internet_checksum(out.view().subspan(ip)));
    out.bytes(content);
    return out.take();
}

}  // namespace

std::vector<Bytes> datagram_frames(const FrameShape& shape, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload) {
    if (!local.address.value.is_v4() || !remote.address.value.is_v4() || payload.size() > kDatagramMax - sizeof(UdpHeader)) return {};
    const Bytes segment = udp_segment(local, remote, payload);
    if (shape.mtu < sizeof(Ipv4Header) + 8) return {};
    const std::size_t room = shape.mtu - sizeof(Ipv4Header);
    if (segment.size() <= room) return {frame(shape, local, remote, 0, segment)};
    std::vector<Bytes> frames;
    const std::size_t step = room / 8 * 8;
    for (std::size_t offset = 0; offset < segment.size(); offset += step) {
        const std::size_t length = std::min(step, segment.size() - offset);
        const bool more = offset + length < segment.size();
        const auto fragment = static_cast<std::uint16_t>(offset / 8 | (more ? Ipv4Header::kMoreFragments : 0u));
        frames.push_back(frame(shape, local, remote, fragment, ByteView{segment}.subspan(offset, length)));
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
    case DatagramError::not_udp: return "not-udp";
    case DatagramError::bad_udp_length: return "bad-udp-length";
    case DatagramError::bad_udp_checksum: return "bad-udp-checksum";
    }
    return "unknown";
}

std::expected<Datagram, DatagramError> parse_datagram(ByteView packet) {
    if (packet.size() < sizeof(Ipv4Header)) return std::unexpected{DatagramError::runt};
    Ipv4Header ip;
    std::memcpy(&ip, packet.data(), sizeof ip);
    if (ip.version() != 4) return std::unexpected{DatagramError::bad_version};
    if (ip.header_length() < sizeof ip || ip.header_length() > packet.size()) return std::unexpected{DatagramError::bad_header_length};
    const std::size_t total = ip.total_length.host();
    if (total > packet.size() || total < ip.header_length()) return std::unexpected{DatagramError::bad_total_length};
    if (internet_checksum(packet.first(ip.header_length())) != 0) return std::unexpected{DatagramError::bad_ip_checksum};
    if (ip.is_fragment()) return std::unexpected{DatagramError::fragment};
    if (ip.protocol != kProtocolUdp) return std::unexpected{DatagramError::not_udp};

    const ByteView segment = packet.first(total).subspan(ip.header_length());
    UdpHeader udp;
    if (segment.size() < sizeof udp) return std::unexpected{DatagramError::runt};
    std::memcpy(&udp, segment.data(), sizeof udp);
    const std::size_t length = udp.length.host();
    if (length < sizeof udp || length > segment.size()) return std::unexpected{DatagramError::bad_udp_length};
    const IpAddress source = IpAddress::v4(ip.source.host()), destination = IpAddress::v4(ip.destination.host());
    if (udp.checksum.host() != 0 && checksum_fold(checksum_add(pseudo_header_sum(source, destination, length), segment.first(length))) != 0xffff) {
        return std::unexpected{DatagramError::bad_udp_checksum};
    }
    return Datagram{.local = {.address = {destination}, .port = udp.destination_port.host()},
                    .remote = {.address = {source}, .port = udp.source_port.host()},
                    .payload = segment.subspan(sizeof udp, length - sizeof udp)};
}

}  // namespace nave::kernel
