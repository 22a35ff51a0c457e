// The mirror: the kernel's links, addresses, neighbours, routes and rules as far as they concern our twins. Pure.
#pragma once

#include "controlplane/kernel/objects.hpp"

#include <cstdint>
#include <map>
#include <ranges>
#include <set>
#include <span>
#include <tuple>
#include <unordered_set>
#include <vector>

namespace nave::kernel {

class Mirror {
public:
    /// Only objects of these interfaces and tables are kept; everything else passes by. Forgets what was kept before.
    void watch(std::set<InterfaceIndex> interfaces, std::set<TableNumber> tables);
    /// One event of the kernel; answers whether it touched what is kept.
    bool apply(const ObjectChange& change);
    /// Whether the change takes one of several routes of a key, a part of one, or what routes name as their next hops, so that only a dump tells what
    /// is left.
    bool leaves_unknown(const ObjectChange& change) const;
    /// Starts over from dumps, in any order; of routes of one key the kernel names the one in force first.
    void replace(std::span<const Object> objects);

    /// Nothing when the interface is not ours or is gone.
    const Link* link(InterfaceIndex index) const;
    bool is_up(InterfaceIndex index) const;
    /// In the order in which the kernel has them; the first is what it prefers itself.
    const std::vector<Address>& addresses() const { return addresses_; }
    const std::map<std::pair<InterfaceIndex, IpAddress>, Neighbour>& neighbours() const { return neighbours_; }
    using RouteKey = std::tuple<TableNumber, Prefix, std::uint32_t>;  // table, prefix, metric
    using Routes = std::map<RouteKey, Route>;
    /// Routes of others in the watched tables that lead out of a watched interface, or reject.
    const Routes& routes() const { return routes_; }
    /// Those of one prefix, the best first.
    auto routes_to(TableNumber table, const Prefix& prefix) const {
        return std::ranges::subrange{routes_.lower_bound({table, prefix, 0}), routes_.upper_bound({table, prefix, UINT32_MAX})} | std::views::values;
    }
    /// Routes of protocol 78 in the watched tables, through whatever interface.
    const Routes& our_routes() const { return our_routes_; }
    /// Rules of protocol 78 for the watched tables.
    const std::set<Rule>& our_rules() const { return our_rules_; }

private:
    static RouteKey key_of(const Route& route) { return {route.table, route.prefix, route.metric}; }
    Route without_others(const Route& route) const;
    bool apply_one(const Link& link, bool present);
    bool apply_one(const Address& address, bool present);
    bool apply_one(const Neighbour& neighbour, bool present);
    bool apply_one(const Route& route, bool present);
    bool apply_one(const NextHopObject&, bool) { return false; }
    bool apply_one(const Rule& rule, bool present);
    void forget(Routes& kept, Routes::iterator route);

    std::set<InterfaceIndex> interfaces_;
    std::set<TableNumber> tables_;
    std::map<InterfaceIndex, Link> links_;
    std::vector<Address> addresses_;
    std::map<std::pair<InterfaceIndex, IpAddress>, Neighbour> neighbours_;
    Routes routes_, our_routes_;
    std::unordered_multiset<std::uint32_t> next_hop_objects_;  // of the routes that are kept
    std::set<Rule> our_rules_;
};

}  // namespace nave::kernel
