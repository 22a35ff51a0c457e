// How associations come up and end, for whatever reason; what the overlay is told then.
#pragma once

#include "controlplane/ike/context.hpp"

#include <string>
#include <string_view>

namespace nave::ike {

/// Changes the state and logs "old -> new: reason".
void move_to(Context& context, Association& association, State next, std::string_view reason, Severity severity = Severity::info);

/// The peer is authenticated and the child SA agreed upon: SaUp, once per waiting token that this peer satisfies. Waiting requests that
/// it does not satisfy start attempts of their own.
void come_up(Context& context, Association& association, Established established, std::string_view reason);

/// Ends an attempt that never was up. Tokens of an own attempt get SaDown; those that had joined a stranger's attempt start their own.
void fail_attempt(Context& context, Association& association, DownReason reason, std::string detail, State next = Gone{});

enum class Ending : std::uint8_t {
    silent,    // the peer is gone, or knows
    farewell,  // DELETE is sent and repeated until it is answered
    answered,  // the peer's request is answered; its repetitions are answered for a while
};
/// Ends an established association: its SAs are removed, SaDown is emitted.
void end(Context& context, Association& association, DownReason reason, std::string detail, Ending ending, std::optional<NotifyType> complaint = {});

/// Gives back what an exchange of ours reserved and will not use.
void discard(Context& context, Purpose& purpose);
/// Drops another IKE SA of the association at once.
void drop_sibling(Context& context, Established& established, const IkeSa& ike);

}  // namespace nave::ike
