// A peer as the packet path needs it: a ready-made outer header one way, the permitted sources the other way.
#pragma once

#include "common/headers.hpp"
#include "common/plane_messages.hpp"

#include <array>
#include <optional>

namespace nave::dataplane {

/// Ethernet, VLAN tag, IPv4 and UDP of everything that goes to one peer; only lengths, identification, type of service and
/// checksum differ from packet to packet.
class OuterHeader {
public:
    OuterHeader() = default;
    /// `ttl` of the outer header; `vlan` of the port that the path leaves on.
    OuterHeader(const SetPeerPath& path, std::uint8_t ttl, std::optional<std::uint16_t> vlan);

    std::size_t size() const { return size_; }
    bool has_udp() const { return has_udp_; }
    /// What changes with each packet; `payload_length`: the bytes behind this header.
    struct PerPacket {
        std::uint16_t payload_length = 0, identification = 0;
        std::uint8_t type_of_service = 0;
    };
    /// Writes size() bytes to `to`.
    void write(std::uint8_t* to, const PerPacket& packet) const;

    static constexpr std::size_t kSizeMax = sizeof(EthernetHeader) + sizeof(VlanHeader) + sizeof(Ipv4Header) + sizeof(UdpHeader);

private:
    std::array<std::uint8_t, kSizeMax> bytes_{};
    std::uint8_t size_ = 0, ip_offset_ = 0;
    bool has_udp_ = false;
    std::uint16_t checksum_base_ = 0;  // sum over the IPv4 header as it stands in bytes_
};

/// What decides how many inner bytes fit into one outer packet.
struct EspShape {
    EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
    EspMode mode = EspMode::transport;
    bool udp = false, gre_key = false;
};
/// The largest inner packet (IP bytes) whose ESP packet fits into `port_mtu`; 0 when nothing fits.
std::uint16_t inner_mtu(std::uint16_t port_mtu, const EspShape& shape);

/// One slot of the peer table.
struct alignas(64) Peer {
    // Outbound: the first two cache lines.
    bool valid = false, has_path = false, has_sa = false;
    bool any_source = false, multicast = false;
    EspMode mode = EspMode::transport;  // of the outbound SA, as is the algorithm
    EspAlgorithm algorithm = EspAlgorithm::aes_gcm_256;
    WorkerId sa_owner{};
    std::uint8_t source_count = 0;
    TunnelId tunnel{};
    PortId port{};
    SaSlot sa_slot{};
    std::uint16_t mtu = 0;  // inner IP bytes that the path carries
    std::uint16_t nbma_udp_port = 0;
    std::uint32_t nbma_remote = 0, nbma_local = 0;  // host order
    OuterHeader outer;

    // Inbound.
    struct Source {
        std::uint32_t network = 0, mask = 0;  // host order
    };
    std::array<Source, SetPeer::kSourcesMax> sources{};

    /// True if the peer may send from this inner address (host order).
    bool permits(std::uint32_t source) const {
        if (any_source) return true;
        for (std::size_t i = 0; i < source_count; ++i)
            if ((source & sources[i].mask) == sources[i].network) return true;
        return false;
    }
    void set_sources(const SetPeer& command);
};

}  // namespace nave::dataplane
