// Differences between two views, as changes.
#include "controlplane/kernel/announcer.hpp"

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

std::vector<Change> Announcer::announce(View view, const Plan& plan) {
    std::vector<Change> changes;
    announce_ports(view, plan, changes);
    announce_addresses(view, changes);
    announce_adjacencies(view, plan, changes);
    announce_inside_routes(view, changes);
    remove_adjacencies(view, changes);
    announce_overlay(view, changes);
    last_ = std::move(view);
    return changes;
}

void Announcer::announce_ports(const View& view, const Plan& plan, std::vector<Change>& changes) {
    for (const auto& [port, mtu] : view.port_mtus) {
        const auto before = last_.port_mtus.find(port);
        if (before != last_.port_mtus.end() && before->second == mtu) continue;
        changes.push_back(Command{SetPort{.port = port, .mac = plan.ports[port.value].mac, .mtu = mtu}});
    }
}

void Announcer::announce_addresses(const View& view, std::vector<Change>& changes) {
    compare_sets(last_.local_addresses, view.local_addresses,
                 [&](const auto& gone) { changes.push_back(Command{RemoveLocalAddress{.port = gone.first, .address = gone.second}}); },
                 [&](const auto& come) { changes.push_back(Command{AddLocalAddress{.port = come.first, .address = come.second}}); });
    compare_sets(last_.tunnel_addresses, view.tunnel_addresses,
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

void Announcer::announce_adjacencies(const View& view, const Plan& plan, std::vector<Change>& changes) {
    bool short_of_numbers = false;
    for (const auto& [key, mac] : view.adjacencies) {
        auto known = adjacencies_.find(key);
        if (known != adjacencies_.end() && known->second.mac == mac) continue;
        if (known == adjacencies_.end()) {
            const auto id = allocate();
            if (!id) {
                if (!last_.adjacencies.contains(key)) ++adjacencies_refused_;
                short_of_numbers = true;
                continue;
            }
            known = adjacencies_.emplace(key, Adjacency{*id, mac}).first;
        }
        known->second.mac = mac;
        changes.push_back(Command{SetAdjacency{.adjacency = known->second.id, .port = key.first, .source_mac = plan.ports[key.first.value].mac,
                                               .destination_mac = mac}});
    }
    if (short_of_numbers) ask_again(changes);
}

/// After the routes that led there.
void Announcer::remove_adjacencies(const View& view, std::vector<Change>& changes) {
    std::erase_if(adjacencies_, [&](const auto& entry) {
        if (view.adjacencies.contains(entry.first)) return false;
        changes.push_back(Command{RemoveAdjacency{.adjacency = entry.second.id, .removal = ++removals_}});
        going_.insert_or_assign(entry.second.id, Going{removals_, overlay::Acknowledgements{workers_}});
        return true;
    });
}

RouteTarget Announcer::target_of(const InsideTarget& target) const {
    if (target.kind == InsideTarget::Kind::reject) return {.kind = RouteTarget::Kind::reject, .index = 0};
    if (target.kind == InsideTarget::Kind::neighbour) {
        const auto known = adjacencies_.find({target.port, target.address});
        if (known != adjacencies_.end()) return {.kind = RouteTarget::Kind::adjacency, .index = known->second.id.value};
    }
    return {.kind = RouteTarget::Kind::twin, .index = 0};
}

void Announcer::announce_inside_routes(const View& view, std::vector<Change>& changes) {
    std::erase_if(inside_routes_, [&](const auto& entry) {
        if (view.inside_routes.contains(entry.first)) return false;
        changes.push_back(InsideRouteChange{.tunnel = entry.first.first, .prefix = entry.first.second, .target = entry.second, .present = false});
        return true;
    });
    for (const auto& [key, inside] : view.inside_routes) {
        const RouteTarget target = target_of(inside);
        const auto [entry, is_new] = inside_routes_.try_emplace(key, target);
        if (!is_new && entry->second == target) continue;
        entry->second = target;
        changes.push_back(InsideRouteChange{.tunnel = key.first, .prefix = key.second, .target = target, .present = true});
    }
}

void Announcer::announce_overlay(const View& view, std::vector<Change>& changes) {
    compare_sets(last_.local_prefixes, view.local_prefixes,
                 [&](const auto& gone) { changes.push_back(LocalPrefixChange{.tunnel = gone.first, .prefix = gone.second, .present = false}); },
                 [&](const auto& come) { changes.push_back(LocalPrefixChange{.tunnel = come.first, .prefix = come.second, .present = true}); });
    for (const auto& [key, gateway] : last_.tunnel_routes) {
        if (view.tunnel_routes.contains(key)) continue;
        changes.push_back(TunnelRouteChange{.tunnel = key.first, .prefix = key.second, .gateway = gateway, .present = false});
    }
    for (const auto& [key, gateway] : view.tunnel_routes) {
        const auto before = last_.tunnel_routes.find(key);
        if (before != last_.tunnel_routes.end() && before->second == gateway) continue;
        changes.push_back(TunnelRouteChange{.tunnel = key.first, .prefix = key.second, .gateway = gateway, .present = true});
    }
    for (const auto& [key, address] : last_.underlay_addresses) {
        if (!view.underlay_addresses.contains(key)) changes.push_back(UnderlayAddressChange{.port = key.first, .family = key.second, .address = {}});
    }
    for (const auto& [key, address] : view.underlay_addresses) {
        const auto before = last_.underlay_addresses.find(key);
        if (before != last_.underlay_addresses.end() && before->second == address) continue;
        changes.push_back(UnderlayAddressChange{.port = key.first, .family = key.second, .address = NbmaAddress{address}});
    }
}

}  // namespace nave::kernel
