// Token buckets in TSC cycles: for events of one kind, and for the bytes of each peer.
#pragma once

#include "common/ids.hpp"
#include "common/traffic_class.hpp"
#include "dataplane/lazy_array.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace nave::dataplane {

/// Allows `per_second` events a second and bursts of `burst`. Time is an argument. One owner.
class Policer {
public:
    Policer(std::uint32_t per_second, std::uint32_t burst, std::uint64_t cycles_per_second)
        : cost_{cycles_per_second / std::max(1u, per_second)}, capacity_{cost_ * std::max(1u, burst)}, credit_{capacity_} {}

    /// True if one more event fits. `now` in cycles, never going back.
    [[nodiscard]] bool allow(std::uint64_t now) {
        // The first call only sets the clock, so that the bucket starts full whatever the TSC says.
        const std::uint64_t elapsed = last_ == 0 || now < last_ ? 0 : now - last_;
        last_ = now;
        credit_ = std::min(capacity_, elapsed >= capacity_ ? capacity_ : credit_ + elapsed);
        if (credit_ < cost_) return false;
        credit_ -= cost_;
        return true;
    }

private:
    std::uint64_t cost_, capacity_, credit_, last_ = 0;
};

/// What peers with a limited rate may send, through whichever workers it comes: one meter for each peer, which they share.
class PeerPolicer {
public:
    /// What may come at once after silence: TCP needs about a round trip of it to reach the rate.
    static constexpr std::uint64_t kBurstMilliseconds = 100;

    PeerPolicer(std::uint32_t peers, std::uint64_t cycles_per_second) : meters_{peers}, cycles_per_second_{cycles_per_second} {}

    /// 0: no limit. Any worker; each learns of the same rate. Callers checked the peer's number.
    void set_rate(PeerId peer, std::uint64_t bits_per_second) {
        meters_[peer.value].cost.store(bits_per_second == 0 ? 0 : (cycles_per_second_ * 8 << kCostFraction) / bits_per_second);
    }
    /// True if the packet, `bytes` long on the underlay, is within the rate. Priority traffic may borrow a second burst, so that what keeps
    /// the network alive comes through however much data there is. `now` in TSC cycles. Any worker.
    [[nodiscard]] bool allow(PeerId peer, std::uint64_t bytes, TrafficClass traffic, std::uint64_t now) {
        Meter& meter = meters_[peer.value];
        const std::uint64_t cost = (bytes * meter.cost.load()) >> (kCostFraction - kTimeFraction);
        if (cost == 0) return true;
        const std::uint64_t earliest = now > burst() ? (now - burst()) << kTimeFraction : 0;
        const std::uint64_t latest = (now + (traffic == TrafficClass::priority ? burst() : 0)) << kTimeFraction;
        std::uint64_t paid_at = meter.paid_at.load();
        do {
            if (paid_at > latest) return false;
        } while (!meter.paid_at.compare_exchange_weak(paid_at, std::max(paid_at, earliest) + cost));
        return true;
    }

private:
    static constexpr unsigned kCostFraction = 16, kTimeFraction = 4;  // bits behind the point: at 100 Gbit/s a byte costs a fraction of a cycle
    struct Meter {
        std::atomic<std::uint64_t> cost;     // cycles of a byte; 0 without a limit
        std::atomic<std::uint64_t> paid_at;  // when everything that was let through is paid for, in cycles
    };
    std::uint64_t burst() const { return cycles_per_second_ / 1000 * kBurstMilliseconds; }
    LazyArray<Meter> meters_;  // by PeerId
    std::uint64_t cycles_per_second_;
};

}  // namespace nave::dataplane
