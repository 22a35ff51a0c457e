// The floor of AES-CBC with HMAC-SHA2: no call of ipsec-mb does both for one packet, so packets go side by side.
#pragma once

#include "common/esp_algorithm.hpp"
#include "tests/rig/dataplane_bench/floor.hpp"

#include <array>
#include <intel-ipsec-mb.h>
#include <vector>

namespace nave::rig {

/// Keys of a suite, expanded, and the two ways to use them.
class CbcFloor {
public:
    /// Cipher and hash apart, each for many packets at once; or chained jobs, one after the other.
    enum class Way : std::uint8_t { bursts, jobs, count };

    /// `manager` outlives it. Throws std::runtime_error when ipsec-mb refuses.
    CbcFloor(IMB_MGR& manager, EspAlgorithm algorithm, std::uint32_t peers);

    /// ESP header and IV stand in front of the text of packet i, which lies at `texts + i * stride`; its tag goes behind it.
    void run(Way way, Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride);
    static constexpr std::size_t kFront = 8 + 16;

private:
    static constexpr std::size_t kAtOnce = 64;  // as ipsec-mb's documentation has it: enough to fill the lanes
    struct alignas(64) Key {
        std::array<std::uint8_t, 240> encrypt, decrypt;
        std::array<std::uint8_t, 64> inner, outer;
    };
    IMB_JOB blank(Direction direction) const;
    void aim(IMB_JOB& job, const FloorPacket& packet, std::uint8_t* text) const;
    void run_bursts(Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride);
    void run_jobs(Direction direction, std::span<const FloorPacket> packets, std::uint8_t* texts, std::size_t stride);

    IMB_MGR& manager_;
    EspSizes sizes_;
    IMB_HASH_ALG hash_;
    std::vector<Key> keys_;
    std::array<IMB_JOB, kAtOnce> work_{};
};

}  // namespace nave::rig
