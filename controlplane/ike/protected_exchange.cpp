// The window of one (RFC 7296 §2.2, §2.3), decryption, and the way to the handlers.
#include "controlplane/ike/protected_exchange.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/fragmentation.hpp"
#include "controlplane/ike/ike_rekey.hpp"
#include "controlplane/ike/informational.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/intermediate.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/protected_message.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/trace.hpp"

#include <expected>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace nave::ike {
namespace {

constexpr std::size_t kExchangeOffset = 18;  // of the exchange type in the header (RFC 7296 §3.1)

/// The peer is alive, and it may be somewhere else. Callers pass only the newest authentic messages, so an old one that somebody repeats from
/// elsewhere moves nothing.
void on_heard(Context& context, Association& association, const Arrival& arrival) {
    auto* established = association.in<Established>();
    if (!established || !context.computed.empty()) return;  // handled anew, it is not the newest any more
    established->heard_at = context.now;
    if (std::exchange(established->silent, false)) context.out.push_back(PeerSilent{association.id, false});
    follow(context, association, arrival.local, arrival.remote);
}

/// Authentic, but not what RFC 7296 describes (§2.21): an unknown critical payload refuses one request, bad syntax ends the IKE SA.
void answer_malformed(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const DecodeError& error) {
    if (error.reason == Malformed::unsupported_critical) {
        send_refusal(context, ike, arrival, NotifyType::unsupported_critical_payload, {static_cast<std::uint8_t>(error.payload)});
        if (association.in<AwaitingAuthRequest>())
            fail_attempt(context, association, DownReason::invalid_message, "IKE_AUTH held a critical payload that we do not know", Lingering{context.now + kLinger});
        return;
    }
    send_refusal(context, ike, arrival, NotifyType::invalid_syntax);
    const std::string detail = fmt::format("authentic but malformed: {}", name(error.reason));
    if (association.in<AwaitingAuthRequest>()) return fail_attempt(context, association, DownReason::invalid_message, detail, Lingering{context.now + kLinger});
    if (association.in<Established>()) end(context, association, DownReason::invalid_message, detail, Ending::answered);
}

/// Which new requests a state can take; others must not move the window, so that they are taken when they are repeated.
bool takes(const Association& association, ExchangeType exchange) {
    if (const auto* awaiting = association.in<AwaitingAuthRequest>())
        return exchange == (awaiting->exchanges_left > 0 ? ExchangeType::ike_intermediate : ExchangeType::ike_auth);
    if (association.in<Established>() || association.in<Closing>())
        return exchange == ExchangeType::create_child_sa || exchange == ExchangeType::ike_followup_ke || exchange == ExchangeType::informational;
    return false;
}

struct Content {
    Inside inside;
    std::vector<Payload> payloads;
};
using Opened = std::expected<Content, OpenError>;

/// The payloads of a message whose ID is the awaited one; nothing, and counted, if it is no authentic message, or not yet a whole one.
std::optional<Opened> open_awaited(Context& context, const IkeSa& ike, Reassembly& parts, const Arrival& arrival) {
    auto inside = unseal(arrival.message, ike.incoming_keys());
    if (inside && inside->fragment && !ike.fragments) {
        context.count("fragments-not-agreed");
        return std::nullopt;
    }
    if (inside && inside->fragment) {
        const Reassembly::Outcome outcome = parts.add(arrival.header.message_id, std::move(*inside));
        context.count(name(outcome));
        if (outcome != Reassembly::Outcome::complete) return std::nullopt;
        inside = parts.whole();
    }
    if (inside) {
        trace_opened(context, arrival, *inside);
        auto payloads = parse(*inside);
        if (!payloads) return std::unexpected{payloads.error()};
        return Content{std::move(*inside), std::move(*payloads)};
    }
    if (inside.error().kind == OpenError::Kind::malformed_inside) return std::unexpected{inside.error()};
    context.count(name(inside.error().kind));
    return std::nullopt;
}

/// The peer did not get our answer. Of a request in fragments only the first one asks for it, so that we answer once (RFC 7383 §2.6.1).
void on_repeated_request(Context& context, const IkeSa& ike, const Arrival& arrival) {
    const auto inside = unseal(arrival.message, ike.answered_keys ? *ike.answered_keys : ike.incoming_keys());
    if (!inside && inside.error().kind != OpenError::Kind::malformed_inside) return context.count(name(inside.error().kind));
    if (inside && inside->fragment && inside->fragment->number != 1) return context.count("fragments-of-answered");
    context.count("requests-answered-again");
    send_messages(context, arrival.local, arrival.remote, ike.last_response);
}

bool rekeys_ike(const std::vector<Payload>& payloads) {
    const auto* sa = find<SaPayload>(payloads);
    return sa && !sa->proposals.empty() && sa->proposals.front().protocol == Protocol::ike;
}

void on_new_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const Content& content) {
    const std::vector<Payload>& payloads = content.payloads;
    if (arrival.header.exchange == ExchangeType::ike_intermediate) return on_intermediate_request(context, association, arrival, payloads, content.inside);
    if (association.in<AwaitingAuthRequest>()) return on_auth_request(context, association, arrival, payloads);
    if (association.in<Closing>()) {
        if (arrival.header.exchange == ExchangeType::informational) return on_informational_while_closing(context, association, ike, arrival, payloads);
        return send_refusal(context, ike, arrival, NotifyType::temporary_failure);
    }
    if (&ike == association.ike.get()) confirm_resources(context, association);
    if (arrival.header.exchange == ExchangeType::informational) return on_informational_request(context, association, ike, arrival, payloads);
    note_use(context, association, ike);
    if (arrival.header.exchange == ExchangeType::ike_followup_ke) return on_follow_up_request(context, association, ike, arrival, payloads);
    if (rekeys_ike(payloads)) return on_ike_rekey_request(context, association, ike, arrival, payloads);
    on_create_child_request(context, association, ike, arrival, payloads);
}

