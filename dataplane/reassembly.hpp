// Outer reassembly: puts the fragments of datagrams to our own addresses together again (RFC 791 §3.2, RFC 8200 §4.5).
#pragma once

#include "dataplane/packet_pools.hpp"
#include "dataplane/verdict.hpp"

#include <cstdint>
#include <memory>

struct rte_ip_frag_tbl;
struct rte_ip_frag_death_row;

namespace nave::dataplane {

/// One worker's fragments, over rte_ip_frag. Up to eight fragments a datagram. Its own thread only.
class Reassembly {
public:
    static constexpr std::uint64_t kTimeoutSeconds = 2;  // RFC 1122 wants 60 to 120; an attacker pays less for those, and ESP is not retransmitted

    /// Throws std::runtime_error when memory is short.
    Reassembly(std::uint32_t datagrams, std::uint64_t cycles_per_second, PacketPools& pools, DropCounters& drops, Counter& reassembled);
    ~Reassembly();
    Reassembly(const Reassembly&) = delete;
    Reassembly& operator=(const Reassembly&) = delete;

    /// A whole packet passes as it is. A fragment is taken; the one that completes its datagram puts that into `completed`,
    /// in one segment and checksummed. The packet starts with its Ethernet header; its IPv4 header was checked.
    [[gnu::cold, gnu::noinline]] Verdict add(Packet& packet, std::uint64_t now, Burst& completed);
    /// The same for IPv6 (RFC 8200 §4.5): a fragment that check_ipv6_fragment passed. Overlapping fragments never make a packet (RFC 5722).
    [[gnu::cold, gnu::noinline]] Verdict add_ipv6(Packet& packet, std::uint64_t now, Burst& completed);
    /// Frees what waited for too long. Once in a while.
    void expire(std::uint64_t now);

private:
    Packet* whole(rte_mbuf* chain);
    Verdict judge_death_row(const Packet* added, std::uint32_t before);
    void free_death_row();

    PacketPools& pools_;
    DropCounters& drops_;
    Counter& reassembled_;
    rte_ip_frag_tbl* table_ = nullptr;
    std::unique_ptr<rte_ip_frag_death_row> death_row_;
};

}  // namespace nave::dataplane
