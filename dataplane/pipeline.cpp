// The flow of packets through a worker. Bursts go down these functions; a stage keeps a packet in its burst, drops it with a
// reason, or takes it to one of the queues of WorkerState that finish_turn() empties.
//
//   underlay port -> check_frame -> check_outer_ip -> (reassembly) -> classify_outer -> esp_decrypt -> decap_gre -+
//   inside port ---> check_frame -> classify_inside --------------------------------------------------------------+-> forward
//   injected by the control plane --------------------------------------------------------------------------------+
//   forward -> to this box (punt) | to a neighbour (transmit) | to peers (encap_gre -> (shaper) -> esp_encrypt -> put_outer_header -> transmit)
#include "dataplane/pipeline.hpp"

#include "dataplane/encap.hpp"
#include "dataplane/esp_decrypt.hpp"
#include "dataplane/forward.hpp"
#include "dataplane/gre_decap.hpp"
#include "dataplane/inject.hpp"
#include "dataplane/port.hpp"
#include "dataplane/receive_ipv6.hpp"
#include "dataplane/receive_stages.hpp"
#include "dataplane/transmit.hpp"

namespace nave::dataplane {

namespace {

constexpr std::size_t kShapedPerTurn = 2 * Burst::kCapacity;  // so that ports are polled in between

template <class Function>
void stage(Burst& burst, WorkerState& worker, Stage name, Function&& function) {
    if (burst.empty()) return;
    worker.clock.begin(name, burst.size);
    run_stage(burst, worker.drops, [&](Packet& packet) { return function(packet, worker); });
}

/// Inner packets at their IP header that are neither for this box nor for many.
[[gnu::flatten, gnu::noinline]] void route(Burst& burst, WorkerState& worker) {
    if (burst.empty()) return;
    worker.clock.begin(Stage::route, burst.size);
    RouteTables::NextHops next_hops;
    const bool any_ipv6 = worker.routes.lookup(burst, next_hops);
    constexpr std::size_t kTargetsAhead = 12;  // a peer's lines come from farther away than a packet's
    const std::size_t count = burst.size;
    for (std::size_t i = 0; i < std::min(count, kTargetsAhead); ++i) worker.tables.prefetch(static_cast<std::uint32_t>(next_hops[i]));
    std::size_t next = 0;
    run_stage(burst, worker.drops, [&](Packet& packet) {
        const std::size_t i = next++;
        if (i + kTargetsAhead < count) worker.tables.prefetch(static_cast<std::uint32_t>(next_hops[i + kTargetsAhead]));
        const auto next_hop = static_cast<std::uint32_t>(next_hops[i]);
        return any_ipv6 && packet.is_ipv6() ? follow_ipv6_route(packet, next_hop, worker) : follow_ipv4_route(packet, next_hop, worker);
    });
}

/// What came in to be forwarded, whatever side it came from; then the errors that it caused, which cause none.
void forward(Burst& burst, WorkerState& worker) {
    route(burst, worker);
    stage(worker.from_here, worker, Stage::route, deliver_or_replicate);
    route(worker.from_here, worker);
}

/// ESP packets of this worker's SAs.
[[gnu::flatten, gnu::noinline]] void from_tunnel(Burst& burst, WorkerState& worker) {
    if (burst.empty()) return;
    worker.clock.begin(Stage::esp_decrypt, burst.size);
    esp_decrypt(burst, worker);
    stage(burst, worker, Stage::gre_decap, [](Packet& packet, WorkerState& w) {
        const Verdict inner = decap_gre(packet, w);
        return inner.passes() ? deliver_or_replicate(packet, w) : inner;
    });
    forward(burst, worker);
}

bool is_ipv6(const Packet& frame) { return reinterpret_cast<const EthernetHeader*>(frame.data())->type.host() == kEtherTypeIpv6; }

/// One pass over a burst as it came from the underlay: is it ours, is it whole, whose is it.
Verdict classify_underlay(Packet& packet, const PortState& port, Burst& completed, WorkerState& worker) {
    if (const Verdict frame = check_frame(packet, port, worker); !frame.passes()) return frame;
    if (is_ipv6(packet)) return receive_outer_ipv6(packet, port, completed, worker);
    if (const Verdict ours = check_outer_ip(packet, port, worker); !ours.passes()) return ours;
    if (packet.header<Ipv4Header>(sizeof(EthernetHeader))->is_fragment()) return worker.reassembly.add(packet, worker.now, completed);
    return classify_outer(packet, worker);
}

[[gnu::flatten, gnu::noinline]] void from_underlay(Burst& burst, const PortState& port, WorkerState& worker) {
    Burst completed;
    stage(burst, worker, Stage::classify, [&](Packet& packet, WorkerState& w) { return classify_underlay(packet, port, completed, w); });
    stage(completed, worker, Stage::reassemble, [](Packet& packet, WorkerState& w) { return is_ipv6(packet) ? classify_reassembled_ipv6(packet, w) : classify_outer(packet, w); });
    for (Packet* datagram : completed.view()) burst.push(*datagram);
    from_tunnel(burst, worker);
}

[[gnu::flatten, gnu::noinline]] void from_inside(Burst& burst, const PortState& port, WorkerState& worker) {
    stage(burst, worker, Stage::classify, [&](Packet& packet, WorkerState& w) {
        if (const Verdict frame = check_frame(packet, port, w); !frame.passes()) return frame;
        const Verdict inside = classify_inside(packet, port, w);
        return inside.passes() ? deliver_or_replicate(packet, w) : inside;
    });
    forward(burst, worker);
}

/// One burst of one port, each packet in one piece and with fresh metadata.
[[gnu::flatten, gnu::noinline]] void receive(PortId id, Burst& burst, WorkerState& worker) {
    const PortLane& lane = worker.lanes[id.value];
    std::array<rte_mbuf*, Burst::kCapacity> frames;
    const std::size_t count = lane.port->receive(lane.queue, frames);
    if (count == 0) return;
    worker.clock.count(Stage::receive, count);
    PacketMeta fresh;
    fresh.port = id;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kPrefetchAhead < count) rte_prefetch0(frames[i + kPrefetchAhead]);
        Packet* packet = Packet::from(frames[i]);
        packet->meta() = fresh;
        bytes += packet->length();
        if (packet->nb_segs > 1) {
            Packet* whole = worker.pools.contiguous(*packet, 0, 0);
            if (!whole) {
                worker.drops.discard(*packet, Drop::no_buffer);
                continue;
            }
            packet = whole;
        }
        burst.push(*packet);
    }
    PortCounters& counters = worker.counters.ports[id.value];
    counters.received_packets.add(count);
    counters.received_bytes.add(bytes);
}

}  // namespace

