// The responder's IKE_SA_INIT: cookies, limits and the choice of a suite, all before anything is kept for a stranger.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/cookie.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/intermediate.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/nat_detection.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/redirect.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

struct InitRequest {
    const SaPayload* sa;
    const KeyExchange* key_exchange;
    const NoncePayload* nonce;
    std::span<const Payload> payloads;
};

constexpr std::size_t kCopiesMax = 4;  // of one request, with differences that do not matter to our answer

/// Whether the message that we answered asks for the same: then the answer is good for this one too.
bool asks_the_same(const AwaitingAuthRequest& kept, const InitRequest& request) {
    const auto before = decode_message(kept.asked.front().message);
    if (!before) return false;
    const auto* sa = find<SaPayload>(before->payloads);
    const auto* key_exchange = find<KeyExchange>(before->payloads);
    // What we said about a PPK and about IKE_INTERMEDIATE depends on it: nobody may talk the two ends out of them.
    if (offers_ppk(before->payloads) != offers_ppk(request.payloads) || knows_intermediate(before->payloads) != knows_intermediate(request.payloads)) return false;
    return kept.peer_nonce == request.nonce->data && key_exchange && *key_exchange == *request.key_exchange && sa && *sa == *request.sa;
}

/// A request that we answered before gets the same answer (RFC 7296 §2.1). So does one that differs only around SA, KE and nonce: by a cookie
/// that the initiator added, or by what somebody on the way changed. As nobody has signed any of them yet, each is kept beside the first;
/// when there are too many, one more counts as an attempt of its own.
bool is_repeated(Context& context, const Arrival& arrival, const InitRequest& request) {
    for (Association* association : context.table.by_init(arrival.header.initiator_spi, arrival.remote.address)) {
        auto* kept = association->in<AwaitingAuthRequest>();
        if (!kept) {
            context.count("init-repeated-late");
            return true;
        }
        const bool is_known = std::ranges::any_of(kept->asked, [&](const Datagram& each) { return std::ranges::equal(each.message, arrival.message); });
        if (!is_known && (kept->asked.size() >= kCopiesMax || !asks_the_same(*kept, request))) continue;
        if (!is_known) kept->asked.push_back(copy_of(arrival));
        association->ike->fragments |= takes_fragments(request.payloads);  // so that nobody can take it away from the genuine one
        context.count(is_known ? "init-repeated" : "init-changed");
        send_message(context, arrival.local, arrival.remote, kept->first_message);
        return true;
    }
    return false;
}

/// From some number of half-open SAs on; of one address already from a part of its share, so that nobody uses up the share of a peer
/// by writing its address on packets.
bool asks_for_cookie(const Context& context, const NbmaAddress& source) {
    constexpr std::size_t kPartOfShare = 4;
    const AddressTally& half_open = context.table.half_open();
    return half_open.total() >= context.settings.cookies_from_half_open || half_open.at(source) * kPartOfShare >= context.settings.half_open_per_source_max;
}

std::optional<IkeChoice> choose_suite(Context& context, const Arrival& arrival, const InitRequest& request) {
    std::string accepted;
    for (const Profile& profile : context.settings.profiles) {
        const auto suites = usable_suites(profile.ike_proposals, knows_intermediate(request.payloads));
        if (const auto choice = choose_ike(*request.sa, suites, request.key_exchange->group, false)) return choice;
        accepted += (accepted.empty() ? "" : ", ") + describe_suites(profile.ike_proposals);
    }
    context.count("no-proposal-chosen");
    context.log_stranger(Severity::warning, fmt::format("ike {}: IKE_SA_INIT refused: peer offered {}; we accept {}", arrival.remote.to_string(),
                                                        describe_offer(*request.sa), accepted));
    send_stateless(context, arrival, {.type = NotifyType::no_proposal_chosen});
    return std::nullopt;
}

void answer(Context& context, const Arrival& arrival, const InitRequest& request, const IkeChoice& choice) {
    const Group group = choice.suite.group;
    const auto key_exchange = context.ask(KeyResponse{group, DhKeyPair::draw(group, context.random), request.key_exchange->data});
    if (!key_exchange) return context.count("bad-key-exchange");

    Association& association = add_responder(context, arrival, choice.suite, request.payloads);
    IkeSa& ike = *association.ike;
    const Bytes nonce = fresh_nonce(context.random);
    const SessionSeed seed{choice.suite, request.nonce->data, nonce, ike.initiator_spi, ike.responder_spi};
    ike.keys = derive_session_keys(seed, initial_skeyseed(seed, key_exchange->shared_secret));
    if (!has_any(choice.suite.additional)) log_keys(context, ike);  // else there are others behind them

    std::vector<Payload> payloads{answer_ike(choice, 0), KeyExchange{group, key_exchange->public_value}, NoncePayload{nonce}};
    append_path_notifies(payloads, ike, arrival.local, arrival.remote, is_encapsulation_forced(context));
    append_signature_support(payloads, context.settings.profiles, Role::responder);
    payloads.emplace_back(Notify{.type = NotifyType::childless_ikev2_supported});
    const bool may_use_ppk = offers_ppk(request.payloads) && has_ppks(context.settings.profiles);
    if (may_use_ppk) payloads.emplace_back(Notify{.type = NotifyType::use_ppk});
    if (has_any(choice.suite.additional)) payloads.emplace_back(Notify{.type = NotifyType::intermediate_exchange_supported});
    await_auth(context, association, arrival, payloads,
               {.nonce = nonce, .peer_nonce = request.nonce->data, .may_use_ppk = may_use_ppk, .exchanges_left = in_order(choice.suite.additional).size()},
               fmt::format("answered IKE_SA_INIT with {}", to_string(choice.suite)));
}

}  // namespace

