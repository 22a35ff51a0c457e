// When packets are due at a steady rate. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nave::rig::throughput {

/// Tells how many packets are due. What a generator that was held up missed is caught up only to a small extent: a long burst
/// at full speed would measure the buffers of the device rather than its rate.
class Pacer {
public:
    /// `start` in clock cycles; both rates per second; backlog_max in packets.
    Pacer(std::uint64_t start, double packets_per_second, double cycles_per_second, std::uint64_t backlog_max)
        : start_{start}, packets_per_cycle_{packets_per_second / cycles_per_second}, backlog_max_{backlog_max} {}

    /// Packets due at `now` that were not taken yet.
    std::uint64_t due(std::uint64_t now) {
        const auto planned = now <= start_ ? 0 : static_cast<std::uint64_t>(static_cast<double>(now - start_) * packets_per_cycle_);
        // planned never shrinks, so taken + forgiven never overtakes it.
        const std::uint64_t backlog = planned - taken_ - forgiven_;
        if (backlog > backlog_max_) forgiven_ += backlog - backlog_max_;
        return std::min(backlog, backlog_max_);
    }
    /// That many of the due packets were sent.
    void take(std::uint64_t packets) { taken_ += packets; }
    std::uint64_t taken() const { return taken_; }

private:
    std::uint64_t start_;
    double packets_per_cycle_;
    std::uint64_t backlog_max_;
    std::uint64_t taken_ = 0, forgiven_ = 0;
};

}  // namespace nave::rig::throughput
