// Commands as controlplane/overlay sends them, for peers that a plan of addresses describes.
#include "tests/rig/dataplane_bench/peering.hpp"

#include "common/headers.hpp"
#include "tests/rig/dataplane_bench/address_plan.hpp"

namespace nave::rig {

namespace {

constexpr TunnelId kTunnel{0};
constexpr AdjacencyId kHost{0};
constexpr std::uint16_t kPortMtu = 1500, kTunnelMtu = 1400, kReplayWindow = 1024;
constexpr std::uint32_t kGreKey = 42;

MacAddress mac_of(Side side) { return side == Side::hub ? kHubMac : kSpokesMac; }
TableId table_of(Side side) { return side == Side::hub ? kHubTable : kSpokesTable; }
IpAddress nbma_of(Side side, std::uint32_t peer) { return IpAddress::v4(side == Side::hub ? plan::kHubNbma : plan::spoke_nbma(peer)); }

/// A key of the peer's own for each direction; what it is does not matter, that all differ does.
EspKeymat keymat(std::uint32_t peer, Side sender, EspAlgorithm algorithm) {
    Bytes bytes(sizes_of(algorithm).keymat());
    std::uint64_t state = (std::uint64_t{peer} << 1 | (sender == Side::hub)) + 1;
    for (auto& byte : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<std::uint8_t>(state >> 56);
    }
    return EspKeymat{bytes};
}

std::uint8_t owner_at(Side side, std::uint32_t peer, const WorldShape& world) {
    return static_cast<std::uint8_t>(side == Side::hub ? owner_of(peer, world.workers) : arrival_of(peer, world.workers, world.arrival));
}

void connect_half(BenchGateway& gateway, Side here, std::uint32_t peer, const WorldShape& world) {
    const Side there = here == Side::hub ? Side::spokes : Side::hub;
    const TunnelShape& tunnel = world.tunnel;
    const PeerId id{peer};
    const WorkerId owner{owner_at(here, peer, world)};
    const Spi inbound = spi_layout::make(SaSlot{peer}, owner, 1), outbound = spi_layout::make(SaSlot{peer}, WorkerId{owner_at(there, peer, world)}, 1);
    SetPeer settings{id, kTunnel, GroupId{}, here == Side::spokes, false, 0, {}};
    if (here == Side::hub) {
        settings.sources[0] = plan::network(plan::spoke_network(peer));
        settings.sources[1] = Prefix::host(IpAddress::v4(plan::spoke_tunnel(peer)));
        settings.source_count = 2;
    }
    const std::uint16_t udp = tunnel.natt ? kUdpPortNatTraversal : std::uint16_t{0};
    gateway.command(settings);
    gateway.command(SetPeerPath{id, kUnderlay, mac_of(here), mac_of(there), NbmaAddress{nbma_of(here, peer)}, NbmaAddress{nbma_of(there, peer)}, udp, udp});
    gateway.command(owner, InstallInboundSa{inbound, id, tunnel.algorithm, EspMode::transport, tunnel.esn, kReplayWindow, {}, keymat(peer, there, tunnel.algorithm)});
    gateway.command(InstallOutboundSa{SaSlot{peer}, owner, outbound, id, tunnel.algorithm, EspMode::transport, tunnel.esn, {}, keymat(peer, here, tunnel.algorithm)});
}

void set_route(BenchGateway& gateway, Side side, const Prefix& prefix, const RouteTarget& target) { gateway.command(WorkerId{0}, SetRoute{table_of(side), prefix, target}); }

}  // namespace

void set_up_gateway(BenchGateway& gateway, Side side, const WorldShape& world) {
    gateway.command(SetPort{kUnderlay, mac_of(side), kPortMtu});
    gateway.command(SetPort{kInside, kInsideMac, kPortMtu});
    gateway.command(AddLocalAddress{kUnderlay, nbma_of(side, 0)});
    gateway.command(AddLocalAddress{kInside, IpAddress::v4(plan::kHubInside)});
    gateway.command(SetTunnel{kTunnel, table_of(side), world.tunnel.gre_key, kGreKey, kTunnelMtu, true, false, 64});
    gateway.command(AddTunnelAddress{kTunnel, TunnelAddress{IpAddress::v4(side == Side::hub ? plan::kHubTunnel : plan::kTunnel)}});
    gateway.command(SetAdjacency{kHost, kInside, kInsideMac, kHostMac});
    if (side == Side::hub)
        set_route(gateway, side, Prefix::of(IpAddress::v4(plan::kHubNetworks), plan::kHubNetworksBits), {RouteTarget::Kind::adjacency, kHost.value});
}

void connect(BenchGateway& hub, BenchGateway& spokes, std::uint32_t peer, const WorldShape& world) {
    connect_half(hub, Side::hub, peer, world);
    connect_half(spokes, Side::spokes, peer, world);
    set_route(hub, Side::hub, plan::network(plan::spoke_network(peer)), {RouteTarget::Kind::peer, peer});
    // Spoke `peer` reaches the hub's networks and its partner's through the hub.
    set_route(spokes, Side::spokes, plan::network(plan::hub_network(peer)), {RouteTarget::Kind::peer, peer});
    set_route(spokes, Side::spokes, plan::network(plan::spoke_network(peer)), {RouteTarget::Kind::peer, plan::partner(peer)});
}

}  // namespace nave::rig
