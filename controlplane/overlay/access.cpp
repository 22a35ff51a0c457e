// Who may hold which addresses; see the header.
#include "controlplane/overlay/access.hpp"

#include <algorithm>

namespace nave::overlay {

namespace {
bool overlaps(const Prefix& a, const Prefix& b) { return a.contains(b) || b.contains(a); }
/// Length of the longest block that holds the prefix; -1 if none does.
int longest(const std::vector<Prefix>& blocks, const Prefix& prefix) {
    int length = -1;
    for (const Prefix& block : blocks)
        if (block.contains(prefix)) length = std::max<int>(length, block.length);
    return length;
}
}  // namespace

bool Claims::is_exact(const Claim& claim) {
    return std::ranges::any_of(claim.exact, [](const auto& each) { return each.second; });
}

void Claims::claim(const ike::Identity& identity, const Prefix& prefix, TunnelId tunnel, bool exact) {
    const auto [found, is_new] = claims_.try_emplace(prefix, Claim{identity, {}});
    if (found->second.identity != identity) found->second = Claim{identity, {}};
    found->second.exact.insert_or_assign(tunnel, exact);
}

void Claims::release(const ike::Identity& identity, const Prefix& prefix, TunnelId tunnel) {
    const auto found = claims_.find(prefix);
    if (found == claims_.end() || found->second.identity != identity) return;
    found->second.exact.erase(tunnel);
    if (found->second.exact.empty()) claims_.erase(found);
}

const ike::Identity* Claims::holder(const Prefix& prefix) const {
    const auto found = claims_.find(prefix);
    return found == claims_.end() ? nullptr : &found->second.identity;
}

std::optional<nhrp::CieCode> Claims::conflict(const ike::Identity& identity, const Prefix& prefix, bool exact) const {
    using enum nhrp::CieCode;
    if (const auto* current = holder(prefix); current && *current != identity) return already_registered;
    if (exact) return std::nullopt;
    // What lies inside the prefix is sorted right behind it.
    for (auto inner = claims_.lower_bound(prefix); inner != claims_.end() && prefix.contains(inner->first); ++inner)
        if (inner->second.identity != identity) return not_unique;
    for (int length = prefix.length - 1; length >= 0; --length) {
        const auto outer = claims_.find(Prefix::of(prefix.address, static_cast<std::uint8_t>(length)));
        if (outer != claims_.end() && !is_exact(outer->second) && outer->second.identity != identity) return not_unique;
    }
    return std::nullopt;
}

Access::Access(const Tunnel& tunnel, Claims& claims)
    : rules_{tunnel.access}, network_{Prefix::of(tunnel.address.value, tunnel.address_length)}, own_{tunnel.address}, tunnel_{tunnel.id}, claims_{claims} {}

const AccessRule* Access::rule(const ike::Identity& identity) const {
    const auto found = std::ranges::find_if(rules_, [&](const AccessRule& rule) { return !rule.nhrp_group && rule.identity.matches(identity); });
    return found == rules_.end() ? nullptr : &*found;
}

const AccessRule* Access::treatment(const ike::Identity& identity, const std::optional<ike::Identity>& subject, std::string_view nhrp_group) const {
    const auto is_for = [&](const AccessRule& rule) {
        return (rule.identity.matches(identity) || (subject && rule.identity.matches(*subject))) && (!rule.nhrp_group || *rule.nhrp_group == nhrp_group);
    };
    const auto found = std::ranges::find_if(rules_, is_for);
    return found == rules_.end() ? nullptr : &*found;
}

bool Access::is_permitted(const AccessRule& rule, const Prefix& prefix) const {
    if (is_tunnel_address(prefix)) return longest(rule.tunnel_addresses, prefix) >= 0;
    // A part of the tunnel's subnet that is no single address would cover other gateways' tunnel addresses.
    if (network_.contains(prefix) || prefix.contains(network_)) return false;
    return longest(rule.prefixes, prefix) >= 0;
}

bool Access::is_reserved(const AccessRule& rule, const Prefix& prefix) const {
    const auto is_for_another = [&](const AccessRule& other) {
        if (&other == &rule || other.hub) return false;
        const auto& named = is_tunnel_address(prefix) ? other.tunnel_addresses : other.prefixes;
        const auto& ours = is_tunnel_address(prefix) ? rule.tunnel_addresses : rule.prefixes;
        return longest(named, prefix) > longest(ours, prefix);
    };
    return std::ranges::any_of(rules_, is_for_another);
}

bool Access::permits(const ike::Identity& identity, const Prefix& prefix) const {
    const AccessRule* found = rule(identity);
    return found && (found->hub || (is_permitted(*found, prefix) && !is_reserved(*found, prefix)));
}

std::optional<nhrp::CieCode> Access::prohibition(const ike::Identity& identity, const Prefix& prefix) const {
    using enum nhrp::CieCode;
    const AccessRule* found = rule(identity);
    if (!found || !is_permitted(*found, prefix) || is_reserved(*found, prefix) || prefix == Prefix::host(own_.value)) return administratively_prohibited;
    if (touches_local(prefix) && !names_exactly(*found, prefix)) return administratively_prohibited;
    if (local_.contains(prefix)) return administratively_prohibited;
    return std::nullopt;
}

std::optional<nhrp::CieCode> Access::refusal(const ike::Identity& identity, const Prefix& prefix) const {
    const auto code = prohibition(identity, prefix);
    return code ? code : claims_.conflict(identity, prefix, names_exactly(identity, prefix));
}

std::optional<nhrp::CieCode> Access::refusal_of_hub(const ike::Identity& identity, const Prefix& prefix) const {
    const bool covers_others = !is_tunnel_address(prefix) && (network_.contains(prefix) || prefix.contains(network_));
    if (covers_others || touches_local(prefix)) return nhrp::CieCode::administratively_prohibited;
    return claims_.conflict(identity, prefix, false);
}

bool Access::names_exactly(const ike::Identity& identity, const Prefix& prefix) const {
    const AccessRule* found = rule(identity);
    return found && names_exactly(*found, prefix);
}

bool Access::names_exactly(const AccessRule& rule, const Prefix& prefix) {
    const auto is_it = [&](const Prefix& block) { return block == prefix; };
    return std::ranges::any_of(rule.prefixes, is_it) || std::ranges::any_of(rule.tunnel_addresses, is_it);
}

void Access::claim(const ike::Identity& identity, const Prefix& prefix) { claims_.claim(identity, prefix, tunnel_, names_exactly(identity, prefix)); }
void Access::release(const ike::Identity& identity, const Prefix& prefix) { claims_.release(identity, prefix, tunnel_); }

bool Access::touches_local(const Prefix& prefix) const {
    return std::ranges::any_of(local_, [&](const Prefix& local) { return overlaps(local, prefix); });
}

void Access::set_local(const Prefix& prefix, bool present) {
    if (present) local_.insert(prefix);
    else local_.erase(prefix);
}

}  // namespace nave::overlay
