// Stages for IPv6 frames of the underlay, and for neighbour discovery on every port.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Underlay: an IPv6 frame that check_frame passed. As check_outer_ip and classify_outer do with IPv4; a fragment (RFC 8200 §4.5) goes to
/// reassembly, and the one that completes its packet puts that into `completed`.
[[gnu::noinline]] Verdict receive_outer_ipv6(Packet& packet, const PortState& port, Burst& completed, WorkerState& worker);

/// Underlay: what a packet that reassembly made is.
Verdict classify_reassembled_ipv6(Packet& packet, WorkerState& worker);

/// Any port: hands a frame with a whole IPv6 header up to the port's twin. Neighbour discovery goes in the class of ARP, and only if it comes
/// from the link (RFC 4861 §6.1, §7.1).
[[gnu::cold, gnu::noinline]] Verdict punt_ipv6_frame(Packet& packet, WorkerState& worker);

}  // namespace nave::dataplane
