// What a node wants done: the list of actions that every input fills, to be carried out by the overlay in order.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/ids.hpp"
#include "common/time.hpp"
#include "controlplane/nhrp/codes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nave::nhrp {

/// A configured next-hop server of this tunnel; the number is the overlay's.
using NhsId = Strong<struct NhsIdTag, std::uint16_t>;

/// Send `bytes` as GRE payload of protocol 0x2001 through that peer's SA; drop it when there is none.
struct Send { PeerId peer; Bytes bytes; };

/// Hub: a peer registered `prefix` (its tunnel address as a host prefix, or a LAN prefix behind it). Also said when the
/// holder, next hop or NBMA address of a known binding changed; a mere renewal says nothing.
struct BindingAdded {
    PeerId peer; Prefix prefix; TunnelAddress next_hop;
    NbmaAddress nbma;  // as the peer claims it; behind NAT its private address
    bool unique;       // registered with the U bit
};
enum class BindingEnd : std::uint8_t { expired, purged, peer_down, taken_over, revoked };
struct BindingRemoved { PeerId peer; Prefix prefix; TunnelAddress next_hop; BindingEnd reason; };

/// Hub: behind that other hub, whose tunnel address is `next_hop`, a spoke of the identity `holder` (empty: the hub itself) holds the prefix (or no
/// longer does). Several hubs may say so of one prefix, and what a peer registers with us goes before.
struct BehindHub { PeerId hub; Prefix prefix; TunnelAddress next_hop; std::string holder; bool present; };

/// Hub: the peer registered its tunnel address and named this group for itself; said when it changes, and with an empty one when its last
/// binding ends. Anybody may name any group.
struct GroupNamed { PeerId peer; std::string group; };

/// Spoke: the hub confirmed our tunnel address; said again only when a field changed.
struct Registered {
    NhsId nhs; PeerId peer; TunnelAddress hub;
    std::optional<NbmaAddress> observed;  // our address as the hub sees it, when a NAT lies between
};
enum class RegistrationEnd : std::uint8_t { unanswered, peer_down, refused, removed };
/// Spoke: not registered any more. After `unanswered` the overlay should start IKE with that hub again; the node keeps trying.
struct RegistrationLost { NhsId nhs; RegistrationEnd reason; };
/// Spoke: the hub refused our tunnel address (host prefix) or one of our LAN prefixes. Tried again with the next renewal.
struct RegistrationRefused { NhsId nhs; Prefix prefix; CieCode code; };
/// Spoke: the hub took a LAN prefix of ours.
struct PrefixRegistered { NhsId nhs; Prefix prefix; };

/// A destination was resolved: bring up IKE with `nbma`, then route `prefix` to that peer. Said again when the next hop or
/// NBMA address changed (after ShortcutGone{replaced}); a mere renewal says nothing.
struct Resolved {
    Prefix prefix; TunnelAddress next_hop;
    NbmaAddress nbma;     // to contact: the NAT extension's address when one was given
    NbmaAddress claimed;  // the responder's own view; differs from `nbma` behind NAT
    Duration holding_time;
    std::optional<NbmaEndpoint> rendezvous{};  // both ends are behind NATs, and a hub sees the other end there; its address is `nbma`
};
enum class ShortcutEnd : std::uint8_t { expired, purged, replaced, refused };
/// Traffic for `prefix` goes through the hub again. Not said for what the overlay itself told the node to forget.
struct ShortcutGone { Prefix prefix; TunnelAddress next_hop; ShortcutEnd reason; };
enum class ResolutionFailure : std::uint8_t { unanswered, refused, unreachable, no_route, limit, invalid };
struct ResolutionFailed { IpAddress destination; ResolutionFailure reason; };

/// We answered a resolution request of another spoke: it will start IKE with us now, and through a NAT on our side it only
/// succeeds if we start towards it as well. `nbma` is the address to contact, `rendezvous` as in Resolved.
struct Answered {
    TunnelAddress requester; NbmaAddress nbma; Prefix prefix;
    std::optional<NbmaEndpoint> rendezvous{};
};

enum class Severity : std::uint8_t { debug, info, notice, warning };
/// One line for the log. Lines of equal `key` may be rate-limited by whoever writes them; what a peer can provoke has a key
/// that names the peer, never an address of its making.
struct Log { Severity severity; std::string key; std::string text; };

using Action = std::variant<Send, BindingAdded, BindingRemoved, BehindHub, GroupNamed, Registered, RegistrationLost, RegistrationRefused, PrefixRegistered, Resolved,
                            ShortcutGone, ResolutionFailed, Answered, Log>;
using Outbox = std::vector<Action>;

std::string_view name(BindingEnd reason);
std::string_view name(RegistrationEnd reason);
std::string_view name(ShortcutEnd reason);
std::string_view name(ResolutionFailure reason);

}  // namespace nave::nhrp
