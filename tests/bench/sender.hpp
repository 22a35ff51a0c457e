// The control plane's end of the route writer's ring, as far as a measurement needs it.
#pragma once

#include "tests/bench/forwarder.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace nave::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
inline double seconds_since(Clock::time_point start) { return Seconds(Clock::now() - start).count(); }

/// Sends changes as far as there is room in the ring, and waits for more room.
class Sender {
public:
    explicit Sender(Forwarder& forwarder) : forwarder_{forwarder} {}

    void send(const RouteCommand& command) {
        RouteRings& rings = forwarder_.route_rings();
        while (!rings.commands.push(command)) {
            ++full_;
            rings.writer_bell.ring();
            std::this_thread::sleep_for(std::chrono::microseconds{50});
        }
        ++sent_;
    }
    void wake() { forwarder_.route_rings().writer_bell.ring(); }
    /// Until all that was sent is carried out.
    void finish() {
        wake();
        while (!forwarder_.routes_are_written()) std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
    /// How often the ring was full.
    std::uint64_t full() const { return full_; }

    /// So many changes a second, in portions of a millisecond; gives the rate that came out.
    template <class Change>
    double paced(std::uint32_t per_second, double seconds, Change&& change) {
        const auto start = Clock::now();
        const std::uint64_t first = sent_;
        const auto total = static_cast<std::uint64_t>(per_second * seconds);
        for (auto tick = start; sent_ - first < total;) {
            tick += std::chrono::milliseconds{1};
            const auto due = std::min(total, static_cast<std::uint64_t>(Seconds(tick - start).count() * per_second));
            while (sent_ - first < due) send(change());
            wake();
            std::this_thread::sleep_until(tick);
        }
        finish();
        return static_cast<double>(total) / seconds_since(start);
    }
    /// As many changes as can be made.
    template <class Change>
    double flat_out(double seconds, Change&& change) {
        const auto start = Clock::now();
        const std::uint64_t first = sent_;
        while (seconds_since(start) < seconds) {
            for (int i = 0; i < 64; ++i) send(change());
            wake();
        }
        finish();
        return static_cast<double>(sent_ - first) / seconds_since(start);
    }

private:
    Forwarder& forwarder_;
    std::uint64_t sent_ = 0, full_ = 0;
};

}  // namespace nave::bench
