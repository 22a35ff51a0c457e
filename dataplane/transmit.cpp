// Frames to ports; the device may take fewer than it is offered.
#include "dataplane/transmit.hpp"

#include "common/headers.hpp"
#include "dataplane/port.hpp"

#include <cstring>

namespace nave::dataplane {

namespace {

[[gnu::noinline]] void flush(PortId id, WorkerState& worker) {
    Burst& burst = worker.to_port[id.value];
    const PortLane& lane = worker.lanes[id.value];
    if (!lane.has_queue) {
        for (Packet* packet : burst.view()) {
            packet->meta().port = id;
            worker.hand_over(*packet, lane.transmitter, PacketMeta::Handover::transmit);
        }
        burst.size = 0;
        return;
    }
    const StageTimer timer{worker.clock, Stage::transmit, burst.size};
    std::array<rte_mbuf*, Burst::kCapacity> frames;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < burst.size; ++i) {
        frames[i] = burst.packets[i];
        frames[i]->ol_flags = 0;
        bytes += frames[i]->pkt_len;
    }
    const std::size_t sent = lane.port->transmit(lane.queue, {frames.data(), burst.size});
    for (std::size_t i = sent; i < burst.size; ++i) {
        bytes -= frames[i]->pkt_len;
        worker.drops.discard(*Packet::from(frames[i]), Drop::port_transmit_full);
    }
    PortCounters& counters = worker.counters.ports[id.value];
    counters.sent_packets.add(sent);
    counters.sent_bytes.add(bytes);
    burst.size = 0;
}

/// Of a port that is up.
void enqueue(Packet& packet, PortId id, WorkerState& worker) {
    Burst& burst = worker.to_port[id.value];
    if (burst.full()) flush(id, worker);
    burst.push(packet);
}

/// False when there is no room.
bool put_tag(Packet& packet, std::uint16_t vlan) {
    std::uint8_t* to = packet.prepend(sizeof(VlanHeader));
    if (!to) return false;
    constexpr std::size_t kAddresses = 2 * sizeof(MacAddress);
    std::memmove(to, to + sizeof(VlanHeader), kAddresses);
    const be16 tag[] = {be16(kEtherTypeVlan), be16(vlan)};  // what the frame said it was follows the tag
    std::memcpy(to + kAddresses, tag, sizeof tag);
    return true;
}

}  // namespace

void queue_to_port(Packet& packet, PortId id, WorkerState& worker) {
    const PortState* port = worker.tables.port(id);
    if (!port || !port->is_up()) return worker.drops.discard(packet, Drop::port_down);
    enqueue(packet, id, worker);
}

void send_to_neighbour(Packet& packet, const Adjacency& adjacency, const PortState& port, std::uint16_t ether_type, WorkerState& worker) {
    std::uint8_t* to = packet.prepend(sizeof(EthernetHeader));
    if (!to) return worker.drops.discard(packet, Drop::no_buffer);
    std::memcpy(to, &adjacency.header, sizeof adjacency.header);
    reinterpret_cast<EthernetHeader*>(to)->type = be16(ether_type);
    if (port.vlan && !put_tag(packet, *port.vlan)) return worker.drops.discard(packet, Drop::no_buffer);
    enqueue(packet, adjacency.port, worker);
}

void send_frame(Packet& packet, PortId id, WorkerState& worker) {
    const PortState* port = worker.tables.port(id);
    if (port && port->vlan && !put_tag(packet, *port->vlan)) return worker.drops.discard(packet, Drop::no_buffer);
    queue_to_port(packet, id, worker);
}

void flush_ports(WorkerState& worker) {
    for (std::uint16_t i = 0; i < worker.to_port.size(); ++i)
        if (!worker.to_port[i].empty()) flush(PortId{i}, worker);
}

}  // namespace nave::dataplane
