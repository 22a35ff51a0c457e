// Policing and copying of punted packets.
#include "dataplane/punt_gate.hpp"

namespace nave::dataplane {

PuntGate::PuntGate(const Limits& limits, std::uint64_t cycles_per_second, PlaneRings& rings)
    : rings_{rings}, nhrp_of_peer_(limits.peers, Policer{limits.nhrp_of_peer.packets_per_second, limits.nhrp_of_peer.burst, cycles_per_second}) {
    for (const PoliceRate& rate : limits.punt) policers_.emplace_back(rate.packets_per_second, rate.burst, cycles_per_second);
}

Drop PuntGate::offer(Punt punt, const Packet& packet, std::uint64_t now, std::size_t bytes_max) {
    const PacketMeta& meta = packet.meta();
    if (punt == Punt::nhrp && !nhrp_of_peer_[meta.from_peer.value].allow(now)) return Drop::nhrp_of_peer_policed;
    if (!policers_[static_cast<std::size_t>(punt)].allow(now)) return Drop::punt_policed;
    message_.punt = punt;
    message_.port = meta.port;
    message_.tunnel = meta.tunnel;
    message_.peer = meta.from_peer;
    message_.set(packet.bytes().first(std::min({packet.bytes().size(), bytes_max, PacketMessage::kBytesMax})));
    if (!rings_.punted.push(message_)) return Drop::punt_ring_full;
    bell_due_ = true;
    return Drop::none;
}

}  // namespace nave::dataplane
