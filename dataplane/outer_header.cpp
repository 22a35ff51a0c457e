// The last header of a packet to a peer: what the underlay sees around ESP; and its fragments where the path is too narrow.
#include "dataplane/encap.hpp"
#include "dataplane/fragment.hpp"
#include "dataplane/transmit.hpp"

#include <bit>

namespace nave::dataplane {

namespace {

/// Numbers the packets of an SA, and begins elsewhere for each: two SAs between the same addresses may well be at the same sequence number.
std::uint32_t identification_for_fragments(std::uint32_t spi, std::uint64_t sequence) { return std::rotl(spi * 2654435761u, 16) + static_cast<std::uint32_t>(sequence); }

/// Of a packet that begins with its Ethernet header and is longer than the path. Fragments are made of ESP, which the peer joins before it decrypts
/// (RFC 4303 §3.3.4). Those of IPv6 have the length that every path carries: a Packet Too Big that quotes a fragment is not believed.
[[gnu::cold, gnu::noinline]] Verdict send_in_fragments(Packet& packet, const Peer& peer, std::uint32_t identification, WorkerState& worker) {
    const std::size_t link_size = peer.outer.link_size();
    std::array<std::uint8_t, OuterHeader::kRoom> link;
    std::memcpy(link.data(), packet.data(), link_size);
    packet.trim_front(link_size);
    const std::uint16_t mtu = worker.tables.path_mtu(peer);
    Burst pieces;
    const bool is_cut = packet.is_ipv6() ? fragment_ipv6(packet, std::min(mtu, kIpv6MtuMin), identification, worker.pools, pieces) : fragment(packet, mtu, worker.pools, pieces);
    if (!is_cut) return Drop::fragmentation_failed;
    worker.counters.fragments_made.add(pieces.size);
    for (Packet* piece : pieces.view()) {
        if (std::uint8_t* to = piece->prepend(link_size)) {
            std::memcpy(to, link.data(), link_size);
            queue_to_port(*piece, peer.port, worker);
        } else {
            worker.drops.discard(*piece, Drop::no_buffer);
        }
    }
    return Verdict::taken();
}

/// IPv6, and what is longer than the path.
[[gnu::noinline]] Verdict put_other_header(Packet& packet, const Peer& peer, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    const OuterHeader& outer = peer.outer;
    const std::uint16_t payload = packet.data_len;
    const std::uint32_t identification = identification_for_fragments(packet.header<EspHeader>()->spi.host(), meta.sequence);
    if (!packet.prepend(outer.size())) return Drop::no_buffer;
    outer.write(packet.data() + outer.size(), {.payload_length = payload,
                                               .identification = static_cast<std::uint16_t>(identification),
                                               .type_of_service = meta.outer_type_of_service});
    if (packet.length() - outer.link_size() > worker.tables.path_mtu(peer)) return send_in_fragments(packet, peer, identification, worker);
    queue_to_port(packet, peer.port, worker);
    return Verdict::taken();
}

}  // namespace

Verdict put_outer_header(Packet& packet, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    const Peer* peer = worker.tables.peer(meta.to_peer);
    if (!peer) return Drop::peer_unknown;
    const std::uint16_t payload = packet.data_len;
    if (payload > peer->outer.plain_max()) return put_other_header(packet, *peer, worker);
    if (!packet.prepend(peer->outer.size())) return Drop::no_buffer;
    peer->outer.write_ipv4(packet.data() + peer->outer.size(), {.payload_length = payload,
                                                                .identification = static_cast<std::uint16_t>(meta.sequence),
                                                                .type_of_service = meta.outer_type_of_service});
    queue_to_port(packet, peer->port, worker);
    return Verdict::taken();
}

}  // namespace nave::dataplane