Association& add_responder(Context& context, const Arrival& arrival, const IkeProposal& suite, std::span<const Payload> request) {
    Association& association = context.table.add();
    association.local = arrival.local;
    association.remote = arrival.remote;
    IkeSa& ike = *association.ike;
    ike.role = Role::responder;
    ike.initiator_spi = arrival.header.initiator_spi;
    ike.responder_spi = context.table.new_spi(context.random, association.id);
    ike.suite = suite;
    ike.fragments = takes_fragments(request);
    ike.expected_request_id = 1;
    return association;
}

void await_auth(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads, AwaitingAuthRequest awaiting,
                std::string_view reason) {
    const IkeSa& ike = *association.ike;
    const Header header{.initiator_spi = ike.initiator_spi, .responder_spi = ike.responder_spi, .exchange = arrival.header.exchange, .response = true};
    awaiting.first_message = encode_message(header, payloads);
    send_message(context, arrival.local, arrival.remote, awaiting.first_message);
    awaiting.asked = {copy_of(arrival)};
    awaiting.began_at = context.now;
    awaiting.give_up_at = context.now + context.peer_patience();

    context.table.begin_half_open(association);
    context.table.begin_attempt(association);
    context.table.remember_init(association, ike.initiator_spi);
    context.touch(association);
    move_to(context, association, std::move(awaiting), reason);
}

bool takes_fragments(std::span<const Payload> payloads) { return find_notify(payloads, NotifyType::ikev2_fragmentation_supported) != nullptr; }

bool is_encapsulation_forced(const Context& context) { return std::ranges::any_of(context.settings.profiles, &Profile::force_encapsulation); }

bool has_shown_cookie(Context& context, CookieJar& cookies, const Arrival& arrival, ByteView nonce, std::span<const Payload> payloads) {
    if (!asks_for_cookie(context, arrival.remote.address)) return true;
    const Notify* cookie = find_notify(payloads, NotifyType::cookie);
    const std::uint64_t spi = arrival.header.initiator_spi;
    if (cookie && cookies.verify(cookie->data, arrival.remote, spi, nonce, context.now)) return true;
    context.count(cookie ? "cookies-wrong" : "cookies-asked");
    send_stateless(context, arrival, {.type = NotifyType::cookie, .data = cookies.make(arrival.remote, spi, nonce, context.now, context.random)});
    return false;
}

bool is_within_limits(Context& context, const Arrival& arrival) {
    const AddressTally& half_open = context.table.half_open();
    std::string_view limit;
    if (half_open.total() >= context.settings.half_open_max) limit = "limit-half-open";
    else if (half_open.at(arrival.remote.address) >= context.settings.half_open_per_source_max) limit = "limit-half-open-per-source";
    if (limit.empty()) return true;
    context.count(limit);
    context.log_stranger(Severity::warning, fmt::format("ike {}: first message dropped: {} is reached", arrival.remote.to_string(), limit));
    return false;
}

void take_nat_of(const Context& context, Association& association, const Datagram& request) {
    const auto message = decode_message(request.message);
    if (!message) return;
    const NatFindings nat = detect_nat(message->payloads, message->header.initiator_spi, message->header.responder_spi, request.local, request.remote);
    association.local_behind_nat = nat.local_behind_nat;
    association.remote_behind_nat = nat.remote_behind_nat;
    association.encapsulated = nat.supported && (nat.any() || is_encapsulation_forced(context));
    association.ike->fragments = takes_fragments(message->payloads);
}

void on_init_request(Context& context, CookieJar& cookies, const Arrival& arrival) {
    context.count("init-requests");
    const auto message = decode_message(arrival.message);
    if (!message) {
        context.count("malformed");
        if (message.error().reason != Malformed::unsupported_critical) return;
        return send_stateless(context, arrival, {.type = NotifyType::unsupported_critical_payload, .data = {static_cast<std::uint8_t>(message.error().payload)}});
    }
    const InitRequest request{find<SaPayload>(message->payloads), find<KeyExchange>(message->payloads), find<NoncePayload>(message->payloads), message->payloads};
    const bool is_first = arrival.header.message_id == 0 && arrival.header.from_initiator && arrival.header.initiator_spi != 0;
    if (!is_first || !request.sa || !request.key_exchange || !request.nonce) return context.count("malformed");
    if (is_repeated(context, arrival, request)) return;
    if (!has_shown_cookie(context, cookies, arrival, request.nonce->data, request.payloads)) return;
    if (send_elsewhere(context, arrival, request.nonce->data, request.payloads)) return;
    if (!is_within_limits(context, arrival)) return;
    const auto choice = choose_suite(context, arrival, request);
    if (!choice) return;
    if (choice->suite.group != request.key_exchange->group) {
        context.count("invalid-ke-sent");
        return send_stateless(context, arrival, {.type = NotifyType::invalid_ke_payload, .data = group_data(choice->suite.group)});
    }
    answer(context, arrival, request, *choice);
}

}  // namespace nave::ike
