// The choice of keys and profiles.
#include "controlplane/ike/identities.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {

const PreSharedKey* key_for(const Profile& profile, const Identity& peer) {
    const PreSharedKey* best = most_specific(profile.keys, peer);
    if (!best) return nullptr;
    const auto is_better = [&](const TrustedAuthority& each) { return each.remote.matches(peer) && each.remote.specificity() > best->remote.specificity(); };
    return std::ranges::any_of(profile.authorities, is_better) ? nullptr : best;
}

std::vector<Certificate> authorities_for(const Profile& profile, const Identity& peer) {
    const PreSharedKey* key = most_specific(profile.keys, peer);
    const int least = key ? key->remote.specificity() : 0;
    std::vector<Certificate> found;
    for (const TrustedAuthority& each : profile.authorities)
        if (each.remote.matches(peer) && each.remote.specificity() >= least) found.push_back(each.certificate);
    return found;
}

const PreSharedKey* key_for_attempt(const Profile& profile, const std::optional<IdentityPattern>& expected) {
    if (const auto exact = expected ? expected->exact() : std::nullopt) return key_for(profile, *exact);
    return for_anybody(profile.keys, expected);
}

std::optional<std::string> misplaced(const Profile& profile, const Identity& peer, const NbmaAddress& address) {
    bool is_pinned = false;
    for (const PinnedIdentity& pin : profile.pinned) {
        if (!pin.identity.matches(peer)) continue;
        if (std::ranges::find(pin.addresses, address) != pin.addresses.end()) return std::nullopt;
        if (std::ranges::any_of(pin.redirects, [&](const Prefix& prefix) { return prefix.contains(address.value); })) return std::nullopt;
        is_pinned = true;
    }
    if (!is_pinned) return std::nullopt;
    return fmt::format("{} is a hub's identity, and no such hub is at {}: another has a key that is good for it", peer.to_string(), address.value.to_string());
}

std::optional<KeyChoice> choose_profile(std::span<const Profile> profiles, const IkeProposal& suite, const Identity& initiator, const Identity* wanted) {
    std::optional<KeyChoice> best;
    bool best_is_wanted = false;
    for (std::size_t i = 0; i < profiles.size(); ++i) {
        const Profile& profile = profiles[i];
        const PreSharedKey* key = key_for(profile, initiator);
        if (!key || std::ranges::find(profile.ike_proposals, suite) == profile.ike_proposals.end()) continue;
        const bool is_wanted = wanted && same_identity(profile.local, *wanted);
        const bool is_better = !best || (is_wanted && !best_is_wanted) ||
                               (is_wanted == best_is_wanted && key->remote.specificity() > best->key->remote.specificity());
        if (!is_better) continue;
        best = KeyChoice{ProfileId{static_cast<std::uint16_t>(i)}, key};
        best_is_wanted = is_wanted;
    }
    return best;
}

}  // namespace nave::ike
