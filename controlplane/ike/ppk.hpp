// Post-quantum preshared keys (RFC 8784): whether one is used, which, and what the two messages of IKE_AUTH say about it.
#pragma once

#include "controlplane/ike/association.hpp"
#include "controlplane/ike/payloads.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// Whether these payloads of IKE_SA_INIT say that their sender can use a PPK.
bool offers_ppk(std::span<const Payload> init);
/// The keys as they are with this PPK; unchanged without one.
SessionKeys keys_with(const SessionKeys& keys, const Ppk* ppk);
/// " and PPK 'site-7'" for the log; empty without one.
std::string in_words(const Ppk* ppk);
/// Whether the peer may be believed with this PPK, or without one; in words why not. For both ends, once the peer is authenticated.
std::optional<std::string> distrust_ppk(const Profile& profile, const Identity& peer, const Ppk* used);

// ---- Initiator ----

/// The initiator chooses before it knows who answers: the most specific PPK for the expected identity, the one for the expected
/// pattern, else the least specific one; null if there is none.
const Ppk* ppk_for_attempt(const Profile& profile, const std::optional<IdentityPattern>& expected);
/// PPK_IDENTITY and, where a peer without this PPK is good enough, NO_PPK_AUTH with `auth_without`, the content of AUTH under the keys
/// without PPK.
void append_ppk_offer(std::vector<Payload>& payloads, const Ppk& ppk, const std::optional<Bytes>& auth_without);

// ---- Responder ----

bool has_ppks(std::span<const Profile> profiles);

/// By which key and which bytes an initiator wants to be authenticated.
struct PpkChoice {
    const Ppk* ppk;  // null: without one
    ByteView auth;   // of AUTH, or of NO_PPK_AUTH if the PPK is not known here and neither end insists on it
};
/// RFC 8784's table 1, or in words why the negotiation is aborted. `may_use`: both ends said USE_PPK. `payloads` live as long as the choice.
std::expected<PpkChoice, std::string> choose_ppk(const Profile& profile, bool may_use, const Identity& peer, std::span<const Payload> payloads);

}  // namespace nave::ike
