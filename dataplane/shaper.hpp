// Keeps packets to peers with a limited rate back until the peer's line has room, before they are encrypted: ESP's sequence numbers
// are given in the order in which packets leave, and whoever loses one here loses no number.
#pragma once

#include "common/counters.hpp"
#include "common/plane_messages.hpp"
#include "dataplane/lazy_array.hpp"
#include "dataplane/rate_meter.hpp"
#include "dataplane/verdict.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace nave::dataplane {

/// One worker's peers. What counts is the outer IP packet, as long as the branch's line will carry it. Priority traffic goes first, as
/// long as it takes no more than half of the rate; the others share what it leaves by deficit round robin. Its own thread only.
class Shaper {
public:
    /// What a silent peer may get at once: covers a worker that slept too long, and is too little to fill a branch router's buffer.
    static constexpr std::uint64_t kCreditMilliseconds = 5;
    /// How long a full queue of one class takes to leave, if nobody else is there.
    static constexpr std::uint64_t kQueueMilliseconds = 50;

    /// `packets_max`: of all peers that may wait here, so that a few slow lines never hold the buffers that the others need.
    /// `counters`: this worker's, by PeerId; they outlive the shaper.
    Shaper(std::uint32_t peers, std::uint32_t packets_max, std::uint64_t cycles_per_second, std::vector<PeerRateCounters>& counters);
    /// Frees what waits.
    ~Shaper();
    Shaper(const Shaper&) = delete;
    Shaper& operator=(const Shaper&) = delete;

    /// 0: no limit; what waits leaves at once. Callers checked the peer's number.
    void set_rate(PeerId peer, std::uint64_t bits_per_second, std::uint64_t now);
    /// The peer goes; what waits for it is dropped.
    void forget(PeerId peer, DropCounters& drops);

    /// A packet on its way to a peer with a limited rate, with to_peer, wire_length and outer_type_of_service in its metadata: it passes,
    /// is taken to wait, or is dropped by its class.
    Verdict offer(Packet& packet, std::uint64_t now);
    /// The next packet that may leave; nullptr while there is none.
    Packet* take(std::uint64_t now);
    /// When take() has something, in cycles; never, while nothing waits.
    std::uint64_t due() const { return waking_.empty() ? std::numeric_limits<std::uint64_t>::max() : waking_.front().at; }

private:
    struct Queue {
        Packet* head = nullptr;
        Packet* tail = nullptr;
        std::uint32_t packets = 0, bytes = 0;
        std::uint32_t deficit = 0;  // bytes that it may still send in this round
    };
    /// One peer's share of the world; all-zero bytes are one without limit.
    struct alignas(64) Line {
        RateMeter rate, priority;  // of all, and of what goes before the others
        std::uint32_t queue_bytes = 0;
        std::uint32_t packets = 0;  // in all queues
        std::uint8_t turn = 0;      // whose round it is
        std::array<Queue, kTrafficClasses> queues{};
    };
    struct Waking {
        std::uint64_t at;
        PeerId peer;
        bool operator>(const Waking& other) const { return at > other.at; }
    };

    bool is_full(const Line& line, TrafficClass traffic, std::uint32_t length) const;
    Packet& pop(Line& line, std::uint64_t now);
    Queue& next_of_the_others(Line& line);
    void charge(Line& line, const PacketMeta& meta, std::uint64_t now);
    void wake(PeerId peer, const Line& line);
    void sleep(PeerId peer);

    LazyArray<Line> lines_;         // by PeerId
    std::vector<Waking> waking_;    // a heap, the earliest first: each peer for whom something waits, once
    std::uint32_t packets_max_, waiting_ = 0;
    std::uint64_t cycles_per_second_;
    std::vector<PeerRateCounters>& counters_;
};

}  // namespace nave::dataplane
