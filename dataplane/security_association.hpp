// Security associations as their owning worker holds them. The control plane's view is in common/plane_messages.hpp.
#pragma once

#include "common/plane_messages.hpp"
#include "dataplane/esp_crypto.hpp"
#include "dataplane/lazy_array.hpp"
#include "dataplane/replay_window.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace nave::dataplane {

/// Packets and bytes used; the limits stand elsewhere, so that what every packet touches fits in a cache line with the rest.
class SaUsage {
public:
    SaUsage() = default;
    explicit SaUsage(const SaLimits& limits) { set_alarms(limits); }

    /// True when the SA may not be used any more.
    bool exhausted() const { return exhausted_; }
    /// Counts a packet and its bytes of ESP payload. True when the counts have come to where judge() has to look.
    [[nodiscard]] bool add(std::uint64_t bytes) {
        ++packets_, bytes_ += bytes;
        return packets_ >= packets_alarm_ || bytes_ >= bytes_alarm_;
    }
    /// Compares with the limits. True while a soft one is reached and the control plane does not know.
    [[nodiscard]] bool judge(const SaLimits& limits) {
        exhausted_ = reached(limits.hard_packets, packets_) || reached(limits.hard_bytes, bytes_);
        return !told_ && (reached(limits.soft_packets, packets_) || reached(limits.soft_bytes, bytes_));
    }
    /// The event that says so was sent, or did not fit and is due again.
    void told(bool sent, const SaLimits& limits) {
        told_ = sent;
        set_alarms(limits);
    }

private:
    static bool reached(std::uint64_t limit, std::uint64_t value) { return limit != 0 && value >= limit; }
    void set_alarms(const SaLimits& limits) {
        const auto next = [this](std::uint64_t soft, std::uint64_t hard) {
            const auto or_never = [](std::uint64_t limit) { return limit == 0 ? std::numeric_limits<std::uint64_t>::max() : limit; };
            return told_ ? or_never(hard) : std::min(or_never(soft), or_never(hard));
        };
        packets_alarm_ = next(limits.soft_packets, limits.hard_packets);
        bytes_alarm_ = next(limits.soft_bytes, limits.hard_bytes);
    }

    std::uint64_t packets_ = 0, bytes_ = 0, packets_alarm_ = 0, bytes_alarm_ = 0;
    bool told_ = false, exhausted_ = false;
};

/// What arrives under an SPI that we chose. SPI 0, which is never ours: there is none. In front stands what every packet
/// needs, behind it the window's bits and the key, each read as far as the packet takes; what is rarely needed comes last.
struct alignas(64) InboundSa {
    InboundSa() = default;
    void install(const InstallInboundSa& command) {
        spi = command.spi, peer = command.peer, mode = command.mode, esn = command.esn, sizes = sizes_of(command.algorithm), used = false;
        usage = SaUsage{command.limits};
        window = ReplayWindow{command.replay_window};
        limits = command.limits;
        moved_told_at = 0;
    }
    /// Forgets the SA and wipes its key.
    void clear() {
        spi = Spi{};
        key.clear();
    }

    Spi spi;
    PeerId peer;
    EspSizes sizes{};                // of its algorithm
    EspMode mode : 4 {};
    bool esn : 1 = false;
    bool used : 1 = false;           // InboundSaUsed was sent
    SaUsage usage;
    ReplayWindow window;
    EspKey key;
    SaLimits limits;
    std::uint64_t moved_told_at = 0; // TSC of the last PeerMoved
};
static_assert(offsetof(InboundSa, window) + ReplayWindow::kHighestSize <= 64);

/// What leaves under an SPI that the peer chose.
struct alignas(64) OutboundSa {
    OutboundSa() = default;
    void install(const InstallOutboundSa& command) {
        valid = true, mode = command.mode, esn = command.esn, sizes = sizes_of(command.algorithm), spi = command.spi, peer = command.peer;
        sequence = SequenceCounter{};
        usage = SaUsage{command.limits};
        limits = command.limits;
    }
    /// Forgets the SA and wipes its key.
    void clear() {
        valid = false;
        key.clear();
    }

    Spi spi;
    EspSizes sizes{};  // of its algorithm
    EspMode mode : 4 {};
    bool esn : 1 = false;
    bool valid : 1 = false;
    SequenceCounter sequence;
    SaUsage usage;
    EspKey key;
    PeerId peer;
    SaLimits limits;
};
static_assert(offsetof(OutboundSa, usage) + sizeof(SaUsage) <= 64);

/// The SAs of all workers by slot: one array a direction, each element touched by its owner alone.
struct AssociationStore {
    explicit AssociationStore(std::size_t slots) : inbound{slots}, outbound{slots} {}
    LazyArray<InboundSa> inbound;
    LazyArray<OutboundSa> outbound;
};

}  // namespace nave::dataplane
