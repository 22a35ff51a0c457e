// SaUp, SaDown and the transitions between states.
#include "controlplane/ike/lifecycle.hpp"

#include "controlplane/ike/duplicates.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/resumption.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

bool is_satisfied(const ConnectRequest& request, const Association& association, const Identity& peer) {
    return request.profile == association.profile && (!request.expected || request.expected->matches(peer));
}

/// Nothing with a pre-shared key.
std::optional<Identity> subject_of(const Association& association) {
    const auto* established = association.in<Established>();
    if (!established || established->certificates.subject.empty()) return std::nullopt;
    return Identity{Identity::Type::der_distinguished_name, established->certificates.subject};
}

SaUp up_action(const Context& context, const Association& association, const Identity& peer, std::uint64_t token) {
    return {.sa = association.id,
            .profile = association.profile,
            .token = token,
            .local = context.profile_of(association).local,
            .remote_identity = peer,
            .local_endpoint = association.local,
            .remote_endpoint = association.remote,
            .initiator = association.initiator,
            .local_behind_nat = association.local_behind_nat,
            .remote_behind_nat = association.remote_behind_nat,
            .encapsulated = association.encapsulated,
            .subject = subject_of(association)};
}

/// An own attempt that nobody has answered yet is not needed any more: its tokens are answered by the association that is coming up.
void take_over_attempts(Context& context, Association& association, const Identity& peer) {
    for (Association* attempt : context.table.attempts(association.remote.address)) {
        if (attempt == &association || !(attempt->in<AwaitingInitResponse>() || attempt->in<AwaitingResumeResponse>())) continue;
        if (!std::ranges::all_of(attempt->requests, [&](const ConnectRequest& request) { return is_satisfied(request, association, peer); })) continue;
        std::ranges::move(attempt->requests, std::back_inserter(association.requests));
        attempt->requests.clear();
        move_to(context, *attempt, Gone{}, "the peer's own attempt succeeded first");
        context.touch(*attempt);
    }
}

void emit_removals(Context& context, const Association& association, const Established& established) {
    for (const ChildSa& child : established.children) {
        if (child.outbound_installed) context.out.push_back(RemoveOutbound{association.id, child.id, child.outbound});
        context.out.push_back(RemoveInbound{association.id, child.id, child.inbound});
    }
    for (const Draining& draining : established.draining) context.out.push_back(RemoveInbound{association.id, draining.child, draining.inbound});
}

}  // namespace

void move_to(Context& context, Association& association, State next, std::string_view reason, Severity severity) {
    const bool knows_less = !std::holds_alternative<Established>(next);
    std::string who = knows_less ? describe(association) : std::string{};
    const std::string_view before = name(association.state);
    const bool stranger = !association.initiator && knows_less && !association.in<Established>() && !association.in<Closing>();
    association.state = std::move(next);
    if (!knows_less) who = describe(association);
    std::string line = fmt::format("ike {}: {} -> {}: {}", who, before, name(association.state), reason);
    if (stranger) context.log_stranger(severity, std::move(line));
    else context.log(severity, std::move(line));
}

void come_up(Context& context, Association& association, Established established, std::string_view reason) {
    context.table.end_half_open(association);
    context.table.end_attempt(association);
    const Identity peer = established.peer;
    if (association.local_behind_nat) established.keepalive_at = context.now + context.settings.keepalive_interval;
    const Duration lifetime = context.profile_of(association).ike_lifetime;
    established.rekey_at = context.rekey_time(lifetime);
    established.expires_at = context.now + lifetime;
    move_to(context, association, std::move(established), reason, Severity::notice);
    context.count("established");
    context.table.begin_established(association, peer);

    take_over_attempts(context, association, peer);
    std::erase_if(association.requests, [&](const ConnectRequest& request) {
        if (is_satisfied(request, association, peer)) return false;
        context.reconnects.push_back(request);
        return true;
    });

    if (association.requests.empty()) context.out.push_back(up_action(context, association, peer, 0));
    for (const ConnectRequest& request : association.requests) context.out.push_back(up_action(context, association, peer, request.token));
    settle_duplicates(context, association);
}

void fail_attempt(Context& context, Association& association, DownReason reason, std::string detail, State next) {
    const auto requests = std::exchange(association.requests, {});
    if (auto* awaiting = association.in<AwaitingAuthResponse>()) context.spis.release(awaiting->inbound);
    if (auto* awaiting = association.in<AwaitingResumedAuth>()) context.spis.release(awaiting->inbound);
    discard(context, association.ike->purpose);
    if (!std::holds_alternative<Closing>(next)) association.ike->outstanding.reset();
    context.table.end_attempt(association);
    if (!std::holds_alternative<Lingering>(next)) context.table.end_half_open(association);
    move_to(context, association, std::move(next), detail, Severity::warning);
    context.touch(association);
    for (const ConnectRequest& request : requests) {
        if (association.initiator) context.out.push_back(SaDown{association.id, request.token, reason, detail});
        else context.reconnects.push_back(request);
    }
}

void end(Context& context, Association& association, DownReason reason, std::string detail, Ending ending, std::optional<NotifyType> complaint) {
    auto& established = std::get<Established>(association.state);
    if (ending != Ending::silent || reason == DownReason::authentication_failed) forget_own_ticket(context, association);
    emit_removals(context, association, established);
    context.table.end_established(association, established.peer);
    while (!established.siblings.empty()) drop_sibling(context, established, *established.siblings.back().ike);
    if (ending != Ending::farewell) association.ike->outstanding.reset();
    discard(context, association.ike->purpose);
    drop_pending(context, *association.ike);

    const std::uint64_t token = association.requests.empty() ? 0 : association.requests.front().token;
    association.requests.clear();
    State next = Gone{};
    if (ending == Ending::farewell) next = Closing{complaint};
    if (ending == Ending::answered) next = Lingering{context.now + kLinger};
    context.count(fmt::format("down-{}", name(reason)));
    move_to(context, association, std::move(next), fmt::format("{}: {}", name(reason), detail), Severity::notice);
    context.out.push_back(SaDown{association.id, token, reason, std::move(detail)});
    context.touch(association);
}

void discard(Context& context, Purpose& purpose) {
    if (const auto* rekey = std::get_if<RekeyingChild>(&purpose)) context.spis.release(rekey->inbound);
    if (const auto* rekey = std::get_if<RekeyingIke>(&purpose)) context.table.forget_spi(rekey->spi);
    purpose = std::monostate{};
}

void drop_sibling(Context& context, Established& established, const IkeSa& ike) {
    const auto found = std::ranges::find_if(established.siblings, [&](const Sibling& sibling) { return sibling.ike.get() == &ike; });
    if (found == established.siblings.end()) return;
    discard(context, found->ike->purpose);
    drop_pending(context, *found->ike);
    context.table.forget_spi(found->ike->our_spi());
    established.siblings.erase(found);
}

std::string_view name(DownReason reason) {
    switch (reason) {
    case DownReason::closed_by_us: return "closed-by-us";
    case DownReason::deleted_by_peer: return "deleted-by-peer";
    case DownReason::timed_out: return "timed-out";
    case DownReason::authentication_failed: return "authentication-failed";
    case DownReason::no_proposal_chosen: return "no-proposal-chosen";
    case DownReason::refused_by_peer: return "refused-by-peer";
    case DownReason::invalid_message: return "invalid-message";
    case DownReason::replaced_duplicate: return "replaced-duplicate";
    case DownReason::limit_reached: return "limit-reached";
    case DownReason::no_child: return "no-child";
    }
    return "unknown";
}

}  // namespace nave::ike
