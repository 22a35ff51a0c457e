// Tells the gateway what changed between two views, in an order in which nothing is used before it exists. Pure.
#pragma once

#include "common/plane_messages.hpp"
#include "controlplane/kernel/plan.hpp"
#include "controlplane/kernel/view.hpp"
#include "controlplane/overlay/acknowledgements.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
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

    /// The changes that lead from the view announced last to this one.
    std::vector<Change> announce(View view, const Plan& plan);
    /// The view announced last; at first an empty one.
    const View& announced() const { return last_; }
    /// A number is used again when every worker and the route writer have acknowledged its removal.
    void on_removed(const AdjacencyRemoved& removed);
    std::uint64_t adjacencies_refused() const { return adjacencies_refused_; }

private:
    struct Adjacency {
        AdjacencyId id;
        MacAddress mac;
    };
    using NeighbourKey = std::pair<PortId, IpAddress>;
    using RouteKey = std::pair<TunnelId, Prefix>;

    void announce_ports(const View& view, const Plan& plan, std::vector<Change>& changes);
    void announce_addresses(const View& view, std::vector<Change>& changes);
    void announce_adjacencies(const View& view, const Plan& plan, std::vector<Change>& changes);
    void announce_inside_routes(const View& view, std::vector<Change>& changes);
    void announce_overlay(const View& view, std::vector<Change>& changes);
    void remove_adjacencies(const View& view, std::vector<Change>& changes);
    std::optional<AdjacencyId> allocate();
    void ask_again(std::vector<Change>& changes) const;
    RouteTarget target_of(const InsideTarget& target) const;

    View last_;
    std::map<NeighbourKey, Adjacency> adjacencies_;
    std::map<RouteKey, RouteTarget> inside_routes_;
    std::deque<AdjacencyId> free_;  // oldest first: workers meet a number again as late as possible
    struct Going { std::uint32_t removal; overlay::Acknowledgements due; };
    std::map<AdjacencyId, Going> going_;
    std::uint32_t adjacencies_max_, adjacencies_used_ = 0, removals_ = 0;
    std::uint8_t workers_;
    std::uint64_t adjacencies_refused_ = 0;
};

}  // namespace nave::kernel
