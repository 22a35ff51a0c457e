// Keys as lines of Wireshark's key tables, for an operator who asked for them: the one place where key material becomes text.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/keys.hpp"

namespace nave::ike {

/// If the settings say so, emits the keys of an IKE SA whose secrets were just derived; nobody need be authenticated by then. Once for an IKE
/// SA, as Wireshark takes one line: the keys that IKE_AUTH goes with, behind all IKE_INTERMEDIATE.
void log_keys(Context& context, const IkeSa& ike);
/// The same for both directions of a child SA, with the addresses as this end sees them now: a capture on the other side of a NAT needs the
/// other end's key log.
void log_keys(Context& context, const Association& association, const ChildSa& child, const EspKeymat& inbound, const EspKeymat& outbound);

/// One line of Wireshark's file "ikev2_decryption_table", without line end.
Secret wireshark_line(const IkeSa& ike);

/// One direction of a child SA. Gateways choose their SPIs alike, so that the addresses are needed to tell SAs apart.
struct EspKeys {
    IpAddress source, destination;
    Spi spi;
    EspAlgorithm algorithm;
    ByteView keymat;
};
/// One line of Wireshark's file "esp_sa", without line end; a comment where Wireshark does not know the algorithm.
Secret wireshark_line(const EspKeys& keys);

}  // namespace nave::ike
