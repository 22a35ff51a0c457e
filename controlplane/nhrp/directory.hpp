// What a node asks about the world: routes, policy by identity, and underlay addresses. The overlay implements it.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "controlplane/nhrp/codes.hpp"

#include <optional>
#include <string_view>
#include <variant>

namespace nave::nhrp {

struct NoRoute {};
/// We are the egress: our own tunnel address, or a network on our inside. `prefix` is the route's.
struct LocalRoute { Prefix prefix; };
/// Another peer of this tunnel is the next hop. `prefix` is the route's.
struct PeerRoute { PeerId peer; TunnelAddress next_hop; Prefix prefix{}; };
using Route = std::variant<NoRoute, LocalRoute, PeerRoute>;

/// Answers at once, from tables; called only from within a node's inputs.
class Directory {
public:
    virtual ~Directory() = default;
    /// Longest match over the tunnel's routes: inside networks, bindings announced by BindingAdded, shortcuts, and
    /// what leads to a hub.
    virtual Route route(const IpAddress& destination) const = 0;
    /// Where a question about the destination is to go: its route, but to a hub while there is one rather than along a shortcut,
    /// because a hub checks who answers.
    virtual Route way_to_ask(const IpAddress& destination) const = 0;
    /// Whether this peer is a hub: it speaks for others, and checks what it passes on.
    virtual bool is_server(PeerId peer) const = 0;
    /// Whether this very peer is known to hold the tunnel address.
    virtual bool is_station(PeerId peer, const IpAddress& address) const = 0;
    /// Hub: why this peer's identity may not register the prefix; nothing when it may.
    virtual std::optional<CieCode> registration_refusal(PeerId peer, const Prefix& prefix) const = 0;
    /// Hub: why a spoke of that identity (empty: the other hub itself), which is registered with another hub, may not hold the prefix.
    virtual std::optional<CieCode> refusal_behind_hub(PeerId hub, std::string_view holder, const Prefix& prefix) const = 0;
    /// Whether this peer may answer for the prefix, or have a purge of it passed on: a hub for all, a spoke for what its identity
    /// allows.
    virtual bool may_answer(PeerId peer, const Prefix& prefix) const = 0;
    /// Whether both peers authenticated as the same identity (a spoke that came back from another address).
    virtual bool same_identity(PeerId a, PeerId b) const = 0;
    /// Our underlay address as used towards that peer, before any NAT.
    virtual NbmaAddress local_nbma(PeerId peer) const = 0;
    /// Whether a NAT on our side lies between us and that peer.
    virtual bool is_behind_nat(PeerId peer) const = 0;
    /// The peer's underlay address as its packets show it, after any NAT.
    virtual NbmaAddress observed_nbma(PeerId peer) const = 0;
    /// Where the peer's ESP in UDP comes from, if a NAT lies between; nothing if none does.
    virtual std::optional<NbmaEndpoint> observed_behind_nat(PeerId peer) const = 0;
};

}  // namespace nave::nhrp
