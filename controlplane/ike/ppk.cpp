// The choice of post-quantum preshared keys.
#include "controlplane/ike/ppk.hpp"

#include "controlplane/ike/identities.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr std::uint8_t kPpkIdFixed = 2;  // RFC 8784 §5.1: the other type is for one-time pads, whose length nobody can tell

Bytes encode_ppk_id(const std::string& id) {
    Bytes data{kPpkIdFixed};
    data.insert(data.end(), id.begin(), id.end());
    return data;
}

/// The one that the notification names and that this peer may use.
const Ppk* named_ppk(const Profile& profile, const Identity& peer, const Notify& identity) {
    for (const Ppk& ppk : profile.ppks)
        if (ppk.remote.matches(peer) && identity.data == encode_ppk_id(ppk.id)) return &ppk;
    return nullptr;
}

bool is_required(const Profile& profile, const Identity& peer) {
    return std::ranges::any_of(profile.ppks, [&](const Ppk& ppk) { return ppk.required && ppk.remote.matches(peer); });
}

/// Names come from strangers and go into logs.
std::string printable_id(const Notify& identity) {
    std::string text;
    for (std::size_t i = 1; i < identity.data.size() && i <= 64; ++i) text += identity.data[i] > ' ' && identity.data[i] < 0x7f ? static_cast<char>(identity.data[i]) : '?';
    return text;
}

}  // namespace

bool offers_ppk(std::span<const Payload> init) { return find_notify(init, NotifyType::use_ppk) != nullptr; }

SessionKeys keys_with(const SessionKeys& keys, const Ppk* ppk) { return ppk ? with_ppk(keys, ppk->key) : keys; }

std::string in_words(const Ppk* ppk) { return ppk ? fmt::format(" and PPK '{}'", ppk->id) : std::string{}; }

std::optional<std::string> distrust_ppk(const Profile& profile, const Identity& peer, const Ppk* used) {
    if (used && !used->remote.matches(peer)) return fmt::format("PPK '{}' of profile '{}' is not for {}", used->id, profile.name, peer.to_string());
    if (!used && is_required(profile, peer))
        return fmt::format("profile '{}' requires a PPK of {}, and the peer has none, another one, or does not know RFC 8784", profile.name, peer.to_string());
    return std::nullopt;
}

const Ppk* ppk_for_attempt(const Profile& profile, const std::optional<IdentityPattern>& expected) {
    if (const auto exact = expected ? expected->exact() : std::nullopt) return most_specific(profile.ppks, *exact);
    return for_anybody(profile.ppks, expected);
}

void append_ppk_offer(std::vector<Payload>& payloads, const Ppk& ppk, const std::optional<Bytes>& auth_without) {
    payloads.emplace_back(Notify{.type = NotifyType::ppk_identity, .data = encode_ppk_id(ppk.id)});
    if (auth_without) payloads.emplace_back(Notify{.type = NotifyType::no_ppk_auth, .data = *auth_without});
}

bool has_ppks(std::span<const Profile> profiles) {
    return std::ranges::any_of(profiles, [](const Profile& profile) { return !profile.ppks.empty(); });
}

std::expected<PpkChoice, std::string> choose_ppk(const Profile& profile, bool may_use, const Identity& peer, std::span<const Payload> payloads) {
    const ByteView auth = find<AuthPayload>(payloads)->data;
    if (!may_use) {
        if (auto why = distrust_ppk(profile, peer, nullptr)) return std::unexpected{std::move(*why)};
        return PpkChoice{nullptr, auth};
    }
    const Notify* identity = find_notify(payloads, NotifyType::ppk_identity);
    if (!identity) return std::unexpected{fmt::format("{} said USE_PPK and names no PPK", peer.to_string())};
    if (const Ppk* ppk = named_ppk(profile, peer, *identity)) return PpkChoice{ppk, auth};
    const Notify* without = find_notify(payloads, NotifyType::no_ppk_auth);
    if (!without)
        return std::unexpected{fmt::format("{} insists on PPK '{}', which profile '{}' does not have for it", peer.to_string(), printable_id(*identity), profile.name)};
    if (auto why = distrust_ppk(profile, peer, nullptr)) return std::unexpected{std::move(*why)};
    return PpkChoice{nullptr, without->data};
}

}  // namespace nave::ike