/// A cluster that failed over asks to agree on new message IDs, by a request with the ID 0 (RFC 6311 §5.1). We never say that we can; the
/// request moves nothing, and who runs the cluster learns from our log why it has to start anew.
bool is_sync_request(const Arrival& arrival, const IkeSa& ike) {
    if (arrival.header.message_id != 0 || arrival.header.exchange != ExchangeType::informational) return false;
    const auto payloads = open(arrival.message, ike.incoming_keys());
    return payloads && find_notify(*payloads, NotifyType::ikev2_message_id_sync);
}

void on_out_of_window(Context& context, const Association& association, const IkeSa& ike, const Arrival& arrival) {
    if (!is_sync_request(arrival, ike)) return context.count("out-of-window");
    context.count("message-id-sync-refused");
    context.log_stranger(Severity::warning, fmt::format("ike {}: the peer wants to synchronise message IDs after a failover (RFC 6311), which is not supported: "
                                                        "it has to connect anew", describe(association)));
}

void on_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival) {
    const bool is_repeated = arrival.header.message_id + 1 == ike.expected_request_id && !ike.last_response.empty();
    if (!is_repeated && arrival.header.message_id != ike.expected_request_id) return on_out_of_window(context, association, ike, arrival);
    if (!is_repeated && !takes(association, arrival.header.exchange)) return context.count("unexpected-requests");
    if (is_repeated) return on_repeated_request(context, ike, arrival);
    const auto opened = open_awaited(context, ike, ike.request_parts, arrival);
    if (!opened) return;
    on_heard(context, association, arrival);
    if (*opened) return on_new_request(context, association, ike, arrival, **opened);
    context.count("malformed-inside");
    answer_malformed(context, association, ike, arrival, opened->error().decode);
}

/// Continues what our request was for.
struct Continuation {
    Context& context;
    Association& association;
    IkeSa& ike;
    const Inside& inside;
    const std::vector<Payload>& payloads;

