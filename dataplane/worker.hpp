// One core's loop: packets, commands, rest.
#pragma once

#include "dataplane/pause.hpp"
#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Runs to completion: a packet that came in a turn has left the worker when the turn ends, or waits for its other fragments or in the shaper.
class Worker {
public:
    /// Main thread; ports are started, so that their wakes are known.
    explicit Worker(const WorkerSetup& setup);

    /// One turn at TSC time `now`: handovers, ports, commands, injected packets. True if there was anything to do.
    bool run_turn(std::uint64_t now);
    /// What run() repeats: a turn, and in adaptive mode a rest when turns find nothing to do.
    void step();
    /// Turns until the command ShutDown, with rests in adaptive mode. The worker's own lcore.
    void run();

    /// For tests and for operators' snapshots while the worker does not run.
    WorkerState& state() { return state_; }

private:
    /// The oldest `due` commands, or as many as one turn may take.
    std::size_t drain_commands(std::size_t due);
    void tend_reassembly();
    /// Until the shaper's next packet is due; a second at most.
    Duration until_shaped(std::uint64_t now) const;

    WorkerState state_;
    Pause pause_;
    std::uint64_t reassembly_tended_at_ = 0;
    bool stopping_ = false;
};

}  // namespace nave::dataplane
