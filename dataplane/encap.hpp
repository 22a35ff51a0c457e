// From an inner packet to one on the underlay: GRE, ESP, and the peer's ready-made outer header.
#pragma once

#include "dataplane/worker_state.hpp"

namespace nave::dataplane {

/// Puts GRE in front (and the tunnel-mode header when negotiated). Packets whose outbound SA another worker owns are handed
/// over. Fails closed: without SA or path the packet is dropped by name.
Verdict encap_gre(Packet& packet, WorkerState& worker);

/// Encrypts a burst of GRE packets of this worker's SAs (RFC 4303 §3.3). What remains begins with its ESP header, behind room
/// for any outer header.
void esp_encrypt(Burst& burst, WorkerState& worker);

/// Puts the peer's ready-made header around a packet that esp_encrypt made, and queues it for its port; in fragments when it is longer than
/// the peer's path (RFC 8200 §5: a link that does not carry 1280 bytes in one piece fragments below IP).
Verdict put_outer_header(Packet& packet, WorkerState& worker);

}  // namespace nave::dataplane
