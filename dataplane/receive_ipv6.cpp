// The first look at IPv6 on the underlay.
#include "dataplane/receive_ipv6.hpp"

#include "common/headers.hpp"
#include "dataplane/ipv6_checks.hpp"
#include "dataplane/outer_ipv6.hpp"
#include "dataplane/underlay_transport.hpp"

#include <cstring>

namespace nave::dataplane {

namespace {

constexpr std::size_t kUpper = sizeof(EthernetHeader) + sizeof(Ipv6Header);  // where the header behind IPv6's begins
constexpr std::uint8_t kHopLimitOfNeighbours = 255;                          // no router lets a packet keep it

const Ipv6Header& header_of(const Packet& packet) { return *reinterpret_cast<const Ipv6Header*>(packet.data() + sizeof(EthernetHeader)); }

/// A packet to us, cut to its length.
Verdict classify(Packet& packet, WorkerState& worker) {
    const Ipv6Header& ip = header_of(packet);
    if (is_extension_header(ip.next_header)) return Drop::ipv6_extension_header;
    if (ip.next_header == kProtocolIcmpv6) return punt_ipv6_frame(packet, worker);
    return classify_transport(packet, ip.next_header, kUpper, {worker.tables.tag_of(ip.source), ip.traffic_class()}, worker);
}

/// RFC 6946 §4: an atomic fragment is processed by itself, as the packet that it is without its fragment header.
void remove_fragment_header(Packet& packet) {
    auto* ip = packet.header<Ipv6Header>(sizeof(EthernetHeader));
    const auto* fragment = packet.header<Ipv6FragmentHeader>(kUpper);
    ip->next_header = fragment->next_header;
    ip->payload_length = be16(static_cast<std::uint16_t>(ip->payload_length.host() - sizeof *fragment));
    std::memmove(packet.data() + sizeof *fragment, packet.data(), kUpper);
    packet.trim_front(sizeof *fragment);
}

[[gnu::cold, gnu::noinline]] Verdict take_fragment(Packet& packet, Burst& completed, WorkerState& worker) {
    const auto extent = check_ipv6_fragment(packet.bytes().subspan(sizeof(EthernetHeader)), PacketPools::kBytesMax);
    if (!extent) return extent.error();
    if (!extent->is_atomic()) return worker.reassembly.add_ipv6(packet, worker.now, completed);
    remove_fragment_header(packet);
    return classify_reassembled_ipv6(packet, worker);
}

}  // namespace

Verdict receive_outer_ipv6(Packet& packet, const PortState& port, Burst& completed, WorkerState& worker) {
    const auto length = check_ipv6(packet.bytes().subspan(sizeof(EthernetHeader)));
    if (!length) return length.error();
    const Ipv6Header& ip = header_of(packet);
    packet.keep(0, sizeof(EthernetHeader) + *length);
    if (is_multicast(ip.destination)) return punt_ipv6_frame(packet, worker);
    if (!port.owns(ip.destination)) return Drop::underlay_not_local;
    if (const Drop reason = check_ipv6_addresses(ip.source, ip.destination); reason != Drop::none) return reason;
    return ip.next_header == kProtocolFragment ? take_fragment(packet, completed, worker) : classify(packet, worker);
}

Verdict classify_reassembled_ipv6(Packet& packet, WorkerState& worker) {
    const auto* type = packet.header<Icmpv6Header>(kUpper);
    // RFC 6980 §5: neighbour discovery does not come in fragments.
    if (header_of(packet).next_header == kProtocolIcmpv6 && type && is_neighbour_discovery(type->type)) return Drop::ip_fragment_invalid;
    return classify(packet, worker);
}

Verdict punt_ipv6_frame(Packet& packet, WorkerState& worker) {
    const Ipv6Header& ip = header_of(packet);
    const auto* icmp = packet.header<Icmpv6Header>(kUpper);
    if (ip.next_header != kProtocolIcmpv6 || !icmp || !is_neighbour_discovery(icmp->type)) return worker.punt(packet, Punt::local);
    return ip.hop_limit == kHopLimitOfNeighbours ? worker.punt(packet, Punt::arp) : Drop::neighbour_not_on_link;
}

}  // namespace nave::dataplane
