// The commands that make two gateways a hub and its spokes.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/cell.hpp"

namespace nave::rig {

enum class Side : std::uint8_t { hub, spokes };
constexpr Side other(Side side) { return side == Side::hub ? Side::spokes : Side::hub; }

/// One SA: whose, who sends on it, and how many it had before.
struct SaPlan {
    std::uint32_t peer = 0;
    Side sender = Side::hub;
    std::uint32_t epoch = 0;
};

/// One worker of one gateway, on whose thread these functions are called.
struct Station {
    BenchGateway& gateway;
    Side side;
    WorkerId worker;
};

/// Ports, addresses, the tunnel (no redirects: a benchmark has no control plane that acts on them) and what is reached behind the gateway.
void set_up(const Station& at, const WorldShape& world);

/// Peer `peer`: its path, its first SAs in both directions with keys of their own, its routes. The spokes' side keeps the SAs of a peer
/// at the worker that sends its packets to the hub's worker of the same number.
void add_peer(const Station& at, std::uint32_t peer, const WorldShape& world);

/// The other way round, for all peers: packets from the hub end behind the spokes.
void add_spoke_lans(const Station& at, const WorldShape& world);

/// The ends of an SA, each with another key than all SAs of the world before it. Epochs take turns with two slots.
InstallInboundSa inbound_end(const SaPlan& sa, const WorldShape& world);
InstallOutboundSa outbound_end(const SaPlan& sa, const WorldShape& world);
/// SA slots that the world's gateways need when SAs are replaced.
constexpr std::uint32_t slots_for(std::uint32_t peers) { return 2 * peers; }

}  // namespace nave::rig
