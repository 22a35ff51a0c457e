// Survivors among duplicates, and INITIAL_CONTACT.
#include "controlplane/ike/duplicates.hpp"

#include "controlplane/ike/lifecycle.hpp"

namespace nave::ike {
namespace {

bool was_heard_since(const Association& association) {
    const auto& established = *association.in<Established>();
    return established.heard_at > established.established_at;
}

/// The initiator of an association may still wait for our answer to its IKE_AUTH: only what came after it shows that both ends hold it.
bool is_held_by_both(const Association& association) { return association.initiator || was_heard_since(association); }

/// Whether the loser can go. Where its end is the peer's task, which may have closed the survivor long ago, the survivor is asked first.
bool is_settled(Context& context, Association& loser, Association& survivor) {
    if (loser.initiator) return is_held_by_both(survivor);
    if (!was_heard_since(survivor) || !was_heard_since(loser)) return false;
    Duplicate& duplicate = *loser.in<Established>()->duplicate;
    if (duplicate.asked_at) return survivor.in<Established>()->heard_at >= *duplicate.asked_at;
    duplicate.asked_at = context.now;
    survivor.in<Established>()->probe_wanted = true;
    context.touch(survivor);
    return false;
}

constexpr Duration kGraceMin = std::chrono::seconds{2}, kGraceMax = std::chrono::seconds{5}, kAskAgain = std::chrono::seconds{1};
// A peer that does not know our rule keeps the association that it should delete, and Linux then takes packets of only one of them.
constexpr Duration kForeignGrace = std::chrono::seconds{6};

/// True if `a` loses against `b`.
bool loses(const Association& a, const Association& b) {
    const auto& of_a = *a.in<Established>();
    const auto& of_b = *b.in<Established>();
    if (a.initiator == b.initiator) return of_a.began_at < of_b.began_at;
    return of_a.lowest_nonce < of_b.lowest_nonce;
}

}  // namespace

void settle_duplicates(Context& context, Association& association) {
    const Identity peer = association.in<Established>()->peer;
    for (Association* other : context.table.by_identity(association.profile, peer)) {
        if (other == &association || !other->in<Established>()) continue;
        const bool other_loses = loses(*other, association);
        Association& loser = other_loses ? *other : association;
        const Association& survivor = other_loses ? association : *other;
        const TimePoint delete_at = context.now + (loser.initiator ? context.between(kGraceMin, kGraceMax) : kForeignGrace);
        loser.in<Established>()->duplicate = Duplicate{survivor.id, delete_at};
        context.count("duplicates");
        context.log(Severity::info, "ike " + describe(loser) + ": a second association with this peer survives; this one ends in a few seconds");
        context.touch(loser);
    }
}

void close_duplicate(Context& context, Association& association) {
    auto& established = *association.in<Established>();
    Association* survivor = context.table.find(established.duplicate->survivor);
    // The next liveness check tells. To hurry it could take a peer that still waits for our answer for a dead one.
    if (survivor && survivor->in<Established>() && !is_settled(context, association, *survivor)) {
        established.duplicate->delete_at = context.now + kAskAgain;
        return;
    }
    established.duplicate.reset();
    if (!survivor || !survivor->in<Established>()) return;
    end(context, association, DownReason::replaced_duplicate, "another association with the same peer survives", Ending::farewell);
}

bool is_first_contact(Context& context, const Association& association) {
    const auto expected = association.requests.empty() ? std::nullopt : association.requests.front().expected;
    const auto exact = expected ? expected->exact() : std::nullopt;
    if (exact) return context.table.by_identity(association.profile, *exact).empty();
    // Nobody knows yet who answers at that address: claim it only if nobody known lives there.
    return context.table.established().at(association.remote.address) == 0;
}

void on_initial_contact(Context& context, ProfileId profile, const Identity& peer, TimePoint began_at) {
    for (Association* older : context.table.by_identity(profile, peer)) {
        const auto* established = older->in<Established>();
        if (!established || established->established_at >= began_at) continue;
        context.count("initial-contacts");
        end(context, *older, DownReason::replaced_duplicate, "the peer starts anew and knows no other SA (INITIAL_CONTACT)", Ending::silent);
    }
}

}  // namespace nave::ike
