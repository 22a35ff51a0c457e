// The life of child SAs, as the dataplane is told about it.
#include "controlplane/ike/children.hpp"

#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

namespace nave::ike {

namespace {

/// Without ESN the sequence number ends at 2^32 (RFC 4303 §3.3.3): the rekey must come before.
SaLimits limits_of(const Profile& profile, bool esn) {
    SaLimits limits = profile.child_limits;
    const auto at_most = [](std::uint64_t& limit, std::uint64_t most) { limit = limit == 0 ? most : std::min(limit, most); };
    if (!esn) at_most(limits.soft_packets, 0xe000'0000), at_most(limits.hard_packets, 0xffff'ffff);
    return limits;
}

}  // namespace
namespace {

constexpr Duration kDrainTime = std::chrono::seconds{5};

/// The peer that deletes a replaced child SA holds its successor. Without that, the newest one that waits for its use takes over if no
/// installed one is left.
void keep_sending(Context& context, Association& association, Established& established, const ChildSa& removed) {
    if (const auto* replaced = std::get_if<Replaced>(&removed.state))
        if (ChildSa* successor = child_by_id(established, replaced->by)) use_outbound(context, association, *successor);
    if (removed.resource || std::ranges::any_of(established.children, [](const ChildSa& child) { return child.outbound_installed && !child.resource; })) return;
    for (ChildSa& child : std::views::reverse(established.children))
        if (child.is<Fresh>() && !child.resource) return use_outbound(context, association, child);
}

}  // namespace

ChildId install_child(Context& context, Association& association, const NewChild& made) {
    auto& established = *association.in<Established>();
    const Profile& profile = context.profile_of(association);
    const EspChoice& choice = made.terms.choice;
    const KeyExchangeSeries& exchanges = made.exchanges;
    const ChildKeys keys = derive_child_keys(association.ike->keys, choice.suite.algorithm, exchanges.shared_secret, exchanges.initiator_nonce, exchanges.responder_nonce,
                                             exchanges.additional);
    const ChildSa child{.id = context.table.next_child_id(),
                        .inbound = made.inbound,
                        .outbound = choice.spi,
                        .suite = choice.suite,
                        .mode = made.terms.mode,
                        .established_at = context.now,
                        .rekey_at = context.rekey_time(profile.child_lifetime),
                        .expires_at = context.now + profile.child_lifetime,
                        .resource = made.resource,
                        .state = Fresh{keys.sent_by(made.role)}};
    context.out.push_back(InstallInbound{association.id, child.id, child.inbound, choice.suite.algorithm, child.mode, choice.suite.esn, limits_of(profile, choice.suite.esn),
                                         keys.sent_by(other(made.role)), made.resource});
    log_keys(context, association, child, keys.sent_by(other(made.role)), keys.sent_by(made.role));
    const bool encrypted = encrypts(choice.suite.algorithm);
    context.log(encrypted ? Severity::info : Severity::warning,
                fmt::format("child {}: none -> installed: {} in {} mode, SPI {:08x} in, {:08x} out{}{}", describe(association), to_string(choice.suite),
                            child.mode == EspMode::transport ? "transport" : "tunnel", child.inbound.value, child.outbound.value,
                            child.resource ? fmt::format(", for resource {}", child.resource->value) : std::string{}, encrypted ? "" : "; NOT ENCRYPTED"));
    context.count("children");
    established.children.push_back(child);
    established.childless_until.reset();
    return child.id;
}

void use_outbound(Context& context, Association& association, ChildSa& child) {
    const auto* fresh = std::get_if<Fresh>(&child.state);
    if (!fresh) return;
    const Profile& profile = context.profile_of(association);
    context.out.push_back(InstallOutbound{association.id, child.id, child.outbound, child.suite.algorithm, child.mode, child.suite.esn,
                                          limits_of(profile, child.suite.esn), fresh->outbound, child.resource});
    child.outbound_installed = true;
    child.state = InUse{};
}

void remove_child(Context& context, Association& association, ChildId id) {
    auto& established = *association.in<Established>();
    const auto found = std::ranges::find(established.children, id, &ChildSa::id);
    if (found == established.children.end()) return;
    const ChildSa child = std::move(*found);
    established.children.erase(found);
    keep_sending(context, association, established, child);
    if (child.outbound_installed) context.out.push_back(RemoveOutbound{association.id, child.id, child.outbound});
    if (established.children.empty()) context.out.push_back(RemoveInbound{association.id, child.id, child.inbound});
    else established.draining.push_back({child.id, child.inbound, context.now + kDrainTime});
    context.log(Severity::info, fmt::format("child {}: installed -> removed: SPI {:08x} in, {:08x} out", describe(association), child.inbound.value, child.outbound.value));
}

void end_if_childless(Context& context, Association& association) {
    auto* established = association.in<Established>();
    const auto serves_all = [](const ChildSa& child) { return !child.resource; };
    const auto* rekey = association.ike->doing<RekeyingChild>();
    if (!established || std::ranges::any_of(established->children, serves_all) || (rekey && !rekey->resource)) return;
    end(context, association, DownReason::no_child, "no child SA is left", Ending::farewell);
}

}  // namespace nave::ike
