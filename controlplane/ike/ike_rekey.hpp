// CREATE_CHILD_SA that replaces the IKE SA itself (RFC 7296 §1.3.2, §2.18); the association and its child SAs stay.
#pragma once

#include "controlplane/ike/context.hpp"

#include <vector>

namespace nave::ike {

/// Sends the request; the current IKE SA is idle.
void start_ike_rekey(Context& context, Association& association);
/// `ike` is the IKE SA on which we asked; it may have been replaced by the peer's rekey meanwhile.
void on_ike_rekey_response(Context& context, Association& association, IkeSa& ike, RekeyingIke rekey, const std::vector<Payload>& payloads);
void on_ike_rekey_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads);

/// Responder, when all key exchanges are made: the successor.
void make_answered_ike(Context& context, Association& association, IkeSa& ike, const PendingIke& next, const KeyExchangeSeries& series);

/// The peer uses the IKE SA that its rekey made: it is ours for requests from now on. The old one waits for its DELETE.
void promote_successor(Context& context, Association& association);
/// An authentic message that is no DELETE came on `ike`: if it is the successor, the peer uses it.
void note_use(Context& context, Association& association, const IkeSa& ike);

}  // namespace nave::ike
