// One tunnel's routes; see the header.
#include "controlplane/overlay/rib.hpp"

#include "controlplane/overlay/link_local.hpp"

#include <algorithm>
#include <utility>

namespace nave::overlay {

std::string_view name(RouteSource source) {
    switch (source) {
    case RouteSource::inside: return "inside";
    case RouteSource::connected: return "connected";
    case RouteSource::shortcut: return "shortcut";
    case RouteSource::kernel: return "kernel";
    case RouteSource::registration: return "registration";
    case RouteSource::configuration: return "configuration";
    case RouteSource::count: break;
    }
    return "unknown";
}

void Rib::set(RouteSource source, const Prefix& prefix, const Via& via, Outbox& out) {
    const auto [found, is_new] = entries_.try_emplace(prefix);
    if (is_new) ++lengths_[std::to_underlying(prefix.address.family())][prefix.length];
    auto& slot = found->second.via[std::to_underlying(source)];
    const std::optional<Via> old = std::exchange(slot, via);
    if (old) note_dependency(prefix, *old, false);
    // Another source of the same prefix may share the dependency that was just taken away.
    for (const auto& other : found->second.via)
        if (other) note_dependency(prefix, *other, true);
    tell(prefix, found->second, out);
}

void Rib::remove(RouteSource source, const Prefix& prefix, Outbox& out) {
    const auto found = entries_.find(prefix);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const std::optional<Via> old = std::exchange(entry.via[std::to_underlying(source)], std::nullopt);
    if (!old) return;
    note_dependency(prefix, *old, false);
    bool any = false;
    for (const auto& other : entry.via) {
        if (!other) continue;
        any = true;
        note_dependency(prefix, *other, true);
    }
    if (any) return tell(prefix, entry, out);
    out.push_back(Dataplane{RemoveRoute{table_, prefix}});
    --lengths_[std::to_underlying(prefix.address.family())][prefix.length];
    entries_.erase(found);
}

void Rib::bind_gateway(const TunnelAddress& address, PeerId peer, Outbox& out) {
    gateways_.insert_or_assign(address.value, peer);
    if (const auto link_local = link_local_of(address)) set(RouteSource::registration, Prefix::host(link_local->value), ToPeer{peer, address}, out);
    if (const auto found = by_gateway_.find(address); found != by_gateway_.end()) refresh(found->second, out);
}

void Rib::unbind_gateway(const TunnelAddress& address, Outbox& out) {
    if (gateways_.erase(address.value) == 0) return;
    if (const auto link_local = link_local_of(address)) remove(RouteSource::registration, Prefix::host(link_local->value), out);
    if (const auto found = by_gateway_.find(address); found != by_gateway_.end()) refresh(found->second, out);
}

void Rib::set_best_hub(std::optional<ToPeer> hub, Outbox& out) {
    best_hub_ = hub;
    refresh(by_best_hub_, out);
    for (const auto& [gateway, prefixes] : by_gateway_)
        if (!gateways_.contains(gateway.value)) refresh(prefixes, out);
}

std::optional<Rib::Match> Rib::lookup(const IpAddress& destination) const {
    const auto& lengths = lengths_[std::to_underlying(destination.family())];
    for (int length = destination.bit_count(); length >= 0; --length) {
        if (lengths[static_cast<std::size_t>(length)] == 0) continue;
        const auto found = entries_.find(Prefix::of(destination, static_cast<std::uint8_t>(length)));
        if (found != entries_.end()) return best(found->first, found->second);
    }
    return std::nullopt;
}

std::optional<PeerId> Rib::gateway(const TunnelAddress& address) const {
    const auto found = gateways_.find(address.value);
    return found == gateways_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<Rib::Match> Rib::routes() const {
    std::vector<Match> rows;
    rows.reserve(entries_.size());
    for (const auto& [prefix, entry] : entries_) rows.push_back(best(prefix, entry));
    std::ranges::sort(rows, {}, &Match::prefix);
    return rows;
}

std::vector<Prefix> Rib::prefixes_through(const TunnelAddress& gateway) const {
    const auto found = by_gateway_.find(gateway);
    return found == by_gateway_.end() ? std::vector<Prefix>{} : std::vector<Prefix>{found->second.begin(), found->second.end()};
}

bool Rib::leads_through(const TunnelAddress& gateway, const Prefix& prefix) const {
    const auto found = by_gateway_.find(gateway);
    return found != by_gateway_.end() && found->second.contains(prefix);
}

Rib::Match Rib::best(const Prefix& prefix, const Entry& entry) const {
    std::optional<RouteSource> first;
    for (std::size_t i = 0; i < entry.via.size(); ++i) {
        if (!entry.via[i]) continue;
        const auto source = static_cast<RouteSource>(i);
        if (!first) first = source;
        if (const auto* target = std::get_if<ToTarget>(&*entry.via[i])) return {prefix, source, target->target, {}};
        if (const auto peer = resolve(*entry.via[i])) return {prefix, source, {RouteTarget::Kind::peer, peer->peer.value}, peer->next_hop};
    }
    return {prefix, first.value_or(RouteSource::configuration), {}, {}};
}

std::optional<ToPeer> Rib::resolve(const Via& via) const {
    if (const auto* peer = std::get_if<ToPeer>(&via)) return *peer;
    if (const auto* gateway_via = std::get_if<ToGateway>(&via))
        if (const auto peer = gateway(gateway_via->gateway)) return ToPeer{*peer, gateway_via->gateway};
    return best_hub_;
}

void Rib::tell(const Prefix& prefix, Entry& entry, Outbox& out) {
    const RouteTarget target = best(prefix, entry).target;
    if (entry.told == target) return;
    entry.told = target;
    out.push_back(Dataplane{SetRoute{table_, prefix, target}});
}

void Rib::refresh(const std::set<Prefix>& prefixes, Outbox& out) {
    for (const Prefix& prefix : prefixes) tell(prefix, entries_.at(prefix), out);
}

void Rib::note_dependency(const Prefix& prefix, const Via& via, bool present) {
    if (std::holds_alternative<ToBestHub>(via)) {
        if (present) by_best_hub_.insert(prefix);
        else by_best_hub_.erase(prefix);
    }
    const auto* gateway_via = std::get_if<ToGateway>(&via);
    if (!gateway_via) return;
    changed_[gateway_via->gateway].insert(prefix);
    auto& prefixes = by_gateway_[gateway_via->gateway];
    if (present) prefixes.insert(prefix);
    else prefixes.erase(prefix);
    if (prefixes.empty()) by_gateway_.erase(gateway_via->gateway);
}

}  // namespace nave::overlay
