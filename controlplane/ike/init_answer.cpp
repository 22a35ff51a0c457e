// From an answer to IKE_SA_INIT to what follows it, IKE_INTERMEDIATE or IKE_AUTH; also from a second and third answer, as nobody has signed the first.
#include "common/headers.hpp"
#include "controlplane/ike/auth_request.hpp"
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/intermediate.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/nat_detection.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr std::size_t kOtherAnswersMax = 3;

/// What an answer makes us share, and by what we can prove ourselves to whoever answered so.
struct Agreement {
    IkeProposal suite;
    SessionKeys keys;
    Bytes peer_nonce;
    bool fragments;
    Means means;
    const Ppk* ppk;
};

ProofBasis proof_basis(const Agreement& agreement, const Bytes& first_message) {
    return {.means = agreement.means, .keys = agreement.keys, .ppk = agreement.ppk, .first_message = first_message, .peer_nonce = agreement.peer_nonce};
}

/// The PPK of this attempt, whatever the peer says.
const Ppk* our_ppk(const Context& context, const Association& association) {
    return ppk_for_attempt(context.profile_of(association), association.requests.front().expected);
}

/// Whether the answer leaves out a PPK on which we insist.
bool lacks_ppk(const Context& context, const Association& association, std::span<const Payload> answer) {
    const Ppk* ppk = our_ppk(context, association);
    return ppk && ppk->required && !offers_ppk(answer);
}

/// Nothing, and counted, if the answer is not within our offer or leaves us no way to prove ourselves.
std::optional<Agreement> agree(Context& context, const Association& association, const DhKeyPair& key, const Bytes& our_nonce, const Arrival& arrival,
                               std::span<const Payload> payloads) {
    const auto* sa = find<SaPayload>(payloads);
    const auto* key_exchange = find<KeyExchange>(payloads);
    const auto* nonce = find<NoncePayload>(payloads);
    if (!sa || !key_exchange || !nonce || arrival.header.responder_spi == 0) {
        context.count("malformed");
        return std::nullopt;
    }
    const auto choice = accept_ike(*sa, usable_suites(context.profile_of(association).ike_proposals, knows_intermediate(payloads)), false);
    if (!choice || choice->suite.group != key.group() || key_exchange->group != key.group()) {
        context.count("bad-init-answers");
        context.log_stranger(Severity::warning,
                             fmt::format("ike {}: ignored an answer that chose {}, which we did not offer", describe(association), describe_offer(*sa)));
        return std::nullopt;
    }
    const auto means = means_of_initiator(context.profile_of(association), association.requests.front().expected, payloads);
    if (!means) {
        context.count("bad-init-answers");
        context.log_stranger(Severity::warning, fmt::format("ike {}: ignored an answer: {}", describe(association), means.error()));
        return std::nullopt;
    }
    const auto shared_secret = context.ask(KeyAgreement{key, key_exchange->data});
    if (!shared_secret) {
        context.count("bad-key-exchange");
        return std::nullopt;
    }
    const SessionSeed seed{choice->suite, our_nonce, nonce->data, arrival.header.initiator_spi, arrival.header.responder_spi};
    return Agreement{.suite = choice->suite,
                     .keys = derive_session_keys(seed, initial_skeyseed(seed, *shared_secret)),
                     .peer_nonce = nonce->data,
                     .fragments = find_notify(payloads, NotifyType::ikev2_fragmentation_supported) != nullptr,
                     .means = *means,
                     .ppk = offers_ppk(payloads) ? our_ppk(context, association) : nullptr};
}

void take_keys(Context& context, IkeSa& ike, const Arrival& arrival, const Agreement& agreement) {
    ike.responder_spi = arrival.header.responder_spi;
    ike.suite = agreement.suite;
    ike.fragments = agreement.fragments;
    ike.next_request_id = 1;
    ike.keys = agreement.keys;
    if (!has_any(ike.suite.additional)) log_keys(context, ike);  // else there are others behind them
}

}  // namespace

void take_nat(Context& context, Association& association, const Arrival& answer, std::span<const Payload> payloads) {
    const NatFindings nat = detect_nat(payloads, answer.header.initiator_spi, answer.header.responder_spi, answer.local, answer.remote);
    association.local_behind_nat = nat.local_behind_nat;
    association.remote_behind_nat = nat.remote_behind_nat;
    association.encapsulated = nat.supported && (nat.any() || context.profile_of(association).force_encapsulation);
    association.local = answer.local;
    association.remote = answer.remote;
    if (!association.encapsulated) return;
    if (association.local.port == kUdpPortIke) association.local.port = kUdpPortNatTraversal;
    if (association.remote.port == kUdpPortIke) association.remote.port = kUdpPortNatTraversal;
}

