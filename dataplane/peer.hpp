// A peer as the packet path needs it: a ready-made outer header one way, the permitted sources the other way.
#pragma once

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "common/plane_messages.hpp"
#include "dataplane/ipv6_words.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <rte_prefetch.h>

namespace nave::dataplane {

/// Ethernet, VLAN tag, IP and UDP of everything that goes to one peer; only lengths, identification, type of service, checksums and
/// flow label differ from packet to packet.
class OuterHeader {
public:
    /// Bytes in front of the ESP header that write() may overwrite, whatever the header's size.
    static constexpr std::size_t kRoom = 72;

    OuterHeader() = default;
    /// `ttl` of the outer header; `vlan` of the port that the path leaves on.
    OuterHeader(const SetPeerPath& path, std::uint8_t ttl, std::optional<std::uint16_t> vlan);

    std::size_t size() const { return size_; }
    /// Of it, what stands in front of the IP header.
    std::size_t link_size() const { return size_ - (is_ipv6_ ? sizeof(Ipv6Header) : sizeof(Ipv4Header)) - (has_udp_ ? sizeof(UdpHeader) : 0); }
    bool has_udp() const { return has_udp_; }
    bool is_ipv6() const { return is_ipv6_; }
    /// The IP header as it stands in every packet, lengths, checksum and flow label aside. Header: of the right version.
    template <class Header>
    Header ip() const {
        Header header;
        std::memcpy(&header, bytes_.data() + (is_ipv6_ ? kRoom : kRoomIpv4) - (has_udp_ ? sizeof(UdpHeader) : 0) - sizeof header, sizeof header);
        return header;
    }
    /// What changes with each packet; `payload_length`: the bytes behind this header.
    struct PerPacket {
        std::uint16_t payload_length = 0, identification = 0;
        std::uint8_t type_of_service = 0;
    };
    /// Tells what the path carries, in bytes of an IP packet.
    void fit_to(std::uint16_t path_mtu) { plain_max_ = is_ipv6_ ? 0 : static_cast<std::uint16_t>(std::max(0, path_mtu - static_cast<int>(size_ - link_size()))); }
    /// The longest ESP packet for which the header is plain: IPv4's, around all of it. One question for both keeps the common path short.
    std::uint16_t plain_max() const { return plain_max_; }
    /// Puts the header, size() bytes, right in front of `esp`.
    void write(std::uint8_t* esp, const PerPacket& packet) const { is_ipv6_ ? write_ipv6(esp, packet) : write_ipv4(esp, packet); }
    /// The same, of IPv4.
    void write_ipv4(std::uint8_t* esp, const PerPacket& packet) const {
        // The header stands at the end of its room, so that a copy of constant size does for all; what it overwrites in front
        // of the header is headroom.
        std::memcpy(esp - kRoomIpv4, bytes_.data(), kRoomIpv4);
        std::uint8_t* const behind_ip = esp - (has_udp_ ? sizeof(UdpHeader) : 0);
        auto* ip = reinterpret_cast<Ipv4Header*>(behind_ip - sizeof(Ipv4Header));
        const auto ip_length = static_cast<std::uint16_t>(esp - behind_ip + static_cast<std::ptrdiff_t>(sizeof(Ipv4Header)) + packet.payload_length);
        ip->type_of_service = packet.type_of_service;
        ip->total_length = be16(ip_length);
        ip->identification = be16(packet.identification);
        ip->checksum = be16(static_cast<std::uint16_t>(~checksum_fold(std::uint64_t{checksum_base_} + packet.type_of_service + ip_length + packet.identification)));
        if (has_udp_) reinterpret_cast<UdpHeader*>(behind_ip)->length = be16(static_cast<std::uint16_t>(sizeof(UdpHeader) + packet.payload_length));
    }

private:
    static constexpr std::size_t kRoomIpv4 = 48;
    void write_ipv6(std::uint8_t* esp, const PerPacket& packet) const;

