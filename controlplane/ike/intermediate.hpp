// IKE_INTERMEDIATE (RFC 9242): between IKE_SA_INIT and IKE_AUTH, each with one additional key exchange (RFC 9370 §2.2.2).
#pragma once

#include "controlplane/ike/context.hpp"
#include "controlplane/ike/protected_message.hpp"

#include <span>
#include <vector>

namespace nave::ike {

/// Whether these payloads of IKE_SA_INIT say that their sender knows the exchange.
bool knows_intermediate(std::span<const Payload> init);

// ---- Initiator ----

/// Sends the next of the `exchanges_left`.
void send_intermediate(Context& context, Association& association, AwaitingAuthResponse& awaiting);
/// In AwaitingAuthResponse: new keys, then the next one or IKE_AUTH. `inside` is the message as AUTH covers it.
void on_intermediate_response(Context& context, Association& association, const Intermediate& sent, const std::vector<Payload>& payloads, const Inside& inside);

// ---- Responder ----

/// In AwaitingAuthRequest, with exchanges left. Nobody is authenticated by it.
void on_intermediate_request(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads, const Inside& inside);

}  // namespace nave::ike
