// A worker's world, made from its share of the gateway; and the ways out of it.
#include "dataplane/worker_state.hpp"

#include "dataplane/port.hpp"

namespace nave::dataplane {

namespace {

constexpr std::uint32_t kBuffersPerWaiting = 4;  // for each packet that may wait for a slow line

std::vector<PortLane> make_lanes(const WorkerSetup& setup) {
    std::vector<PortLane> lanes;
    for (Port* port : setup.ports) {
        const std::uint16_t queues = port->capabilities().queues;
        const bool has_queue = setup.id.value < queues;
        lanes.push_back({port, has_queue, setup.id.value, has_queue ? setup.id : WorkerId{static_cast<std::uint8_t>(setup.id.value % queues)}});
    }
    return lanes;
}

std::vector<Doorbell*> bells_of(std::span<PlaneRings* const> rings) {
    std::vector<Doorbell*> bells;
    for (PlaneRings* each : rings) bells.push_back(&each->worker_bell);
    return bells;
}

}  // namespace

WorkerState::WorkerState(const WorkerSetup& setup)
    : id{setup.id}, worker_count{setup.handovers.workers()}, cycles_per_second{setup.cycles_per_second}, all_counters{setup.counters},
      counters{setup.counters.workers[setup.id.value]}, drops{counters}, rings{*setup.rings[setup.id.value]}, bells{bells_of(setup.rings)}, pools{setup.pools},
      routes{setup.routes}, handovers{setup.handovers}, lanes{make_lanes(setup)}, tables{setup.id, setup.config, setup.associations},
      reassembly{setup.config.limits.reassembly_datagrams, setup.cycles_per_second, setup.pools, drops, counters.reassembled},
      punts{setup.config.limits, setup.cycles_per_second, rings}, redirects{setup.config.limits.redirect_interval_seconds * setup.cycles_per_second},
      ipv6_redirects{setup.config.limits.redirect_interval_seconds * setup.cycles_per_second},
      icmp_errors{setup.config.limits.icmp_errors.packets_per_second, setup.config.limits.icmp_errors.burst, setup.cycles_per_second},
      shaper{setup.config.limits.peers, setup.config.limits.buffers / kBuffersPerWaiting / worker_count, setup.cycles_per_second, counters.peers},
      peer_policer{setup.peer_policer}, clock{counters},
      to_port(setup.config.ports.size()), to_worker(worker_count) {}

Verdict WorkerState::punt(Packet& packet, Punt punt) {
    const Drop refused = punts.offer(punt, packet, now);
    if (refused != Drop::none) return refused;
    packet.free();
    return Verdict::taken();
}

Verdict WorkerState::hand_over(Packet& packet, WorkerId to, PacketMeta::Handover what) {
    packet.meta().handover = what;
    Burst& burst = to_worker[to.value];
    if (burst.full()) flush_handover(to);
    burst.push(packet);
    return Verdict::taken();
}

void WorkerState::flush_handover(WorkerId to) {
    Burst& burst = to_worker[to.value];
    const std::size_t given = handovers.give(id, to, burst.view());
    counters.handed_over.add(given);
    for (std::size_t i = given; i < burst.size; ++i) drops.discard(*burst.packets[i], Drop::handover_ring_full);
    bells[to.value]->ring();
    burst.size = 0;
}

bool WorkerState::emit(const Event& event) {
    const bool sent = rings.events.push(event);
    if (sent) event_sent = true;
    else counters.events_lost.add(1);
    return sent;
}

}  // namespace nave::dataplane
