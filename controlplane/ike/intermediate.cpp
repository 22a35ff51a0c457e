// Additional key exchanges before anybody is authenticated.
#include "controlplane/ike/intermediate.hpp"

#include "controlplane/ike/auth_request.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/words.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

/// In which key exchange the exchange that is next ends up.
Group group_of_next(const IkeSa& ike, std::size_t exchanges_left) {
    const std::vector<Group> groups = in_order(ike.suite.additional);
    return groups[groups.size() - exchanges_left];
}

/// What we sent last, as AUTH covers it: in one piece, whatever went out.
void cover_sent(IntermediateAuth& covered, const IkeSa& ike, ByteView first_fragment, const std::vector<Payload>& payloads) {
    ByteWriter chain;
    encode_payload_chain(payloads, chain);
    const Header header = decode_header(first_fragment).value();  // we wrote it
    covered.add(ike.role, ike.keys, protected_head(header, type_of(payloads.front())), chain.view());
}

/// The peer's part if it is of the exchange that is next; else null.
const KeyExchange* fitting(const std::vector<Payload>& payloads, Group group) {
    const auto* key_exchange = find<KeyExchange>(payloads);
    return key_exchange && key_exchange->group == group ? key_exchange : nullptr;
}

/// As with IKE_AUTH, an IKE_SA_INIT that somebody altered on its way may be the cause: the genuine answer gets its chance.
void give_up(Context& context, Association& association, DownReason reason, std::string why) {
    if (!try_next_answer(context, association)) fail_attempt(context, association, reason, std::move(why));
}

/// Refuses and lingers, so that a repeated request is told the same.
void refuse(Context& context, Association& association, const Arrival& arrival, std::string why) {
    context.count("bad-key-exchange");
    send_refusal(context, *association.ike, arrival, NotifyType::invalid_syntax);
    fail_attempt(context, association, DownReason::invalid_message, std::move(why), Lingering{context.now + kLinger});
}

}  // namespace

bool knows_intermediate(std::span<const Payload> init) { return find_notify(init, NotifyType::intermediate_exchange_supported) != nullptr; }

void send_intermediate(Context& context, Association& association, AwaitingAuthResponse& awaiting) {
    IkeSa& ike = *association.ike;
    const DhKeyPair key = DhKeyPair::generate(group_of_next(ike, awaiting.exchanges_left), context.random);
    const std::vector<Payload> payloads{KeyExchange{key.group(), key.public_value()}};
    send_request(context, association, ike, ExchangeType::ike_intermediate, payloads, Intermediate{key}, context.settings.retransmit_tries);
    cover_sent(awaiting.intermediate, ike, ike.outstanding->messages.front(), payloads);
    context.count("intermediate-exchanges");
}

void on_intermediate_response(Context& context, Association& association, const Intermediate& sent, const std::vector<Payload>& payloads, const Inside& inside) {
    auto& awaiting = *association.in<AwaitingAuthResponse>();
    IkeSa& ike = *association.ike;
    const Group group = sent.key.group();
    if (const Notify* error = find_error(payloads)) return give_up(context, association, DownReason::refused_by_peer, advice(error->type));
    const KeyExchange* answer = fitting(payloads, group);
    const auto secret = answer ? context.ask(KeyAgreement{sent.key, answer->data}) : std::unexpected{KeyExchangeError::wrong_length};
    if (!secret) {
        context.count("bad-key-exchange");
        return give_up(context, association, DownReason::invalid_message, fmt::format("the peer's key exchange with {} is missing or wrong", name(group)));
    }
    IntermediateAuth covered = awaiting.intermediate;
    covered.add(Role::responder, ike.keys, inside.head, inside.chain);
    const SessionKeys keys = further_session_keys(ike.keys, {ike.suite, awaiting.nonce, awaiting.peer_nonce, ike.initiator_spi, ike.responder_spi}, *secret);
    const bool is_last = awaiting.exchanges_left == 1;
    OwnProof proof;
    if (is_last) {
        const Message init = decode_message(awaiting.answer.message).value();  // it was when it was kept
        const auto means = means_of_initiator(context.profile_of(association), association.requests.front().expected, init.payloads).value();
        const Bytes octets = covered.octets(ike.next_request_id);
        proof = prove_ourselves(context, association, {means, keys, awaiting.ppk, awaiting.first_message, awaiting.peer_nonce, octets});
    }
    ike.keys = keys;
    if (is_last) log_keys(context, ike);
    awaiting.intermediate = std::move(covered);
    --awaiting.exchanges_left;
    context.log(Severity::info, fmt::format("ike {}: intermediate-sent -> {}: key exchange with {} added", describe(association), name(association.state), name(group)));
    if (is_last) send_auth(context, association, awaiting, proof);
    else send_intermediate(context, association, awaiting);
}

void on_intermediate_request(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads, const Inside& inside) {
    auto& awaiting = *association.in<AwaitingAuthRequest>();
    IkeSa& ike = *association.ike;
    const Group group = group_of_next(ike, awaiting.exchanges_left);
    const KeyExchange* asked = fitting(payloads, group);
    if (!asked) return refuse(context, association, arrival, fmt::format("IKE_INTERMEDIATE lacks a key exchange with {}", name(group)));
    const auto answer = context.ask(KeyResponse{group, DhKeyPair::draw(group, context.random), asked->data});
    if (!answer) return refuse(context, association, arrival, fmt::format("the peer's key exchange with {} is wrong: {}", name(group), name(answer.error())));

    context.count("intermediate-exchanges");
    awaiting.intermediate.add(Role::initiator, ike.keys, inside.head, inside.chain);
    const std::vector<Payload> response{KeyExchange{group, answer->public_value}};
    send_response(context, ike, arrival, response);
    cover_sent(awaiting.intermediate, ike, ike.last_response.front(), response);
    ike.answered_keys = ike.incoming_keys();
    ike.keys = further_session_keys(ike.keys, {ike.suite, awaiting.peer_nonce, awaiting.nonce, ike.initiator_spi, ike.responder_spi}, answer->shared_secret);
    --awaiting.exchanges_left;
    if (awaiting.exchanges_left == 0) log_keys(context, ike);
    awaiting.give_up_at = context.now + context.peer_patience();
    context.touch(association);
}

}  // namespace nave::ike
