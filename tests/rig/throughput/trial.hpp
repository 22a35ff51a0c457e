// One trial: packets at a steady rate for some seconds through the device, and what became of them.
#pragma once

#include "tests/rig/throughput/options.hpp"
#include "tests/rig/throughput/statistics.hpp"
#include "tests/rig/throughput/test_packet.hpp"
#include "tests/rig/throughput/traffic_port.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nave::rig::throughput {

/// Both ends with what they share. One thread.
struct Ends {
    TrafficPort& a;
    TrafficPort& b;
    const Buffers& buffers;
    const std::atomic<bool>& stop;  // ends a trial early
};

struct TrialSettings {
    double rate = 0;  // packets/s in each direction
    double seconds = 1, settle_seconds = 0.2;
    std::size_t frame_size = 64;
    std::uint16_t number = 0;  // others than those of the trials shortly before
    std::uint16_t flows = 1;
    Vary vary = Vary::ports;
    bool bidirectional = false;
};

/// What became of one direction's packets.
struct DirectionResult {
    std::uint64_t sent = 0, received = 0;  // each packet once
    std::uint64_t reordered = 0, duplicates = 0;
    std::uint16_t streams_seen = 0;
    double loss() const { return sent == 0 ? 1 : static_cast<double>(sent - received) / static_cast<double>(sent); }
};

struct TrialResult {
    double wanted = 0, offered = 0;  // packets/s in each direction
    double held_up = 0;              // share of the time in which something else ran on the rig's CPU
    std::vector<DirectionResult> directions;
    LatencyHistogram latency;        // of all directions, TSC cycles
    std::uint64_t missed = 0;        // packets that the rig's own ports lost, as far as they tell

    /// Of the worst direction.
    double loss() const;
    std::uint64_t reordered() const;
    std::uint64_t duplicates() const;
    /// Packets/s in each direction while the rig ran.
    double pace() const { return held_up < 1 ? std::min(wanted, offered / (1 - held_up)) : 0; }
    /// The rig did not come close to the wanted rate even while it ran.
    bool fell_short() const { return pace() < 0.98 * wanted; }
};

/// Ends once all packets are back, at the latest after both times.
TrialResult run_trial(Ends ends, const TrialSettings& settings);

}  // namespace nave::rig::throughput
