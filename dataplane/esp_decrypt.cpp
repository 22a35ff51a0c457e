// The three phases of decryption.
#include "dataplane/esp_decrypt.hpp"

#include "dataplane/ecn.hpp"
#include "dataplane/inner_checks.hpp"

namespace nave::dataplane {

namespace {

constexpr std::uint8_t kNextHeaderDummy = 59;  // traffic flow confidentiality (RFC 4303 §2.6)

/// The cipher's job: everything between the IV and the ICV.
void describe(EspJob& job, Packet& packet, const InboundSa& sa) {
    const std::size_t front = front_of(sa.sizes);
    job.text = packet.data() + front;
    job.length = static_cast<std::uint32_t>(packet.data_len - front - sa.sizes.icv);
    job.gather_count = 0;
    job.describe(sa.key, sa.sizes, packet.data(), sa.esn, packet.meta().sequence);
}

Verdict prepare(Packet& packet, WorkerState& worker) {
    const auto* esp = packet.header<EspHeader>();
    if (!esp) return Drop::esp_runt;
    PacketMeta& meta = packet.meta();
    InboundSa* sa = worker.tables.inbound(meta.spi);
    if (!sa) return Drop::esp_unknown_spi;
    const std::size_t around = front_of(sa->sizes) + sa->sizes.icv;
    if (packet.data_len < around + sa->sizes.alignment) return Drop::esp_runt;
    if (((packet.data_len - around) & (sa->sizes.alignment - 1u)) != 0) return Drop::esp_not_multiple;
    if (sa->usage.exhausted()) return Drop::esp_hard_limit;
    const std::uint32_t low = esp->sequence_low.host();
    meta.sequence = sa->esn ? sa->window.infer(low) : low;
    if (!sa->window.may_accept(meta.sequence)) return Drop::esp_replayed;
    // For what follows the cipher.
    worker.tables.prefetch(sa->peer);
    sa->window.prefetch(meta.sequence);
    rte_prefetch0(&worker.all_counters.inbound[spi_layout::slot(sa->spi).value]);
    auto& batch = worker.opening;
    batch.associations[batch.size] = sa;
    describe(batch.jobs[batch.size++], packet, *sa);
    return Verdict::pass();
}

/// Of a packet that still begins with its ESP header, in front of which stands what was in front of it.
IpAddress outer_source(const Packet& packet) {
    const std::uint8_t* outer = packet.data() - packet.meta().outer_size;
    return outer[0] >> 4 == 6 ? IpAddress::v6(reinterpret_cast<const Ipv6Header*>(outer)->source) : IpAddress::v4(reinterpret_cast<const Ipv4Header*>(outer)->source.host());
}

/// First use, soft limit, and a new address of the peer: only for packets that are genuine, and newest (RFC 7296 §2.23).
void tell_control_plane(const Packet& packet, InboundSa& sa, const Peer& peer, std::uint64_t payload, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    if (!sa.used) sa.used = worker.emit(InboundSaUsed{sa.spi, sa.peer});
    if (sa.usage.add(payload) && sa.usage.judge(sa.limits)) sa.usage.told(worker.emit(SaNearLimit{Direction::inbound, spi_layout::slot(sa.spi), sa.peer, sa.spi}), sa.limits);
    const bool elsewhere = !peer.has_path || peer.nbma_remote != meta.nbma_source || peer.nbma_udp_port != meta.nbma_udp_port;
    if (!elsewhere || meta.sequence != sa.window.highest()) return;
    if (sa.moved_told_at != 0 && worker.now - sa.moved_told_at < worker.cycles_per_second) return;
    sa.moved_told_at = worker.now;
    worker.emit(PeerMoved{sa.peer, sa.spi, {NbmaAddress{outer_source(packet)}, meta.nbma_udp_port}});
}

/// The header between ESP and GRE, as far as it matters.
struct MiddleHeader {
    std::uint16_t header_length = 0, total_length = 0;
    std::uint8_t type_of_service = 0, protocol = 0;
};

Found<MiddleHeader> check_middle_ipv4(const Packet& packet) {
    const auto extent = check_ipv4(packet.bytes());
    if (!extent) return extent.error();
    const auto* ip = reinterpret_cast<const Ipv4Header*>(packet.data());
    if (ip->is_fragment()) return Drop::ip_fragment_invalid;
    if (const Drop reason = check_ipv4_addresses(ip->source.host(), ip->destination.host()); reason != Drop::none) return reason;
    return MiddleHeader{extent->header_length, extent->total_length, ip->type_of_service, ip->protocol};
}

Found<MiddleHeader> check_middle_ipv6(const Packet& packet) {
    const auto length = check_ipv6(packet.bytes());
    if (!length) return length.error();
    const auto* ip = reinterpret_cast<const Ipv6Header*>(packet.data());
    if (const Drop reason = check_ipv6_addresses(ip->source, ip->destination); reason != Drop::none) return reason;
    return MiddleHeader{sizeof(Ipv6Header), static_cast<std::uint16_t>(*length), ip->traffic_class(), ip->next_header};
}

/// Tunnel mode: the SA was negotiated for GRE between two hosts, so it can only be that; the middle header's addresses say nothing,
/// because the peer may sit behind a NAT and is known by its SA.
Verdict strip_middle_header(Packet& packet, std::uint8_t next_header) {
    const auto middle = next_header == kProtocolIpv6 ? check_middle_ipv6(packet) : check_middle_ipv4(packet);
    if (!middle) return middle.error();
    if (middle->protocol != kProtocolGre) return Drop::esp_wrong_next_header;
    PacketMeta& meta = packet.meta();
    const auto marks = ecn_decap(ecn_of(middle->type_of_service), ecn_of(meta.outer_type_of_service));
    if (!marks) return Drop::ecn_not_capable;
    meta.outer_type_of_service = static_cast<std::uint8_t>((middle->type_of_service & ~3) | static_cast<std::uint8_t>(*marks));
    packet.keep(middle->header_length, middle->total_length - std::size_t{middle->header_length});
    return Verdict::pass();
}

Verdict settle(Packet& packet, const EspJob& job, InboundSa& sa, WorkerState& worker) {
    if (!job.ok) return Drop::esp_bad_icv;
    PacketMeta& meta = packet.meta();
    // Both again: other packets of this burst may have used the number, or the limit, up.
    if (!sa.window.accept(meta.sequence)) return Drop::esp_replayed;
    if (sa.usage.exhausted()) return Drop::esp_hard_limit;
    const Peer* peer = worker.tables.peer(sa.peer);
    if (!peer) return Drop::peer_unknown;
    const auto payload = check_esp_trailer({job.text, job.length});
    if (!payload) return payload.error();
    tell_control_plane(packet, sa, *peer, payload->length, worker);
    worker.all_counters.inbound[spi_layout::slot(sa.spi).value].packets.add(1);
    if (payload->next_header == kNextHeaderDummy) {
        packet.free();  // quietly: it did its work by arriving
        return Verdict::taken();
    }
    const std::size_t front = front_of(sa.sizes);
    packet.keep(front, payload->length);
    meta.from_peer = sa.peer;
    meta.tunnel = peer->tunnel;
    meta.origin = PacketMeta::Origin::peer;
    if (sa.mode == EspMode::transport) return payload->next_header == kProtocolGre ? Verdict::pass() : Verdict{Drop::esp_wrong_next_header};
    if (payload->next_header != kProtocolIpip && payload->next_header != kProtocolIpv6) return Drop::esp_wrong_next_header;
    return strip_middle_header(packet, payload->next_header);
}

}  // namespace

void esp_decrypt(Burst& burst, WorkerState& worker) {
    auto& batch = worker.opening;
    batch.size = 0;
    // 1. Cheap checks, sequence numbers, jobs.
    run_stage(burst, worker.drops, [&](Packet& packet) { return prepare(packet, worker); });
    // 2. All ciphers of the burst at once.
    worker.crypto.open({batch.jobs.data(), batch.size});
    // 3. Settle each packet: genuine and first of its number, or dropped with a reason.
    std::size_t next = 0;
    run_stage(burst, worker.drops, [&](Packet& packet) {
        const std::size_t i = next++;
        return settle(packet, batch.jobs[i], *batch.associations[i], worker);
    });
}

}  // namespace nave::dataplane
