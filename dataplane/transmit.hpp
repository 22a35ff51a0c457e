// The last steps of a packet: a frame around it, and out of a port.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Puts Ethernet (and the port's VLAN tag) around an inner IP packet and queues it. `port` is the adjacency's, and up. Takes it.
void send_to_neighbour(Packet& packet, const Adjacency& adjacency, const PortState& port, std::uint16_t ether_type, WorkerState& worker);

/// Queues a whole frame, tag and all, for a port. Takes it; a full queue is sent first.
void queue_to_port(Packet& packet, PortId port, WorkerState& worker);

/// The same for a frame without a tag, which gets the port's.
void send_frame(Packet& packet, PortId port, WorkerState& worker);

/// Sends what is queued for all ports.
void flush_ports(WorkerState& worker);

}  // namespace nave::dataplane
