// Deadlines of one association, state by state.
#include "controlplane/ike/timers.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/children.hpp"
#include "controlplane/ike/duplicates.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/ike_rekey.hpp"
#include "controlplane/ike/informational.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/redirect.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/resumption.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

/// Repeats the outstanding request if it is time; true if it was repeated often enough.
bool is_given_up(Context& context, const Association& association, IkeSa& ike) {
    if (!ike.outstanding) return false;
    switch (ike.outstanding->step(context.now)) {
    case Transmission::Step::wait: return false;
    case Transmission::Step::repeat:
        repeat_request(context, association, ike);
        return false;
    case Transmission::Step::give_up: return true;
    }
    return false;
}

/// A responder is up as soon as it has answered; the initiator, who may have lost that answer and repeats its request, drops ours until then.
bool may_still_come_up(const Context& context, const Association& association, const Established& established) {
    return !association.initiator && established.heard_at <= established.established_at && context.now < established.established_at + context.peer_patience();
}

/// A peer that was heard since our request went out is alive, only its answers were lost (RFC 7296 §2.4): the schedule begins anew, a few
/// times, as a peer that speaks but never answers is of no use either.
bool is_renewed(Context& context, const Association& association, const Established& established) {
    constexpr int kRenewalsMax = 3;
    Transmission& outstanding = *association.ike->outstanding;
    const bool is_alive = established.heard_at > outstanding.begun_at && outstanding.renewals < kRenewalsMax;
    if (!is_alive && !may_still_come_up(context, association, established)) return false;
    outstanding.renew(context.settings.retransmit_first, context.now);
    context.count("requests-renewed");
    repeat_request(context, association, *association.ike);
    return true;
}

/// Neither a request nor its first repetition brought a sign of life: whoever has another way need not wait until the peer is given up.
void note_silence(Context& context, const Association& association, Established& established) {
    constexpr int kSilentAfter = 3;  // transmissions
    const auto& outstanding = association.ike->outstanding;
    if (established.silent || !outstanding || outstanding->sent < kSilentAfter || established.heard_at > outstanding->begun_at) return;
    established.silent = true;
    context.out.push_back(PeerSilent{association.id, true});
}

void send_keepalive(Context& context, const Association& association, Established& established) {
    if (!established.keepalive_at || *established.keepalive_at > context.now) return;
    established.keepalive_at = context.now + context.settings.keepalive_interval;
    context.count("keepalives-sent");
    context.out.push_back(SendDatagram{association.local, association.remote, Bytes{0xff}});  // RFC 3948 §2.3
}

void tend_siblings(Context& context, Association& association, Established& established) {
    for (Sibling& sibling : established.siblings)
        if (is_given_up(context, association, *sibling.ike)) sibling.give_up_at = context.now;
}

void expire_children(Context& context, Association& association, Established& established) {
    for (ChildSa& child : established.children) {
        const auto* replaced = std::get_if<Replaced>(&child.state);
        const bool is_expired = child.expires_at <= context.now && !child.is<Doomed>();
        if (!is_expired && !(replaced && replaced->give_up_at <= context.now)) continue;
        // Without the outbound SA nothing leaves under a key that is too old, however long the peer takes to answer the DELETE.
        if (is_expired) context.count("children-expired");
        if (replaced)
            if (ChildSa* successor = child_by_id(established, replaced->by)) use_outbound(context, association, *successor);
        if (child.outbound_installed) context.out.push_back(RemoveOutbound{association.id, child.id, child.outbound});
        child.outbound_installed = false;
        child.state = Doomed{};
        context.log(Severity::warning, fmt::format("child {}: installed -> deleting: its lifetime is over", describe(association)));
    }
    std::erase_if(established.draining, [&](const Draining& draining) {
        if (draining.until > context.now) return false;
        context.out.push_back(RemoveInbound{association.id, draining.child, draining.inbound});
        return true;
    });
}

/// The peer has stopped, because its rekey lost against ours or for a reason that we do not know (RFC 9370 §2.2.4).
void expire_pending(Context& context, Association& association) {
    if (!association.ike->pending || association.ike->pending->give_up_at > context.now) return;
    context.count("follow-ups-expired");
    drop_pending(context, *association.ike);
}

