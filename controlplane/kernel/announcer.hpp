// Tells the gateway what changed in the view, in an order in which nothing is used before it exists. Pure.
#pragma once

#include "common/plane_messages.hpp"
#include "controlplane/kernel/plan.hpp"
#include "controlplane/kernel/view.hpp"
#include "controlplane/overlay/acknowledgements.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace nave::kernel {

struct UnderlayAddressChange { PortId port; Family family; std::optional<NbmaAddress> address; };
struct LocalPrefixChange { TunnelId tunnel; Prefix prefix; bool present; };
struct TunnelRouteChange { TunnelId tunnel; Prefix prefix; std::optional<TunnelAddress> gateway; bool present; };
struct InsideRouteChange { TunnelId tunnel; Prefix prefix; RouteTarget target; bool present; };

/// For the overlay; or a command for the dataplane.
using Change = std::variant<Command, UnderlayAddressChange, LocalPrefixChange, TunnelRouteChange, InsideRouteChange>;

class Announcer {
public:
    /// At most `adjacencies_max` inside neighbours are given to the dataplane; those beyond stay with the kernel, and are counted.
    Announcer(std::uint32_t adjacencies_max, std::uint8_t workers) : adjacencies_max_{adjacencies_max}, workers_{workers} {}

    /// The changes that lead from the view announced last, at first an empty one, to this one, which may differ where `where` says.
    std::vector<Change> announce(const View& view, ViewChanges where, const Plan& plan);
    /// A number is used again when every worker and the route writer have acknowledged its removal.
    void on_removed(const AdjacencyRemoved& removed);
    std::uint64_t adjacencies_refused() const { return adjacencies_refused_; }

private:
    struct Adjacency {
        AdjacencyId id;
        MacAddress mac;
    };
    /// A tunnel's inside route, or a route into the tunnel.
    using Told = std::variant<RouteTarget, TunnelWay>;

    void announce_ports(const Interfaces& now, const Plan& plan, std::vector<Change>& changes) const;
    void announce_addresses(const Interfaces& now, std::vector<Change>& changes) const;
    void announce_overlay(const Interfaces& now, std::vector<Change>& changes) const;
    /// Also names the routes that lead to what came or goes.
    void announce_adjacencies(const View& view, const Plan& plan, ViewChanges& where, std::vector<Change>& changes);
    void announce_route(const View& view, const RouteKey& key, const Plan& plan, std::vector<Change>& changes);
    void remove_adjacencies(const View& view, const std::vector<NeighbourKey>& keys, std::vector<Change>& changes);
    std::optional<AdjacencyId> allocate();
    void ask_again(std::vector<Change>& changes) const;
    Told told_of(const View& view, const Way& way) const;

    Interfaces interfaces_;                            // as announced last
    std::map<NeighbourKey, Adjacency> adjacencies_;
    std::set<NeighbourKey> without_number_;
    std::map<RouteKey, Told> routes_;
    std::deque<AdjacencyId> free_;  // oldest first: workers meet a number again as late as possible
    struct Going { std::uint32_t removal; overlay::Acknowledgements due; };
    std::map<AdjacencyId, Going> going_;
    std::uint32_t adjacencies_max_, adjacencies_used_ = 0, removals_ = 0;
    std::uint8_t workers_;
    std::uint64_t adjacencies_refused_ = 0;
};

}  // namespace nave::kernel
