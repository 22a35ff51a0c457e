// Telling a sender, or the kernel, why its packet goes no further.
#pragma once

#include "dataplane/icmp_error.hpp"
#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Makes an ICMP error about an inner packet (which stays the caller's) when the rules and the rate allow it; the pipeline routes it. It comes from
/// the address of ours that the sender met: the tunnel's or the inside port's. About a packet of the kernel's only what it can act upon is
/// said, "fragmentation needed" or "packet too big", into the tunnel's twin.
[[gnu::cold, gnu::noinline]] void answer_with_error(const Packet& packet, const IcmpError& error, WorkerState& worker);

}  // namespace nave::dataplane
