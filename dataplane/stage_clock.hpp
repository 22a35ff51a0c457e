// Charges TSC cycles to the stages, each cycle to exactly one.
#pragma once

#include "common/counters.hpp"

#include <rte_cycles.h>
#include <utility>

namespace nave::dataplane {

/// Which stage the worker is in. A stage that runs inside another one (a full batch that is flushed) interrupts its bill.
class StageClock {
public:
    explicit StageClock(WorkerCounters& counters) : counters_{counters}, since_{rte_rdtsc()} {}

    /// Bills what passed to the stage that ends, and starts the next one. Returns the one that ended.
    Stage enter(Stage stage) {
        const std::uint64_t now = rte_rdtsc();
        of(current_).cycles.add(now - since_);
        since_ = now;
        return std::exchange(current_, stage);
    }
    /// Stages that follow each other need one reading of the TSC each: the next one's start is the end of this one.
    void begin(Stage stage, std::size_t packets) {
        enter(stage);
        count(stage, packets);
    }
    void count(Stage stage, std::size_t packets) {
        of(stage).calls.add(1);
        of(stage).packets.add(packets);
    }

private:
    StageCounters& of(Stage stage) { return counters_.stages[static_cast<std::size_t>(stage)]; }
    WorkerCounters& counters_;
    Stage current_ = Stage::idle;
    std::uint64_t since_;
};

/// A stage that interrupts another one for the length of a scope.
class StageTimer {
public:
    StageTimer(StageClock& clock, Stage stage, std::size_t packets) : clock_{clock}, outer_{clock.enter(stage)} { clock.count(stage, packets); }
    ~StageTimer() { clock_.enter(outer_); }
    StageTimer(const StageTimer&) = delete;
    StageTimer& operator=(const StageTimer&) = delete;

private:
    StageClock& clock_;
    Stage outer_;
};

}  // namespace nave::dataplane