std::string unanswered(const IkeSa& ike) { return fmt::format("no answer to {} transmissions", ike.outstanding->sent); }

/// The peer has replaced the IKE SA in time. Its DELETE is late, or the answer to a rekey of ours, which has to say first whose SA stays, or
/// its further key exchanges.
void outlive(Context& context, Association& association, Established& established) {
    if (association.ike->doing<RekeyingIke>() || association.ike->awaits_successor()) established.expires_at = context.now + context.peer_patience();
    else promote_successor(context, association);
}

struct Due {
    Context& context;
    Association& association;

    void operator()(AwaitingInitResponse& awaiting) const {
        if (!is_given_up(context, association, *association.ike)) return;
        if (return_from_redirect(context, association)) return;
        if (awaiting.refusals == 0) return fail_attempt(context, association, DownReason::timed_out, unanswered(*association.ike) + " of IKE_SA_INIT");
        const DownReason reason = awaiting.reason;
        fail_attempt(context, association, reason, std::string{awaiting.refusal});
    }
    void operator()(AwaitingAuthResponse& awaiting) const {
        if (!awaiting.others.empty() && !context.has_waiting && association.ike->outstanding->next_at <= context.now && try_next_answer(context, association)) return;
        if (is_given_up(context, association, *association.ike))
            fail_attempt(context, association, DownReason::timed_out,
                         fmt::format("{} of {}", unanswered(*association.ike), awaiting.exchanges_left > 0 ? "IKE_INTERMEDIATE" : "IKE_AUTH"));
    }
    void operator()(AwaitingResumeResponse&) const {
        if (is_given_up(context, association, *association.ike)) fall_back(context, association, unanswered(*association.ike) + " of IKE_SESSION_RESUME");
    }
    void operator()(AwaitingResumedAuth&) const {
        if (is_given_up(context, association, *association.ike)) fall_back(context, association, unanswered(*association.ike) + " of IKE_AUTH with a ticket");
    }
    void operator()(AwaitingAuthRequest& awaiting) const {
        if (awaiting.impatient_at && *awaiting.impatient_at <= context.now) {
            std::ranges::move(association.requests, std::back_inserter(context.reconnects));
            association.requests.clear();
            awaiting.impatient_at.reset();
        }
        if (awaiting.give_up_at > context.now) return;
        context.count("half-open-expired");
        fail_attempt(context, association, DownReason::timed_out, "no IKE_AUTH came");
    }
    void operator()(Established& established) const {
        send_keepalive(context, association, established);
        if (is_given_up(context, association, *association.ike) && !is_renewed(context, association, established))
            return end(context, association, DownReason::timed_out, unanswered(*association.ike) + ": the peer is dead", Ending::silent);
        note_silence(context, association, established);
        tend_siblings(context, association, established);
        expire_pending(context, association);
        expire_children(context, association, established);
        if (established.childless_until && *established.childless_until <= context.now)
            return end(context, association, DownReason::no_child, "the peer began without a child SA and never asked for one", Ending::farewell);
        if (established.expires_at <= context.now && !successor_of(established) && !association.ike->awaits_successor())
            return end(context, association, DownReason::limit_reached, "the lifetime of the IKE SA is over and rekeying failed", Ending::farewell);
        if (established.expires_at <= context.now) outlive(context, association, established);
        if (established.duplicate && established.duplicate->delete_at <= context.now) close_duplicate(context, association);
    }
    void operator()(Closing&) const {
        if (is_given_up(context, association, *association.ike)) move_to(context, association, Gone{}, unanswered(*association.ike) + " of our DELETE");
    }
    void operator()(Lingering& lingering) const {
        if (lingering.until <= context.now) association.state = Gone{};
    }
    void operator()(Gone&) const {}
};

/// When we may rekey a child SA. Of one that the peer's own request made the peer knows nothing before it has our answer, and would say
/// CHILD_SA_NOT_FOUND: we wait until it is in use, or the peer has surely stopped repeating that request.
TimePoint rekey_due(const Context& context, const ChildSa& child) {
    return child.is<Fresh>() ? std::max(child.rekey_at, child.established_at + context.peer_patience()) : child.rekey_at;
}

