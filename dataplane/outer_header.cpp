// The last header of a packet to a peer: what the underlay sees around ESP; and its fragments where the path is too narrow.
#include "dataplane/encap.hpp"
#include "dataplane/fragment.hpp"
#include "dataplane/transmit.hpp"

#include <bit>

namespace nave::dataplane {

namespace {

/// Numbers the packets of an SA, and begins elsewhere for each: two SAs between the same addresses may well be at the same sequence number.
std::uint32_t identification_for_fragments(std::uint32_t spi, std::uint64_t sequence) { return std::rotl(spi * 2654435761u, 16) + static_cast<std::uint32_t>(sequence); }

/// Fragments are made of ESP, which the peer joins before it decrypts (RFC 4303 §3.3.4). The packet stands at its Ethernet header. Those of IPv6 have
/// the length that every path carries, as a Packet Too Big about a fragment does not quote the SPI that we would believe it for.
[[gnu::cold, gnu::noinline]] Verdict send_in_fragments(Packet& packet, const Peer& peer, WorkerState& worker) {
    const OuterHeader& outer = peer.outer;
    std::array<std::uint8_t, OuterHeader::kRoom> link;
    std::memcpy(link.data(), packet.data(), outer.link_size());
    const std::uint32_t identification = identification_for_fragments(packet.header<EspHeader>(outer.size())->spi.host(), packet.meta().sequence);
    packet.trim_front(outer.link_size());
    const std::uint16_t mtu = worker.tables.path_mtu(peer);
    if (!outer.is_ipv6()) packet.header<Ipv4Header>()->identification = be16(static_cast<std::uint16_t>(identification));
    Burst pieces;
    const bool is_cut = outer.is_ipv6() ? fragment_ipv6(packet, std::min(mtu, kIpv6MtuMin), identification, worker.pools, pieces) : fragment(packet, mtu, worker.pools, pieces);
    if (!is_cut) return Drop::fragmentation_failed;
    worker.counters.fragments_made.add(pieces.size);
    for (Packet* piece : pieces.view()) {
        if (std::uint8_t* to = piece->prepend(outer.link_size())) {
            std::memcpy(to, link.data(), outer.link_size());
            queue_to_port(*piece, peer.port, worker);
        } else {
            worker.drops.discard(*piece, Drop::no_buffer);
        }
    }
    return Verdict::taken();
}

}  // namespace

Verdict put_outer_header(Packet& packet, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    const Peer* peer = worker.tables.peer(meta.to_peer);
    if (!peer) return Drop::peer_unknown;
    const std::uint16_t payload = packet.data_len;
    if (!packet.prepend(peer->outer.size())) return Drop::no_buffer;
    peer->outer.write(packet.data() + peer->outer.size(), {.payload_length = payload,
                                                           .identification = static_cast<std::uint16_t>(meta.sequence),
                                                           .type_of_service = meta.outer_type_of_service});
    if (meta.inner_length > peer->mtu) return send_in_fragments(packet, *peer, worker);
    queue_to_port(packet, peer->port, worker);
    return Verdict::taken();
}

}  // namespace nave::dataplane
