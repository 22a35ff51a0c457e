// What an inside port does with IPv6.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Passes packets that are to be forwarded, trimmed to their IP header. The twin gets what stays on the link (neighbour discovery and all else with a
/// link-local address, RFC 4007 §9) and what is for this box, as frames.
[[gnu::noinline]] Verdict classify_inside_ipv6(Packet& packet, const PortState& port, WorkerState& worker);

}  // namespace nave::dataplane
