// One child SA pair of an association and the states of its life.
#pragma once

#include "controlplane/ike/endpoint.hpp"

#include <optional>
#include <variant>

namespace nave::ike {

/// The peer made this one by its request and is not yet known to hold our answer: we receive on it and send on an older one.
struct Fresh { EspKeymat outbound; };
/// In use both ways, as far as we know.
struct InUse {};
/// A newer one took its place; the peer made that one and sends the DELETE, or `give_up_at` comes.
struct Replaced {
    ChildId by;
    TimePoint give_up_at;
};
/// It shall be deleted; our DELETE waits for its turn or for its answer.
struct Doomed {};
using ChildState = std::variant<Fresh, InUse, Replaced, Doomed>;

struct ChildSa {
    ChildId id;
    Spi inbound, outbound;
    EspProposal suite;
    EspMode mode;
    TimePoint established_at, rekey_at, expires_at;
    std::optional<ResourceId> resource{};  // whose own it is; the others use the pair without one (RFC 9611: the fallback)
    bool outbound_installed = false;
    ChildState state;

    template <class State>
    bool is() const { return std::holds_alternative<State>(state); }
    /// It carries traffic and nothing has taken its place.
    bool is_live() const { return is<Fresh>() || is<InUse>(); }
};

/// An inbound SA that stays a few seconds for packets that are still on their way (PROTOCOL: rekey without loss).
struct Draining {
    ChildId child;
    Spi inbound;
    TimePoint until;
};

}  // namespace nave::ike
