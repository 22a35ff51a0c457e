// Ethernet, and the first look at IPv4 on both sides of the gateway.
#include "dataplane/receive_stages.hpp"

#include "common/headers.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/inside_ipv6.hpp"
#include "dataplane/underlay_transport.hpp"

#include <cstring>

namespace nave::dataplane {

namespace {

constexpr std::uint16_t kDhcpClientPort = 68;

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
    case kEtherTypeIpv4:
    case kEtherTypeIpv6: return Verdict::pass();
    case kEtherTypeArp: return worker.punt(packet, Punt::arp);
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
    const OuterSource source{ip->source.host(), ip->type_of_service};
    return classify_transport(packet, ip->protocol, sizeof(EthernetHeader) + ip->header_length(), source, worker);
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
