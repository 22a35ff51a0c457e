// How a worker rests when there is nothing to do: first it spins, then it sleeps until a packet, a doorbell or a timer wakes it.
#pragma once

#include "common/plane_rings.hpp"
#include "common/time.hpp"

#include <cstdint>
#include <poll.h>
#include <vector>

namespace nave::dataplane {

enum class RunMode : std::uint8_t;

/// A descriptor that becomes readable when a receive queue has packets.
struct QueueWake {
    int descriptor = -1;
    bool is_counter = false;   // an eventfd: reading clears it
    bool needs_arming = false; // the driver rings only after rte_eth_dev_rx_intr_enable
    std::uint16_t device = 0;  // ethdev port
    std::uint16_t queue = 0;
};

/// Decides when to rest and how long. Pure.
class PausePlan {
public:
    /// Empty turns before the first rest: long enough that a burst's successor usually finds the worker awake.
    static constexpr std::uint32_t kSpinTurns = 64;
    /// Where some queue cannot wake us, rests grow from the first to the last of these.
    static constexpr Duration kFirstPause = std::chrono::microseconds{16}, kLastPause = std::chrono::milliseconds{1};
    /// Where every queue wakes us; bounds how late work that only time brings is done (reassembly that gives up).
    static constexpr Duration kWokenPause = std::chrono::milliseconds{50};

    struct Step {
        enum class Kind : std::uint8_t {
            go_on,  // next turn at once
            arm,    // announce the rest, then make one more turn: work that came before the announcement must not be slept over
            rest,
        } kind = Kind::go_on;
        Duration longest{};  // of the rest
        bool operator==(const Step&) const = default;
    };

    PausePlan(RunMode mode, bool every_queue_wakes) : mode_{mode}, every_queue_wakes_{every_queue_wakes} {}
    /// What to do after a turn that found work or not.
    Step after_turn(bool busy);
    /// A queue cannot wake us any longer.
    void lose_a_wake() { every_queue_wakes_ = false; }

private:
    RunMode mode_;
    bool every_queue_wakes_;
    bool armed_ = false;
    std::uint32_t empty_turns_ = 0;
    Duration pause_ = kFirstPause;
};

/// A worker's rest. Only its worker uses it; others wake it through the doorbell. Use:
///     if (const Duration longest = pause.after_turn(busy); longest > Duration::zero()) { /* RCU offline */ pause.rest(longest); /* RCU online */ }
class Pause {
public:
    /// `bell`: the worker's doorbell, outlives the pause. `wakes`: one for each receive queue that the worker polls and that
    /// has one (Port::wake); `every_queue_wakes`: none lacks it.
    Pause(RunMode mode, Doorbell& bell, std::vector<QueueWake> wakes, bool every_queue_wakes);

    /// Call after each turn, with whether the turn found a packet, a command or a handover. Zero: make the next turn at once.
    Duration after_turn(bool busy);
    /// Sleeps until a packet, the doorbell, or `longest`. Only with what after_turn gave.
    void rest(Duration longest);

private:
    void arm();
    void disarm();
    void settle(pollfd& watched, const QueueWake& wake);

    PausePlan plan_;
    Doorbell* bell_;
    std::vector<QueueWake> wakes_;
    std::vector<pollfd> watched_;  // the bell, then the wakes
    bool armed_ = false;
    bool precise_timer_ = false;   // this thread's timer slack was set
};

}  // namespace nave::dataplane
