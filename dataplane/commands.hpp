// What each command of the control plane does to a worker.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Executes a command between bursts and acknowledges what asks for it. Commands that name something beyond the tables are
/// counted as refused. ShutDown is the loop's.
void execute(const Command& command, WorkerState& worker);

}  // namespace nave::dataplane
