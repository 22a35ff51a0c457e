// A packet of the dataplane: a thin typed face of rte_mbuf, with our metadata in the buffer's private area.
#pragma once

#include "common/ids.hpp"
#include "common/plane_messages.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <rte_mbuf.h>
#include <span>

namespace nave::dataplane {

inline constexpr PeerId kNoPeer{0xffffffff};
inline constexpr PortId kNoPort{0xffff};

struct Packet;

/// What the stages learn about a packet and tell the later ones. Lives behind the mbuf, in one cache line.
struct PacketMeta {
    /// Who asks for the packet to be forwarded; decides TTL, ICMP errors and loops.
    enum class Origin : std::uint8_t { inside, peer, own };
    /// What the worker that takes over a packet does with it.
    enum class Handover : std::uint8_t { decrypt, encap, transmit };

    PortId port = kNoPort;             // where it arrived; on the way out: where it leaves
    TunnelId tunnel{};                 // of the peer it came from or goes to
    TableId table{};                   // where its destination is looked up
    PeerId from_peer = kNoPeer;        // whose SA it arrived on
    PeerId to_peer = kNoPeer;          // whose SA it leaves on
    std::uint32_t nbma_source = 0;     // outer source address, as Tables::tag_of() gives it
    std::uint16_t nbma_udp_port = 0;   // outer UDP source port, 0 = plain ESP
    std::uint16_t gre_protocol = 0;
    std::uint16_t inner_length = 0;    // bytes behind GRE, for the SA's counters
    std::uint16_t wire_length = 0;     // bytes of the outer IP packet to a peer with a limited rate
    Spi spi{};
    union {
        std::uint64_t sequence = 0;    // ESP sequence number with its high half
        Packet* behind;                // before it has one: the next one in its queue of the shaper
    };
    std::uint8_t outer_type_of_service = 0;
    std::uint8_t outer_size = 0;       // from the outer IP header, which still stands in front, to the ESP header
    Origin origin = Origin::inside;
    Handover handover = Handover::decrypt;
    bool paced = false;                // the shaper of the worker that has it let it go
};
static_assert(sizeof(PacketMeta) <= 64);

/// An mbuf of one of our pools, whose private area holds a PacketMeta. Never constructed: cast from what DPDK gave.
struct Packet : rte_mbuf {
    static constexpr std::uint16_t kPrivateSize = 64;

    static Packet* from(rte_mbuf* buffer) { return static_cast<Packet*>(buffer); }
    PacketMeta& meta() { return *static_cast<PacketMeta*>(rte_mbuf_to_priv(this)); }
    const PacketMeta& meta() const { return *static_cast<const PacketMeta*>(rte_mbuf_to_priv(const_cast<Packet*>(this))); }

    /// First segment's bytes. Behind the receive stage every packet is in one segment, but for fragments and copies that we made.
    std::uint8_t* data() { return rte_pktmbuf_mtod(this, std::uint8_t*); }
    const std::uint8_t* data() const { return rte_pktmbuf_mtod(this, const std::uint8_t*); }
    std::span<std::uint8_t> bytes() { return {data(), data_len}; }
    std::span<const std::uint8_t> bytes() const { return {data(), data_len}; }
    std::uint32_t length() const { return pkt_len; }

    /// The header at `offset`; nullptr when the first segment ends before its end.
    template <class Header>
    Header* header(std::size_t offset = 0) {
        static_assert(alignof(Header) == 1);
        return offset + sizeof(Header) <= data_len ? reinterpret_cast<Header*>(data() + offset) : nullptr;
    }
    /// Of an inner packet whose header was checked, at its header: whether that is IPv6, or else IPv4.
    bool is_ipv6() const { return data()[0] >> 4 == 6; }
    /// Removes bytes in front; callers checked that the first segment has them.
    void trim_front(std::size_t count) { rte_pktmbuf_adj(this, static_cast<std::uint16_t>(count)); }
    void trim_back(std::size_t count) { rte_pktmbuf_trim(this, static_cast<std::uint16_t>(count)); }
    /// Makes the packet those `count` bytes of it that begin at `offset`. Of one segment, and with those bytes, as callers checked.
    void keep(std::size_t offset, std::size_t count) {
        data_off = static_cast<std::uint16_t>(data_off + offset);
        data_len = static_cast<std::uint16_t>(count);
        pkt_len = static_cast<std::uint32_t>(count);
    }
    /// Room in front or behind; nullptr when there is none.
    std::uint8_t* prepend(std::size_t count) { return reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(this, static_cast<std::uint16_t>(count))); }
    std::uint8_t* append(std::size_t count) { return reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(this, static_cast<std::uint16_t>(count))); }
    /// Gives all segments back to their pools.
    void free() { rte_pktmbuf_free(this); }
};
static_assert(sizeof(Packet) == sizeof(rte_mbuf));

/// Up to kCapacity packets that go through the stages together. Owns them.
struct Burst {
    static constexpr std::size_t kCapacity = 128;
    std::array<Packet*, kCapacity> packets;
    std::size_t size = 0;

    bool full() const { return size == kCapacity; }
    bool empty() const { return size == 0; }
    /// Callers checked that it is not full.
    void push(Packet& packet) { packets[size++] = &packet; }
    std::span<Packet*> view() { return {packets.data(), size}; }
};

}  // namespace nave::dataplane