std::size_t receive_all(WorkerState& worker) {
    std::size_t total = 0;
    for (std::uint16_t i = 0; i < worker.lanes.size(); ++i) {
        if (!worker.lanes[i].has_queue) continue;
        worker.clock.enter(Stage::receive);
        Burst burst;
        receive(PortId{i}, burst, worker);
        total += burst.size;
        if (burst.empty()) continue;
        const PortState& port = *worker.tables.port(PortId{i});
        if (port.role == PortRole::underlay) from_underlay(burst, port, worker);
        else from_inside(burst, port, worker);
    }
    return total;
}

std::size_t take_handovers(WorkerState& worker) {
    std::size_t total = 0;
    for (std::uint8_t from = 0; from < worker.worker_count; ++from) {
        if (from == worker.id.value) continue;
        // All that waits is taken in every turn, before commands: so no packet outlives the peer that it was handed over for.
        const std::size_t end = total + worker.handovers.waiting(WorkerId{from}, worker.id);
        for (Burst burst; total < end; burst.size = 0) {
            worker.handovers.take(WorkerId{from}, worker.id, burst);
            total += burst.size;
            run_stage(burst, worker.drops, [&](Packet& packet) { return sort_handover(packet, worker); });
            from_tunnel(burst, worker);
        }
    }
    return total;
}

std::size_t take_injected(WorkerState& worker) {
    Burst to_forward;
    std::size_t total = 0;
    if (worker.rings.injected.read_available() == 0) return 0;
    worker.clock.enter(Stage::inject);
    while (total < Burst::kCapacity && worker.rings.injected.read_available() > 0) {
        inject(worker.rings.injected.front(), to_forward, worker);
        worker.rings.injected.pop();
        ++total;
    }
    worker.clock.count(Stage::inject, total);
    stage(to_forward, worker, Stage::route, deliver_or_replicate);
    forward(to_forward, worker);
    return total;
}

[[gnu::flatten, gnu::noinline]] void encap_and_send(WorkerState& worker) {
    Burst& burst = worker.to_encap;
    if (burst.empty()) return;
    // Also called from the middle of another stage, when the queue is full.
    StageTimer timer{worker.clock, Stage::gre_encap, burst.size};
    run_stage(burst, worker.drops, [&](Packet& packet) { return encap_gre(packet, worker); });
    worker.clock.begin(Stage::esp_encrypt, burst.size);
    esp_encrypt(burst, worker);
    worker.clock.begin(Stage::outer_header, burst.size);
    run_stage(burst, worker.drops, [&](Packet& packet) { return put_outer_header(packet, worker); });
}

std::size_t take_shaped(WorkerState& worker) {
    if (worker.shaper.due() > worker.now) return 0;
    worker.clock.enter(Stage::gre_encap);
    std::size_t total = 0;
    while (total < kShapedPerTurn) {
        Packet* packet = worker.shaper.take(worker.now);
        if (!packet) break;
        packet->meta().paced = true;
        if (worker.to_encap.full()) encap_and_send(worker);
        worker.to_encap.push(*packet);
        ++total;
    }
    return total;
}

void finish_turn(WorkerState& worker) {
    encap_and_send(worker);
    flush_ports(worker);
    for (std::uint8_t to = 0; to < worker.worker_count; ++to)
        if (!worker.to_worker[to].empty()) worker.flush_handover(WorkerId{to});
    worker.clock.enter(Stage::idle);
    if (worker.punts.take_bell_due() || std::exchange(worker.event_sent, false)) worker.rings.control_bell->ring();
}

}  // namespace nave::dataplane
