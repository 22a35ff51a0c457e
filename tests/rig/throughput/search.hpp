// The search for the highest rates that a device passes on with no loss, and with little. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace nave::rig::throughput {

/// What to look for and how hard.
struct SearchSettings {
    double rate_max = 1e6;             // packets/s: the first trial
    double rate_min = 1000;            // packets/s: a goal that is missed here has the rate 0
    double resolution = 0.01;          // a rate is found when the next one that fails is at most this share above it
    std::vector<double> goals{0, 0.005};  // the loss ratio that each wanted rate may have, ascending: NDR, PDR
    unsigned repeat = 1;               // trials of a rate, of which more than half must meet the goal; they end once that is decided
    unsigned trials_max = 60;
};

/// One trial: how fast packets really went out, and which share of them was lost.
struct Measured {
    double pace = 0;     // packets/s while the generator ran: what the search goes by
    double offered = 0;  // packets/s over the whole trial, pauses in which something else held the generator up included
    double loss = 0;     // 0 to 1
};

/// What is known about one goal.
struct Found {
    double rate = 0;                    // packets/s offered: the highest that met the goal, below all that missed it; 0: none did
    double loss = 0;                    // median of the trials at that rate
    std::optional<double> missed_at;    // packets/s, the lowest pace that missed it; nothing: the generator is the limit
    bool converged = false;             // the paces of both are as close as the resolution asks, or there is no limit to find
};

/// Binary search for several goals at once, in the manner of RFC 2544 §26.1 and RFC 9411 §7.3: every trial narrows all of them.
/// First the highest rate, then what came through of it, then halves. Use: while (auto rate = search.next()) search.record(...).
class RateSearch {
public:
    explicit RateSearch(SearchSettings settings) : settings_{std::move(settings)} {}

    /// The rate of the next trial in packets/s; nothing when all goals are settled or the trials are used up.
    std::optional<double> next() const;
    /// The result of a trial at the rate that next() gave.
    void record(const Measured& trial);
    Found found(std::size_t goal) const;
    std::size_t trials() const { return trials_; }

private:
    /// The trials at one wanted rate.
    struct Candidate {
        double wanted = 0;
        std::vector<Measured> trials;
        double mean(double Measured::*value) const;
        double pace() const { return mean(&Measured::pace); }
        double median_loss() const;
    };
    enum class Verdict { open, met, missed };
    /// The narrowest range known: below holds the goal, above misses it.
    struct Range {
        const Candidate* below = nullptr;
        const Candidate* above = nullptr;
    };

    Verdict verdict(const Candidate& candidate, double loss_max) const;
    bool is_open(const Candidate& candidate) const;
    Range range(double loss_max) const;
    bool settled(const Range& range) const;
    double between(const Range& range) const;

    SearchSettings settings_;
    std::vector<Candidate> candidates_;  // in the order tried
    std::size_t trials_ = 0;
};

}  // namespace nave::rig::throughput
