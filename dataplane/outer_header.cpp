// The last header of a packet to a peer: what the underlay sees around ESP.
#include "dataplane/encap.hpp"
#include "dataplane/transmit.hpp"

namespace nave::dataplane {

Verdict put_outer_header(Packet& packet, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    const Peer* peer = worker.tables.peer(meta.to_peer);
    if (!peer) return Drop::peer_unknown;
    const std::uint16_t payload = packet.data_len;
    if (!packet.prepend(peer->outer.size())) return Drop::no_buffer;
    peer->outer.write(packet.data() + peer->outer.size(), {.payload_length = payload,
                                                           .identification = static_cast<std::uint16_t>(meta.sequence),
                                                           .type_of_service = meta.outer_type_of_service});
    queue_to_port(packet, peer->port, worker);
    return Verdict::taken();
}

}  // namespace nave::dataplane
