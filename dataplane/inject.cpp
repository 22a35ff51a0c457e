// From messages to packets.
#include "dataplane/inject.hpp"

#include "dataplane/forward.hpp"
#include "dataplane/inner_checks.hpp"
#include "dataplane/pipeline.hpp"
#include "dataplane/transmit.hpp"

#include <cstring>

namespace nave::dataplane {

namespace {

constexpr std::uint8_t kInternetworkControl = 0xc0;  // DSCP CS6, for NHRP

Drop inject_frame(const PacketMessage& message, Packet& packet, WorkerState& worker) {
    if (message.length < sizeof(EthernetHeader)) return Drop::inject_malformed;
    send_frame(packet, message.port, worker);
    return Drop::none;
}

Drop inject_nhrp(const PacketMessage& message, Packet& packet, WorkerState& worker) {
    const Peer* peer = worker.tables.peer(message.peer);
    if (!peer) return Drop::peer_unknown;
    if (message.length == 0) return Drop::inject_malformed;
    // NHRP is never fragmented: what does not fit in one packet is not NHRP.
    if (peer->has_path && message.length > peer->mtu) return Drop::fragmentation_needed;
    queue_to_peer(packet, {message.peer, kEtherTypeNhrp, kInternetworkControl}, worker);
    return Drop::none;
}

/// Of the IP packet that bytes begin with; 0 if that is not one.
std::uint32_t ip_length(ByteView bytes) {
    if (const auto ipv4 = check_ipv4(bytes)) return ipv4->total_length;
    const auto ipv6 = check_ipv6(bytes);
    return ipv6 ? *ipv6 : 0;
}

Drop inject_inner(const PacketMessage& message, Packet& packet, Burst& to_forward, WorkerState& worker) {
    const Tunnel* tunnel = worker.tables.tunnel(message.tunnel);
    if (!tunnel) return Drop::tunnel_unknown;
    const std::uint32_t length = ip_length(packet.bytes());
    if (length == 0) return Drop::inject_malformed;
    packet.trim_back(packet.length() - length);
    packet.meta().table = tunnel->settings.table;
    packet.meta().tunnel = message.tunnel;
    to_forward.push(packet);
    return Drop::none;
}

}  // namespace

void inject(const PacketMessage& message, Burst& to_forward, WorkerState& worker) {
    Packet* packet = worker.pools.allocate(message.length + std::size_t{64});
    if (!packet) return worker.drops.count(Drop::no_buffer);
    packet->meta().origin = PacketMeta::Origin::own;
    std::memcpy(packet->append(message.length), message.bytes.data(), message.length);
    Drop refused = Drop::inject_malformed;
    switch (message.inject) {
    case PacketMessage::Inject::frame: refused = inject_frame(message, *packet, worker); break;
    case PacketMessage::Inject::nhrp: refused = inject_nhrp(message, *packet, worker); break;
    case PacketMessage::Inject::tunnel: refused = inject_inner(message, *packet, to_forward, worker); break;
    }
    if (refused != Drop::none) worker.drops.discard(*packet, refused);
}

Verdict sort_handover(Packet& packet, WorkerState& worker) {
    switch (packet.meta().handover) {
    case PacketMeta::Handover::decrypt: return Verdict::pass();
    case PacketMeta::Handover::encap:
        if (worker.to_encap.full()) encap_and_send(worker);
        worker.to_encap.push(packet);
        return Verdict::taken();
    case PacketMeta::Handover::transmit: break;
    }
    queue_to_port(packet, packet.meta().port, worker);
    return Verdict::taken();
}

}  // namespace nave::dataplane
