// Two associations with one peer: which of them stays, and who deletes the other.
#pragma once

#include "controlplane/ike/context.hpp"

namespace nave::ike {

/// The association has just come up. Of two that the two ends initiated, the one with the lowest of the four nonces of IKE_SA_INIT loses
/// (the rule of RFC 7296 §2.8.1, which has none for the first IKE SA); of two by the same initiator, the older one. The loser stays
/// usable for 2 to 5 s, then its initiator deletes it; one that does not know the rule leaves that to the other end, a second later.
void settle_duplicates(Context& context, Association& association);
/// The time of a loser has come: it is closed if its survivor still lives.
void close_duplicate(Context& context, Association& association);

/// No other association with the peer is known, so IKE_AUTH may carry INITIAL_CONTACT (RFC 7296 §2.4).
bool is_first_contact(Context& context, const Association& association);
/// The peer said so: forgets associations of the same identity and profile that were up before this exchange began.
void on_initial_contact(Context& context, ProfileId profile, const Identity& peer, TimePoint began_at);

}  // namespace nave::ike
