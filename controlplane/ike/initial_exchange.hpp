// IKE_SA_INIT and IKE_AUTH from both sides (RFC 7296 §1.2): from a ConnectRequest or a stranger's datagram to SaUp.
#pragma once

#include "controlplane/ike/context.hpp"

#include <span>
#include <vector>

namespace nave::ike {

class CookieJar;
struct ChildTerms;
struct Proven;

// ---- Initiator ----

/// Sends IKE_SA_INIT on a new association.
void start_attempt(Context& context, Association& association, const ConnectRequest& request);
/// The beginning of an attempt, by IKE_SA_INIT or IKE_SESSION_RESUME: an SPI of its own, and the state in which the answer is awaited.
void begin_attempt(Context& context, Association& association, State awaiting, std::string_view reason);
/// Its first request, which goes out until it is answered.
void send_first_request(Context& context, Association& association, ExchangeType exchange, const std::vector<Payload>& payloads);
/// IKE_SA_INIT from an SPI of its own, to where the association points; for another gateway it may begin anew.
void begin_init(Context& context, Association& association, AwaitingInitResponse awaiting, std::string_view reason);
/// IKE_SA_INIT from the beginning, for the first of the association's requests.
void begin_full(Context& context, Association& association, std::string_view reason);
/// In AwaitingInitResponse. Nothing in the message is authenticated: only COOKIE, INVALID_KE_PAYLOAD and REDIRECT are acted on at once (bounded);
/// any other error counts as a rumour: the schedule goes on, and the attempt fails with that error when the schedule ends or when
/// several transmissions in a row were answered so.
void on_init_response(Context& context, Association& association, const Arrival& arrival);
/// In AwaitingInitResponse: a rumour as above, in words.
void note_refusal(Context& context, Association& association, DownReason reason, std::string words);
/// Its SA, KE and Nr: keys, NAT findings, IKE_AUTH.
void on_init_answer(Context& context, Association& association, const Arrival& arrival, std::span<const Payload> payloads);
/// In AwaitingAuthResponse: one more answer to IKE_SA_INIT, genuine or not, is kept for try_next_answer().
void on_competing_answer(Context& context, Association& association, const Arrival& arrival);
/// In AwaitingAuthResponse, when IKE_AUTH was not answered, or refused: sends it anew for the next answer to IKE_SA_INIT.
/// False if there is only one.
bool try_next_answer(Context& context, Association& association);
/// What the responder's first answer says about NATs on the way; the association moves to port 4500 if there is one (RFC 7296 §2.23).
void take_nat(Context& context, Association& association, const Arrival& answer, std::span<const Payload> payloads);
/// What the first exchange came to: both nonces, and our inbound SPI for the child SA.
struct FirstExchange {
    Bytes nonce, peer_nonce;
    Spi inbound;
};
/// The responder is proven and agrees to a child SA: the association is up.
void establish(Context& context, Association& association, const FirstExchange& first, const Identity& peer, const ChildTerms& terms, const Proven& proven);
/// In AwaitingAuthResponse, authentic under the new keys.
void on_auth_response(Context& context, Association& association, const std::vector<Payload>& payloads);

// ---- Responder ----

/// A stranger's first message. Nothing is kept for it before its cookie is good when many are half-open (RFC 7296 §2.6).
void on_init_request(Context& context, CookieJar& cookies, const Arrival& arrival);
/// What the request says about NATs on its way and about fragments; to be believed of the one that is authenticated.
void take_nat_of(const Context& context, Association& association, const Datagram& request);
/// True if a stranger who sent this may go on; false if it was sent a cookie.
bool has_shown_cookie(Context& context, CookieJar& cookies, const Arrival& arrival, ByteView nonce, std::span<const Payload> payloads);
/// False, and counted, when as many are half-open as may be.
bool is_within_limits(Context& context, const Arrival& arrival);
/// The half-open SA for which a first request asks; await_auth() goes on with it.
Association& add_responder(Context& context, const Arrival& arrival, const IkeProposal& suite, std::span<const Payload> request);
/// Answers the first request so; IKE_AUTH is next. Of `awaiting` it fills in the message, what came, and the times.
void await_auth(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads, AwaitingAuthRequest awaiting,
                std::string_view reason);
bool takes_fragments(std::span<const Payload> payloads);
/// By any profile: which one counts is not known before IKE_AUTH.
bool is_encapsulation_forced(const Context& context);
/// In AwaitingAuthRequest, authentic under the new keys.
void on_auth_request(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads);

// ---- Both ----

/// What a first message says of the path: the hashes of its addresses, and that we take fragments. `force`: as if there were a NAT.
void append_path_notifies(std::vector<Payload>& payloads, const IkeSa& ike, const NbmaEndpoint& local, const NbmaEndpoint& remote, bool force);

/// Bytes of our nonces: at least half the key size of every PRF that we know (RFC 7296 §2.10).
inline constexpr std::size_t kNonceSize = 32;
Bytes fresh_nonce(Random& random);

}  // namespace nave::ike
