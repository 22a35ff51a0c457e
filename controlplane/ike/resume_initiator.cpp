// The initiator's IKE_SESSION_RESUME and the IKE_AUTH behind it.
#include "controlplane/ike/children.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>

namespace nave::ike {
namespace {

constexpr int kResumeRestartsMax = 3;  // with a cookie
constexpr std::size_t kCookieMax = 64;
// When a resumed session gets a key exchange of its own: soon, but not with all spokes of a restarted hub in the same second.
constexpr Duration kRekeyMin = std::chrono::seconds{30}, kRekeyMax = std::chrono::minutes{2}, kChildBehind = std::chrono::seconds{10};

/// In words why the ticket is of no use for this request.
std::optional<std::string> unfit(const Context& context, const Association& association, const HeldTicket& ticket) {
    const Profile& profile = context.profile_of(association);
    const auto& expected = association.requests.front().expected;
    if (expected && !expected->matches(ticket.grounds.peer)) return fmt::format("it is of {}", ticket.grounds.peer.to_string());
    if (std::ranges::find(profile.ike_proposals, ticket.suite) == profile.ike_proposals.end()) return fmt::format("we accept {} no more", to_string(ticket.suite));
    return doubt(context, profile, ticket.grounds);
}

void send_resume(Context& context, Association& association) {
    const auto& awaiting = *association.in<AwaitingResumeResponse>();
    std::vector<Payload> payloads;
    if (!awaiting.cookie.empty()) payloads.emplace_back(Notify{.type = NotifyType::cookie, .data = awaiting.cookie});
    payloads.emplace_back(NoncePayload{awaiting.nonce});
    payloads.emplace_back(Notify{.type = NotifyType::ticket_opaque, .data = awaiting.ticket.opaque});
    append_path_notifies(payloads, *association.ike, association.local, association.remote, context.profile_of(association).force_encapsulation);
    send_first_request(context, association, ExchangeType::ike_session_resume, payloads);
}

void on_cookie(Context& context, Association& association, const Notify& cookie) {
    auto& awaiting = *association.in<AwaitingResumeResponse>();
    if (cookie.data.empty() || cookie.data.size() > kCookieMax) return context.count("malformed");
    if (cookie.data == awaiting.cookie || ++awaiting.restarts > kResumeRestartsMax) return;
    awaiting.cookie = cookie.data;
    context.count("cookies-answered");
    send_resume(context, association);
}

/// IKE_AUTH { IDi, [IDr,] AUTH, SA, TSi, TSr, N(TICKET_REQUEST) }. No INITIAL_CONTACT: what the peer still has of the session before stays
/// until it sees that this one is up.
void send_auth(Context& context, Association& association, const AwaitingResumedAuth& awaiting) {
    const Profile& profile = context.profile_of(association);
    const IdentificationPayload id{.role = Role::initiator, .identity = profile.local};
    const AuthInput input{awaiting.first_message, awaiting.peer_nonce, &id};
    std::vector<Payload> payloads{id, IdentificationPayload{.role = Role::responder, .identity = awaiting.ticket.grounds.peer},
                                  AuthPayload{AuthMethod::shared_key, resumption_auth(association.ike->keys, Role::initiator, input)}};
    append_child_offer(payloads, association, profile, awaiting.inbound, ChildExchange::ike_auth);
    payloads.emplace_back(Notify{.type = NotifyType::ticket_request});
    send_request(context, association, *association.ike, ExchangeType::ike_auth, payloads, Initial{}, context.settings.liveness_tries);
}

void on_answer(Context& context, Association& association, const Arrival& arrival, const Message& message, const NoncePayload& nonce) {
    auto& before = *association.in<AwaitingResumeResponse>();
    const auto inbound = context.spis.allocate();
    if (!inbound) return fail_attempt(context, association, DownReason::limit_reached, "no inbound SPI is left for another SA");
    IkeSa& ike = *association.ike;
    AwaitingResumedAuth next{.ticket = std::move(before.ticket),
                             .first_message = std::move(ike.outstanding->messages.front()),
                             .answer = {arrival.message.begin(), arrival.message.end()},
                             .nonce = std::move(before.nonce),
                             .peer_nonce = nonce.data,
                             .inbound = *inbound};
    ike.responder_spi = arrival.header.responder_spi;
    ike.suite = next.ticket.suite;
    ike.fragments = takes_fragments(message.payloads);
    ike.next_request_id = 1;
    const SessionSeed seed{ike.suite, next.nonce, next.peer_nonce, ike.initiator_spi, ike.responder_spi};
    ike.keys = derive_session_keys(seed, resumption_skeyseed(next.ticket.derivation, seed));
    log_keys(context, ike);
    take_nat(context, association, arrival, message.payloads);
    send_auth(context, association, next);
    move_to(context, association, std::move(next), "the peer takes our ticket");
}

/// By what the responder is the one that gave us the ticket; in words why it is not.
std::expected<Proven, std::string> judge(const Context& context, const Association& association, const AwaitingResumedAuth& awaiting, const std::vector<Payload>& payloads) {
    const auto* id = find<IdentificationPayload>(payloads, Role::responder);
    const auto* auth = find<AuthPayload>(payloads);
    if (!id || !auth) {
        const Notify* error = find_error(payloads);
        return std::unexpected{error ? std::string{advice(error->type)} : std::string{"its IKE_AUTH response lacks IDr or AUTH"}};
    }
    const Grounds& grounds = awaiting.ticket.grounds;
    const SessionKeys& keys = association.ike->keys;
    if (settled(id->identity) != grounds.peer) return std::unexpected{fmt::format("the ticket is of {}, and {} answers", grounds.peer.to_string(), id->identity.to_string())};
    if (!equal_in_constant_time(resumption_auth(keys, Role::responder, {awaiting.answer, awaiting.nonce, id}), auth->data))
        return std::unexpected{fmt::format("{} does not know the keys of the session before", grounds.peer.to_string())};
    if (auto why = misplaced(context.profile_of(association), grounds.peer, association.remote.address)) return std::unexpected{std::move(*why)};
    return proven_by_ticket(grounds);
}

/// A key exchange soon, first for the IKE SA, then for the child SA, whose keys follow from it.
void rekey_soon(Context& context, Association& association) {
    auto& established = *association.in<Established>();
    const TimePoint soon = context.now + context.between(kRekeyMin, kRekeyMax);
    established.rekey_at = std::min(established.rekey_at, soon);
    for (ChildSa& child : established.children) child.rekey_at = std::min(child.rekey_at, soon + kChildBehind);
}

}  // namespace

bool begin_resumption(Context& context, Association& association) {
    const ConnectRequest& request = association.requests.front();
    const HeldTicket* ticket = request.resumable ? context.tickets.find(request.profile, request.remote.address, context.now) : nullptr;
    if (!ticket) return false;
    if (const auto why = unfit(context, association, *ticket)) {
        context.log(Severity::notice, fmt::format("ike {}: the ticket that we hold is of no use: {}", describe(association), *why));
        forget_ticket(context, association);
        return false;
    }
    context.count("resumptions");
    begin_attempt(context, association, AwaitingResumeResponse{.ticket = *ticket, .nonce = fresh_nonce(context.random)},
                  fmt::format("resuming a session with profile '{}'", context.profile_of(association).name));
    send_resume(context, association);
    return true;
}

void on_resume_response(Context& context, Association& association, const Arrival& arrival) {
    if (arrival.header.from_initiator || arrival.header.message_id != 0) return context.count("malformed");
    if (!association.in<AwaitingResumeResponse>()) return context.count("unexpected-responses");
    const auto message = decode_message(arrival.message);
    if (!message) return context.count("malformed");
    context.touch(association);
    const auto* nonce = find<NoncePayload>(message->payloads);
    if (nonce && arrival.header.responder_spi != 0) return on_answer(context, association, arrival, *message, *nonce);
    if (const Notify* cookie = find_notify(message->payloads, NotifyType::cookie)) return on_cookie(context, association, *cookie);
    if (find_notify(message->payloads, NotifyType::ticket_nack)) {
        forget_ticket(context, association);
        return fall_back(context, association, "the peer does not take our ticket (TICKET_NACK)");
    }
    if (const Notify* error = find_error(message->payloads)) return fall_back(context, association, fmt::format("the peer resumes no session ({})", to_string(error->type)));
    if (find_notify(message->payloads, NotifyType::redirect)) return fall_back(context, association, "the peer sends us elsewhere (REDIRECT)");
    context.count("malformed");
}

void on_resumed_auth_response(Context& context, Association& association, const std::vector<Payload>& payloads) {
    const AwaitingResumedAuth awaiting = *association.in<AwaitingResumedAuth>();
    forget_ticket(context, association);  // RFC 5723 §4.3.1: it is used once
    const auto proven = judge(context, association, awaiting, payloads);
    if (!proven) {
        context.count("resumptions-refused");
        return fall_back(context, association, proven.error());
    }
    const Notify* error = find_error(payloads);
    if (error) return fail_attempt(context, association, DownReason::no_child, fmt::format("resumed, but no child SA: {}", advice(error->type)), Closing{});
    const auto terms = accept_child(association, context.profile_of(association), payloads, ChildExchange::ike_auth);
    if (!terms) return fail_attempt(context, association, DownReason::no_child, fmt::format("resumed, but no child SA: {}", terms.error().reason), Closing{});
    establish(context, association, {.nonce = awaiting.nonce, .peer_nonce = awaiting.peer_nonce, .inbound = awaiting.inbound}, awaiting.ticket.grounds.peer, *terms, *proven);
    rekey_soon(context, association);
    take_ticket(context, association, *association.ike, payloads);
    note_resources(context, association, payloads);
}

void fall_back(Context& context, Association& association, std::string_view reason) {
    if (const auto* awaiting = association.in<AwaitingResumedAuth>()) context.spis.release(awaiting->inbound);
    context.count("resumptions-failed");
    context.table.end_attempt(association);
    context.table.forget_spi(association.ike->initiator_spi);
    association.ike = std::make_unique<IkeSa>();
    association.local = association.requests.front().local;
    association.remote = association.requests.front().remote;
    association.local_behind_nat = association.remote_behind_nat = association.encapsulated = false;
    begin_full(context, association, fmt::format("{}; starting anew", reason));
}

}  // namespace nave::ike
