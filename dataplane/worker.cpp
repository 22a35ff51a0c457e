// The loop of a worker.
#include "dataplane/worker.hpp"

#include "dataplane/commands.hpp"
#include "dataplane/pipeline.hpp"
#include "dataplane/port.hpp"

#include <algorithm>

namespace nave::dataplane {

namespace {

constexpr std::size_t kCommandsPerTurn = 64;

Pause make_pause(const WorkerSetup& setup) {
    std::vector<QueueWake> wakes;
    bool every_queue_wakes = true;
    for (const Port* port : setup.ports) {
        if (setup.id.value >= port->capabilities().queues) continue;
        if (const auto wake = port->wake(setup.id.value)) wakes.push_back(*wake);
        else every_queue_wakes = false;
    }
    return {setup.config.mode, setup.rings[setup.id.value]->worker_bell, std::move(wakes), every_queue_wakes};
}

}  // namespace

Worker::Worker(const WorkerSetup& setup) : state_{setup}, pause_{make_pause(setup)} {}

bool Worker::run_turn(std::uint64_t now) {
    state_.now = now;
    // Only commands that are here before the handovers are taken: a packet handed over for a peer that was removed since is in its
    // ring before the control plane can send the command that puts another peer in the slot.
    const std::size_t commands_due = state_.rings.commands.read_available();
    std::size_t work = take_handovers(state_);
    work += receive_all(state_);
    work += take_shaped(state_);
    // What was received is sent before tables change under it.
    finish_turn(state_);
    state_.routes.quiescent(state_.id);
    work += drain_commands(commands_due);
    work += take_injected(state_);
    tend_reassembly();
    finish_turn(state_);
    return work > 0;
}

void Worker::run() {
    state_.routes.online(state_.id);
    while (!stopping_) step();
    state_.routes.offline(state_.id);
}

void Worker::step() {
    const bool busy = run_turn(rte_rdtsc());
    const Duration longest = std::min(pause_.after_turn(busy), until_shaped(rte_rdtsc()));
    if (longest <= Duration::zero()) return;
    state_.routes.offline(state_.id);
    pause_.rest(longest);
    state_.routes.online(state_.id);
}

Duration Worker::until_shaped(std::uint64_t now) const {
    const std::uint64_t due = state_.shaper.due();
    if (due <= now) return Duration::zero();
    const std::uint64_t second = state_.cycles_per_second;
    return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(due - now, second) * 1'000'000'000 / second)};
}

std::size_t Worker::drain_commands(std::size_t due) {
    if (due == 0) return 0;
    auto& commands = state_.rings.commands;
    StageTimer timer{state_.clock, Stage::commands, 0};
    const std::size_t count = std::min(due, kCommandsPerTurn);
    for (std::size_t done = 0; done < count; ++done) {
        const Command& command = commands.front();
        if (std::holds_alternative<ShutDown>(command)) stopping_ = true;
        else execute(command, state_);
        commands.pop();
    }
    return count;
}

void Worker::tend_reassembly() {
    // Ten times a second is fine for a timeout of seconds.
    if (state_.now - reassembly_tended_at_ < state_.cycles_per_second / 10) return;
    reassembly_tended_at_ = state_.now;
    state_.reassembly.expire(state_.now);
}

}  // namespace nave::dataplane
