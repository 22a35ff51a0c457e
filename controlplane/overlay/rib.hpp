// One tunnel's routes: merges what every source says about a prefix and tells the dataplane the best.
#pragma once

#include "common/addresses.hpp"
#include "common/plane_messages.hpp"
#include "controlplane/overlay/actions.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace nave::overlay {

/// Who says so; among routes of one prefix the first one wins.
enum class RouteSource : std::uint8_t { inside, connected, shortcut, kernel, registration, configuration, count };
std::string_view name(RouteSource source);

/// Straight to a dataplane target: the twin, a neighbour on an inside port, or nowhere.
struct ToTarget { RouteTarget target; };
struct ToPeer { PeerId peer; TunnelAddress next_hop; };
/// To whoever holds this tunnel address; while nobody is known to, to the best hub.
struct ToGateway { TunnelAddress gateway; };
/// To the hub that carries this spoke's traffic; nowhere on a hub, and while no hub is registered.
struct ToBestHub {};
using Via = std::variant<ToTarget, ToPeer, ToGateway, ToBestHub>;

/// Every change ends in SetRoute or RemoveRoute, only when the outcome for the prefix differs. A prefix whose routes all
/// lead nowhere is rejected rather than left to a shorter one: fail closed.
class Rib {
public:
    explicit Rib(TableId table) : table_{table} {}

    void set(RouteSource source, const Prefix& prefix, const Via& via, Outbox& out);
    void remove(RouteSource source, const Prefix& prefix, Outbox& out);
    /// A peer holds this tunnel address (or no longer does): routes with that gateway follow, and so does its link-local address.
    void bind_gateway(const TunnelAddress& address, PeerId peer, Outbox& out);
    void unbind_gateway(const TunnelAddress& address, Outbox& out);
    void set_best_hub(std::optional<ToPeer> hub, Outbox& out);

    struct Match {
        Prefix prefix;
        RouteSource source;
        RouteTarget target;
        TunnelAddress next_hop;  // of a peer
    };
    /// Longest match; its target may be `reject`.
    std::optional<Match> lookup(const IpAddress& destination) const;
    std::optional<PeerId> gateway(const TunnelAddress& address) const;
    const std::optional<ToPeer>& best_hub() const { return best_hub_; }
    std::vector<Match> routes() const;
    /// The kernel's routes through this tunnel address.
    std::vector<Prefix> prefixes_through(const TunnelAddress& gateway) const;
    bool leads_through(const TunnelAddress& gateway, const Prefix& prefix) const;
    /// What of prefixes_through() may have changed since the last call.
    std::map<TunnelAddress, std::set<Prefix>> take_changed() { return std::exchange(changed_, {}); }
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::array<std::optional<Via>, static_cast<std::size_t>(RouteSource::count)> via;
        std::optional<RouteTarget> told;  // what the dataplane was told
    };
    Match best(const Prefix& prefix, const Entry& entry) const;
    std::optional<ToPeer> resolve(const Via& via) const;
    void tell(const Prefix& prefix, Entry& entry, Outbox& out);
    void refresh(const std::set<Prefix>& prefixes, Outbox& out);
    void note_dependency(const Prefix& prefix, const Via& via, bool present);

    TableId table_;
    std::unordered_map<Prefix, Entry> entries_;
    std::array<std::array<std::uint32_t, 129>, 2> lengths_{};  // how many prefixes of each length, by family
    std::unordered_map<IpAddress, PeerId> gateways_;
    std::optional<ToPeer> best_hub_;
    std::map<TunnelAddress, std::set<Prefix>> by_gateway_, changed_;
    std::set<Prefix> by_best_hub_;
};

}  // namespace nave::overlay
