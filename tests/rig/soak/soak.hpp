// A hub and its spokes that exchange packets of all sizes both ways, every one of them verified, while their SAs are replaced.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/frames.hpp"
#include "tests/rig/dataplane_bench/peering.hpp"
#include "tests/rig/dataplane_bench/traffic.hpp"

#include <atomic>
#include <random>

namespace nave::rig {

struct SoakPlan {
    std::uint64_t packets = 1'000'000'000;  // both ways together; whole bursts are carried
    std::uint64_t rekey_after = 1'000'000;  // packets on one SA
    std::uint32_t peers = 36;               // even; they take turns with algorithms, NAT traversal and extended sequence numbers: all are in 36
    std::size_t burst = 256;
};

/// What became of the packets.
struct SoakResult {
    std::uint64_t sent = 0, intact = 0, damaged = 0;
    std::uint64_t dropped = 0;               // by a counter's account
    std::uint64_t rekeys = 0;                // SAs replaced
    std::uint64_t leaked = 0;                // buffers

    /// Lost, and no counter says why.
    std::uint64_t unexplained() const { return sent - intact - damaged - dropped; }
    bool is_clean() const { return sent == intact && leaked == 0; }
    SoakResult& operator+=(const SoakResult& other);
};

/// One pair of gateways, driven by one thread.
class Soak {
public:
    /// `name`: unique in the process. Throws std::runtime_error when memory is short. Main lcore.
    Soak(const std::string& name, const SoakPlan& plan);

    /// Carries all packets; `done` counts them meanwhile, for others to see. Throws std::runtime_error, with the drops by name, if a
    /// gateway does not send what it was given.
    void run(std::atomic<std::uint64_t>& done);
    /// After run(); main lcore.
    SoakResult result();

    /// Megabytes that EAL must have for each.
    static std::size_t megabytes(const SoakPlan& plan) { return Foundation::megabytes(plan.peers); }

private:
    /// Replacing an SA: the new one is installed where it arrives, then where it is sent, then the old one is removed.
    enum class Rekey : std::uint8_t { none, receiver_has_new, sender_uses_new };
    struct SaState {
        std::uint32_t epoch = 0;
        std::uint64_t packets = 0;
        Rekey rekey = Rekey::none;
    };
    WorldShape shape_of(std::uint32_t peer) const;
    BenchGateway& gateway(Side side) { return side == Side::hub ? hub_ : spokes_; }
    SaState& state(std::uint32_t peer, Side sender) { return states_[2 * peer + (sender == Side::hub)]; }
    void install();
    void carry_batch(Side sender, Frames& frames);
    void advance_rekey(std::uint32_t peer, Side sender);

    SoakPlan plan_;
    Foundation foundation_;
    Cables cables_;
    BenchGateway hub_, spokes_;
    std::size_t available_before_;
    std::vector<SaState> states_;
    std::vector<InnerPacket> sent_;
    FrameWriter writer_;
    std::mt19937_64 random_{1};
    std::uint64_t number_ = 0;
    SoakResult result_;
};

}  // namespace nave::rig
