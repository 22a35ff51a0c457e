// Turning a request into its reply: what is copied, and what the extensions of the request ask for.
#pragma once

#include "controlplane/nhrp/context.hpp"

namespace nave::nhrp {

/// Checks the extensions of a request that is for us: a compulsory one that we do not know, or a malformed one that we
/// do, is answered with an Error Indication (RFC 2332 §5.3) and false comes back.
[[nodiscard]] bool extensions_are_acceptable(Context& context, const Received& received, TimePoint now, Outbox& out);

/// The reply to `request` with our responder entry and without client entries: source, request id and order of extensions
/// are the request's. The NAT extension is echoed.
Packet make_reply(const Context& context, const Received& request, PacketType type, const IpAddress& destination);

/// Appends an entry to the packet's NAT extension, if it has one.
void add_nat_entry(Packet& packet, NbmaAddress nbma, const IpAddress& protocol, std::uint8_t prefix_length);

}  // namespace nave::nhrp
