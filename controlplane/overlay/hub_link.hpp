// Our side of one hub: how far we are with it, and whether it may be relied upon.
#pragma once

#include "common/time.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/overlay/backoff.hpp"
#include "controlplane/overlay/settings.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace nave::overlay {

/// One address of a configured hub. What a name leads to changes, so it has kPlacesPerName places, some of them free.
struct HubLink {
    static constexpr std::size_t kPlacesPerName = 8;
    /// From the first request to a hub until the next one of its cluster is tried as well.
    static constexpr Duration kDoubtAfter = std::chrono::seconds{5};
    enum class State : std::uint8_t { down, connecting, up, registered };

    const Hub* hub = nullptr;
    std::optional<NbmaAddress> nbma{};       // where it is; a free place has none
    State state = State::down;
    /// Counts as working: it has not failed yet, or is registered for Tunnel::hub_return since it did. A hub that has just come back does
    /// not carry traffic while another can: the other spokes may not have found back to it, and it rejects what is for them.
    bool settled = true;
    bool silent = false;                   // does not answer, and is not given up yet
    std::optional<TimePoint> judged_at{};    // when `settled` follows from `state`
    std::optional<TimePoint> dropped_at{};   // better ones of its cluster suffice: until then others may still send to us through it
    std::optional<ike::SaId> sa{};           // of the attempt or of the association
    std::optional<PeerId> peer{};
    std::optional<TunnelAddress> address{};  // the hub's, while registered
    std::optional<TimePoint> retry_at{};
    Backoff backoff{std::chrono::seconds{1}, std::chrono::seconds{60}};
};
std::string_view name(HubLink::State state);

/// A domain name of hubs. It is asked about when it is needed, when a hub behind it fails, and every kAskAgain for what has changed.
struct HubName {
    static constexpr Duration kAskAgain = std::chrono::minutes{5}, kAskApart = std::chrono::seconds{10};
    std::optional<TimePoint> ask_at{};  // absent while the answer is awaited, and without an underlay address
    TimePoint asked_at{};
    Backoff backoff{std::chrono::seconds{2}, std::chrono::seconds{60}};
};

}  // namespace nave::overlay
