// Redirection to another gateway in IKE_SA_INIT (RFC 5685 §3): followed where the caller of Endpoint::connect allows it, sent where the load is to be shared.
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/payloads.hpp"

#include <span>
#include <vector>

namespace nave::ike {

/// In AwaitingInitResponse: REDIRECT_SUPPORTED where we may be sent elsewhere, REDIRECTED_FROM where we were.
void append_redirect_notifies(std::vector<Payload>& payloads, const Association& association);
/// In AwaitingInitResponse: begins anew at the other gateway, if the sender saw our request, the gateway is one that the request allows, and
/// we were not sent around too often. The gateway proves who it is as the first one would have to.
void on_redirect(Context& context, Association& association, const Notify& notify);
/// In AwaitingInitResponse: the gateway that we were sent to does not answer, so we begin anew at the first one and ask it to keep us. False
/// if nobody sent us.
bool return_from_redirect(Context& context, Association& association);
/// Transmissions of a first request to a gateway that we were sent to, after which the first one is better than more patience.
constexpr int kRedirectedTriesMax = 3;

/// Responder: whether as many are up as the settings say, so that others shall go elsewhere.
bool shares_load(const Context& context);
/// Responder: sends a stranger to one of the gateways that share our load, when it is time and the stranger can be redirected; never
/// back to where it comes from. False if it may stay. Nothing is kept of it, and the answer is smaller than what it sent.
bool send_elsewhere(Context& context, const Arrival& arrival, ByteView nonce, std::span<const Payload> request);

}  // namespace nave::ike
