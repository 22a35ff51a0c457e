// Hubs' words: learned, looked up, purged, expired.
#include "controlplane/nhrp/vouchers.hpp"

namespace nave::nhrp {

void Vouchers::learn(const Prefix& prefix, const Word& word, TimePoint now, Duration holding_time) {
    store(prefix, {word, now}, holding_time);
    store(Prefix::host(word.next_hop.value), {word, now}, holding_time);
}

void Vouchers::store(const Prefix& prefix, const Entry& entry, Duration holding_time) {
    if (!table_.contains(prefix) && table_.size() >= context_.settings.limits.vouchers) return context_.counters.add(Counter::vouchers_full);
    table_[prefix] = entry;
    expiries_.set(prefix, entry.learned + holding_time);
}

Vouchers::Table::const_iterator Vouchers::covering(const Prefix& prefix) const {
    for (int length = prefix.length; length >= 0; --length) {
        const auto found = table_.find(Prefix::of(prefix.address, static_cast<std::uint8_t>(length)));
        if (found != table_.end()) return found;
    }
    return table_.end();
}

std::optional<bool> Vouchers::agree(PeerId peer, const TunnelAddress& next_hop, const Prefix& prefix) const {
    const auto found = covering(prefix);
    if (found == table_.end()) return std::nullopt;
    const Word& word = found->second.word;
    const NbmaAddress observed = context_.directory.observed_nbma(peer);
    return word.next_hop == next_hop && (word.nbma == observed || word.claimed == observed);
}

std::optional<TimePoint> Vouchers::learned_at(const Prefix& prefix) const {
    const auto found = covering(prefix);
    return found == table_.end() ? std::nullopt : std::optional{found->second.learned};
}

void Vouchers::purge(const Prefix& prefix) {
    std::set<Prefix> gone;
    for (const auto& [known, entry] : table_) {
        if (!prefix.contains(known) && !known.contains(prefix) && !prefix.contains(entry.word.next_hop.value)) continue;
        gone.insert({known, Prefix::host(entry.word.next_hop.value)});
    }
    for (const Prefix& each : gone) {
        table_.erase(each);
        expiries_.clear(each);
    }
}

void Vouchers::on_deadline(TimePoint now) {
    while (const auto prefix = expiries_.take_due(now)) table_.erase(*prefix);
}

}  // namespace nave::nhrp
