// What both ends agree on for a child SA: proposal, mode, and traffic selectors under the NAT rules of RFC 7296 §2.23.1.
#pragma once

#include "controlplane/ike/association.hpp"
#include "controlplane/ike/child_terms.hpp"
#include "controlplane/ike/payloads.hpp"

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// Why an exchange or a part of it is refused: what the peer is told, and what our log says.
struct Refusal {
    NotifyType type{};
    std::string reason;
    Bytes data{};
};

/// Initiator of the exchange: SA, TSi, TSr, USE_TRANSPORT_MODE. GRE between the two underlay addresses as we see them.
void append_child_offer(std::vector<Payload>& payloads, const Association& association, const Profile& profile, Spi inbound, ChildExchange exchange);
/// Responder: what we take of an offer. A group that the offer asks for and that its KE does not carry is refused with INVALID_KE_PAYLOAD.
std::expected<ChildTerms, Refusal> choose_child(const Association& association, const Profile& profile, std::span<const Payload> offer, ChildExchange exchange);
/// Responder: SA, TSi, TSr, USE_TRANSPORT_MODE of the answer.
void append_child_answer(std::vector<Payload>& payloads, const ChildTerms& terms, Spi inbound);
/// Initiator: whether the answer is within what we offered.
std::expected<ChildTerms, Refusal> accept_child(const Association& association, const Profile& profile, std::span<const Payload> answer, ChildExchange exchange);

/// The group for which our KE goes along when a child SA is rekeyed; nothing without PFS.
std::optional<Group> pfs_group(const Profile& profile);
/// The two bytes that INVALID_KE_PAYLOAD carries, and back (RFC 7296 §1.3).
Bytes group_data(Group group);
std::optional<Group> group_from(const Notify& invalid_ke);

}  // namespace nave::ike
