// The routes of one table: merges what every source in each of its tunnels says about a prefix and tells the dataplane the best.
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

/// Who says so; among routes of one prefix the first one wins, of one source that of the first tunnel. A station is the holder of a tunnel address with
/// whom we have an SA: as on one link nothing leads around it, such as host routes of a routing protocol, whose own packets would go astray.
enum class RouteSource : std::uint8_t { inside, connected, shortcut, station, kernel, registration, behind_hub, configuration, count };
std::string_view name(RouteSource source);

/// Straight to a dataplane target: the twin, a neighbour on an inside port, or nowhere.
struct ToTarget { RouteTarget target; };
struct ToPeer {
    PeerId peer;
    TunnelAddress next_hop;
    bool operator==(const ToPeer&) const = default;
};
/// To whoever holds this address in the tunnel, or to the hub behind which it is; while nobody is known to, to the tunnel's best hub.
struct ToGateway { TunnelAddress gateway; };
/// To the tunnel's best hub; nowhere on a hub, and while no hub is registered. Of several tunnels that say so the preferred one's is taken.
struct ToBestHub {};
using Via = std::variant<ToTarget, ToPeer, ToGateway, ToBestHub>;

/// Every change ends in SetRoute or RemoveRoute, only when the outcome for the prefix differs. A prefix whose routes all
/// lead nowhere is rejected rather than left to a shorter one: fail closed.
class Rib {
public:
    explicit Rib(TableId table) : table_{table} {}

    void set(TunnelId tunnel, RouteSource source, const Prefix& prefix, const Via& via, Outbox& out);
    void remove(TunnelId tunnel, RouteSource source, const Prefix& prefix, Outbox& out);
    /// A peer holds this address in the tunnel (or no longer does): routes with that gateway follow.
    void bind_gateway(TunnelId tunnel, const TunnelAddress& address, PeerId peer, Outbox& out);
    void unbind_gateway(TunnelId tunnel, const TunnelAddress& address, Outbox& out);
    void set_best_hub(TunnelId tunnel, std::optional<ToPeer> hub, Outbox& out);
    /// For prefixes of this IP version.
    void prefer(Family family, std::optional<TunnelId> tunnel, Outbox& out);

    struct Match {
        Prefix prefix;
        RouteSource source;
        RouteTarget target;
        TunnelAddress next_hop;  // of a peer
        TunnelId tunnel;         // that says so
        bool leads_to_peer() const { return target.kind == RouteTarget::Kind::peer; }
    };
    /// Longest match; its target may be `reject`.
    std::optional<Match> lookup(const IpAddress& destination) const;
    /// What this source alone says; nothing if it says nothing.
    std::optional<Match> said_by(RouteSource source, const Prefix& prefix) const;
    std::optional<PeerId> gateway(TunnelId tunnel, const TunnelAddress& address) const;
    std::optional<ToPeer> best_hub(TunnelId tunnel) const;
    std::optional<TunnelId> preferred(Family family) const { return preferred_[std::to_underlying(family)]; }
    std::vector<Match> routes() const;

    struct Gateway {
        TunnelId tunnel;
        TunnelAddress address;
        auto operator<=>(const Gateway&) const = default;
    };
    /// The kernel's routes through this gateway.
    std::vector<Prefix> prefixes_through(const Gateway& gateway) const;
    bool leads_through(const Gateway& gateway, const Prefix& prefix) const;
    /// What of prefixes_through() may have changed since the last call.
    std::map<Gateway, std::set<Prefix>> take_changed() { return std::exchange(changed_, {}); }
    std::size_t size() const { return entries_.size(); }

private:
    struct Said {
        RouteSource source;
        TunnelId tunnel;
        Via via;
        auto order() const { return std::pair{source, tunnel}; }
    };
    struct Entry {
        std::vector<Said> said;           // in their order; at least one
        std::optional<RouteTarget> told;  // what the dataplane was told
    };
    Match best(const Prefix& prefix, const Entry& entry) const;
    Match match(const Prefix& prefix, const Said& said) const;
    std::optional<ToPeer> resolve(const Said& said) const;
    void tell(const Prefix& prefix, Entry& entry, Outbox& out);
    void refresh(const std::set<Prefix>& prefixes, Outbox& out);
    void refresh_through(const Gateway& gateway, Outbox& out);
    void note_dependency(const Prefix& prefix, const Said& said, bool present);
    /// Another who says something of the same prefix may share the dependency that was just taken away.
    void note_dependencies(const Prefix& prefix, const Entry& entry);

    TableId table_;
    std::unordered_map<Prefix, Entry> entries_;
    std::array<std::array<std::uint32_t, 129>, 2> lengths_{};  // how many prefixes of each length, by family
    std::map<Gateway, PeerId> gateways_;
    std::map<TunnelId, ToPeer> best_hubs_;
    std::array<std::optional<TunnelId>, 2> preferred_{};  // by family
    std::map<Gateway, std::set<Prefix>> by_gateway_, changed_;
    std::set<Prefix> by_best_hub_;
};

}  // namespace nave::overlay
