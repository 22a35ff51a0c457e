// GRE towards a peer (RFC 2784, RFC 2890), and the header in front of it in tunnel mode.
#include "common/checksum.hpp"
#include "dataplane/encap.hpp"

namespace nave::dataplane {

namespace {

template <class Header>
bool prepend(Packet& packet, const Header& header) {
    std::uint8_t* to = packet.prepend(sizeof header);
    if (to) std::memcpy(to, &header, sizeof header);
    return to != nullptr;
}

/// Tunnel mode: ESP protects a whole IP packet that carries GRE between the two underlay addresses.
bool prepend_middle_header(Packet& packet, const Peer& peer) {
    const auto length = static_cast<std::uint16_t>(packet.length());
    if (peer.outer.is_ipv6()) {
        auto ip = peer.outer.ip<Ipv6Header>();
        ip.set_traffic_class(packet.meta().outer_type_of_service);
        ip.payload_length = be16(length);
        ip.next_header = kProtocolGre;
        return prepend(packet, ip);
    }
    auto ip = peer.outer.ip<Ipv4Header>();
    ip.type_of_service = packet.meta().outer_type_of_service;
    ip.total_length = be16(static_cast<std::uint16_t>(sizeof ip + length));
    ip.protocol = kProtocolGre;
    ip.checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip}));
    return prepend(packet, ip);
}

}  // namespace

Verdict encap_gre(Packet& packet, WorkerState& worker) {
    PacketMeta& meta = packet.meta();
    const Peer* peer = worker.tables.peer(meta.to_peer);
    if (!peer) return Drop::peer_unknown;
    const Tunnel* tunnel = worker.tables.tunnel(peer->tunnel);
    if (!tunnel) return Drop::tunnel_unknown;
    if (!peer->has_sa) return Drop::peer_no_sa;
    if (!peer->has_path) return Drop::peer_no_path;
    if (peer->sa_owner != worker.id) {
        if (peer->sa_owner.value >= worker.worker_count) return Drop::peer_no_sa;
        meta.paced = false;  // a rekey gave the peer to another worker while the packet waited here
        return worker.hand_over(packet, peer->sa_owner, PacketMeta::Handover::encap);
    }
    if (peer->shaped && !meta.paced) {
        meta.wire_length = peer->wire_length(packet.length(), tunnel->settings.has_key);
        if (const Verdict leaves = worker.shaper.offer(packet, worker.now); !leaves.passes()) return leaves;
    }
    meta.inner_length = static_cast<std::uint16_t>(packet.length());
    const auto key = tunnel->key();
    std::uint8_t* to = packet.prepend(sizeof(GreHeader) + (key ? sizeof(be32) : 0));
    if (!to) return Drop::no_buffer;
    const GreHeader gre{be16(key ? GreHeader::kKey : std::uint16_t{0}), be16(meta.gre_protocol)};
    std::memcpy(to, &gre, sizeof gre);
    if (key) {
        const be32 number{*key};
        std::memcpy(to + sizeof gre, &number, sizeof number);
    }
    if (peer->mode == EspMode::tunnel && !prepend_middle_header(packet, *peer)) return Drop::no_buffer;
    return Verdict::pass();
}

}  // namespace nave::dataplane
