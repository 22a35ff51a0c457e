// What a campaign of trials found, in the units of a report.
#pragma once

#include "tests/rig/throughput/search.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nave::rig::throughput {

/// Microseconds from sending to receiving.
struct Latency {
    double least = 0, mean = 0, p50 = 0, p90 = 0, p99 = 0, p999 = 0, most = 0;
};

struct TrialFigures {
    double wanted = 0, offered = 0;  // packets/s in each direction
    double pace = 0;                 // packets/s while the rig ran
    std::uint64_t sent = 0, received = 0, reordered = 0, duplicates = 0;
    double loss = 0;                 // share of the worst direction's packets
    std::uint64_t missed = 0;        // packets that the rig's own ports lost, as far as they tell
    double held_up = 0;              // share of the time in which something else ran on the rig's CPU
    bool fell_short = false;         // the rig did not come close to the wanted rate even while it ran
    Latency latency;
};

/// Everything about one frame size.
struct SizeFigures {
    std::size_t frame_size = 0;
    std::string fault;                    // why it could not be measured; empty: it was
    Found ndr, pdr;
    std::optional<TrialFigures> at_load;  // the trial at a share of the NDR, of the PDR where there is no NDR
    std::vector<TrialFigures> trials;     // of the search
};

/// How the rig was joined to the device.
struct EndFigures {
    std::string device, driver, address, gateway, gateway_mac;  // the last two empty: joined straight
};

struct Figures {
    std::vector<EndFigures> ends;  // a, b
    std::vector<SizeFigures> sizes;
};

}  // namespace nave::rig::throughput
