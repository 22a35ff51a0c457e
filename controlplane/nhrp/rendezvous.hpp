// Our vendor-private extension (RFC 2332 §5.3.5) by which a hub tells two stations behind NATs each other's address and port.
#pragma once

#include "controlplane/nhrp/packet.hpp"

#include <optional>

namespace nave::nhrp {

/// A station behind a NAT that is ready to meet another one half-way puts the empty extension into its Resolution Request or Reply. The first hub
/// on the way writes down where it sees the sender. Never compulsory: whoever does not know it passes it on, and nobody meets. A hub shows that it
/// knows it in the Registration Reply, where it fills in the client's own place; a spoke believes no other, who might pass on what a spoke wrote.
///
/// On the wire, behind the OUI 02-4E-56 (locally administered) and the kind 1: nothing, or port (2 bytes), lengths of the two addresses (1 byte
/// each), underlay address, tunnel address of the station that is meant.
struct Rendezvous {
    NbmaEndpoint observed;
    IpAddress station;
};

/// Puts the empty extension into the packet, in place of a filled one.
void offer_rendezvous(Packet& packet);
void remove_rendezvous(Packet& packet);
/// Hub: writes where the sender is seen into its empty extension. Empties one that is filled, which echoes a request or lies. Adds none.
void fill_rendezvous(Packet& packet, const std::optional<Rendezvous>& seen);
/// Where a hub saw the station; nothing if the extension is absent, empty, malformed, or about another station.
std::optional<NbmaEndpoint> rendezvous_with(const Packet& packet, const IpAddress& station);

}  // namespace nave::nhrp
