// Messages under an IKE SA's keys: role, window, integrity, then the handler that the exchange and the state ask for.
#pragma once

#include "controlplane/ike/context.hpp"

namespace nave::ike {

/// A message whose SPIs lead to this association. Nothing of it counts before its integrity is verified.
void on_protected(Context& context, Association& association, IkeSa& ike, const Arrival& arrival);

}  // namespace nave::ike
