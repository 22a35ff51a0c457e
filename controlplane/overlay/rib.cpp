// The routes of one table; see the header.
#include "controlplane/overlay/rib.hpp"

#include <algorithm>
#include <utility>

namespace nave::overlay {

std::string_view name(RouteSource source) {
    switch (source) {
    case RouteSource::inside: return "inside";
    case RouteSource::connected: return "connected";
    case RouteSource::shortcut: return "shortcut";
    case RouteSource::station: return "station";
    case RouteSource::kernel: return "kernel";
    case RouteSource::registration: return "registration";
    case RouteSource::behind_hub: return "behind-hub";
    case RouteSource::configuration: return "configuration";
    case RouteSource::count: break;
    }
    return "unknown";
}

void Rib::set(TunnelId tunnel, RouteSource source, const Prefix& prefix, const Via& via, Outbox& out) {
    const auto [found, is_new] = entries_.try_emplace(prefix);
    if (is_new) ++lengths_[std::to_underlying(prefix.address.family())][prefix.length];
    auto& said = found->second.said;
    const Said mine{source, tunnel, via};
    const auto place = std::ranges::lower_bound(said, mine.order(), {}, &Said::order);
    if (place != said.end() && place->order() == mine.order()) {
        note_dependency(prefix, *place, false);
        *place = mine;
    } else {
        said.insert(place, mine);
    }
    note_dependencies(prefix, found->second);
    tell(prefix, found->second, out);
    if (source == RouteSource::behind_hub) refresh_through({tunnel, TunnelAddress{prefix.address}}, out);
}

void Rib::remove(TunnelId tunnel, RouteSource source, const Prefix& prefix, Outbox& out) {
    const auto found = entries_.find(prefix);
    if (found == entries_.end()) return;
    auto& said = found->second.said;
    const auto place = std::ranges::find(said, std::pair{source, tunnel}, &Said::order);
    if (place == said.end()) return;
    note_dependency(prefix, *place, false);
    said.erase(place);
    note_dependencies(prefix, found->second);
    if (!said.empty()) {
        tell(prefix, found->second, out);
    } else {
        out.push_back(Dataplane{RemoveRoute{table_, prefix}});
        --lengths_[std::to_underlying(prefix.address.family())][prefix.length];
        entries_.erase(found);
    }
    if (source == RouteSource::behind_hub) refresh_through({tunnel, TunnelAddress{prefix.address}}, out);
}

void Rib::bind_gateway(TunnelId tunnel, const TunnelAddress& address, PeerId peer, Outbox& out) {
    gateways_.insert_or_assign({tunnel, address}, peer);
    refresh_through({tunnel, address}, out);
}

void Rib::unbind_gateway(TunnelId tunnel, const TunnelAddress& address, Outbox& out) {
    if (gateways_.erase({tunnel, address}) != 0) refresh_through({tunnel, address}, out);
}

void Rib::refresh_through(const Gateway& gateway, Outbox& out) {
    if (const auto found = by_gateway_.find(gateway); found != by_gateway_.end()) refresh(found->second, out);
}

void Rib::set_best_hub(TunnelId tunnel, std::optional<ToPeer> hub, Outbox& out) {
    if (hub == best_hub(tunnel)) return;
    if (hub) best_hubs_.insert_or_assign(tunnel, *hub);
    else best_hubs_.erase(tunnel);
    refresh(by_best_hub_, out);
    for (const auto& [gateway, prefixes] : by_gateway_)
        if (gateway.tunnel == tunnel && !gateways_.contains(gateway)) refresh(prefixes, out);
}

void Rib::prefer(Family family, std::optional<TunnelId> tunnel, Outbox& out) {
    if (std::exchange(preferred_[std::to_underlying(family)], tunnel) != tunnel) refresh(by_best_hub_, out);
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

std::optional<Rib::Match> Rib::said_by(RouteSource source, const Prefix& prefix) const {
    const auto found = entries_.find(prefix);
    if (found == entries_.end()) return std::nullopt;
    const auto said = std::ranges::find(found->second.said, source, &Said::source);
    return said == found->second.said.end() ? std::nullopt : std::optional{match(prefix, *said)};
}

std::optional<PeerId> Rib::gateway(TunnelId tunnel, const TunnelAddress& address) const {
    const auto found = gateways_.find({tunnel, address});
    return found == gateways_.end() ? std::nullopt : std::optional{found->second};
}

std::optional<ToPeer> Rib::best_hub(TunnelId tunnel) const {
    const auto found = best_hubs_.find(tunnel);
    return found == best_hubs_.end() ? std::nullopt : std::optional{found->second};
}

std::vector<Rib::Match> Rib::routes() const {
    std::vector<Match> rows;
    rows.reserve(entries_.size());
    for (const auto& [prefix, entry] : entries_) rows.push_back(best(prefix, entry));
    std::ranges::sort(rows, {}, &Match::prefix);
    return rows;
}

std::vector<Prefix> Rib::prefixes_through(const Gateway& gateway) const {
    const auto found = by_gateway_.find(gateway);
    return found == by_gateway_.end() ? std::vector<Prefix>{} : std::vector<Prefix>{found->second.begin(), found->second.end()};
}

bool Rib::leads_through(const Gateway& gateway, const Prefix& prefix) const {
    const auto found = by_gateway_.find(gateway);
    return found != by_gateway_.end() && found->second.contains(prefix);
}

Rib::Match Rib::best(const Prefix& prefix, const Entry& entry) const {
    std::optional<Match> found;
    for (const Said& said : entry.said) {
        if (found && found->source != said.source) break;
        const Match each = match(prefix, said);
        if (each.target.kind == RouteTarget::Kind::reject && !std::holds_alternative<ToTarget>(said.via)) continue;
        const bool is_preferred = std::holds_alternative<ToBestHub>(said.via) && said.tunnel == preferred(prefix.address.family());
        if (!found || is_preferred) found = each;
    }
    return found.value_or(Match{prefix, entry.said.front().source, {}, {}, entry.said.front().tunnel});
}

Rib::Match Rib::match(const Prefix& prefix, const Said& said) const {
    if (const auto* target = std::get_if<ToTarget>(&said.via)) return {prefix, said.source, target->target, {}, said.tunnel};
    const auto peer = resolve(said);
    if (!peer) return {prefix, said.source, {}, {}, said.tunnel};
    return {prefix, said.source, {RouteTarget::Kind::peer, peer->peer.value}, peer->next_hop, said.tunnel};
}

std::optional<ToPeer> Rib::resolve(const Said& said) const {
    if (const auto* peer = std::get_if<ToPeer>(&said.via)) return *peer;
    if (const auto* gateway_via = std::get_if<ToGateway>(&said.via)) {
        if (const auto peer = gateway(said.tunnel, gateway_via->gateway)) return ToPeer{*peer, gateway_via->gateway};
        const auto behind = said_by(RouteSource::behind_hub, Prefix::host(gateway_via->gateway.value));
        if (behind && behind->tunnel == said.tunnel) return ToPeer{PeerId{behind->target.index}, behind->next_hop};
    }
    return best_hub(said.tunnel);
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

void Rib::note_dependencies(const Prefix& prefix, const Entry& entry) {
    for (const Said& said : entry.said) note_dependency(prefix, said, true);
}

void Rib::note_dependency(const Prefix& prefix, const Said& said, bool present) {
    if (std::holds_alternative<ToBestHub>(said.via)) {
        if (present) by_best_hub_.insert(prefix);
        else by_best_hub_.erase(prefix);
    }
    const auto* gateway_via = std::get_if<ToGateway>(&said.via);
    if (!gateway_via) return;
    const Gateway gateway{said.tunnel, gateway_via->gateway};
    changed_[gateway].insert(prefix);
    auto& prefixes = by_gateway_[gateway];
    if (present) prefixes.insert(prefix);
    else prefixes.erase(prefix);
    if (prefixes.empty()) by_gateway_.erase(gateway);
}

}  // namespace nave::overlay
