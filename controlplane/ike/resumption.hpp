// Session resumption (RFC 5723): tickets given and taken, and the exchange that begins with one instead of a key exchange.
#pragma once

#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/context.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace nave::ike {

class CookieJar;

// A resumed session has no key exchange of its own: who has learnt the key that seals tickets, or SK_d of the session before, reads it. That is
// RFC 5723's bargain: thousands of spokes come back to a restarted hub without one Diffie-Hellman. So the initiator rekeys soon, IKE SA first,
// with a fresh key exchange.

// ---- Tickets ----

/// Responder: TICKET_LT_OPAQUE for a peer whom this IKE SA authenticates; TICKET_NACK for a peer that may have none. Nothing where no key for
/// tickets is configured, as from one who does not know the RFC.
std::optional<Notify> ticket_for(Context& context, ProfileId profile, const IkeSa& ike, const Grounds& grounds);
/// The same for an association that is up.
std::optional<Notify> ticket_for(Context& context, const Association& association, const IkeSa& ike);
/// Initiator: whether the association is to be resumed one day.
bool is_resumable(const Association& association);
/// Initiator, up: keeps the ticket that these payloads hold, if they hold one. It is good for the keys of `ike`, on which they came.
void take_ticket(Context& context, Association& association, const IkeSa& ike, const std::vector<Payload>& payloads);
/// Initiator, up: asks for a ticket; after a rekey, which makes the old one worthless. The current IKE SA must be idle.
void start_ticket_request(Context& context, Association& association);
/// Initiator: the next attempt begins with a key exchange and a proof.
void forget_ticket(Context& context, const Association& association);
/// The same if the ticket is of this very IKE SA, which is deleted or rekeyed (RFC 5723 §6.2); another association may have a newer one.
void forget_own_ticket(Context& context, const Association& association);

/// A fingerprint of the pre-shared key, or of the authorities, and of the PPK, by which a profile believes a peer: a ticket is good for nothing
/// once the operator has changed them. Nothing if the profile believes that peer no more.
std::optional<Secret> trust_in(const Profile& profile, const Identity& peer, bool by_certificate, const Ppk* ppk);
/// In words why a proof of earlier does not count any more: a certificate expired or was revoked, a PPK is required.
std::optional<std::string> doubt(const Context& context, const Profile& profile, const Grounds& grounds);

/// Of a peer that has the keys of the session in which it proved itself so.
Proven proven_by_ticket(const Grounds& grounds);

// ---- Initiator ----

/// Sends IKE_SESSION_RESUME on a new association, if there is a ticket for its request. False if not.
bool begin_resumption(Context& context, Association& association);
/// An IKE_SESSION_RESUME response. Nobody has signed it: COOKIE is answered, and a refusal costs us a full exchange, not more.
void on_resume_response(Context& context, Association& association, const Arrival& arrival);
/// In AwaitingResumedAuth, authentic under the new keys.
void on_resumed_auth_response(Context& context, Association& association, const std::vector<Payload>& payloads);
/// In AwaitingResumeResponse or AwaitingResumedAuth: goes on with IKE_SA_INIT.
void fall_back(Context& context, Association& association, std::string_view reason);

// ---- Responder ----

/// A stranger's IKE_SESSION_RESUME. As with IKE_SA_INIT nothing is kept for it before its cookie is good when many are half-open; who has seen
/// a ticket on the wire and sends it again gets no further, as it has no keys.
void on_resume_request(Context& context, CookieJar& cookies, const Arrival& arrival);

struct TicketProof {
    ProfileId profile;
    Proven proven;
};
/// In AwaitingAuthRequest with a ticket: whether the initiator is whom the ticket names and has its keys; in words why not.
std::expected<TicketProof, std::string> prove_by_ticket(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting,
                                                        const IdentificationPayload& id, const AuthPayload& auth);

}  // namespace nave::ike
