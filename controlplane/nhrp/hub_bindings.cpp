// Spokes of other hubs come and go.
#include "controlplane/nhrp/hub_bindings.hpp"

namespace nave::nhrp {

std::optional<CieCode> HubBindings::refusal(const Key& key, const Word& word) const {
    const auto& [hub, prefix] = key;
    if (!Context::is_unicast(prefix.address) || prefix.contains(context_.own.value)) return CieCode::administratively_prohibited;
    if (const auto code = context_.directory.refusal_behind_hub(hub, word.holder, prefix)) return code;
    if (!words_.contains(key) && words_.size() >= context_.settings.limits.bindings) return CieCode::insufficient_resources;
    return std::nullopt;
}

CieCode HubBindings::add(PeerId hub, const Prefix& prefix, Word word, TimePoint expires, Outbox& out) {
    // Two hubs in one network need nothing of each other to reach it.
    const Route route = context_.directory.route(prefix.address);
    const auto* local = std::get_if<LocalRoute>(&route);
    if (local && local->prefix == prefix && word.holder.empty()) return CieCode::success;
    const Key key{hub, prefix};
    const auto code = refusal(key, word);
    const auto known = words_.find(key);
    if (known != words_.end() && (code || known->second != word)) remove(known, out);
    if (code) {
        context_.counters.add(*code == CieCode::insufficient_resources ? Counter::bindings_full : Counter::registrations_refused);
        return *code;
    }
    expiries_.set(key, expires);
    if (words_.contains(key)) return CieCode::success;
    out.push_back(BehindHub{hub, prefix, word.next_hop, word.holder, true});
    words_.emplace(key, std::move(word));
    return CieCode::success;
}

void HubBindings::remove(Words::iterator entry, Outbox& out) {
    const auto [key, word] = *entry;
    expiries_.clear(key);
    words_.erase(entry);
    out.push_back(BehindHub{key.first, key.second, word.next_hop, word.holder, false});
}

void HubBindings::purge(PeerId hub, const Prefix& prefix, Outbox& out) {
    for (auto entry = words_.lower_bound({hub, Prefix{}}); entry != words_.end() && entry->first.first == hub;) {
        const auto current = entry++;
        if (prefix == current->first.second || prefix.contains(current->second.next_hop.value)) remove(current, out);
    }
}

void HubBindings::peer_down(PeerId hub, Outbox& out) {
    purge(hub, Prefix::of(context_.own.value, 0), out);
}

void HubBindings::recheck(Outbox& out) {
    for (auto entry = words_.begin(); entry != words_.end();) {
        const auto current = entry++;
        if (refusal(current->first, current->second)) remove(current, out);
    }
}

void HubBindings::on_deadline(TimePoint now, Outbox& out) {
    while (const auto key = expiries_.take_due(now)) remove(words_.find(*key), out);
}

void HubBindings::append_to(Snapshot& snapshot) const {
    for (const auto& [key, word] : words_)
        snapshot.cache.push_back({.kind = CacheKind::behind_hub,
                                  .prefix = key.second,
                                  .next_hop = word.next_hop,
                                  .peer = key.first,
                                  .expires = *expiries_.at(key),
                                  .holder = word.holder});
}

}  // namespace nave::nhrp
