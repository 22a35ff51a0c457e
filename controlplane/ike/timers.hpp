// Everything that happens to an association by time alone, and what it does next when it is free to.
#pragma once

#include "controlplane/ike/context.hpp"

#include <optional>

namespace nave::ike {

/// Handles what is due at context.now: retransmissions, lifetimes, keepalives, drains, the end of patience.
void on_due(Context& context, Association& association);
/// Starts the next exchange of ours if one is wanted and none is under way: the window is one. Call after every event.
void pursue(Context& context, Association& association);
/// The next moment after context.now at which on_due() or pursue() has something to do.
std::optional<TimePoint> next_deadline(const Context& context, const Association& association);

}  // namespace nave::ike
