// rte_ip_frag's fragmentation, with header checksums.
#include "dataplane/fragment.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"

#include <rte_ip_frag.h>

namespace nave::dataplane {

bool fragment(Packet& packet, std::uint16_t mtu, PacketPools& pools, Burst& out) {
    std::array<rte_mbuf*, Burst::kCapacity> pieces;
    // Room for a whole piece in the header's buffer: encryption writes its ciphertext there.
    rte_mempool* headers = pools.pool_for(mtu + std::size_t{64});
    const int count = rte_ipv4_fragment_packet(&packet, pieces.data(), Burst::kCapacity, mtu, headers, pools.bodiless_pool());
    if (count <= 0) return false;
    out.size = 0;
    for (int i = 0; i < count; ++i) {
        Packet& piece = *Packet::from(pieces[static_cast<std::size_t>(i)]);
        piece.meta() = packet.meta();
        piece.ol_flags = 0;
        auto* ip = piece.header<Ipv4Header>();
        ip->checksum = be16();
        ip->checksum = be16(internet_checksum({piece.data(), ip->header_length()}));
        out.push(piece);
    }
    packet.free();
    return true;
}

}  // namespace nave::dataplane
