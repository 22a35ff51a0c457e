// Where packets' memory comes from: ordinary buffers, large ones for jumbo frames, and bodiless ones that share another's bytes.
#pragma once

#include "dataplane/packet.hpp"

#include <cstdint>
#include <string>

struct rte_mempool;

namespace nave::dataplane {

/// How many buffers, and what the ordinary ones hold.
struct PoolSizes {
    std::uint32_t buffers = 16384, large_buffers = 512;
    std::uint16_t data_room = 2176;  // bytes of an ordinary buffer, headroom included
    int socket = 0;                  // NUMA node
};

/// The pools of one process. Made by the main thread; workers allocate from them without locks (per-core caches).
class PacketPools {
public:
    /// Largest packet that is ever held in one piece; larger ones are dropped.
    static constexpr std::size_t kBytesMax = PacketMessage::kBytesMax;

    /// `name` makes the pools' names unique in the process. Throws std::runtime_error when memory is short.
    PacketPools(const std::string& name, const PoolSizes& sizes);
    ~PacketPools();
    PacketPools(const PacketPools&) = delete;
    PacketPools& operator=(const PacketPools&) = delete;

    /// An empty packet with room for `bytes` behind the usual headroom, metadata cleared; nullptr when there is none.
    Packet* allocate(std::size_t bytes);
    /// A packet of bodiless buffers that shares all segments of `packet`, metadata not copied; nullptr when there is none.
    Packet* share(Packet& packet);
    /// The packet in one segment with that much room in front and behind: itself when it is so already, else a copy, the
    /// original freed. nullptr when there is no buffer or the packet is too large; the original is the caller's still.
    Packet* contiguous(Packet& packet, std::size_t front, std::size_t back) {
        const bool writable = RTE_MBUF_DIRECT(&packet) && rte_mbuf_refcnt_read(&packet) == 1;
        if (packet.nb_segs == 1 && writable && rte_pktmbuf_headroom(&packet) >= front && rte_pktmbuf_tailroom(&packet) >= back) return &packet;
        return copy(packet, front, back);
    }

    /// The pool of received packets, for the ports.
    rte_mempool* receive_pool() { return ordinary_; }
    /// For headers of fragments up to `bytes`.
    rte_mempool* pool_for(std::size_t bytes) { return bytes + RTE_PKTMBUF_HEADROOM <= data_room_ ? ordinary_ : large_; }
    rte_mempool* bodiless_pool() { return bodiless_; }
    /// Buffers that nobody holds, over all pools; for tests and operators.
    std::size_t available() const;

private:
    [[gnu::cold, gnu::noinline]] Packet* copy(Packet& packet, std::size_t front, std::size_t back);

    rte_mempool* ordinary_ = nullptr;
    rte_mempool* large_ = nullptr;
    rte_mempool* bodiless_ = nullptr;
    std::size_t data_room_;
};

}  // namespace nave::dataplane
