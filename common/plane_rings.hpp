// The rings between the control thread and one worker or the route writer, and the doorbells that wake a sleeper.
#pragma once

#include "common/plane_messages.hpp"

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <memory>

namespace nave {

/// Wakes a thread that sleeps on an eventfd. The sleeper announces its sleep, so that a ringer pays a system call
/// only when somebody sleeps.
class Doorbell {
public:
    Doorbell();
    ~Doorbell();
    Doorbell(const Doorbell&) = delete;
    Doorbell& operator=(const Doorbell&) = delete;

    /// The descriptor to wait on for reading.
    int descriptor() const { return descriptor_; }
    /// Sleeper: call before the last look at the rings; then wait only if they are empty.
    void announce_sleep() { asleep_.store(true, std::memory_order_seq_cst); }
    /// Sleeper: call after waking; empties the descriptor.
    void awake();
    /// Ringer: after a push. Any thread.
    void ring();

private:
    int descriptor_;
    std::atomic<bool> asleep_{false};
};

/// Both directions between the control thread and one worker. Every push answers whether there was room.
struct PlaneRings {
    static constexpr std::size_t kCommands = 4096, kEvents = 4096, kPackets = 512;

    boost::lockfree::spsc_queue<Command, boost::lockfree::capacity<kCommands>> commands;
    boost::lockfree::spsc_queue<Event, boost::lockfree::capacity<kEvents>> events;
    boost::lockfree::spsc_queue<PacketMessage, boost::lockfree::capacity<kPackets>> punted;
    boost::lockfree::spsc_queue<PacketMessage, boost::lockfree::capacity<kPackets>> injected;
    Doorbell worker_bell;    // rung by the control thread after commands and injected packets, by other workers after handovers
    Doorbell* control_bell;  // shared by all workers; a worker rings it after events and punted packets

    explicit PlaneRings(Doorbell& control) : control_bell{&control} {}
};

/// Both directions between the control thread and the thread that writes the routes.
struct RouteRings {
    static constexpr std::size_t kCommands = 16384, kEvents = 4096;

    boost::lockfree::spsc_queue<RouteCommand, boost::lockfree::capacity<kCommands>> commands;
    boost::lockfree::spsc_queue<Event, boost::lockfree::capacity<kEvents>> events;
    Doorbell writer_bell;    // the control thread rings it after commands
    Doorbell* control_bell;  // the one that the workers ring too

    explicit RouteRings(Doorbell& control) : control_bell{&control} {}
};

}  // namespace nave
