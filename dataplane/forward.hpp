// Forwarding of inner packets: to this box, to a peer, to an inside neighbour, or back to where the kernel decides.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Before the route lookup: takes what is for this box and what is for many (multicast).
Verdict deliver_or_replicate(Packet& packet, WorkerState& worker);

/// After the lookup, which answered `next_hop`: takes every packet or drops it. Out come to_encap and to_port of the worker.
Verdict follow_ipv4_route(Packet& packet, std::uint32_t next_hop, WorkerState& worker);
/// Apart, so that the path of IPv4 is as short as without it.
[[gnu::noinline]] Verdict follow_ipv6_route(Packet& packet, std::uint32_t next_hop, WorkerState& worker);

/// Sends one copy to each member of the tunnel's replication list but the peer it came from. Copies share the payload; each
/// has a buffer of its own for headers and, later, for the ciphertext, so that no byte of payload is ever copied.
[[gnu::cold, gnu::noinline]] Verdict replicate(Packet& packet, const Tunnel& tunnel, WorkerState& worker);

/// What GRE and the outer header say about a packet on its way to a peer.
struct PeerPassage {
    PeerId to;
    std::uint16_t gre_protocol = 0;
    std::uint8_t type_of_service = 0;  // copied outwards: DSCP (RFC 4301 §5.1.2.1) and ECN (RFC 6040 §4.1, normal mode)
};
/// Queues a packet, at its GRE payload, for a peer; when the queue is full it is sent first (see pipeline.hpp). Takes it.
void queue_to_peer(Packet& packet, const PeerPassage& passage, WorkerState& worker);

}  // namespace nave::dataplane
