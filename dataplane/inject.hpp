// Packets that come in sideways: from the control plane, and from other workers.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Turns an injected message into a packet: a frame goes to its port, NHRP to its peer, an inner IP packet into `to_forward`
/// (which must have room). Malformed ones are dropped.
void inject(const PacketMessage& message, Burst& to_forward, WorkerState& worker);

/// What another worker handed over: passes ESP to decrypt; takes what is to be encapsulated or transmitted.
Verdict sort_handover(Packet& packet, WorkerState& worker);

}  // namespace nave::dataplane
