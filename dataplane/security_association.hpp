// Security associations as their owning worker holds them. The control plane's view is in common/plane_messages.hpp.
#pragma once

#include "common/plane_messages.hpp"
#include "dataplane/esp_crypto.hpp"
#include "dataplane/replay_window.hpp"

namespace nave::dataplane {

/// Packets and bytes used, against the limits. Bytes of ESP payload.
class SaUsage {
public:
    explicit SaUsage(const SaLimits& limits) : limits_{limits} {}

    /// True when the SA may not be used any more.
    bool exhausted() const { return reached(limits_.hard_packets, packets_) || reached(limits_.hard_bytes, bytes_); }
    /// Counts a packet; true while a soft limit is reached and the control plane does not know.
    [[nodiscard]] bool add(std::uint64_t bytes) {
        ++packets_, bytes_ += bytes;
        return !told_ && (reached(limits_.soft_packets, packets_) || reached(limits_.soft_bytes, bytes_));
    }
    /// The event that says so was sent, or did not fit and is due again.
    void told(bool sent) { told_ = sent; }

private:
    static bool reached(std::uint64_t limit, std::uint64_t value) { return limit != 0 && value >= limit; }
    SaLimits limits_;
    std::uint64_t packets_ = 0, bytes_ = 0;
    bool told_ = false;
};

/// What arrives under an SPI that we chose. The first cache line answers the lookup and the cheap checks.
struct alignas(64) InboundSa {
    explicit InboundSa(const InstallInboundSa& command)
        : spi{command.spi}, peer{command.peer}, mode{command.mode}, esn{command.esn}, sizes{sizes_of(command.algorithm)}, usage{command.limits}, window{command.replay_window} {}

    Spi spi;
    PeerId peer;
    EspMode mode;
    bool esn;
    EspSizes sizes;                  // of its algorithm
    bool used = false;               // InboundSaUsed was sent
    std::uint64_t moved_told_at = 0; // TSC of the last PeerMoved
    SaUsage usage;
    ReplayWindow window;
    EspKey key;
};

/// What leaves under an SPI that the peer chose.
struct alignas(64) OutboundSa {
    explicit OutboundSa(const InstallOutboundSa& command)
        : spi{command.spi}, peer{command.peer}, mode{command.mode}, esn{command.esn}, sizes{sizes_of(command.algorithm)}, sequence{command.esn}, usage{command.limits} {}

    Spi spi;
    PeerId peer;
    EspMode mode;
    bool esn;
    EspSizes sizes;  // of its algorithm
    SequenceCounter sequence;
    SaUsage usage;
    EspKey key;
};

}  // namespace nave::dataplane
