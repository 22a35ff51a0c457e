// Keeping the mirror by events and dumps.
#include "controlplane/kernel/mirror.hpp"

#include <algorithm>

namespace nave::kernel {

void Mirror::watch(std::set<InterfaceIndex> interfaces, std::set<TableNumber> tables) {
    *this = Mirror{};
    interfaces_ = std::move(interfaces);
    tables_ = std::move(tables);
}

void Mirror::replace(std::span<const Object> objects) {
    watch(std::move(interfaces_), std::move(tables_));
    for (const Object& object : objects) {
        const auto* route = std::get_if<Route>(&object);
        if (!route || route->protocol == kOurProtocol || !routes_.contains(key_of(*route))) apply({object, true});
    }
}

/// The route as far as it leads out of our interfaces.
Route Mirror::without_others(const Route& route) const {
    Route mine = route;
    std::erase_if(mine.next_hops, [&](const NextHop& hop) { return !interfaces_.contains(hop.index); });
    return mine;
}

bool Mirror::leaves_unknown(const ObjectChange& change) const {
    if (const auto* object = std::get_if<NextHopObject>(&change.object)) return next_hop_objects_.contains(object->id);
    const auto* route = std::get_if<Route>(&change.object);
    if (!route || change.present || route->protocol == kOurProtocol) return false;
    const auto kept = routes_.find(key_of(*route));
    return kept != routes_.end() && kept->second != without_others(*route);
}

bool Mirror::apply(const ObjectChange& change) {
    return std::visit([&](const auto& object) { return apply_one(object, change.present); }, change.object);
}

const Link* Mirror::link(InterfaceIndex index) const {
    const auto found = links_.find(index);
    return found == links_.end() ? nullptr : &found->second;
}

bool Mirror::is_up(InterfaceIndex index) const {
    const Link* known = link(index);
    return known && known->up;
}

bool Mirror::apply_one(const Link& link, bool present) {
    if (!interfaces_.contains(link.index)) return false;
    if (!present) return links_.erase(link.index) > 0;
    Link& kept = links_[link.index];
    if (kept == link) return false;
    kept = link;
    return true;
}

bool Mirror::apply_one(const Address& address, bool present) {
    if (!interfaces_.contains(address.index)) return false;
    const auto same = [&](const Address& other) {
        return other.index == address.index && other.address == address.address && other.length == address.length;
    };
    const auto found = std::ranges::find_if(addresses_, same);
    if (!present) {
        if (found == addresses_.end()) return false;
        addresses_.erase(found);
        return true;
    }
    if (found == addresses_.end()) {
        addresses_.push_back(address);
        return true;
    }
    const bool changed = *found != address;
    *found = address;
    return changed;
}

bool Mirror::apply_one(const Neighbour& neighbour, bool present) {
    if (!interfaces_.contains(neighbour.index)) return false;
    const std::pair key{neighbour.index, neighbour.address};
    if (!present) return neighbours_.erase(key) > 0;
    const auto [entry, is_new] = neighbours_.try_emplace(key, neighbour);
    if (is_new) return true;
    const bool changed = entry->second != neighbour;
    entry->second = neighbour;
    return changed;
}

bool Mirror::apply_one(const Route& route, bool present) {
    if (!tables_.contains(route.table) || route.kind == Route::Kind::other) return false;
    const bool ours = route.protocol == kOurProtocol;
    auto& kept = ours ? our_routes_ : routes_;
    Route mine = ours ? route : without_others(route);
    const bool leads_nowhere = !ours && route.kind == Route::Kind::unicast && mine.next_hops.empty();
    const RouteKey key = key_of(route);
    const auto found = kept.find(key);
    if (!present) {
        // Otherwise one of several routes of the same key went, and not the one that we keep.
        if (found == kept.end() || (found->second != mine && !mine.next_hops.empty())) return false;
        forget(kept, found);
        return true;
    }
    if (leads_nowhere) {
        // It may have taken the place of one that we keep.
        if (found == kept.end()) return false;
        forget(kept, found);
        return true;
    }
    if (found != kept.end() && found->second == mine) return false;
    if (found != kept.end()) forget(kept, found);
    if (mine.next_hop_object != 0) next_hop_objects_.insert(mine.next_hop_object);
    kept.emplace(key, std::move(mine));
    return true;
}

void Mirror::forget(Routes& kept, Routes::iterator route) {
    if (const auto object = next_hop_objects_.find(route->second.next_hop_object); object != next_hop_objects_.end()) next_hop_objects_.erase(object);
    kept.erase(route);
}

bool Mirror::apply_one(const Rule& rule, bool present) {
    if (rule.protocol != kOurProtocol || !tables_.contains(rule.table)) return false;
    return present ? our_rules_.insert(rule).second : our_rules_.erase(rule) > 0;
}

}  // namespace nave::kernel
