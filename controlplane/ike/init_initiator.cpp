// The initiator's IKE_SA_INIT: the request, its restarts, the answer that leads to IKE_AUTH.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/nat_detection.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/redirect.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr int kInitRestartsMax = 5;   // with a cookie or another group
constexpr int kRefusalsMax = 3;
constexpr std::size_t kCookieMax = 64;
constexpr Duration kPunchInterval = std::chrono::milliseconds{250};
constexpr int kPunchTries = 20;

void send_init(Context& context, Association& association) {
    const auto& awaiting = *association.in<AwaitingInitResponse>();
    const Profile& profile = context.profile_of(association);
    std::vector<Payload> payloads;
    if (!awaiting.cookie.empty()) payloads.emplace_back(Notify{.type = NotifyType::cookie, .data = awaiting.cookie});
    payloads.emplace_back(offer_ike(profile.ike_proposals, 0));
    payloads.emplace_back(KeyExchange{awaiting.key.group(), awaiting.key.public_value()});
    payloads.emplace_back(NoncePayload{awaiting.nonce});
    append_path_notifies(payloads, *association.ike, association.local, association.remote, profile.force_encapsulation);
    append_signature_support(payloads, {&profile, 1}, Role::initiator);
    append_redirect_notifies(payloads, association);
    if (std::ranges::any_of(profile.ike_proposals, [](const IkeProposal& suite) { return has_any(suite.additional); }))
        payloads.emplace_back(Notify{.type = NotifyType::intermediate_exchange_supported});
    if (ppk_for_attempt(profile, association.requests.front().expected)) payloads.emplace_back(Notify{.type = NotifyType::use_ppk});
    send_first_request(context, association, ExchangeType::ike_sa_init, payloads);
}

bool may_restart(Context& context, AwaitingInitResponse& awaiting) {
    if (++awaiting.restarts <= kInitRestartsMax) return true;
    context.count("init-restarts-exhausted");
    return false;
}

void on_cookie(Context& context, Association& association, const Notify& notify) {
    auto& awaiting = *association.in<AwaitingInitResponse>();
    if (notify.data.empty() || notify.data.size() > kCookieMax) return context.count("malformed");
    if (notify.data == awaiting.cookie || !may_restart(context, awaiting)) return;
    awaiting.cookie = notify.data;
    context.count("cookies-answered");
    send_init(context, association);
}

void on_invalid_ke(Context& context, Association& association, const Notify& notify) {
    auto& awaiting = *association.in<AwaitingInitResponse>();
    const auto group = group_from(notify);
    const auto& suites = context.profile_of(association).ike_proposals;
    // An unsigned message may not talk us into a group that we do not offer; one that we offer is as good as the first.
    if (!group || std::ranges::find(suites, *group, &IkeProposal::group) == suites.end()) return context.count("bad-invalid-ke");
    if (*group == awaiting.key.group() || !may_restart(context, awaiting)) return;
    awaiting.key = DhKeyPair::generate(*group, context.random);
    context.count("invalid-ke-received");
    send_init(context, association);
}

void on_refusal(Context& context, Association& association, const Notify& notify) {
    const auto reason = notify.type == NotifyType::no_proposal_chosen ? DownReason::no_proposal_chosen : DownReason::refused_by_peer;
    note_refusal(context, association, reason, fmt::format("{} ({})", advice(notify.type), to_string(notify.type)));
}

}  // namespace

void note_refusal(Context& context, Association& association, DownReason reason, std::string words) {
    auto& awaiting = *association.in<AwaitingInitResponse>();
    awaiting.reason = reason;
    awaiting.refusal = std::move(words);
    context.count("init-refusals-received");
    if (awaiting.refusals++ == 0)
        context.log(Severity::notice, fmt::format("ike {}: init-sent: {}; not authenticated, so we go on trying", describe(association), awaiting.refusal));
    if (awaiting.refusals >= kRefusalsMax) fail_attempt(context, association, reason, std::string{awaiting.refusal});
}

