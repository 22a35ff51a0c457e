// Which pre-shared key, which authorities and which profile belong to a peer: chosen by identity, never by address.
#pragma once

#include "controlplane/ike/endpoint.hpp"

#include <optional>
#include <string>
#include <span>
#include <vector>

namespace nave::ike {

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
