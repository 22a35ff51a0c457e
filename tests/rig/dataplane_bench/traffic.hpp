// The packets of the benchmark: inner UDP over IPv4 in Ethernet frames, written quickly, recognised and verified afterwards.
#pragma once

#include "tests/rig/dataplane_bench/cell.hpp"

#include <cstdint>
#include <span>
#include <vector>

struct rte_mbuf;

namespace nave::rig {

/// Which peer each packet goes to; the same order every time that it is made.
class PeerOrder {
public:
    /// Only of those peers whose packets arrive at `worker`.
    PeerOrder(const WorldShape& world, Distribution distribution, std::uint32_t worker);

    std::uint32_t next() {
        const std::uint32_t peer = order_[at_];
        at_ = at_ + 1 == order_.size() ? 0 : at_ + 1;
        return peer;
    }
    /// Packets after which every peer that will be hit has been hit.
    std::size_t period() const { return order_.size(); }

private:
    std::vector<std::uint32_t> order_;
    std::size_t at_ = 0;
};

/// One inner packet.
struct InnerPacket {
    std::uint32_t source = 0, destination = 0;  // host order
    std::uint16_t size = 64;
    std::uint64_t number = 0;  // in its payload
};

/// Writes frames, and tells whether a frame still holds what was written.
class FrameWriter {
public:
    FrameWriter();
    /// The frame to the gateway's MAC into an empty buffer.
    void write(rte_mbuf& buffer, const InnerPacket& packet);
    /// True if the frame holds the packet after `hops` routers, every byte of it right.
    bool verify(const rte_mbuf& buffer, const InnerPacket& packet, unsigned hops);

    static constexpr std::size_t kSizeMin = 64, kSizeMax = 1400;

private:
    void fill_headers(std::uint8_t* frame, const InnerPacket& packet, std::uint8_t time_to_live) const;
    std::vector<std::uint8_t> template_, expected_;
};

}  // namespace nave::rig
