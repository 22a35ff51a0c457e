// Child SAs for single resources, such as workers (RFC 9611): which are missing, and which a peer may have.
#pragma once

#include "controlplane/ike/context.hpp"

#include <optional>
#include <span>

namespace nave::ike {

/// What IKE_AUTH carries to say that we know such child SAs.
Notify resource_notify();
/// After come_up(): if the peer's IKE_AUTH carried that notification, missing ones are made. The initiator begins, so that both ends
/// do not make the same ones.
void note_resources(Context& context, Association& association, std::span<const Payload> auth);
/// Asks for the child SA of the first resource that has none, if it is time. The IKE SA is idle.
void start_missing_resource(Context& context, Association& association, Established& established);
/// The peer refused the last one.
void on_resource_refused(Context& context, Association& association, const Notify& error);

/// The first of `limit` resources that has no child SA.
std::optional<ResourceId> free_resource(const Established& established, std::size_t limit);
/// A new request shows that the peer has our answer to the one before: pairs that no older one stands in for are sent on from now on.
void confirm_resources(Context& context, Association& association);

}  // namespace nave::ike