void on_init_answer(Context& context, Association& association, const Arrival& arrival, std::span<const Payload> payloads) {
    auto& awaiting = *association.in<AwaitingInitResponse>();
    if (lacks_ppk(context, association, payloads))
        return note_refusal(context, association, DownReason::refused_by_peer,
                            fmt::format("the peer uses no PPK, and '{}' is required: configure it there, or require none here", our_ppk(context, association)->id));
    const auto agreement = agree(context, association, awaiting.key, awaiting.nonce, arrival, payloads);
    if (!agreement) return;
    const std::size_t exchanges = in_order(agreement->suite.additional).size();
    const IkeSa& before = *association.ike;
    const OwnProof proof = exchanges > 0 ? OwnProof{} : prove_ourselves(context, association, proof_basis(*agreement, before.outstanding->messages.front()));
    const auto inbound = context.spis.allocate();
    if (!inbound) return fail_attempt(context, association, DownReason::limit_reached, "no inbound SPI is left for another SA");

    IkeSa& ike = *association.ike;
    AwaitingAuthResponse next{.key = awaiting.key,
                              .first_message = std::move(ike.outstanding->messages.front()),
                              .nonce = std::move(awaiting.nonce),
                              .peer_nonce = agreement->peer_nonce,
                              .inbound = *inbound,
                              .answer = copy_of(arrival),
                              .ppk = agreement->ppk,
                              .exchanges_left = exchanges};
    take_keys(context, ike, arrival, *agreement);
    take_nat(context, association, arrival, payloads);
    if (exchanges > 0) send_intermediate(context, association, next);
    else send_auth(context, association, next, proof);
    move_to(context, association, std::move(next),
            fmt::format("peer chose {}{}{}", to_string(ike.suite), association.local_behind_nat ? "; we are behind a NAT" : "",
                        association.remote_behind_nat ? "; the peer is behind a NAT" : ""));
}

void on_competing_answer(Context& context, Association& association, const Arrival& arrival) {
    auto& awaiting = *association.in<AwaitingAuthResponse>();
    const auto is_same = [&](const Datagram& answer) { return std::ranges::equal(answer.message, arrival.message); };
    if (is_same(awaiting.answer) || std::ranges::any_of(awaiting.others, is_same)) return context.count("init-answers-repeated");
    const auto message = decode_message(arrival.message);
    if (!message || !find<SaPayload>(message->payloads) || awaiting.others.size() >= kOtherAnswersMax) return context.count("unexpected-responses");
    if (lacks_ppk(context, association, message->payloads)) return context.count("init-refusals-received");
    if (!agree(context, association, awaiting.key, awaiting.nonce, arrival, message->payloads)) return;  // counted
    context.count("init-answers-competing");
    awaiting.others.push_back(copy_of(arrival));
}

bool try_next_answer(Context& context, Association& association) {
    context.postpones = false;  // rare, and from a timer too
    auto& awaiting = *association.in<AwaitingAuthResponse>();
    IkeSa& ike = *association.ike;
    // After an answer to IKE_AUTH nothing is outstanding; a schedule that has begun goes on, so that the whole attempt stays bounded.
    const Transmission before = ike.outstanding ? *ike.outstanding : transmission_of({}, context.settings.retransmit_first, context.settings.retransmit_tries, context.now);
    if (awaiting.others.empty() || before.sent >= before.tries_max) return false;
    if (ike.outstanding) awaiting.others.push_back(std::move(awaiting.answer));  // not refuted, only unanswered
    awaiting.answer = std::move(awaiting.others.front());
    awaiting.others.erase(awaiting.others.begin());
    const Message message = decode_message(awaiting.answer.message).value();  // it was when it was kept
    const Arrival arrival{awaiting.answer.local, awaiting.answer.remote, awaiting.answer.message, message.header};
    const auto agreement = agree(context, association, awaiting.key, awaiting.nonce, arrival, message.payloads);
    if (!agreement) return false;
    awaiting.peer_nonce = agreement->peer_nonce;
    awaiting.ppk = agreement->ppk;
    take_keys(context, ike, arrival, *agreement);
    take_nat(context, association, arrival, message.payloads);
    awaiting.intermediate = {};
    awaiting.exchanges_left = in_order(agreement->suite.additional).size();
    if (awaiting.exchanges_left > 0) send_intermediate(context, association, awaiting);
    else send_auth(context, association, awaiting, prove_ourselves(context, association, proof_basis(*agreement, awaiting.first_message)));
    ike.outstanding->sent = before.sent + 1;
    ike.outstanding->interval = before.interval * 2;
    ike.outstanding->next_at = context.now + ike.outstanding->interval;
    context.count("init-answers-tried");
    context.touch(association);
    return true;
}

}  // namespace nave::ike
