// Commands as controlplane/overlay sends them, for peers that a plan of addresses describes.
#include "tests/rig/dataplane_bench/peering.hpp"

#include "common/headers.hpp"
#include "tests/rig/dataplane_bench/address_plan.hpp"

namespace nave::rig {

namespace {

constexpr TunnelId kTunnel{0};
constexpr AdjacencyId kHost{0};
constexpr std::uint16_t kTunnelMtu = 1400, kReplayWindow = 1024;
constexpr std::uint32_t kGreKey = 42;

MacAddress mac_of(Side side) { return side == Side::hub ? kHubMac : kSpokesMac; }
TableId table_of(Side side) { return side == Side::hub ? kHubTable : kSpokesTable; }
IpAddress nbma_of(Side side, std::uint32_t peer) { return IpAddress::v4(side == Side::hub ? plan::kHubNbma : plan::spoke_nbma(peer)); }

/// Keys of the SA's own; what they are does not matter, that all differ does.
EspKeymat keymat(const SaPlan& sa, EspAlgorithm algorithm) {
    Bytes bytes(sizes_of(algorithm).keymat());
    std::uint64_t state = ((std::uint64_t{sa.epoch} << 32 | sa.peer) << 1 | (sa.sender == Side::hub)) + 1;
    for (auto& byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<std::uint8_t>(state >> 56);
    }
    return EspKeymat{bytes};
}

WorkerId owner_at(Side side, std::uint32_t peer, const WorldShape& world) {
    return WorkerId{static_cast<std::uint8_t>(side == Side::hub ? owner_of(peer, world.workers) : arrival_of(peer, world.workers, world.arrival))};
}

SaSlot slot_of(const SaPlan& sa, const WorldShape& world) { return SaSlot{sa.peer + sa.epoch % 2 * even(world.peers)}; }

/// As the receiver chose it.
Spi spi_of(const SaPlan& sa, const WorldShape& world) {
    return spi_layout::make(slot_of(sa, world), owner_at(other(sa.sender), sa.peer, world), sa.epoch % spi_layout::kGenerations + 1);
}

void send(const Station& to, const Command& command) { to.gateway.command(to.worker, command); }

/// One writer, as naved has one: the thread of worker 0, before any worker looks at the table.
void set_route(const Station& at, const Prefix& prefix, const RouteTarget& target) {
    if (at.worker == WorkerId{0}) at.gateway.route(prefix, target);
}

Prefix block(std::uint32_t start) { return Prefix::of(IpAddress::v4(start), plan::kBlockBits); }
RouteTarget to_peer(std::uint32_t peer) { return {RouteTarget::Kind::peer, peer}; }
RouteTarget to_host() { return {RouteTarget::Kind::adjacency, kHost.value}; }

}  // namespace

InstallInboundSa inbound_end(const SaPlan& sa, const WorldShape& world) {
    const TunnelShape& tunnel = world.tunnel;
    return {spi_of(sa, world), PeerId{sa.peer}, tunnel.algorithm, EspMode::transport, tunnel.esn, kReplayWindow, {}, keymat(sa, tunnel.algorithm)};
}

InstallOutboundSa outbound_end(const SaPlan& sa, const WorldShape& world) {
    const TunnelShape& tunnel = world.tunnel;
    return {slot_of(sa, world), owner_at(sa.sender, sa.peer, world), spi_of(sa, world), PeerId{sa.peer}, tunnel.algorithm, EspMode::transport, tunnel.esn, {},
            keymat(sa, tunnel.algorithm)};
}

void set_up(const Station& at, const WorldShape& world) {
    send(at, SetPort{kUnderlay, mac_of(at.side), kPortMtu});
    send(at, SetPort{kInside, kInsideMac, kPortMtu});
    send(at, AddLocalAddress{kUnderlay, nbma_of(at.side, 0)});
    send(at, AddLocalAddress{kInside, IpAddress::v4(plan::kHubInside)});
    send(at, SetTunnel{kTunnel, table_of(at.side), world.tunnel.gre_key, kGreKey, kTunnelMtu, true, false, 64});
    send(at, AddTunnelAddress{kTunnel, TunnelAddress{IpAddress::v4(at.side == Side::hub ? plan::kHubTunnel : plan::kTunnel)}});
    send(at, SetAdjacency{kHost, kInside, kInsideMac, kHostMac});
    if (at.side == Side::hub) set_route(at, block(plan::kHubNetworks), to_host());
}

void add_peer(const Station& at, std::uint32_t peer, const WorldShape& world) {
    const PeerId id{peer};
    SetPeer settings{id, kTunnel, GroupId{}, at.side == Side::spokes, false, 0, {}};
    if (at.side == Side::hub) {
        settings.sources[0] = plan::network(plan::spoke_network(peer));
        settings.sources[1] = Prefix::host(IpAddress::v4(plan::spoke_tunnel(peer)));
        settings.source_count = 2;
    }
    const std::uint16_t udp = world.tunnel.natt ? kUdpPortNatTraversal : std::uint16_t{0};
    send(at, settings);
    if (world.tunnel.shaped) send(at, SetPeerRate{id, 100'000'000'000, 100'000'000'000});
    send(at, SetPeerPath{id, kUnderlay, mac_of(at.side), mac_of(other(at.side)), NbmaAddress{nbma_of(at.side, peer)}, NbmaAddress{nbma_of(other(at.side), peer)}, udp, udp});
    if (owner_at(at.side, peer, world) == at.worker) send(at, inbound_end({peer, other(at.side), 0}, world));
    send(at, outbound_end({peer, at.side, 0}, world));
    if (at.side == Side::hub) return set_route(at, plan::network(plan::spoke_network(peer)), to_peer(peer));
    // Spoke `peer` reaches the hub's networks and its partner's through the hub.
    set_route(at, plan::network(plan::hub_network(peer)), to_peer(peer));
    set_route(at, plan::network(plan::spoke_network(peer)), to_peer(plan::partner(peer)));
}

void add_spoke_lans(const Station& at, const WorldShape& world) {
    if (at.side == Side::spokes) set_route(at, block(plan::kSpokeLans), to_host());
    for (std::uint32_t peer = 0; peer < even(world.peers); ++peer) {
        if (at.side == Side::hub) set_route(at, plan::network(plan::spoke_lan(peer)), to_peer(peer));
        else send(at, AddLocalAddress{kUnderlay, nbma_of(at.side, peer)});
    }
}

}  // namespace nave::rig
