// INFORMATIONAL exchanges: liveness and deletion (RFC 7296 §1.4).
#pragma once

#include "controlplane/ike/context.hpp"

#include <vector>

namespace nave::ike {

/// The peer's request on an established association; it is answered whatever it holds.
void on_informational_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads);
/// The same while our own DELETE is under way.
void on_informational_while_closing(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads);

void start_liveness_check(Context& context, Association& association);
void start_child_delete(Context& context, Association& association, const ChildSa& child);
/// Our own DELETE of a child SA is answered.
void on_child_delete_response(Context& context, Association& association, ChildId child);
/// In Closing, the IKE SA idle.
void start_farewell(Context& context, Association& association);

}  // namespace nave::ike
