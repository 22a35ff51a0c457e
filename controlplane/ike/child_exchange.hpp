// CREATE_CHILD_SA for child SAs (RFC 7296 §1.3.1, §1.3.3): rekeying from both sides, and further child SAs.
#pragma once

#include "controlplane/ike/context.hpp"

#include <vector>

namespace nave::ike {

/// Sends the request that replaces `child`; the IKE SA is idle.
void start_child_rekey(Context& context, Association& association, ChildSa& child);
/// Sends the request for a child SA that only this resource uses (RFC 9611); the IKE SA is idle.
void start_resource_child(Context& context, Association& association, ResourceId resource);
void on_child_rekey_response(Context& context, Association& association, RekeyingChild rekey, const std::vector<Payload>& payloads);
/// The peer's request, by which it rekeys a child SA or makes a further one. A collision with ours is settled when our answer comes.
void on_create_child_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads);

/// Responder, when all key exchanges are made: the child SA, and then the answer to the last of them.
void make_answered_child(Context& context, Association& association, IkeSa& ike, const PendingChild& child, const KeyExchangeSeries& series, const Arrival& arrival,
                         const std::vector<Payload>& answer);

/// How soon an exchange is tried again that the peer refused: TEMPORARY_FAILURE passes quickly (RFC 7296 §2.25).
Duration retry_pause(Context& context, NotifyType refusal);

}  // namespace nave::ike
