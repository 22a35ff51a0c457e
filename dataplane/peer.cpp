// Ready-made outer headers, and what fits behind them.
#include "dataplane/peer.hpp"

#include <algorithm>

namespace nave::dataplane {

namespace {

template <class Header>
void put(std::uint8_t*& to, const Header& header) {
    std::memcpy(to, &header, sizeof header);
    to += sizeof header;
}

std::uint8_t hops(std::uint8_t ttl) { return ttl == 0 ? 64 : ttl; }

/// Ciphertext comes in whole units of the cipher and ends with pad length and next header (RFC 4303 §2.4).
constexpr int kEspTrailer = 2;

struct Overhead {
    int around, inside;  // bytes in front of and behind the ciphertext, and in it in front of the inner packet
    int alignment;       // of the ciphertext
};

Overhead overhead(const EspShape& shape) {
    const EspSizes sizes = sizes_of(shape.algorithm);
    const std::size_t ip = shape.ipv6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
    return {.around = static_cast<int>(ip + (shape.udp ? sizeof(UdpHeader) : 0) + sizeof(EspHeader) + sizes.iv + sizes.icv),
            .inside = static_cast<int>(sizeof(GreHeader) + (shape.gre_key ? 4 : 0) + (shape.mode == EspMode::tunnel ? ip : 0)),
            .alignment = sizes.alignment};
}

}  // namespace

OuterHeader::OuterHeader(const SetPeerPath& path, std::uint8_t ttl, std::optional<std::uint16_t> vlan)
    : has_udp_{path.remote_udp_port != 0}, is_ipv6_{!path.remote.value.is_v4()} {
    const std::size_t ip_size = is_ipv6_ ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
    size_ = static_cast<std::uint8_t>(sizeof(EthernetHeader) + (vlan ? sizeof(VlanHeader) : 0) + ip_size + (has_udp_ ? sizeof(UdpHeader) : 0));
    std::uint8_t* to = bytes_.data() + (is_ipv6_ ? kRoom : kRoomIpv4) - size_;
    const std::uint16_t type = is_ipv6_ ? kEtherTypeIpv6 : kEtherTypeIpv4;
    put(to, EthernetHeader{path.destination_mac, path.source_mac, be16(vlan ? kEtherTypeVlan : type)});
    if (vlan) put(to, VlanHeader{be16(*vlan), be16(type)});
    const std::uint8_t protocol = has_udp_ ? kProtocolUdp : kProtocolEsp;
    if (is_ipv6_) {
        Ipv6Header ip{};
        ip.version_class_flow = be32(6u << 28);
        ip.next_header = protocol;
        ip.hop_limit = hops(ttl);
        ip.source = path.local.value.v6_bytes();
        ip.destination = path.remote.value.v6_bytes();
        checksum_base_ = checksum_fold(ipv6_pseudo_header_sum(ip, protocol, 0) + path.local_udp_port + path.remote_udp_port);
        put(to, ip);
    } else {
        Ipv4Header ip{};
        ip.version_and_length = 0x45;
        ip.time_to_live = hops(ttl);
        ip.protocol = protocol;
        ip.source = be32(path.local.value.v4_host());
        ip.destination = be32(path.remote.value.v4_host());
        checksum_base_ = checksum_fold(checksum_add(0, {reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip}));
        put(to, ip);
    }
    // RFC 3948 §2.1: over IPv4 the UDP checksum is sent as zero.
    if (has_udp_) put(to, UdpHeader{be16(path.local_udp_port), be16(path.remote_udp_port), be16(), be16()});
}

void OuterHeader::write_ipv6(std::uint8_t* esp, const PerPacket& packet) const {
    std::memcpy(esp - kRoom, bytes_.data(), kRoom);
    std::uint8_t* const behind_ip = esp - (has_udp_ ? sizeof(UdpHeader) : 0);
    auto* ip = reinterpret_cast<Ipv6Header*>(behind_ip - sizeof(Ipv6Header));
    const auto length = static_cast<std::uint16_t>(esp - behind_ip + packet.payload_length);
    // One flow label for each SA (RFC 6437 §3), whose SPI the label tells no more of than the packet does.
    be32 spi;
    std::memcpy(&spi, esp, sizeof spi);
    const std::uint32_t label = spi.host() * 2654435761u >> 12;
    ip->version_class_flow = be32(6u << 28 | std::uint32_t{packet.type_of_service} << 20 | label);
    ip->payload_length = be16(length);
    if (!has_udp_) return;
    // Unlike RFC 3948 over IPv4: Linux drops UDP over IPv6 without a checksum (RFC 8200 §8.1).
    auto* udp = reinterpret_cast<UdpHeader*>(behind_ip);
    udp->length = be16(length);
    const std::uint64_t sum = checksum_add_long(std::uint64_t{checksum_base_} + 2u * length, {esp, packet.payload_length});
    const auto checksum = static_cast<std::uint16_t>(~checksum_fold(sum));
    udp->checksum = be16(checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

std::uint16_t inner_mtu(std::uint16_t port_mtu, const EspShape& shape) {
    const Overhead headers = overhead(shape);
    const int plaintext = ((port_mtu - headers.around) & -headers.alignment) - kEspTrailer;
    return static_cast<std::uint16_t>(std::max(0, plaintext - headers.inside));
}

std::uint16_t outer_size(std::size_t inner, const EspShape& shape) {
    const Overhead headers = overhead(shape);
    const int plaintext = (static_cast<int>(inner) + headers.inside + kEspTrailer + headers.alignment - 1) & -headers.alignment;
    return static_cast<std::uint16_t>(headers.around + plaintext);
}

void Peer::set_sources(const SetPeer& command) {
    any_source = command.any_source;
    source_count = ipv6_source_count = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(command.source_count, SetPeer::kSourcesMax); ++i) {
        const Prefix& prefix = command.sources[i];
        if (!prefix.address.is_v4()) {
            const Ipv6Words mask = Ipv6Words::mask(std::min(prefix.length, prefix.address.bit_count()));
            ipv6_sources[ipv6_source_count++] = {Ipv6Words{prefix.address.v6_bytes()} & mask, mask};
            continue;
        }
        const std::uint32_t mask = prefix.length == 0 ? 0 : ~std::uint32_t{0} << (32 - std::min<std::uint8_t>(prefix.length, 32));
        sources[source_count++] = {prefix.address.v4_host() & mask, mask};
    }
}

}  // namespace nave::dataplane