/// One step of make-before-break: whatever is wanted first, when the current IKE SA is free.
void pursue_established(Context& context, Association& association, Established& established) {
    const auto dead = [&](const Sibling& sibling) { return sibling.give_up_at <= context.now; };
    for (auto found = std::ranges::find_if(established.siblings, dead); found != established.siblings.end(); found = std::ranges::find_if(established.siblings, dead))
        drop_sibling(context, established, *found->ike);
    if (!association.ike->is_idle()) return;
    // The peer replaces the IKE SA: only liveness may go on the old one. While it makes a child SA we begin none that could be the same.
    const bool in_doubt = successor_of(established) || association.ike->awaits_successor(), waits = in_doubt || association.ike->pending;
    for (ChildSa& child : established.children)
        if (!in_doubt && child.is<Doomed>()) return start_child_delete(context, association, child);
    if (!waits && established.rekey_at <= context.now) return start_ike_rekey(context, association);
    for (ChildSa& child : established.children) {
        if (waits || !child.is_live() || rekey_due(context, child) > context.now) continue;
        start_child_rekey(context, association, child);
        if (!association.ike->is_idle()) return;
    }
    if (!waits && established.ticket_wanted) return start_ticket_request(context, association);
    if (!waits) start_missing_resource(context, association, established);
    if (!association.ike->is_idle()) return;
    if (established.probe_wanted || established.heard_at + context.profile_of(association).liveness_interval <= context.now) start_liveness_check(context, association);
}

/// Collects the earliest moment at which on_due() or pursue() has something to do.
class Earliest {
public:
    explicit Earliest(TimePoint now) : now_{now} {}
    /// A moment that on_due() always settles; it may be over already, when a message came before the deadline was met.
    void consider(std::optional<TimePoint> when) {
        if (when) earliest_ = earlier(earliest_, *when);
    }
    void consider(const IkeSa& ike) {
        if (ike.outstanding) consider(ike.outstanding->next_at);
    }
    /// A moment from which on pursue() wants something. What is wanted already waits for an answer, and not for the time.
    void consider_wish(TimePoint when) {
        if (when > now_) consider(when);
    }
    std::optional<TimePoint> get() const { return earliest_; }

private:
    TimePoint now_;
    std::optional<TimePoint> earliest_;
};

void consider_established(Earliest& earliest, const Context& context, const Association& association, const Established& established) {
    earliest.consider(established.keepalive_at);
    earliest.consider(established.childless_until);
    earliest.consider_wish(established.rekey_at);
    earliest.consider(established.expires_at);
    if (association.ike->pending) earliest.consider(association.ike->pending->give_up_at);
    if (established.resources_at && !established.duplicate) earliest.consider_wish(*established.resources_at);
    if (established.duplicate) earliest.consider(established.duplicate->delete_at);
    if (association.ike->is_idle()) earliest.consider_wish(established.heard_at + context.profile_of(association).liveness_interval);
    for (const Sibling& sibling : established.siblings) {
        earliest.consider(*sibling.ike);
        if (sibling.give_up_at != TimePoint::max()) earliest.consider_wish(sibling.give_up_at);
    }
    for (const ChildSa& child : established.children) {
        if (child.is_live()) earliest.consider_wish(rekey_due(context, child));
        if (!child.is<Doomed>()) earliest.consider(child.expires_at);
        if (const auto* replaced = std::get_if<Replaced>(&child.state)) earliest.consider(replaced->give_up_at);
    }
    for (const Draining& draining : established.draining) earliest.consider(draining.until);
}

}  // namespace

void on_due(Context& context, Association& association) {
    std::visit(Due{context, association}, association.state);
    context.touch(association);
}

void pursue(Context& context, Association& association) {
    if (auto* established = association.in<Established>()) return pursue_established(context, association, *established);
    if (association.in<Closing>() && association.ike->is_idle()) start_farewell(context, association);
}

std::optional<TimePoint> next_deadline(const Context& context, const Association& association) {
    Earliest earliest{context.now};
    earliest.consider(*association.ike);
    if (const auto* awaiting = association.in<AwaitingAuthRequest>()) {
        earliest.consider(awaiting->impatient_at);
        earliest.consider(awaiting->give_up_at);
    }
    if (const auto* established = association.in<Established>()) consider_established(earliest, context, association, *established);
    if (const auto* lingering = association.in<Lingering>()) earliest.consider(lingering->until);
    return earliest.get();
}

}  // namespace nave::ike
