// GRE of decrypted packets, and everything that must hold for the packet inside before it is forwarded.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Passes inner IPv4 packets that their peer may send, trimmed to their IP header; NHRP is punted with its peer.
Verdict decap_gre(Packet& packet, WorkerState& worker);

}  // namespace nave::dataplane
