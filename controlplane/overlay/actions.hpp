// What the overlay wants done: the list of actions that every input fills, to be carried out in order.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/plane_messages.hpp"
#include "controlplane/ike/endpoint.hpp"

#include <string>
#include <variant>
#include <vector>

namespace nave::overlay {

/// A UDP datagram of IKE, or a NAT keepalive, to be sent from `port`.
struct SendDatagram { PortId port; NbmaEndpoint local, remote; Bytes payload; };
/// An NHRP packet for exactly this peer, to be injected into its tunnel.
struct SendNhrp { PeerId peer; Bytes packet; };
/// A command for the dataplane. Whoever runs the rings sends SAs to their owner, routes to the route writer and the rest to all.
struct Dataplane { Command command; };
/// How a peer is reached on the underlay; the underlay finds the next hop, sends SetPeerPath, and again when it changes.
struct ReachPeer { PeerId peer; PortId port; NbmaAddress local, remote; std::uint16_t local_udp_port, remote_udp_port; };
/// The peer is gone: the underlay forgets its path.
struct ForgetPeer { PeerId peer; };
/// A route for the kernel's table of this tunnel (protocol "nhrp"), so that the gateway's own traffic and routing daemons see it.
struct KernelRoute { TunnelId tunnel; Prefix prefix; TunnelAddress gateway; bool present; };
/// Look up all addresses of this domain name, by the underlay, and tell Gateway::on_resolved(), also when there are none.
struct ResolveHub { std::string name; };
/// One line for the operator; `key` groups lines for rate limiting.
struct Log { ike::Severity severity; std::string key, text; };

using Action = std::variant<SendDatagram, SendNhrp, Dataplane, ReachPeer, ForgetPeer, KernelRoute, ResolveHub, Log, ike::KeyLog, ike::Trace, ike::Compute,
                            ike::FetchRevocation>;
using Outbox = std::vector<Action>;

}  // namespace nave::overlay