Bytes fresh_nonce(Random& random) {
    Bytes nonce(kNonceSize);
    random.fill(nonce);
    return nonce;
}

void append_path_notifies(std::vector<Payload>& payloads, const IkeSa& ike, const NbmaEndpoint& local, const NbmaEndpoint& remote, bool force) {
    for (Notify& notify : nat_detection_notifies(ike.initiator_spi, ike.responder_spi, local, remote, force)) payloads.emplace_back(std::move(notify));
    payloads.emplace_back(Notify{.type = NotifyType::ikev2_fragmentation_supported});
}

void begin_attempt(Context& context, Association& association, State awaiting, std::string_view reason) {
    association.ike->role = Role::initiator;
    association.ike->initiator_spi = context.table.new_spi(context.random, association.id);
    context.table.begin_attempt(association);
    context.touch(association);
    move_to(context, association, std::move(awaiting), reason);
}

void send_first_request(Context& context, Association& association, ExchangeType exchange, const std::vector<Payload>& payloads) {
    IkeSa& ike = *association.ike;
    const Header header{.initiator_spi = ike.initiator_spi, .exchange = exchange, .from_initiator = true};
    ike.next_request_id = 1;
    const Settings& settings = context.settings;
    const bool punch = association.requests.front().punch;
    const auto* awaiting = association.in<AwaitingInitResponse>();
    const int tries = awaiting && awaiting->redirected_from ? std::min(kRedirectedTriesMax, settings.retransmit_tries) : settings.retransmit_tries;
    ike.outstanding = transmission_of({encode_message(header, payloads)}, punch ? kPunchInterval : settings.retransmit_first, punch ? kPunchTries : tries, context.now);
    ike.outstanding->steady = punch;
    ike.purpose = Initial{};
    send_messages(context, association.local, association.remote, ike.outstanding->messages);
}

void begin_init(Context& context, Association& association, AwaitingInitResponse awaiting, std::string_view reason) {
    begin_attempt(context, association, std::move(awaiting), reason);
    send_init(context, association);
}

void begin_full(Context& context, Association& association, std::string_view reason) {
    const Group group = context.profile_of(association).ike_proposals.front().group;
    begin_init(context, association, {.key = DhKeyPair::generate(group, context.random), .nonce = fresh_nonce(context.random)}, reason);
}

void start_attempt(Context& context, Association& association, const ConnectRequest& request) {
    association.initiator = true;
    association.profile = request.profile;
    association.local = request.local;
    association.remote = request.remote;
    association.requests = {request};
    context.count("attempts");
    const Profile& profile = context.profile_of(association);
    if (profile.ike_proposals.empty() || (!profile.credential && !key_for_attempt(profile, request.expected)))
        return fail_attempt(context, association, DownReason::authentication_failed,
                            fmt::format("profile '{}' has no certificate, no pre-shared key or no proposal for this peer", profile.name));
    if (context.table.established().total() >= context.settings.established_max) {
        context.count("limit-established");
        return fail_attempt(context, association, DownReason::limit_reached, "as many SAs as established_max allows are up");
    }
    if (!begin_resumption(context, association)) begin_full(context, association, fmt::format("connecting with profile '{}'", profile.name));
}

void on_init_response(Context& context, Association& association, const Arrival& arrival) {
    const auto message = decode_message(arrival.message);
    if (!message) return context.count("malformed");
    const std::span<const Payload> payloads = message->payloads;
    if (find<SaPayload>(payloads)) return on_init_answer(context, association, arrival, payloads);
    if (const Notify* redirect = find_notify(payloads, NotifyType::redirect)) return on_redirect(context, association, *redirect);
    if (const Notify* cookie = find_notify(payloads, NotifyType::cookie)) return on_cookie(context, association, *cookie);
    if (const Notify* invalid_ke = find_notify(payloads, NotifyType::invalid_ke_payload)) return on_invalid_ke(context, association, *invalid_ke);
    if (const Notify* error = find_error(payloads)) return on_refusal(context, association, *error);
    context.count("malformed");
}

}  // namespace nave::ike
