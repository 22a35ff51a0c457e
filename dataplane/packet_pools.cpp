// Pools of mbufs with our metadata area.
#include "dataplane/packet_pools.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <stdexcept>

namespace nave::dataplane {

namespace {

rte_mempool* make_pool(const std::string& name, std::uint32_t count, std::uint16_t data_room, int socket) {
    // The cache must not hold a large part of a small pool back from other cores.
    const unsigned cache = count >= 4096 ? 256 : 0;
    rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), count, cache, Packet::kPrivateSize, data_room, socket);
    if (pool) return pool;
    throw std::runtime_error{fmt::format("no memory for {} packet buffers of {} bytes ({}): raise memory in [dataplane]", count, data_room,
                                         rte_strerror(rte_errno))};
}

}  // namespace

PacketPools::PacketPools(const std::string& name, const PoolSizes& sizes) : data_room_{sizes.data_room} {
    constexpr std::uint16_t kLargeRoom = kBytesMax + RTE_PKTMBUF_HEADROOM + 64;
    try {
        ordinary_ = make_pool(name + "_ordinary", sizes.buffers, sizes.data_room, sizes.socket);
        large_ = make_pool(name + "_large", sizes.large_buffers, kLargeRoom, sizes.socket);
        bodiless_ = make_pool(name + "_bodiless", sizes.buffers, 0, sizes.socket);
    } catch (...) {
        rte_mempool_free(ordinary_), rte_mempool_free(large_);
        throw;
    }
}

PacketPools::~PacketPools() { rte_mempool_free(ordinary_), rte_mempool_free(large_), rte_mempool_free(bodiless_); }

Packet* PacketPools::allocate(std::size_t bytes) {
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_for(bytes));
    if (!buffer) return nullptr;
    auto* packet = Packet::from(buffer);
    packet->meta() = PacketMeta{};
    return packet;
}

Packet* PacketPools::share(Packet& packet) {
    rte_mbuf* clone = rte_pktmbuf_clone(&packet, bodiless_);
    return clone ? Packet::from(clone) : nullptr;
}

Packet* PacketPools::copy(Packet& packet, std::size_t front, std::size_t back) {
    if (front > RTE_PKTMBUF_HEADROOM || packet.length() > kBytesMax || back > 64) return nullptr;
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_for(packet.length() + back));
    if (!buffer) return nullptr;
    auto* copy = Packet::from(buffer);
    copy->meta() = packet.meta();
    copy->ol_flags = packet.ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    std::uint8_t* to = copy->append(packet.length());
    for (const rte_mbuf* segment = &packet; segment; segment = segment->next) {
        std::memcpy(to, rte_pktmbuf_mtod(segment, const std::uint8_t*), segment->data_len);
        to += segment->data_len;
    }
    packet.free();
    return copy;
}

std::size_t PacketPools::available() const { return rte_mempool_avail_count(ordinary_) + rte_mempool_avail_count(large_) + rte_mempool_avail_count(bodiless_); }

}  // namespace nave::dataplane
