// RFC 2784 and RFC 2890 on receive, the peer's permitted sources, and congestion marks (RFC 6040).
#include "dataplane/gre_decap.hpp"

#include "dataplane/ecn.hpp"
#include "dataplane/inner_checks.hpp"

namespace nave::dataplane {

namespace {

/// Whose packet it is, and the bytes behind GRE.
struct Arrival {
    const Peer& peer;
    const Tunnel& tunnel;
    std::size_t carried;
};

/// The peer's permitted sources and its rate, and congestion marks: an outer header without ECN says nothing of congestion (RFC 6040 §4.2); the DSCP
/// stays as the sender set it (RFC 4301 §5.1.2.1).
template <class Header>
Verdict accept_inner(Header& ip, const auto& source, const Arrival& arrival, Packet& packet, WorkerState& worker) {
    const auto& [peer, tunnel, carried] = arrival;
    PacketMeta& meta = packet.meta();
    if (!peer.permits(source)) return Drop::peer_wrong_source;
    const std::uint8_t inner = type_of_service(ip);
    if (peer.policed && !worker.peer_policer.allow(meta.from_peer, peer.wire_length(carried, tunnel.settings.has_key), traffic_class_of(inner), worker.now)) {
        worker.counters.peers[meta.from_peer.value].policed.add(1);
        return Drop::peer_policed;
    }
    if (ecn_of(meta.outer_type_of_service) != Ecn::not_ect) {
        const auto marks = ecn_decap(ecn_of(inner), ecn_of(meta.outer_type_of_service));
        if (!marks) return Drop::ecn_not_capable;
        if (*marks != ecn_of(inner)) set_type_of_service(ip, static_cast<std::uint8_t>((inner & ~3) | static_cast<std::uint8_t>(*marks)));
    }
    meta.table = tunnel.settings.table;
    return Verdict::pass();
}

[[gnu::noinline]] Verdict accept_ipv6(const Arrival& arrival, Packet& packet, WorkerState& worker) {
    auto* ip = packet.header<Ipv6Header>();
    return accept_inner(*ip, ip->source, arrival, packet, worker);
}

}  // namespace

Verdict decap_gre(Packet& packet, WorkerState& worker) {
    PacketMeta& meta = packet.meta();
    const Peer* peer = worker.tables.peer(meta.from_peer);
    if (!peer) return Drop::peer_unknown;
    const Tunnel* tunnel = worker.tables.tunnel(meta.tunnel);
    if (!tunnel) return Drop::tunnel_unknown;
    const auto inner = check_inner(packet.bytes(), tunnel->key());
    if (!inner) return inner.error();
    const std::size_t carried = packet.data_len - inner->gre.header_length;
    worker.all_counters.inbound[spi_layout::slot(meta.spi).value].bytes.add(carried);
    const bool is_nhrp = inner->gre.protocol == kEtherTypeNhrp;
    packet.keep(inner->gre.header_length, is_nhrp ? carried : inner->ip_length);
    if (is_nhrp) return worker.punt(packet, Punt::nhrp);
    if (inner->gre.protocol == kEtherTypeIpv6) return accept_ipv6({*peer, *tunnel, carried}, packet, worker);
    auto* ip = packet.header<Ipv4Header>();
    return accept_inner(*ip, ip->source.host(), {*peer, *tunnel, carried}, packet, worker);
}

}  // namespace nave::dataplane