    std::uint8_t size_ = 0;
    bool has_udp_ = false, is_ipv6_ = false;
    std::uint16_t plain_max_ = 0;
    std::uint16_t checksum_base_ = 0;         // sum over the IPv4 header, or over IPv6 addresses, UDP ports and protocol, as they stand in bytes_
    std::array<std::uint8_t, kRoom> bytes_{};  // IPv4 uses the first kRoomIpv4, and no second cache line
    static_assert(kRoomIpv4 >= sizeof(EthernetHeader) + sizeof(VlanHeader) + sizeof(Ipv4Header) + sizeof(UdpHeader));
    static_assert(kRoom >= sizeof(EthernetHeader) + sizeof(VlanHeader) + sizeof(Ipv6Header) + sizeof(UdpHeader));
};

/// What decides how many inner bytes fit into one outer packet.
struct EspShape {
    EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
    EspMode mode = EspMode::transport;
    bool ipv6 = false, udp = false, gre_key = false;  // ipv6: around ESP
};
/// The largest inner packet (IP bytes) whose ESP packet fits into `port_mtu`; 0 when nothing fits.
std::uint16_t inner_mtu(std::uint16_t port_mtu, const EspShape& shape);
/// The other way round: bytes of the outer IP packet around `inner` bytes behind GRE.
std::uint16_t outer_size(std::size_t inner, const EspShape& shape);

/// One slot of the peer table; all-zero bytes are an empty one. What arrives needs the first cache line alone, unless it is
/// IPv6 or the peer has more than four prefixes of IPv4; what leaves needs the outer header's as well.
struct alignas(64) Peer {
    bool valid = false, has_path = false, has_sa = false;
    bool any_source = false, multicast = false;
    EspMode mode = EspMode::transport;  // of the outbound SA, as is the algorithm
    EspAlgorithm algorithm{};
    WorkerId sa_owner{};
    std::uint8_t source_count = 0, ipv6_source_count = 0;
    bool shaped = false, policed = false;  // a limited rate to the peer, and from it
    TunnelId tunnel{};
    PortId port{};
    SaSlot sa_slot{};
    std::uint16_t mtu = 0;  // inner IP bytes that the path carries in one piece
    std::uint16_t nbma_udp_port = 0;
    std::uint32_t nbma_remote = 0;    // as Tables::tag_of() gives it

    struct Source {
        std::uint32_t network = 0, mask = 0;  // host order
    };
    std::array<Source, SetPeer::kSourcesMax> sources{};
    alignas(64) OuterHeader outer;

    /// An outbound SA of the peer, wherever it is kept.
    struct OutboundChoice {
        bool valid = false;
        WorkerId owner{};
        EspMode mode = EspMode::transport;
        EspAlgorithm algorithm{};
        SaSlot slot{};
    };
    OutboundChoice fallback, own;  // everybody's, and this worker's alone (RFC 9611), which goes before
    std::uint16_t path_mtu = 0;    // outer IP bytes where the path carries less than its port; 0 = as the port

    struct Ipv6Source {
        Ipv6Words network, mask;
    };
    std::array<Ipv6Source, SetPeer::kSourcesMax> ipv6_sources{};

    /// Takes over what the two say, of which a limited rate leaves one: has_sa, sa_owner, sa_slot, mode and algorithm.
    void choose_sa() {
        const OutboundChoice& choice = own.valid && !shaped ? own : fallback;
        has_sa = choice.valid, sa_owner = choice.owner, sa_slot = choice.slot, mode = choice.mode, algorithm = choice.algorithm;
    }

    /// True if the peer may send from this inner address: of IPv4 in host order.
    bool permits(std::uint32_t source) const {
        if (any_source) return true;
        for (std::size_t i = 0; i < source_count; ++i)
            if ((source & sources[i].mask) == sources[i].network) return true;
        return false;
    }
    bool permits(const Ipv6Bytes& source) const {
        if (any_source) return true;
        const Ipv6Words words{source};
        for (std::size_t i = 0; i < ipv6_source_count; ++i)
            if ((words & ipv6_sources[i].mask) == ipv6_sources[i].network) return true;
        return false;
    }
    void set_sources(const SetPeer& command);
    /// Bytes of the outer IP packet around an inner one of that length, either way: a pair of SAs has one suite.
    std::uint16_t wire_length(std::size_t inner, bool gre_key) const {
        return outer_size(inner, {.algorithm = algorithm, .mode = mode, .ipv6 = outer.is_ipv6(), .udp = outer.has_udp(), .gre_key = gre_key});
    }
    /// Fetches what a packet to the peer needs.
    void prefetch() const {
        rte_prefetch0(this);
        rte_prefetch0(&outer);
    }
};
static_assert(offsetof(Peer, sources) + 4 * sizeof(Peer::Source) <= 64);

}  // namespace nave::dataplane
