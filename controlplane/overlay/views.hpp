// What an operator is shown of the overlay: plain rows, made on request.
#pragma once

#include "common/addresses.hpp"
#include "common/plane_messages.hpp"
#include "controlplane/overlay/peer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nave::overlay {

/// One peer, joined over IKE, NHRP and the dataplane; or one that is only sought through NATs, which has no number and no identity yet.
struct PeerView {
    std::optional<PeerId> peer;
    std::string tunnel, identity;
    std::vector<std::string> tunnel_addresses, prefixes;
    std::string nbma;                    // "192.0.2.11:4500"
    std::string nat;                     // "none", "peer", "us", "both"
    std::string role;                    // "hub", "spoke"
    /// "direct"; or while traffic goes through the hub: "hub", "punching" (both ends open their NATs), "nat-blocked" (the NATs let nothing through)
    std::string path;
    std::string ike_state, sa_state;     // "established"; "up", "none", "rekeying"
    std::uint16_t group = 0;
    std::string nhrp_group{};            // what the peer calls itself
    std::chrono::seconds uptime{0};
    std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
    RateLimits rates{};
    RateCounts rate_counts{};
};

/// One NHRP entry: a registration that we keep or hold, a resolved shortcut, a pending or a negative answer.
struct NhrpView {
    std::string tunnel, kind, prefix, tunnel_address, nbma, peer, state;
    std::optional<std::chrono::seconds> expires_in;
    std::string group{};  // of registered entries: the NHRP group that the peer names
};

struct IkeView {
    std::string identity, state, local, remote, proposal, role, nat;
    std::string initiator_spi, responder_spi;
    std::chrono::seconds age{0}, rekey_in{0};
};

struct SaView {
    std::string identity, direction, spi, proposal, mode;
    bool esn = false;
    std::uint64_t packets = 0, bytes = 0;
    std::chrono::seconds age{0}, rekey_in{0};
    std::optional<std::uint8_t> worker{};  // whose own it is; absent: all send under it
};

struct RouteView {
    std::string tunnel, prefix, via, source;  // source: the name of a RouteSource
};

}  // namespace nave::overlay
