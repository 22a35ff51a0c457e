// Stages for frames as they arrive: Ethernet and VLAN, then what an underlay or an inside port does with IPv4.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Known port, Ethernet, VLAN tag, destination MAC. Passes IP frames, their tag taken out; punts ARP.
Verdict check_frame(Packet& packet, const PortState& port, WorkerState& worker);

/// Underlay: passes IPv4 datagrams and fragments to our own addresses; the frame's header is still in front. Nothing from an
/// underlay port is ever forwarded.
Verdict check_outer_ip(Packet& packet, const PortState& port, WorkerState& worker);

/// Underlay: what a whole IPv4 datagram to us is, see classify_transport().
Verdict classify_outer(Packet& packet, WorkerState& worker);

/// Inside: passes IP packets that are to be forwarded, trimmed to their IP header; the kernel gets what is for this box.
Verdict classify_inside(Packet& packet, const PortState& port, WorkerState& worker);

}  // namespace nave::dataplane
