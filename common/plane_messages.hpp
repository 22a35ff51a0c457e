// Everything that the planes say to each other: commands go down to a worker or the route writer, events and punted packets come up.
#pragma once

#include "common/addresses.hpp"
#include "common/esp_algorithm.hpp"
#include "common/ids.hpp"
#include "common/secret.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

namespace nave {

enum class EspMode : std::uint8_t { transport, tunnel };
enum class Direction : std::uint8_t { inbound, outbound };

/// One direction's keys, as long as and in the order that EspSizes says.
using EspKeymat = SecretArray<kEspKeymatMax>;

/// When a worker reports, and when it stops using an SA. Bytes of ESP payload; 0 means no limit.
struct SaLimits {
    std::uint64_t soft_packets = 0, soft_bytes = 0;  // one SaNearLimit event
    std::uint64_t hard_packets = 0, hard_bytes = 0;  // every further packet is dropped
};

// ---- Commands: control thread to workers; none may be lost. A table change goes to every worker, routes go to the route writer. ----

struct SetPort { PortId port; MacAddress mac; std::uint16_t mtu; };
struct AddLocalAddress { PortId port; IpAddress address; };
struct RemoveLocalAddress { PortId port; IpAddress address; };
/// Creates or changes a tunnel. `mtu`: inner IP bytes. `mss_clamp`: lower the MSS of TCP SYNs to the MTU.
struct SetTunnel {
    TunnelId tunnel; TableId table; bool has_key; std::uint32_t gre_key;
    std::uint16_t mtu; bool mss_clamp; bool redirect; std::uint8_t ttl;
};
struct AddTunnelAddress { TunnelId tunnel; TunnelAddress address; };
struct RemoveTunnelAddress { TunnelId tunnel; TunnelAddress address; };

/// Creates or changes a peer. `sources` bound what it may send (inner source address) unless `any_source` (a hub).
struct SetPeer {
    static constexpr std::size_t kSourcesMax = 16;
    PeerId peer; TunnelId tunnel; GroupId group;
    bool any_source; bool multicast;  // multicast: it is in its tunnel's replication list
    std::uint8_t source_count; std::array<Prefix, kSourcesMax> sources;
};
/// How many bits per second of outer IP packets may go to a peer and come from it; 0 means no limit, which a peer begins with. Packets
/// to a peer with a limit all go through the SA that is everybody's, so that one worker keeps it.
struct SetPeerRate { PeerId peer; std::uint64_t to = 0, from = 0; };
/// How to reach a peer on the underlay. UDP ports 0 = plain ESP, else ESP in UDP (RFC 3948). Both addresses are of one family.
/// `mtu`: IP bytes that the path carries where that is less than its port does; 0 = not known to be less.
struct SetPeerPath {
    PeerId peer; PortId port; MacAddress source_mac, destination_mac;
    NbmaAddress local, remote; std::uint16_t local_udp_port, remote_udp_port;
    std::uint16_t mtu = 0;
};
/// The peer has no usable path (no route or neighbour on the underlay): packets to it are dropped by name.
struct ClearPeerPath { PeerId peer; };
/// Removes a peer; its SAs must have been removed before, and its routes be sent away before. To every worker and to the route
/// writer, and each acknowledges with PeerRemoved: only then no packet and no route of the old peer can meet a new one in its slot.
/// `removal` comes back with the acknowledgement, so that one of an earlier removal cannot pass for it.
struct RemovePeer { PeerId peer; std::uint32_t removal = 0; };

/// To its owner, whom the SPI names; so is its removal.
struct InstallInboundSa {
    Spi spi; PeerId peer; EspAlgorithm algorithm; EspMode mode; bool esn;
    std::uint16_t replay_window;  // packets; a power of two from 64 to 8192
    SaLimits limits; EspKeymat keymat;
};
/// Installs an outbound SA and makes it the one that the peer's traffic uses from now on. To every worker, so is its removal:
/// `owner` keeps it, the others learn whom to hand the peer's packets to. With `for_owner_alone` (a per-resource SA, RFC 9611)
/// only the owner's packets use it, and the others stay with the peer's other SA, which is everybody's fallback.
struct InstallOutboundSa {
    SaSlot slot; WorkerId owner; Spi spi; PeerId peer; EspAlgorithm algorithm; EspMode mode; bool esn;
    SaLimits limits; EspKeymat keymat; bool for_owner_alone = false;
};
/// Acknowledged by SaRemoved. An outbound SA that is removed while in use leaves the peer with its fallback, or without one: fail closed.
struct RemoveInboundSa { Spi spi; };
struct RemoveOutboundSa { SaSlot slot; PeerId peer; };

/// A layer-2 neighbour on an inside port.
struct SetAdjacency { AdjacencyId adjacency; PortId port; MacAddress source_mac, destination_mac; };
/// Sent and acknowledged (AdjacencyRemoved) as RemovePeer is.
struct RemoveAdjacency { AdjacencyId adjacency; std::uint32_t removal = 0; };

/// Where a route leads. `twin` hands the packet to the kernel: with index 0 to resolve the neighbour (Punt::glean), with index 1
/// because the address is the kernel's own (Punt::tunnel).
struct RouteTarget {
    enum class Kind : std::uint8_t { peer, adjacency, twin, reject } kind = Kind::reject;
    std::uint32_t index = 0;  // PeerId or AdjacencyId
    constexpr auto operator<=>(const RouteTarget&) const = default;
};
/// To the route writer alone. A worker may see the route before or after commands of its own ring: a peer or neighbour that is not
/// there (yet, or any more) is a counted drop.
struct SetRoute { TableId table; Prefix prefix; RouteTarget target; };
struct RemoveRoute { TableId table; Prefix prefix; };

struct ShutDown {};

using Command = std::variant<SetPort, AddLocalAddress, RemoveLocalAddress, SetTunnel, AddTunnelAddress, RemoveTunnelAddress, SetPeer, SetPeerRate, SetPeerPath,
                             ClearPeerPath, RemovePeer, InstallInboundSa, InstallOutboundSa, RemoveInboundSa, RemoveOutboundSa, SetAdjacency,
                             RemoveAdjacency, SetRoute, RemoveRoute, ShutDown>;

/// What the route writer is told: changes of routes, and removals that it acknowledges once all changes before them are made.
using RouteCommand = std::variant<SetRoute, RemoveRoute, RemovePeer, RemoveAdjacency, ShutDown>;
constexpr bool is_for_workers(const Command& command) { return !std::holds_alternative<SetRoute>(command) && !std::holds_alternative<RemoveRoute>(command); }
/// The route writer's copy of a command of which it has to know.
constexpr std::optional<RouteCommand> for_route_writer(const Command& command) {
    if (const auto* set = std::get_if<SetRoute>(&command)) return *set;
    if (const auto* remove = std::get_if<RemoveRoute>(&command)) return *remove;
    if (const auto* peer = std::get_if<RemovePeer>(&command)) return *peer;
    if (const auto* adjacency = std::get_if<RemoveAdjacency>(&command)) return *adjacency;
    return std::nullopt;
}

// ---- Events: worker or route writer to control thread; may be lost, and are counted then. ----

struct SaNearLimit { Direction direction; SaSlot slot; PeerId peer; Spi spi; };
/// First authenticated packet on an inbound SA: the other end uses it (RFC 7296 §2.8).
struct InboundSaUsed { Spi spi; PeerId peer; };
/// An authenticated packet came from another address or port than the peer's path says (RFC 7296 §2.23).
struct PeerMoved { PeerId peer; Spi spi; NbmaEndpoint seen; };
struct SaRemoved { Direction direction; SaSlot slot; Spi spi; };
struct PeerRemoved { PeerId peer; std::uint32_t removal; WorkerId by; };
struct AdjacencyRemoved { AdjacencyId adjacency; std::uint32_t removal; WorkerId by; };

using Event = std::variant<SaNearLimit, InboundSaUsed, PeerMoved, SaRemoved, PeerRemoved, AdjacencyRemoved>;

// ---- Packets across the wall, bytes copied. ----

/// Why a packet is handed up. Each class has its own policer.
enum class Punt : std::uint8_t {
    arp,          // frame of ARP, or of IPv6 neighbour discovery from the link; to the port's twin
    local,        // frame to one of our underlay or inside addresses, or link-local multicast; to the port's twin
    ike,          // IP packet with UDP to port 500, or to 4500 with the non-ESP marker; to the IKE endpoint
    ike_of_peer,  // the same from the underlay address of a peer that is up: a flood of strangers must not starve its liveness and rekeys
    nhrp,         // GRE payload of protocol 0x2001, decrypted, of `peer`; to the NHRP node
    tunnel,       // inner IP packet that the tunnel's twin shall see: to our tunnel address, link-local multicast, route target `twin`
    glean,        // frame's inner IP packet whose inside neighbour is unknown; to the twin, so that the kernel resolves it
    redirect,     // head of an inner IP packet that the hub relayed from `peer` back into the same tunnel (traffic indication wanted)
    count
};

/// A punted (up) or injected (down) packet. Copies move `length` bytes only.
struct PacketMessage {
    static constexpr std::size_t kBytesMax = 9728;
    /// Meaning of an injected packet: a whole frame for `port`; an inner IP packet to be routed in `tunnel`; a GRE payload of
    /// protocol 0x2001 for exactly `peer`.
    enum class Inject : std::uint8_t { frame, tunnel, nhrp };

    Punt punt = Punt::local;
    Inject inject = Inject::frame;
    PortId port;
    TunnelId tunnel;
    PeerId peer;
    std::uint16_t length = 0;
    std::array<std::uint8_t, kBytesMax> bytes;

    PacketMessage() {}
    PacketMessage(const PacketMessage& other) { *this = other; }
    PacketMessage& operator=(const PacketMessage& other) {
        punt = other.punt, inject = other.inject, port = other.port, tunnel = other.tunnel, peer = other.peer;
        set(other.view());
        return *this;
    }
    std::span<const std::uint8_t> view() const { return {bytes.data(), length}; }
    /// Callers pass at most kBytesMax bytes.
    void set(std::span<const std::uint8_t> source) {
        length = static_cast<std::uint16_t>(source.size());
        std::copy(source.begin(), source.end(), bytes.begin());
    }
};

}  // namespace nave
