// Redirection to another gateway in IKE_SA_INIT (RFC 5685 §3), followed where the caller of Endpoint::connect allows it.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/payloads.hpp"

#include <vector>

namespace nave::ike {

/// In AwaitingInitResponse: REDIRECT_SUPPORTED where we may be sent elsewhere, REDIRECTED_FROM where we were.
void append_redirect_notifies(std::vector<Payload>& payloads, const Association& association);
/// In AwaitingInitResponse: begins anew at the other gateway, if the sender saw our request, the gateway is one that the request allows, and
/// we were not sent around too often. The gateway proves who it is as the first one would have to.
void on_redirect(Context& context, Association& association, const Notify& notify);

}  // namespace nave::ike
