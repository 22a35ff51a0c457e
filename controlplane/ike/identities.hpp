// Which pre-shared key, which authorities and which profile belong to a peer: chosen by identity, never by address.
#pragma once

#include "controlplane/ike/endpoint.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <span>
#include <vector>

namespace nave::ike {

/// Of entries for patterns of peers, such as keys, the most specific one for this peer; null if there is none.
template <class Entry>
const Entry* most_specific(const std::vector<Entry>& entries, const Identity& peer) {
    const Entry* best = nullptr;
    for (const Entry& each : entries)
        if (each.remote.matches(peer) && (!best || each.remote.specificity() > best->remote.specificity())) best = &each;
    return best;
}

/// While nobody knows who answers: the entry for the expected pattern, else the least specific one; null if there is none.
template <class Entry>
const Entry* for_anybody(const std::vector<Entry>& entries, const std::optional<IdentityPattern>& expected) {
    const auto same = std::ranges::find_if(entries, [&](const Entry& each) { return expected && each.remote.text() == expected->text(); });
    if (same != entries.end()) return &*same;
    const auto least = std::ranges::min_element(entries, {}, [](const Entry& each) { return each.remote.specificity(); });
    return least == entries.end() ? nullptr : &*least;
}

/// The most specific key for this peer; null if there is none, or if an authority is named for this peer more specifically.
const PreSharedKey* key_for(const Profile& profile, const Identity& peer);
/// The authorities that may vouch for this peer; none if a key is named for it more specifically.
std::vector<Certificate> authorities_for(const Profile& profile, const Identity& peer);
/// The initiator signs before it knows who answers: the key of the expected identity or pattern, else the least specific one.
const PreSharedKey* key_for_attempt(const Profile& profile, const std::optional<IdentityPattern>& expected);

/// Whether the identity may be believed of somebody at this address; in words why not.
std::optional<std::string> misplaced(const Profile& profile, const Identity& peer, const NbmaAddress& address);

struct KeyChoice {
    ProfileId profile;
    const PreSharedKey* key;  // null: by certificate
};
/// Responder: the profile with the most specific key for `initiator` that allows `suite`; one whose identity the initiator asked for
/// (IDr) goes first. Nothing if no profile knows the initiator.
std::optional<KeyChoice> choose_profile(std::span<const Profile> profiles, const IkeProposal& suite, const Identity& initiator, const Identity* wanted);

}  // namespace nave::ike
