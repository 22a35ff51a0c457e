// The commands that make two gateways a hub and its spokes.
#pragma once

#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/cell.hpp"

namespace nave::rig {

enum class Side : std::uint8_t { hub, spokes };

/// Ports, addresses, the tunnel (no redirects: a benchmark has no control plane that acts on them) and what is reached behind the gateway.
void set_up_gateway(BenchGateway& gateway, Side side, const WorldShape& world);

/// Peer `peer` on both sides: its path, its SAs in both directions with keys of their own, its routes. The spokes' side keeps the SAs
/// of a peer at the worker that sends its packets to the hub's worker of the same number.
void connect(BenchGateway& hub, BenchGateway& spokes, std::uint32_t peer, const WorldShape& world);

}  // namespace nave::rig
