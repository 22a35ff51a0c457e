// IPv6 frames of inside hosts, sorted.
#include "dataplane/inside_ipv6.hpp"

#include "dataplane/ipv6_checks.hpp"
#include "dataplane/receive_ipv6.hpp"

namespace nave::dataplane {

Verdict classify_inside_ipv6(Packet& packet, const PortState& port, WorkerState& worker) {
    const auto length = check_ipv6(packet.bytes().subspan(sizeof(EthernetHeader)));
    if (!length) return length.error();
    const auto& ip = *packet.header<Ipv6Header>(sizeof(EthernetHeader));
    // Before the addresses are checked: duplicate address detection comes from no address (RFC 4862 §5.4.2).
    const bool stays_on_link = is_link_local_multicast(ip.destination) || is_link_local(ip.destination) || is_link_local(ip.source);
    if (stays_on_link || worker.tables.is_local(port.table, ip.destination)) return punt_ipv6_frame(packet, worker);
    if (const Drop reason = check_ipv6_addresses(ip.source, ip.destination); reason != Drop::none) return reason;
    // One host's packet that everybody gets is an error or an attack: there is no broadcast in IPv6.
    const bool is_group_frame = (packet.header<EthernetHeader>()->destination.bytes[0] & 1) != 0;
    if (is_group_frame && !is_multicast(ip.destination)) return Drop::ip_bad_destination;
    packet.keep(sizeof(EthernetHeader), *length);
    PacketMeta& meta = packet.meta();
    meta.table = port.table;
    meta.origin = PacketMeta::Origin::inside;
    return Verdict::pass();
}

}  // namespace nave::dataplane
