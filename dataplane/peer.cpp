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

}  // namespace

OuterHeader::OuterHeader(const SetPeerPath& path, std::uint8_t ttl, std::optional<std::uint16_t> vlan)
    : size_{static_cast<std::uint8_t>(sizeof(EthernetHeader) + (vlan ? sizeof(VlanHeader) : 0) + sizeof(Ipv4Header) + (path.remote_udp_port != 0 ? sizeof(UdpHeader) : 0))},
      has_udp_{path.remote_udp_port != 0} {
    std::uint8_t* to = bytes_.data() + kRoom - size_;
    put(to, EthernetHeader{path.destination_mac, path.source_mac, be16(vlan ? kEtherTypeVlan : kEtherTypeIpv4)});
    if (vlan) put(to, VlanHeader{be16(*vlan), be16(kEtherTypeIpv4)});
    Ipv4Header ip{};
    ip.version_and_length = 0x45;
    ip.time_to_live = ttl == 0 ? 64 : ttl;
    ip.protocol = has_udp_ ? kProtocolUdp : kProtocolEsp;
    ip.source = be32(path.local.value.v4_host());
    ip.destination = be32(path.remote.value.v4_host());
    checksum_base_ = checksum_fold(checksum_add(0, {reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip}));
    put(to, ip);
    // RFC 3948 §2.1: the UDP checksum is sent as zero.
    if (has_udp_) put(to, UdpHeader{be16(path.local_udp_port), be16(path.remote_udp_port), be16(), be16()});
}

std::uint16_t inner_mtu(std::uint16_t port_mtu, const EspShape& shape) {
    const EspSizes sizes = sizes_of(shape.algorithm);
    const int around = static_cast<int>(sizeof(Ipv4Header) + (shape.udp ? sizeof(UdpHeader) : 0) + sizeof(EspHeader) + sizes.iv + sizes.icv);
    // Ciphertext comes in whole units of the cipher and ends with pad length and next header (RFC 4303 §2.4).
    const int plaintext = ((port_mtu - around) & -static_cast<int>(sizes.alignment)) - 2;
    const int inside = static_cast<int>(sizeof(GreHeader) + (shape.gre_key ? 4 : 0) + (shape.mode == EspMode::tunnel ? sizeof(Ipv4Header) : 0));
    return static_cast<std::uint16_t>(std::max(0, plaintext - inside));
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
