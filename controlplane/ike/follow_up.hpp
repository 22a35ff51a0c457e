// IKE_FOLLOWUP_KE (RFC 9370 §2.2.4): key exchanges behind CREATE_CHILD_SA, one each, until all that were agreed on are made.
#pragma once

#include "controlplane/ike/context.hpp"

#include <expected>
#include <string>
#include <variant>
#include <vector>

namespace nave::ike {

// ---- Initiator ----

/// The series with the link that an answer carries for the exchange that is next, if any is left; in words that there is none.
std::expected<KeyExchangeSeries, std::string> linked(KeyExchangeSeries series, const std::vector<Payload>& answer);
/// Our part of the next exchange.
std::vector<Payload> follow_up_request(const KeyExchangeSeries& series, const DhKeyPair& key);
/// The series behind the answer to it; in words what is wrong with that.
std::expected<KeyExchangeSeries, std::string> advanced(const Context& context, KeyExchangeSeries series, const DhKeyPair& key, const std::vector<Payload>& answer);
/// STATE_NOT_FOUND: whatever it was begins anew later. True if that came so often in a row that the association is over.
bool is_forgotten_too_often(Context& context, Association& association, const Notify& error);

// ---- Responder ----

/// Keeps what CREATE_CHILD_SA agreed on, in place of what was pending before; gives the notification for the answer.
Notify await_follow_up(Context& context, IkeSa& ike, KeyExchangeSeries series, std::variant<PendingChild, PendingIke> made);
/// The next exchange of what is pending; behind the last one the SA is made. Any other is answered STATE_NOT_FOUND.
void on_follow_up_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads);

/// Forgets what is pending, and gives back what was reserved for it.
void drop_pending(Context& context, IkeSa& ike);

}  // namespace nave::ike