    void operator()(std::monostate) const {}
    void operator()(const Initial&) const {
        if (association.in<AwaitingResumedAuth>()) return on_resumed_auth_response(context, association, payloads);
        on_auth_response(context, association, payloads);
    }
    void operator()(const Intermediate& sent) const { on_intermediate_response(context, association, sent, payloads, inside); }
    void operator()(const Liveness&) const {}
    void operator()(const RequestingTicket&) const { take_ticket(context, association, ike, payloads); }
    void operator()(const RekeyingChild& rekey) const { on_child_rekey_response(context, association, rekey, payloads); }
    void operator()(const RekeyingIke& rekey) const { on_ike_rekey_response(context, association, ike, rekey, payloads); }
    void operator()(const DeletingChild& deleting) const { on_child_delete_response(context, association, deleting.child); }
    void operator()(const DeletingIke&) const {
        if (association.in<Closing>()) return move_to(context, association, Gone{}, "the peer confirmed our DELETE");
        for (Sibling& sibling : association.in<Established>()->siblings)
            if (sibling.ike.get() == &ike) sibling.give_up_at = context.now;
    }
};

void on_response(Context& context, Association& association, IkeSa& ike, const Arrival& arrival) {
    const bool is_awaited = ike.outstanding && arrival.header.message_id + 1 == ike.next_request_id &&
                            static_cast<std::uint8_t>(arrival.header.exchange) == ike.outstanding->messages.front()[kExchangeOffset] && !association.in<AwaitingInitResponse>();
    if (!is_awaited) return context.count("unexpected-responses");
    const auto opened = open_awaited(context, ike, ike.response_parts, arrival);
    if (!opened) return;
    on_heard(context, association, arrival);
    const Opened& content = *opened;
    std::optional<Transmission> request = std::exchange(ike.outstanding, std::nullopt);
    Purpose purpose = std::exchange(ike.purpose, std::monostate{});
    Reassembly parts = std::exchange(ike.response_parts, {});
    if (association.in<Closing>() && !std::holds_alternative<DeletingIke>(purpose)) return discard(context, purpose);  // its turn is over
    if (content) {
        try {
            return std::visit(Continuation{context, association, ike, content->inside, content->payloads}, purpose);
        } catch (const Postponed&) {
            ike.outstanding = std::move(request), ike.purpose = std::move(purpose), ike.response_parts = std::move(parts);
            throw;
        }
    }
    context.count("malformed-inside");
    discard(context, purpose);
    const std::string detail = fmt::format("authentic but malformed response: {}", name(content.error().decode.reason));
    if (association.in<AwaitingAuthResponse>() || association.in<AwaitingResumedAuth>())
        return fail_attempt(context, association, DownReason::invalid_message, detail, Closing{});
    if (association.in<Established>()) return end(context, association, DownReason::invalid_message, detail, Ending::farewell);
    move_to(context, association, Gone{}, detail);
}

}  // namespace

void follow(Context& context, Association& association, const NbmaEndpoint& local, const NbmaEndpoint& remote) {
    if (!association.remote_behind_nat || (remote == association.remote && local == association.local)) return;
    context.count_for_good("peer-endpoint-changes");
    context.log(Severity::info, fmt::format("ike {}: established -> established: the peer's NAT moved it to {}", describe(association), remote.to_string()));
    association.local = local;
    association.remote = remote;
    context.out.push_back(PeerEndpointChanged{association.id, local, remote});
}

void on_protected(Context& context, Association& association, IkeSa& ike, const Arrival& arrival) {
    const Role sender = arrival.header.from_initiator ? Role::initiator : Role::responder;
    if (sender == ike.role || arrival.header.initiator_spi != ike.initiator_spi || arrival.header.responder_spi != ike.responder_spi) return context.count("unknown-spi");
    context.touch(association);
    if (arrival.header.response) on_response(context, association, ike, arrival);
    else on_request(context, association, ike, arrival);
}

}  // namespace nave::ike
