// The resolver's tables: shortcuts looked up, dropped, listed, and destinations that did not resolve.
#include "controlplane/nhrp/resolver.hpp"

#include <fmt/format.h>

namespace nave::nhrp {

const Prefix* Resolver::covering(const IpAddress& destination) const {
    for (int length = destination.bit_count(); length >= 0; --length) {
        const auto found = shortcuts_.find(Prefix::of(destination, static_cast<std::uint8_t>(length)));
        if (found != shortcuts_.end()) return &found->first;
    }
    return nullptr;
}

void Resolver::peer_down(PeerId peer) {
    for (auto& [destination, pending] : pending_) pending.asked.erase(peer);
}

void Resolver::used(const Prefix& prefix) {
    const auto found = shortcuts_.find(prefix);
    if (found != shortcuts_.end()) found->second.used = true;
}

void Resolver::forget(const Prefix& prefix) {
    dues_.clear({Due::renewal, prefix});
    dues_.clear({Due::expiry, prefix});
    shortcuts_.erase(prefix);
}

void Resolver::drop(const Prefix& prefix, ShortcutEnd reason, Outbox& out) {
    const TunnelAddress next_hop = shortcuts_.at(prefix).next_hop;
    forget(prefix);
    out.push_back(ShortcutGone{prefix, next_hop, reason});
    log(out, Severity::info, fmt::format("shortcut-{}", prefix.to_string()),
        fmt::format("shortcut to {} by {} ends: {}", prefix.to_string(), next_hop.value.to_string(), name(reason)));
}

void Resolver::purge(PeerId from, const Prefix& prefix, Outbox& out) {
    const bool for_all = context_.directory.is_server(from);
    for (auto entry = shortcuts_.begin(); entry != shortcuts_.end();) {
        const Prefix found = entry->first;
        const IpAddress next_hop = entry->second.next_hop.value;
        ++entry;
        const bool overlaps = prefix.contains(found) || found.contains(prefix);
        if (overlaps && (for_all || context_.directory.is_station(from, next_hop))) drop(found, ShortcutEnd::purged, out);
    }
}

void Resolver::clear(Outbox& out) {
    while (!shortcuts_.empty()) drop(Prefix{shortcuts_.begin()->first}, ShortcutEnd::replaced, out);
    while (!pending_.empty()) finish(IpAddress{pending_.begin()->first});
    negative_.clear();
    while (negative_expiries_.take_due(TimePoint::max())) {}
}

void Resolver::remember_negative(const IpAddress& destination, ResolutionFailure reason, TimePoint now) {
    if (!negative_.contains(destination) && negative_.size() >= context_.settings.limits.negative) return context_.counters.add(Counter::negative_full);
    negative_[destination] = {reason, now};
    negative_expiries_.set(destination, now + context_.settings.negative_time);
}

void Resolver::append_to(Snapshot& snapshot) const {
    for (const auto& [prefix, shortcut] : shortcuts_)
        snapshot.cache.push_back({.kind = CacheKind::shortcut,
                                  .prefix = prefix,
                                  .next_hop = shortcut.next_hop,
                                  .nbma = shortcut.nbma,
                                  .claimed = shortcut.claimed,
                                  .peer = std::nullopt,
                                  .used = shortcut.used,
                                  .expires = shortcut.expires});
    for (const auto& [destination, negative] : negative_)
        snapshot.cache.push_back({.kind = CacheKind::negative,
                                  .prefix = Prefix::host(destination),
                                  .next_hop = std::nullopt,
                                  .nbma = std::nullopt,
                                  .claimed = std::nullopt,
                                  .peer = std::nullopt,
                                  .expires = negative_expiries_.at(destination).value_or(TimePoint{})});
    for (const auto& [destination, pending] : pending_)
        snapshot.pending.push_back({destination, pending.request_id, pending.attempts, retries_.at(destination).value_or(TimePoint{})});
}

}  // namespace nave::nhrp
