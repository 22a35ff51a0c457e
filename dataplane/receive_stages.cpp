// Ethernet, and the first look at IPv4 on both sides of the gateway.
#include "dataplane/receive_stages.hpp"

#include "common/headers.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/inside_ipv6.hpp"

#include <cstring>

namespace nave::dataplane {

namespace {

constexpr std::uint16_t kDhcpClientPort = 68;
constexpr std::uint8_t kProtocolIpv6InIpv4 = 41;

bool is_group(const MacAddress& mac) { return (mac.bytes[0] & 1) != 0; }

ByteView ip_bytes(const Packet& packet) { return packet.bytes().subspan(sizeof(EthernetHeader)); }

/// RX_IP_CKSUM_NONE: the sender's stack left the field unset, but the device vouches for the data (virtio).
ChecksumCheck checksum_check(const Packet& packet) {
    const std::uint64_t said = packet.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    return said == RTE_MBUF_F_RX_IP_CKSUM_GOOD || said == RTE_MBUF_F_RX_IP_CKSUM_NONE ? ChecksumCheck::done_by_device : ChecksumCheck::verify;
}

/// Takes the tag out, so that everything behind sees plain Ethernet. Drop::none if the tag is the port's.
Drop strip_vlan(Packet& packet, const PortState& port) {
    const auto* tag = packet.header<VlanHeader>(sizeof(EthernetHeader));
    if (!tag) return Drop::ethernet_runt;
    // Id 0 is a priority tag: the frame belongs to no VLAN (IEEE 802.1Q §6.9).
    if (tag->id() != port.vlan.value_or(0)) return Drop::vlan_mismatch;
    constexpr std::size_t kAddresses = 2 * sizeof(MacAddress);
    std::memmove(packet.data() + sizeof(VlanHeader), packet.data(), kAddresses);
    packet.trim_front(sizeof(VlanHeader));
    return Drop::none;
}

/// DHCP answers come to an address that is not ours yet.
bool is_for_dhcp_client(ByteView ip, std::size_t header_length) {
    if (ip[offsetof(Ipv4Header, protocol)] != kProtocolUdp || ip.size() < header_length + sizeof(UdpHeader)) return false;
    return reinterpret_cast<const UdpHeader*>(ip.data() + header_length)->destination_port.host() == kDhcpClientPort;
}

/// Removes the Ethernet header and what stands before the ESP header; passes, or sends the packet to its SA's owner.
Verdict to_esp(Packet& packet, std::size_t esp_offset, std::uint16_t udp_port, WorkerState& worker) {
    const auto* ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
    const auto* esp = packet.header<EspHeader>(esp_offset);
    if (!esp) return Drop::esp_runt;
    PacketMeta& meta = packet.meta();
    meta.nbma_source = ip->source.host();
    meta.nbma_udp_port = udp_port;
    meta.outer_type_of_service = ip->type_of_service;
    meta.spi = Spi{esp->spi.host()};
    worker.tables.prefetch(meta.spi);
    packet.keep(esp_offset, packet.data_len - esp_offset);
    const WorkerId owner = spi_layout::worker(meta.spi);
    if (owner == worker.id) return Verdict::pass();
    if (owner.value >= worker.worker_count) return Drop::esp_unknown_spi;
    return worker.hand_over(packet, owner, PacketMeta::Handover::decrypt);
}

Verdict punt_ike(Packet& packet, WorkerState& worker) {
    packet.trim_front(sizeof(EthernetHeader));
    const bool of_peer = worker.tables.may_be_of_peer(packet.header<Ipv4Header>()->source.host());
    return worker.punt(packet, of_peer ? Punt::ike_of_peer : Punt::ike);
}

/// UDP to us: IKE, ESP in UDP (RFC 3948 §2), or the kernel's.
Verdict classify_udp(Packet& packet, std::size_t offset, WorkerState& worker) {
    const auto* udp = packet.header<UdpHeader>(offset);
    if (!udp) return Drop::udp_runt;
    const std::size_t length = udp->length.host();
    if (length < sizeof(UdpHeader) || length > packet.length() - offset) return Drop::udp_bad_length;
    // Only the device's word counts: ESP brings its own ICV, IKE its own integrity, and the kernel checks what it gets.
    if ((packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) return Drop::udp_bad_checksum;
    const std::uint16_t port = udp->destination_port.host();
    if (port == kUdpPortIke) return punt_ike(packet, worker);
    if (port != kUdpPortNatTraversal) return worker.punt(packet, Punt::local);

    const std::uint16_t source_port = udp->source_port.host();
    const ByteView payload{packet.data() + offset + sizeof(UdpHeader), length - sizeof(UdpHeader)};
    packet.keep(0, offset + length);
    if (payload.size() == 1 && payload[0] == 0xff) return Drop::nat_keepalive;
    if (payload.size() < sizeof(EspHeader)) return Drop::esp_runt;
    const bool non_esp_marker = (payload[0] | payload[1] | payload[2] | payload[3]) == 0;
    return non_esp_marker ? punt_ike(packet, worker) : to_esp(packet, offset + sizeof(UdpHeader), source_port, worker);
}

}  // namespace

Verdict check_frame(Packet& packet, const PortState& port, WorkerState& worker) {
    if (!port.is_up()) return Drop::port_down;
    const auto* ethernet = packet.header<EthernetHeader>();
    if (!ethernet) return Drop::ethernet_runt;
    const bool tagged = ethernet->type.host() == kEtherTypeVlan;
    if (!tagged && port.vlan) return Drop::vlan_mismatch;
    if (tagged) {
        if (const Drop reason = strip_vlan(packet, port); reason != Drop::none) return reason;
        ethernet = packet.header<EthernetHeader>();
        if (!ethernet) return Drop::ethernet_runt;
    }
    if (!is_group(ethernet->destination) && ethernet->destination != port.mac) return Drop::not_our_mac;
    switch (ethernet->type.host()) {
    case kEtherTypeIpv4: return Verdict::pass();
    case kEtherTypeArp: return worker.punt(packet, Punt::arp);
    case kEtherTypeIpv6: return port.role == PortRole::inside ? Verdict::pass() : Verdict{Drop::ip_version_unsupported};
    default: return Drop::ethernet_unknown_type;
    }
}

Verdict check_outer_ip(Packet& packet, const PortState& port, WorkerState& worker) {
    const auto extent = check_ipv4(ip_bytes(packet), checksum_check(packet));
    if (!extent) return extent.error();
    const auto* ethernet = packet.header<EthernetHeader>();
    const auto* ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
    const std::uint32_t destination = ip->destination.host();
    if (!port.owns(destination)) {
        if (is_group(ethernet->destination) || is_for_dhcp_client(ip_bytes(packet), extent->header_length)) return worker.punt(packet, Punt::local);
        return Drop::underlay_not_local;
    }
    if (const Drop reason = check_ipv4_addresses(ip->source.host(), destination); reason != Drop::none) return reason;
    packet.keep(0, sizeof(EthernetHeader) + extent->total_length);
    return Verdict::pass();
}

Verdict classify_outer(Packet& packet, WorkerState& worker) {
    const auto* ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
    const std::size_t offset = sizeof(EthernetHeader) + ip->header_length();
    switch (ip->protocol) {
    case kProtocolEsp: return to_esp(packet, offset, 0, worker);
    case kProtocolUdp: return classify_udp(packet, offset, worker);
    case kProtocolGre: return Drop::gre_in_clear;
    case kProtocolIpip:
    case kProtocolIpv6InIpv4: return Drop::underlay_unknown_protocol;  // tunnels in clear that nobody configured
    default: return worker.punt(packet, Punt::local);
    }
}

Verdict classify_inside(Packet& packet, const PortState& port, WorkerState& worker) {
    if (packet.header<EthernetHeader>()->type.host() == kEtherTypeIpv6) return classify_inside_ipv6(packet, port, worker);
    const auto extent = check_ipv4(ip_bytes(packet), checksum_check(packet));
    if (!extent) return extent.error();
    const auto* ethernet = packet.header<EthernetHeader>();
    const auto* ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
    const std::uint32_t destination = ip->destination.host();
    const bool for_the_link = may_be_for_many(destination) && (is_limited_broadcast(destination) || is_link_local_multicast(destination));
    if (for_the_link || worker.tables.is_local(port.table, destination)) return worker.punt(packet, Punt::local);
    // A unicast address in a group frame is a directed broadcast: the kernel knows its prefixes.
    if (is_group(ethernet->destination) && !is_multicast(destination)) return worker.punt(packet, Punt::local);
    if (const Drop reason = check_ipv4_addresses(ip->source.host(), destination); reason != Drop::none) return reason;
    packet.keep(sizeof(EthernetHeader), extent->total_length);
    PacketMeta& meta = packet.meta();
    meta.table = port.table;
    meta.origin = PacketMeta::Origin::inside;
    return Verdict::pass();
}

}  // namespace nave::dataplane
