// rte_ip_frag's fragmentation, with what it leaves out: IPv4's checksums, IPv6's identification.
#include "dataplane/fragment.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <rte_ip_frag.h>

namespace nave::dataplane {

namespace {

/// Cuts by `library_function`, and calls `complete` with each piece.
template <class Header, class Complete>
bool cut(Packet& packet, std::uint16_t mtu, PacketPools& pools, Burst& out, decltype(rte_ipv4_fragment_packet)& library_function, Complete&& complete) {
    std::array<rte_mbuf*, Burst::kCapacity> pieces;
    // Room for a whole piece in the header's buffer: encryption writes its ciphertext there.
    rte_mempool* headers = pools.pool_for(mtu + std::size_t{64});
    const int count = library_function(&packet, pieces.data(), Burst::kCapacity, mtu, headers, pools.bodiless_pool());
    if (count <= 0) return false;
    out.size = 0;
    for (int i = 0; i < count; ++i) {
        Packet& piece = *Packet::from(pieces[static_cast<std::size_t>(i)]);
        piece.meta() = packet.meta();
        piece.ol_flags = 0;
        complete(*piece.header<Header>());
        out.push(piece);
    }
    packet.free();
    return true;
}

}  // namespace

bool fragment(Packet& packet, std::uint16_t mtu, PacketPools& pools, Burst& out) {
    return cut<Ipv4Header>(packet, mtu, pools, out, rte_ipv4_fragment_packet, [](Ipv4Header& ip) {
        ip.checksum = be16();
        ip.checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(&ip), ip.header_length()}));
    });
}

bool fragment_ipv6(Packet& packet, std::uint16_t mtu, std::uint32_t identification, PacketPools& pools, Burst& out) {
    return cut<Ipv6Header>(packet, mtu, pools, out, rte_ipv6_fragment_packet,
                           [&](Ipv6Header& ip) { reinterpret_cast<Ipv6FragmentHeader*>(&ip + 1)->identification = be32(identification); });
}

}  // namespace nave::dataplane
