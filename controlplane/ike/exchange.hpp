// Sending: datagrams with the marker they need, requests that are repeated until answered, responses that are kept.
#pragma once

#include "controlplane/ike/context.hpp"

#include <vector>

namespace nave::ike {

/// Puts the non-ESP marker in front unless the datagram leaves from port 500 (RFC 7296 §2.23, RFC 3948 §2.2).
void send_message(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView message);
/// The same for all fragments of a message.
void send_messages(Context& context, const NbmaEndpoint& local, const NbmaEndpoint& remote, const std::vector<Bytes>& messages);
/// Repeats the outstanding request.
void repeat_request(Context& context, const Association& association, const IkeSa& ike);

/// Seals and sends our next request, in fragments where it must and may be; the IKE SA must be idle. `tries` transmissions altogether.
void send_request(Context& context, const Association& association, IkeSa& ike, ExchangeType exchange, const std::vector<Payload>& payloads, Purpose purpose,
                  int tries);
/// Answers the expected request, remembers the answer and moves the window on.
void send_response(Context& context, IkeSa& ike, const Arrival& request, const std::vector<Payload>& payloads);
/// The same with one notification.
void send_refusal(Context& context, IkeSa& ike, const Arrival& request, NotifyType type, Bytes data = {});
/// An IKE_SA_INIT response without any state: cookie, refusal (RFC 7296 §2.6, §2.21.1).
void send_stateless(Context& context, const Arrival& request, Notify notify);

}  // namespace nave::ike
