// The forwarding decisions of RFC 1812 §5.2, §5.3, and RFC 8200; and a hub's redirects.
#include "dataplane/forward.hpp"

#include "common/headers.hpp"
#include "dataplane/error_answers.hpp"
#include "dataplane/fragment.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/inner_header.hpp"
#include "dataplane/mss_clamp.hpp"
#include "dataplane/pipeline.hpp"
#include "dataplane/transmit.hpp"

namespace nave::dataplane {

namespace {

using Origin = PacketMeta::Origin;

constexpr std::size_t kRedirectHead = 128;  // bytes of a packet that a traffic indication needs

/// What a peer's path always carries, if need be in fragments of ESP (put_outer_header): of IPv6 what every link has to (RFC 8200 §5), of IPv4
/// what every host takes (RFC 791 §3.1), and some take no smaller MTU for true.
template <class Header>
constexpr std::uint16_t kAlwaysCarried = kIsIpv6<Header> ? kIpv6MtuMin : std::uint16_t{576};

/// For packets that somebody else sent: TTL or hop limit, decremented once (RFC 1812 §5.3.1, RFC 8200 §3).
template <class Header>
Drop spend_hop(Packet& packet, WorkerState& worker) {
    if (packet.meta().origin == Origin::own || spend_one_hop(*packet.header<Header>())) return Drop::none;
    answer_with_error(packet, IcmpError::time_exceeded(), worker);
    return Drop::ip_ttl_expired;
}

/// TCP only, which spares the others the call.
template <class Header>
void clamp(Packet& packet, const Tunnel& tunnel, std::uint16_t mtu) {
    if (tunnel.settings.mss_clamp && may_be_tcp(*packet.header<Header>())) clamp_mss(packet.bytes(), mtu);
}

/// Calls `send` with the packet, or with its fragments when it is longer than `mtu`. Only hosts fragment IPv6 (RFC 8200 §5), and none has to make
/// packets shorter than that version's minimum.
template <class Header, class Send>
Verdict fit(Packet& packet, std::uint16_t mtu, WorkerState& worker, Send&& send) {
    if (packet.length() <= mtu) {
        send(packet);
        return Verdict::taken();
    }
    if constexpr (kIsIpv6<Header>) {
        answer_with_error(packet, IcmpError::fragmentation_needed(std::max(mtu, kIpv6MtuMin)), worker);
        return Drop::packet_too_big;
    } else {
        if (packet.header<Header>()->dont_fragment()) {
            answer_with_error(packet, IcmpError::fragmentation_needed(mtu), worker);
            return Drop::fragmentation_needed;
        }
        Burst pieces;
        if (!fragment(packet, mtu, worker.pools, pieces)) return Drop::fragmentation_failed;
        worker.counters.fragments_made.add(pieces.size);
        for (Packet* piece : pieces.view()) send(*piece);
        return Verdict::taken();
    }
}

RedirectLimiter<std::uint32_t>& redirect_limiter(WorkerState& worker, const Ipv4Header&) { return worker.redirects; }
RedirectLimiter<Ipv6Bytes>& redirect_limiter(WorkerState& worker, const Ipv6Header&) { return worker.ipv6_redirects; }

/// A hub tells a spoke that a shorter way exists: in and out of the same tunnel (NHRP traffic indication).
template <class Header>
void consider_redirect(const Packet& packet, const Tunnel& out, const Peer& peer, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    if (meta.origin != Origin::peer || !out.settings.redirect || meta.tunnel != peer.tunnel) return;
    const auto& ip = *reinterpret_cast<const Header*>(packet.data());
    if (!redirect_limiter(worker, ip).tell(source_of(ip), destination_of(ip), worker.now)) return;
    const Drop refused = worker.punts.offer(Punt::redirect, packet, worker.now, kRedirectHead);
    if (refused != Drop::none) worker.drops.count(refused);
    else worker.counters.redirects.add(1);
}

template <class Header>
Verdict to_peer(Packet& packet, PeerId id, WorkerState& worker) {
    const Peer* peer = worker.tables.peer(id);
    if (!peer) return Drop::peer_unknown;
    const Tunnel* tunnel = worker.tables.tunnel(peer->tunnel);
    if (!tunnel) return Drop::tunnel_unknown;
    if (packet.meta().from_peer == id) return Drop::same_peer_loop;
    if (!peer->has_sa) return Drop::peer_no_sa;
    if (!peer->has_path) return Drop::peer_no_path;
    worker.tables.prefetch(peer->sa_slot);
    rte_prefetch0(&worker.all_counters.outbound[peer->sa_slot.value]);
    if (const Drop reason = spend_hop<Header>(packet, worker); reason != Drop::none) return reason;
    consider_redirect<Header>(packet, *tunnel, *peer, worker);
    const std::uint16_t mtu = std::min(tunnel->settings.mtu, peer->mtu);
    clamp<Header>(packet, *tunnel, mtu);
    const std::uint8_t outwards = type_of_service(*packet.header<Header>());
    return fit<Header>(packet, std::max(mtu, kAlwaysCarried<Header>), worker, [&](Packet& piece) { queue_to_peer(piece, {id, kEtherTypeOf<Header>, outwards}, worker); });
}

template <class Header>
Verdict to_neighbour(Packet& packet, AdjacencyId id, WorkerState& worker) {
    const Adjacency* adjacency = worker.tables.adjacency(id);
    if (!adjacency) return Drop::adjacency_unknown;
    const PortState* port = worker.tables.port(adjacency->port);
    if (!port->is_up()) return Drop::port_down;
    if (const Drop reason = spend_hop<Header>(packet, worker); reason != Drop::none) return reason;
    if (packet.meta().origin == Origin::peer) {
        const Tunnel* tunnel = worker.tables.tunnel(packet.meta().tunnel);
        if (tunnel) clamp<Header>(packet, *tunnel, tunnel->settings.mtu);
    }
    return fit<Header>(packet, port->mtu, worker, [&](Packet& piece) { send_to_neighbour(piece, *adjacency, *port, kEtherTypeOf<Header>, worker); });
}

bool has_address_like(const Tunnel& tunnel, const Packet& packet) { return packet.is_ipv6() ? !tunnel.addresses.v6.empty() : !tunnel.addresses.v4.empty(); }

/// The twin for what the kernel is to see of an inside: that of a tunnel with an address of its IP version, as others refuse it.
const Tunnel* tunnel_with_twin_for(const Packet& packet, const Tables& tables) {
    const Tunnel* found = nullptr;
    for (const Tunnel& each : tables.tunnels()) {
        if (!each.valid || each.settings.table != packet.meta().table) continue;
        if (has_address_like(each, packet)) return &each;
        if (!found) found = &each;
    }
    return found;
}

/// The kernel resolves the neighbour (index 0) or takes the packet for itself (any other index). What came from the kernel does not go back.
[[gnu::cold, gnu::noinline]] Verdict to_twin(Packet& packet, std::uint32_t index, WorkerState& worker) {
    PacketMeta& meta = packet.meta();
    if (meta.origin == Origin::own) return Drop::no_route;
    if (meta.origin == Origin::inside) {
        const Tunnel* tunnel = tunnel_with_twin_for(packet, worker.tables);
        if (!tunnel) return Drop::tunnel_unknown;
        meta.tunnel = tunnel->settings.tunnel;
    }
    return worker.punt(packet, index == 0 ? Punt::glean : Punt::tunnel);
}

/// Multicast of an inside host, which goes to every tunnel of its table and IP version.
[[gnu::cold, gnu::noinline]] Verdict replicate_from_inside(Packet& packet, WorkerState& worker) {
    const bool may_go_on = packet.is_ipv6() ? spend_one_hop(*packet.header<Ipv6Header>()) : spend_one_hop(*packet.header<Ipv4Header>());
    if (!may_go_on) return Drop::ip_ttl_expired;
    const Tunnel* last = nullptr;
    for (const Tunnel& tunnel : worker.tables.tunnels()) {
        if (!tunnel.valid || tunnel.settings.table != packet.meta().table || tunnel.members.empty() || !has_address_like(tunnel, packet)) continue;
        if (last) {
            // All but the last tunnel get a packet that shares the bytes.
            Packet* shared = worker.pools.share(packet);
            if (!shared) return Drop::no_buffer;
            shared->meta() = packet.meta();
            if (const Verdict verdict = replicate(*shared, *last, worker); !verdict.is_taken()) worker.drops.discard(*shared, verdict.reason());
        }
        last = &tunnel;
    }
    return last ? replicate(packet, *last, worker) : Verdict{Drop::multicast_no_members};
}

Verdict to_many(Packet& packet, WorkerState& worker) {
    const PacketMeta& meta = packet.meta();
    // What a peer sends to many is the kernel's to route on: relaying it blindly would loop between two hubs.
    if (meta.origin == Origin::peer) return worker.punt(packet, Punt::tunnel);
    if (meta.origin == Origin::inside) return replicate_from_inside(packet, worker);
    const Tunnel* tunnel = worker.tables.tunnel(meta.tunnel);
    return tunnel ? replicate(packet, *tunnel, worker) : Verdict{Drop::tunnel_unknown};
}

[[gnu::noinline]] Verdict deliver_or_replicate_ipv6(Packet& packet, WorkerState& worker) {
    const auto& ip = *packet.header<Ipv6Header>();
    if (is_multicast(ip.destination)) return to_many(packet, worker);
    if (packet.meta().origin != Origin::peer) return Verdict::pass();
    // Link-local addresses, of either end, stay on their link (RFC 4007 §9): what is to become of the packet the kernel says.
    const bool stays_on_link = is_link_local(ip.destination) || is_link_local(ip.source);
    if (stays_on_link || worker.tables.is_local(packet.meta().table, ip.destination)) return worker.punt(packet, Punt::tunnel);
    return Verdict::pass();
}

template <class Header>
Verdict follow(Packet& packet, std::uint32_t hop, WorkerState& worker) {
    if (hop == next_hop::kNoRoute) {
        answer_with_error(packet, IcmpError::net_unreachable(), worker);
        return Drop::no_route;
    }
    const RouteTarget target = next_hop::decode(hop);
    switch (target.kind) {
    case RouteTarget::Kind::peer: return to_peer<Header>(packet, PeerId{target.index}, worker);
    case RouteTarget::Kind::adjacency: return to_neighbour<Header>(packet, AdjacencyId{target.index}, worker);
    case RouteTarget::Kind::twin: return to_twin(packet, target.index, worker);
    case RouteTarget::Kind::reject: break;
    }
    answer_with_error(packet, IcmpError::prohibited(), worker);
    return Drop::route_rejected;
}

template <class Header>
Verdict copy_to_members(Packet& packet, const Tunnel& tunnel, WorkerState& worker) {
    return fit<Header>(packet, std::max(tunnel.settings.mtu, kAlwaysCarried<Header>), worker, [&](Packet& piece) {
        for (const PeerId member : tunnel.members) {
            if (member == piece.meta().from_peer) continue;
            // Headers, and room for the ciphertext of the shared payload.
            Packet* head = worker.pools.allocate(piece.length() + 64);
            Packet* payload = head ? worker.pools.share(piece) : nullptr;
            if (!payload || rte_pktmbuf_chain(head, payload) != 0) {
                if (payload) payload->free();
                if (head) head->free();
                worker.drops.count(Drop::no_buffer);
                continue;
            }
            head->meta() = piece.meta();
            queue_to_peer(*head, {member, kEtherTypeOf<Header>, type_of_service(*piece.header<Header>())}, worker);
        }
        piece.free();
    });
}

}  // namespace

void queue_to_peer(Packet& packet, const PeerPassage& passage, WorkerState& worker) {
    PacketMeta& meta = packet.meta();
    meta.to_peer = passage.to;
    meta.gre_protocol = passage.gre_protocol;
    meta.outer_type_of_service = passage.type_of_service;
    if (worker.to_encap.full()) encap_and_send(worker);
    worker.to_encap.push(packet);
}

Verdict deliver_or_replicate(Packet& packet, WorkerState& worker) {
    if (packet.is_ipv6()) return deliver_or_replicate_ipv6(packet, worker);
    const PacketMeta& meta = packet.meta();
    const std::uint32_t destination = packet.header<Ipv4Header>()->destination.host();
    if (may_be_for_many(destination) && (is_multicast(destination) || is_limited_broadcast(destination))) return to_many(packet, worker);
    if (meta.origin == Origin::peer && worker.tables.is_local(meta.table, destination)) return worker.punt(packet, Punt::tunnel);
    return Verdict::pass();
}

Verdict follow_ipv4_route(Packet& packet, std::uint32_t next_hop, WorkerState& worker) { return follow<Ipv4Header>(packet, next_hop, worker); }
Verdict follow_ipv6_route(Packet& packet, std::uint32_t next_hop, WorkerState& worker) { return follow<Ipv6Header>(packet, next_hop, worker); }

Verdict replicate(Packet& packet, const Tunnel& tunnel, WorkerState& worker) {
    std::size_t members = 0;
    for (const PeerId member : tunnel.members) members += member != packet.meta().from_peer;
    if (members == 0) return Drop::multicast_no_members;
    return packet.is_ipv6() ? copy_to_members<Ipv6Header>(packet, tunnel, worker) : copy_to_members<Ipv4Header>(packet, tunnel, worker);
}

}  // namespace nave::dataplane
