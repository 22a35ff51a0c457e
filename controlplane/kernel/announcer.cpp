// Differences between two views, as changes.
#include "controlplane/kernel/announcer.hpp"

#include <algorithm>
#include <ranges>

namespace nave::kernel {

namespace {

/// Calls `gone` for each element of `before` that `after` lacks, then `come` for each that is new. Both are sets.
template <class Set, class Gone, class Come>
void compare_sets(const Set& before, const Set& after, Gone&& gone, Come&& come) {
    for (const auto& element : before) {
        if (!after.contains(element)) gone(element);
    }
    for (const auto& element : after) {
        if (!before.contains(element)) come(element);
    }
}

}  // namespace

std::vector<Change> Announcer::announce(const View& view, ViewChanges where, const Plan& plan) {
    std::vector<Change> changes;
    if (where.everything) {
        where.adjacencies.clear(), where.routes.clear();
        std::ranges::set_union(adjacencies_ | std::views::keys, view.adjacencies | std::views::keys, std::back_inserter(where.adjacencies));
        std::ranges::set_union(routes_ | std::views::keys, view.routes | std::views::keys, std::back_inserter(where.routes));
        announce_ports(view.interfaces, plan, changes);
        announce_addresses(view.interfaces, changes);
    }
    announce_adjacencies(view, plan, where, changes);
    for (const RouteKey& key : where.routes) announce_route(view, key, plan, changes);
    remove_adjacencies(view, where.adjacencies, changes);
    if (where.everything) {
        announce_overlay(view.interfaces, changes);
        interfaces_ = view.interfaces;
    }
    return changes;
}

void Announcer::announce_ports(const Interfaces& now, const Plan& plan, std::vector<Change>& changes) const {
    for (const auto& [port, mtu] : now.port_mtus) {
        const auto before = interfaces_.port_mtus.find(port);
        if (before != interfaces_.port_mtus.end() && before->second == mtu) continue;
        changes.push_back(Command{SetPort{.port = port, .mac = plan.ports[port.value].mac, .mtu = mtu}});
    }
}

void Announcer::announce_addresses(const Interfaces& now, std::vector<Change>& changes) const {
    compare_sets(interfaces_.local_addresses, now.local_addresses,
                 [&](const auto& gone) { changes.push_back(Command{RemoveLocalAddress{.port = gone.first, .address = gone.second}}); },
                 [&](const auto& come) { changes.push_back(Command{AddLocalAddress{.port = come.first, .address = come.second}}); });
    compare_sets(interfaces_.tunnel_addresses, now.tunnel_addresses,
                 [&](const auto& gone) { changes.push_back(Command{RemoveTunnelAddress{.tunnel = gone.first, .address = TunnelAddress{gone.second}}}); },
                 [&](const auto& come) { changes.push_back(Command{AddTunnelAddress{.tunnel = come.first, .address = TunnelAddress{come.second}}}); });
}

std::optional<AdjacencyId> Announcer::allocate() {
    if (adjacencies_used_ < adjacencies_max_) return AdjacencyId{adjacencies_used_++};
    if (free_.empty()) return std::nullopt;
    const AdjacencyId id = free_.front();
    free_.pop_front();
    return id;
}

/// Acknowledgements may be lost. What they would give back is missed only when numbers run out.
void Announcer::ask_again(std::vector<Change>& changes) const {
    for (const auto& [id, going] : going_) changes.push_back(Command{RemoveAdjacency{.adjacency = id, .removal = going.removal}});
}

void Announcer::on_removed(const AdjacencyRemoved& removed) {
    const auto found = going_.find(removed.adjacency);
    if (found == going_.end() || found->second.removal != removed.removal || !found->second.due.mark(removed.by)) return;
    going_.erase(found);
    free_.push_back(removed.adjacency);
}

void Announcer::announce_adjacencies(const View& view, const Plan& plan, ViewChanges& where, std::vector<Change>& changes) {
    const auto note_users = [&](const NeighbourKey& key) {
        where.routes.push_back({plan.ports[key.first.value].table, Prefix::host(key.second)});
        if (const auto users = view.wanted.find(key); users != view.wanted.end()) std::ranges::copy(users->second, std::back_inserter(where.routes));
    };
    std::ranges::copy(without_number_, std::back_inserter(where.adjacencies));
    for (const NeighbourKey& key : where.adjacencies) {
        const auto seen = view.adjacencies.find(key);
        auto known = adjacencies_.find(key);
        if (seen == view.adjacencies.end()) {
            without_number_.erase(key);
            if (known != adjacencies_.end()) note_users(key);
            continue;
        }
        if (known != adjacencies_.end() && known->second.mac == seen->second) continue;
        if (known == adjacencies_.end()) {
            const auto id = allocate();
            if (!id) {
                if (without_number_.insert(key).second) ++adjacencies_refused_;
                continue;
            }
            without_number_.erase(key);
            known = adjacencies_.emplace(key, Adjacency{*id, {}}).first;
            note_users(key);
        }
        known->second.mac = seen->second;
        changes.push_back(Command{SetAdjacency{.adjacency = known->second.id, .port = key.first, .source_mac = plan.ports[key.first.value].mac,
                                               .destination_mac = seen->second}});
    }
    if (!without_number_.empty()) ask_again(changes);
}

/// After the routes that led there.
void Announcer::remove_adjacencies(const View& view, const std::vector<NeighbourKey>& keys, std::vector<Change>& changes) {
    for (const NeighbourKey& key : keys) {
        const auto known = adjacencies_.find(key);
        if (known == adjacencies_.end() || view.adjacencies.contains(key)) continue;
        changes.push_back(Command{RemoveAdjacency{.adjacency = known->second.id, .removal = ++removals_}});
        going_.insert_or_assign(known->second.id, Going{removals_, overlay::Acknowledgements{workers_}});
        adjacencies_.erase(known);
    }
}

Announcer::Told Announcer::told_of(const View& view, const Way& way) const {
    if (const auto* tunnel = std::get_if<TunnelWay>(&way)) return *tunnel;
    const auto& inside = std::get<InsideTarget>(way);
    if (inside.kind == InsideTarget::Kind::reject) return RouteTarget{.kind = RouteTarget::Kind::reject, .index = 0};
    const NeighbourKey key{inside.port, inside.address};
    // One that goes has its number until its routes are told.
    const bool is_known = inside.kind == InsideTarget::Kind::neighbour && view.adjacencies.contains(key);
    const auto numbered = is_known ? adjacencies_.find(key) : adjacencies_.end();
    if (numbered == adjacencies_.end()) return RouteTarget{.kind = RouteTarget::Kind::twin, .index = 0};
    return RouteTarget{.kind = RouteTarget::Kind::adjacency, .index = numbered->second.id.value};
}

void Announcer::announce_route(const View& view, const RouteKey& key, const Plan& plan, std::vector<Change>& changes) {
    const auto now = view.routes.find(key);
    const auto known = routes_.find(key);
    const auto tell = [&](const Told& told, bool present) {
        if (const auto* way = std::get_if<TunnelWay>(&told)) {
            changes.push_back(TunnelRouteChange{.tunnel = way->tunnel, .prefix = key.second, .gateway = way->gateway, .present = present});
        } else {
            const TunnelId tunnel = std::ranges::find(plan.tunnels, key.first, &TunnelPlan::table)->tunnel;
            changes.push_back(InsideRouteChange{.tunnel = tunnel, .prefix = key.second, .target = std::get<RouteTarget>(told), .present = present});
        }
    };
    if (now == view.routes.end()) {
        if (known == routes_.end()) return;
        tell(known->second, false);
        routes_.erase(known);
        return;
    }
    const Told told = told_of(view, now->second);
    const auto [entry, is_new] = routes_.try_emplace(key, told);
    if (!is_new && entry->second == told) return;
    tell(told, true);
    // The old one goes after the new one is there, unless this took its place.
    const auto* before = std::get_if<TunnelWay>(&entry->second);
    const auto* after = std::get_if<TunnelWay>(&told);
    const bool replaces = before && after ? before->tunnel == after->tunnel : !before && !after;
    if (!is_new && !replaces) tell(entry->second, false);
    entry->second = told;
}

void Announcer::announce_overlay(const Interfaces& now, std::vector<Change>& changes) const {
    compare_sets(interfaces_.local_prefixes, now.local_prefixes,
                 [&](const auto& gone) { changes.push_back(LocalPrefixChange{.tunnel = gone.first, .prefix = gone.second, .present = false}); },
                 [&](const auto& come) { changes.push_back(LocalPrefixChange{.tunnel = come.first, .prefix = come.second, .present = true}); });
    for (const auto& [key, address] : interfaces_.underlay_addresses) {
        if (!now.underlay_addresses.contains(key)) changes.push_back(UnderlayAddressChange{.port = key.first, .family = key.second, .address = {}});
    }
    for (const auto& [key, address] : now.underlay_addresses) {
        const auto before = interfaces_.underlay_addresses.find(key);
        if (before != interfaces_.underlay_addresses.end() && before->second == address) continue;
        changes.push_back(UnderlayAddressChange{.port = key.first, .family = key.second, .address = NbmaAddress{address}});
    }
}

}  // namespace nave::kernel
