// Child SAs of an established association: installed, put to use, replaced, drained and removed.
#pragma once

#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/context.hpp"

namespace nave::ike {

/// What an exchange agreed on, and in which role we did. `exchanges`: its nonces and secrets, all of them made.
struct NewChild {
    Spi inbound;
    const ChildTerms& terms;
    Role role;
    const KeyExchangeSeries& exchanges;
    std::optional<ResourceId> resource{};
};
/// Derives the keys and installs the inbound SA. The outbound one waits for use_outbound().
ChildId install_child(Context& context, Association& association, const NewChild& made);
/// The peer is known to hold its inbound SA, or there is no older SA to send on. Does nothing when it is in use already.
void use_outbound(Context& context, Association& association, ChildSa& child);
/// Removes the pair; the newest Fresh one takes over if nothing else is left to send on. The inbound SA drains while others live.
void remove_child(Context& context, Association& association, ChildId id);
/// Closes an association that has no child SA for all left, and no exchange under way that makes one.
void end_if_childless(Context& context, Association& association);

}  // namespace nave::ike
