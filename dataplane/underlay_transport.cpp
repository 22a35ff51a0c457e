// ESP, UDP, and what is neither.
#include "dataplane/underlay_transport.hpp"

#include "common/headers.hpp"

namespace nave::dataplane {

namespace {

/// Removes the Ethernet header and what stands before the ESP header; passes, or sends the packet to its SA's owner.
Verdict to_esp(Packet& packet, std::size_t esp_offset, std::uint16_t udp_port, const OuterSource& source, WorkerState& worker) {
    const auto* esp = packet.header<EspHeader>(esp_offset);
    if (!esp) return Drop::esp_runt;
    PacketMeta& meta = packet.meta();
    meta.nbma_source = source.address;
    meta.nbma_udp_port = udp_port;
    meta.outer_size = static_cast<std::uint8_t>(esp_offset - sizeof(EthernetHeader));
    meta.outer_type_of_service = source.type_of_service;
    meta.spi = Spi{esp->spi.host()};
    worker.tables.prefetch(meta.spi);
    packet.keep(esp_offset, packet.data_len - esp_offset);
    const WorkerId owner = spi_layout::worker(meta.spi);
    if (owner == worker.id) return Verdict::pass();
    if (owner.value >= worker.worker_count) return Drop::esp_unknown_spi;
    return worker.hand_over(packet, owner, PacketMeta::Handover::decrypt);
}

Verdict punt_ike(Packet& packet, const OuterSource& source, WorkerState& worker) {
    packet.trim_front(sizeof(EthernetHeader));
    return worker.punt(packet, worker.tables.may_be_of_peer(source.address) ? Punt::ike_of_peer : Punt::ike);
}

/// UDP to us: IKE, ESP in UDP (RFC 3948 §2), or the kernel's.
Verdict classify_udp(Packet& packet, std::size_t offset, const OuterSource& source, WorkerState& worker) {
    const auto* udp = packet.header<UdpHeader>(offset);
    if (!udp) return Drop::udp_runt;
    const std::size_t length = udp->length.host();
    if (length < sizeof(UdpHeader) || length > packet.length() - offset) return Drop::udp_bad_length;
    // Only the device's word counts: ESP brings its own ICV, the control plane checks what is IKE's, and the kernel what it gets. So ESP in
    // UDP over IPv6 may come without a checksum (RFC 6935 §5), which some devices call a bad one.
    if ((packet.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD && udp->checksum.host() != 0) return Drop::udp_bad_checksum;
    const std::uint16_t port = udp->destination_port.host();
    if (port == kUdpPortIke) return punt_ike(packet, source, worker);
    if (port != kUdpPortNatTraversal) return worker.punt(packet, Punt::local);

    const std::uint16_t source_port = udp->source_port.host();
    const ByteView payload{packet.data() + offset + sizeof(UdpHeader), length - sizeof(UdpHeader)};
    packet.keep(0, offset + length);
    if (payload.size() == 1 && payload[0] == 0xff) return Drop::nat_keepalive;
    if (payload.size() < sizeof(EspHeader)) return Drop::esp_runt;
    const bool non_esp_marker = (payload[0] | payload[1] | payload[2] | payload[3]) == 0;
    return non_esp_marker ? punt_ike(packet, source, worker) : to_esp(packet, offset + sizeof(UdpHeader), source_port, source, worker);
}

}  // namespace

Verdict classify_transport(Packet& packet, std::uint8_t protocol, std::size_t offset, const OuterSource& source, WorkerState& worker) {
    switch (protocol) {
    case kProtocolEsp: return to_esp(packet, offset, 0, source, worker);
    case kProtocolUdp: return classify_udp(packet, offset, source, worker);
    case kProtocolGre: return Drop::gre_in_clear;
    case kProtocolIpip:
    case kProtocolIpv6: return Drop::underlay_unknown_protocol;  // tunnels in clear that nobody configured
    default: return worker.punt(packet, Punt::local);
    }
}

}  // namespace nave::dataplane
