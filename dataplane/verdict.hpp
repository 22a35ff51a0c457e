// How a stage answers, and the one loop over a burst that prefetches, counts and frees.
#pragma once

#include "common/counters.hpp"
#include "dataplane/packet.hpp"

#include <rte_prefetch.h>
#include <type_traits>

namespace nave::dataplane {

/// A stage's answer for one packet: it passes, it was taken (freed, punted, queued or handed over), or it is dropped with a reason.
class Verdict {
public:
    /// Stages say `return Drop::gre_runt;`. Drop::none would be neither way on nor way out, so it counts as our bug: the packet is freed.
    constexpr Verdict(Drop reason) : kind_{Kind::dropped}, reason_{reason} {}  // NOLINT(google-explicit-constructor)
    static constexpr Verdict pass() { return Verdict{Kind::passed}; }
    /// The stage gave the packet away; the loop forgets it.
    static constexpr Verdict taken() { return Verdict{Kind::taken}; }

    constexpr bool passes() const { return kind_ == Kind::passed; }
    constexpr bool is_taken() const { return kind_ == Kind::taken; }
    constexpr Drop reason() const { return reason_; }

private:
    enum class Kind : std::uint8_t { passed, taken, dropped };
    constexpr explicit Verdict(Kind kind) : kind_{kind}, reason_{Drop::none} {}
    Kind kind_;
    Drop reason_;
};

/// One worker's drop counters; only its own thread discards.
class DropCounters {
public:
    explicit DropCounters(WorkerCounters& counters) : counters_{counters} {}
    void count(Drop reason) { counters_.drops[static_cast<std::size_t>(reason)].add(1); }
    /// Counts and frees.
    [[gnu::cold, gnu::noinline]] void discard(Packet& packet, Drop reason) {
        count(reason);
        packet.free();
    }

private:
    WorkerCounters& counters_;
};

/// How many packets before its turn a packet's metadata and first bytes are fetched.
inline constexpr std::size_t kPrefetchAhead = 4;

/// Runs `stage` (Packet& -> Verdict) over a burst and keeps in it what passed, in order. A stage that may replace a packet by
/// a copy with more room takes Packet*& instead.
template <class Stage>
void run_stage(Burst& burst, DropCounters& drops, Stage&& stage) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < burst.size; ++i) {
        if (i + kPrefetchAhead < burst.size) {
            Packet* ahead = burst.packets[i + kPrefetchAhead];
            rte_prefetch0(&ahead->meta());
            rte_prefetch0(ahead->data());
        }
        Packet* packet = burst.packets[i];
        const Verdict verdict = [&] {
            if constexpr (std::is_invocable_v<Stage, Packet&>) return stage(*packet);
            else return stage(packet);
        }();
        if (verdict.passes()) burst.packets[kept++] = packet;
        else if (!verdict.is_taken()) drops.discard(*packet, verdict.reason());
    }
    burst.size = kept;
}

}  // namespace nave::dataplane
