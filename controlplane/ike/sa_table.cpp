// The indexes over all associations.
#include "controlplane/ike/sa_table.hpp"

namespace nave::ike {
namespace {

template <class Index, class Key>
void erase_pair(Index& index, const Key& key, SaId id) {
    const auto [begin, end] = index.equal_range(key);
    for (auto entry = begin; entry != end; ++entry) {
        if (entry->second != id) continue;
        index.erase(entry);
        return;
    }
}

}  // namespace

Association& SaTable::add() {
    auto association = std::make_unique<Association>();
    association->id = SaId{++last_sa_};
    association->ike = std::make_unique<IkeSa>();
    Association& added = *association;
    associations_.emplace(added.id, std::move(association));
    return added;
}

void SaTable::erase(Association& association) {
    schedule(association, std::nullopt);
    end_half_open(association);
    end_attempt(association);
    by_spi_.erase(association.ike->our_spi());
    if (association.init_spi) erase_pair(by_init_, *association.init_spi, association.id);
    associations_.erase(association.id);
}

Association* SaTable::find(SaId id) {
    const auto found = associations_.find(id);
    return found == associations_.end() ? nullptr : found->second.get();
}

std::uint64_t SaTable::new_spi(Random& random, SaId owner) {
    for (;;) {
        const std::uint64_t spi = random.u64();
        if (spi != 0 && by_spi_.emplace(spi, owner).second) return spi;
    }
}

Association* SaTable::by_spi(std::uint64_t our_spi) {
    const auto found = by_spi_.find(our_spi);
    return found == by_spi_.end() ? nullptr : find(found->second);
}

std::vector<Association*> SaTable::by_init(std::uint64_t initiator_spi, const NbmaAddress& remote) {
    std::vector<Association*> found;
    const auto [begin, end] = by_init_.equal_range(initiator_spi);
    for (auto entry = begin; entry != end; ++entry)
        if (Association* association = find(entry->second); association && association->remote.address == remote) found.push_back(association);
    return found;
}

void SaTable::remember_init(Association& association, std::uint64_t initiator_spi) {
    association.init_spi = initiator_spi;
    by_init_.emplace(initiator_spi, association.id);
}

void SaTable::begin_attempt(Association& association) {
    association.attempt_at = association.remote.address;
    attempts_.emplace(association.remote.address, association.id);
}

void SaTable::end_attempt(Association& association) {
    if (association.attempt_at) erase_pair(attempts_, *association.attempt_at, association.id);
    association.attempt_at.reset();
}

std::vector<Association*> SaTable::attempts(const NbmaAddress& remote) {
    std::vector<Association*> found;
    const auto [begin, end] = attempts_.equal_range(remote);
    for (auto entry = begin; entry != end; ++entry)
        if (Association* association = find(entry->second)) found.push_back(association);
    return found;
}

std::string SaTable::identity_key(ProfileId profile, const Identity& peer) {
    std::string key = std::to_string(profile.value) + ' ' + std::to_string(static_cast<unsigned>(peer.type)) + ' ';
    key.append(peer.data.begin(), peer.data.end());
    return key;
}

void SaTable::begin_established(Association& association, const Identity& peer) {
    association.established_at = association.remote.address;
    established_.add(association.remote.address);
    by_identity_.emplace(identity_key(association.profile, peer), association.id);
}

void SaTable::end_established(Association& association, const Identity& peer) {
    if (association.established_at) established_.remove(*association.established_at);
    association.established_at.reset();
    erase_pair(by_identity_, identity_key(association.profile, peer), association.id);
}

std::vector<Association*> SaTable::by_identity(ProfileId profile, const Identity& peer) {
    std::vector<Association*> found;
    const auto [begin, end] = by_identity_.equal_range(identity_key(profile, peer));
    for (auto entry = begin; entry != end; ++entry)
        if (Association* association = find(entry->second)) found.push_back(association);
    return found;
}

void SaTable::begin_half_open(Association& association) {
    association.half_open_at = association.remote.address;
    half_open_.add(association.remote.address);
}

void SaTable::end_half_open(Association& association) {
    if (association.half_open_at) half_open_.remove(*association.half_open_at);
    association.half_open_at.reset();
}

void SaTable::schedule(Association& association, std::optional<TimePoint> when) {
    if (association.scheduled == when) return;
    if (association.scheduled) deadlines_.erase(std::pair{*association.scheduled, association.id});
    if (when) deadlines_.emplace(*when, association.id);
    association.scheduled = when;
}

std::optional<TimePoint> SaTable::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

Association* SaTable::due(TimePoint now) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
    return find(deadlines_.begin()->second);
}

}  // namespace nave::ike
