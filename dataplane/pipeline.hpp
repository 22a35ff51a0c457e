// The packet path as steps over bursts; pipeline.cpp alone explains the flow.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Polls every port of the worker once. Returns the packets received.
std::size_t receive_all(WorkerState& worker);

/// Takes what other workers handed over. Returns the packets taken.
std::size_t take_handovers(WorkerState& worker);

/// Moves injected packets from the control plane's ring into the path. Returns how many.
std::size_t take_injected(WorkerState& worker);

/// Puts what waited for a peer's line, and may leave, into to_encap. Returns how many.
std::size_t take_shaped(WorkerState& worker);

/// GRE, ESP and out: everything in to_encap.
void encap_and_send(WorkerState& worker);

/// Sends all that is queued, to peers, ports and workers, and tells the control thread when something went up.
void finish_turn(WorkerState& worker);

}  // namespace nave::dataplane
