// Messages under an IKE SA's keys: role, window, integrity, then the handler that the exchange and the state ask for.
#pragma once

#include "controlplane/ike/context.hpp"

namespace nave::ike {

/// A NAT in front of the peer forgets and renumbers (RFC 7296 §2.23): what is authentic and newest says where the peer is now. Nothing changes
/// if it is not behind a NAT.
void follow(Context& context, Association& association, const NbmaEndpoint& local, const NbmaEndpoint& remote);

/// A message whose SPIs lead to this association. Nothing of it counts before its integrity is verified.
void on_protected(Context& context, Association& association, IkeSa& ike, const Arrival& arrival);

}  // namespace nave::ike
