// Spokes of other hubs come and go.
#include "controlplane/nhrp/hub_bindings.hpp"

namespace nave::nhrp {

CieCode HubBindings::add(PeerId hub, const Prefix& prefix, TunnelAddress next_hop, TimePoint expires, Outbox& out) {
    const bool is_no_network = prefix.address.is_multicast() || prefix.address.is_unspecified() || prefix.address.is_link_local();
    if (is_no_network || prefix.contains(context_.own.value)) return CieCode::administratively_prohibited;
    const Key key{hub, prefix};
    const auto known = next_hops_.find(key);
    if (known == next_hops_.end() && next_hops_.size() >= context_.settings.limits.bindings) {
        context_.counters.add(Counter::bindings_full);
        return CieCode::insufficient_resources;
    }
    expiries_.set(key, expires);
    if (known != next_hops_.end() && known->second == next_hop) return CieCode::success;
    next_hops_.insert_or_assign(key, next_hop);
    out.push_back(BehindHub{hub, prefix, next_hop, true});
    return CieCode::success;
}

void HubBindings::remove(std::map<Key, TunnelAddress>::iterator entry, Outbox& out) {
    const auto [key, next_hop] = *entry;
    expiries_.clear(key);
    next_hops_.erase(entry);
    out.push_back(BehindHub{key.first, key.second, next_hop, false});
}

void HubBindings::purge(PeerId hub, const Prefix& prefix, Outbox& out) {
    for (auto entry = next_hops_.lower_bound({hub, Prefix{}}); entry != next_hops_.end() && entry->first.first == hub;) {
        const auto current = entry++;
        if (prefix.contains(current->first.second) || prefix.contains(current->second.value)) remove(current, out);
    }
}

void HubBindings::peer_down(PeerId hub, Outbox& out) {
    for (auto entry = next_hops_.lower_bound({hub, Prefix{}}); entry != next_hops_.end() && entry->first.first == hub;) remove(entry++, out);
}

void HubBindings::on_deadline(TimePoint now, Outbox& out) {
    while (const auto key = expiries_.take_due(now)) remove(next_hops_.find(*key), out);
}

}  // namespace nave::nhrp
