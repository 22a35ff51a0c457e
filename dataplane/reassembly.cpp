// rte_ip_frag, with a name for every fragment that it gives up.
#include "dataplane/reassembly.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <algorithm>
#include <bit>
#include <rte_ip_frag.h>
#include <stdexcept>

namespace nave::dataplane {

namespace {
constexpr std::uint32_t kBucketEntries = 8;
}

Reassembly::Reassembly(std::uint32_t datagrams, std::uint64_t cycles_per_second, PacketPools& pools, DropCounters& drops, Counter& reassembled)
    : pools_{pools}, drops_{drops}, reassembled_{reassembled} {
    const std::uint32_t buckets = std::bit_ceil(std::max(1u, datagrams / kBucketEntries));
    table_ = rte_ip_frag_table_create(buckets, kBucketEntries, std::min(datagrams, buckets * kBucketEntries), kTimeoutSeconds * cycles_per_second, SOCKET_ID_ANY);
    if (!table_) throw std::runtime_error{"no memory for the reassembly table"};
    death_row_ = std::make_unique<rte_ip_frag_death_row>();
}

Reassembly::~Reassembly() {
    free_death_row();
    rte_ip_frag_table_destroy(table_);
}

Verdict Reassembly::add(Packet& packet, std::uint64_t now, Burst& completed) {
    auto* ip = packet.header<Ipv4Header>(sizeof(EthernetHeader));
    if (!ip->is_fragment()) return Verdict::pass();
    const std::uint16_t flags = ip->fragment.host();
    const std::size_t payload = ip->total_length.host() - ip->header_length();
    const std::size_t offset = (flags & Ipv4Header::kOffsetMask) * std::size_t{8};
    const bool more = (flags & Ipv4Header::kMoreFragments) != 0;
    // RFC 791 §3.2: all but the last carry a multiple of eight bytes; and nothing larger than we could hold.
    if (payload == 0 || (more && payload % 8 != 0) || offset + payload > PacketPools::kBytesMax) return Drop::ip_fragment_invalid;

    packet.l2_len = sizeof(EthernetHeader);
    packet.l3_len = static_cast<std::uint16_t>(ip->header_length() & 0x1ff);
    const std::uint32_t before = death_row_->cnt;
    rte_mbuf* chain = rte_ipv4_frag_reassemble_packet(table_, death_row_.get(), &packet, now, reinterpret_cast<rte_ipv4_hdr*>(ip));
    const Verdict kept = judge_death_row(&packet, before);
    Packet* datagram = chain ? whole(chain) : nullptr;
    if (!datagram) return kept;
    // The library takes the lengths from the fragments and leaves the checksum to hardware.
    ip = datagram->header<Ipv4Header>(sizeof(EthernetHeader));
    ip->checksum = be16();
    ip->checksum = be16(internet_checksum({reinterpret_cast<std::uint8_t*>(ip), ip->header_length()}));
    completed.push(*datagram);
    return Verdict::taken();
}

Verdict Reassembly::add_ipv6(Packet& packet, std::uint64_t now, Burst& completed) {
    packet.l2_len = sizeof(EthernetHeader);
    packet.l3_len = sizeof(Ipv6Header) + sizeof(Ipv6FragmentHeader);
    auto* ip = rte_pktmbuf_mtod_offset(&packet, rte_ipv6_hdr*, sizeof(EthernetHeader));
    const std::uint32_t before = death_row_->cnt;
    rte_mbuf* chain = rte_ipv6_frag_reassemble_packet(table_, death_row_.get(), &packet, now, ip, reinterpret_cast<rte_ipv6_fragment_ext*>(ip + 1));
    const Verdict kept = judge_death_row(&packet, before);
    if (Packet* datagram = chain ? whole(chain) : nullptr) completed.push(*datagram);
    return kept;
}

/// What the library chained, in one segment; nullptr when there is no room for it, and the chain is dropped then.
Packet* Reassembly::whole(rte_mbuf* chain) {
    Packet* datagram = pools_.contiguous(*Packet::from(chain), 0, 0);
    if (datagram) reassembled_.add(1);
    else drops_.discard(*Packet::from(chain), Drop::reassembly_failed);
    return datagram;
}

/// What the library put on its death row: fragments of datagrams whose time ran out, of a datagram that cannot be put
/// together, or only the one just added, because the table is full.
Verdict Reassembly::judge_death_row(const Packet* added, std::uint32_t before) {
    const std::uint32_t dead = death_row_->cnt - before;
    if (dead == 0) return Verdict::taken();
    const auto end = death_row_->row + death_row_->cnt;
    const bool own = std::find(death_row_->row + before, end, added) != end;
    Drop reason = Drop::reassembly_timeout;
    if (own) reason = dead == 1 ? Drop::reassembly_full : Drop::reassembly_failed;
    for (std::uint32_t i = 0; i < dead; ++i) drops_.count(reason);
    free_death_row();
    return Verdict::taken();
}

void Reassembly::expire(std::uint64_t now) {
    const std::uint32_t before = death_row_->cnt;
    rte_ip_frag_table_del_expired_entries(table_, death_row_.get(), now);
    for (std::uint32_t i = before; i < death_row_->cnt; ++i) drops_.count(Drop::reassembly_timeout);
    free_death_row();
}

void Reassembly::free_death_row() { rte_ip_frag_free_death_row(death_row_.get(), 0); }

}  // namespace nave::dataplane
