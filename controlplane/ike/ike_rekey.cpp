// Rekeying of the IKE SA, its collisions and refusals.
#include "controlplane/ike/ike_rekey.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

constexpr std::size_t kSiblingsMax = 4;  // retired ones live for half a minute when the peer does not delete them
constexpr int kRekeyRestartsMax = 2;  // with another group

void send_ike_rekey(Context& context, Association& association, IkeSa& ike, RekeyingIke rekey) {
    const std::vector<Payload> payloads{offer_ike(context.profile_of(association).ike_proposals, rekey.spi), NoncePayload{rekey.nonce},
                                        KeyExchange{rekey.key.group(), rekey.key.public_value()}};
    send_request(context, association, ike, ExchangeType::create_child_sa, payloads, std::move(rekey), context.settings.liveness_tries);
}

bool restart(Context& context, Association& association, IkeSa& ike, RekeyingIke& rekey, const Notify& invalid_ke) {
    const auto group = group_from(invalid_ke);
    const auto& suites = context.profile_of(association).ike_proposals;
    if (!group || ++rekey.restarts > kRekeyRestartsMax || std::ranges::find(suites, *group, &IkeProposal::group) == suites.end()) return false;
    rekey.key = DhKeyPair::generate(*group, context.random);
    context.count("invalid-ke-received");
    send_ike_rekey(context, association, ike, std::move(rekey));
    return true;
}

void on_refused(Context& context, Association& association, IkeSa& ike, RekeyingIke& rekey, const Notify& error) {
    if (error.type == NotifyType::invalid_ke_payload && !rekey.agreed && restart(context, association, ike, rekey, error)) return;
    context.table.forget_spi(rekey.spi);
    context.count(fmt::format("rekey-refused-{}", to_string(error.type)));
    if (is_forgotten_too_often(context, association, error)) return;
    auto& established = *association.in<Established>();
    if (&ike != association.ike.get() || successor_of(established)) return;  // the peer's own rekey did it
    established.rekey_at = context.now + retry_pause(context, error.type);
    context.log(Severity::warning, fmt::format("ike {}: rekeying was refused: {}", describe(association), advice(error.type)));
}

/// `next` serves our requests from now on; gives the old one, retired.
IkeSa& adopt(Context& context, Association& association, std::unique_ptr<IkeSa> next, std::string_view whose) {
    auto& established = *association.in<Established>();
    const Duration lifetime = context.profile_of(association).ike_lifetime;
    established.rekey_at = context.rekey_time(lifetime);
    established.expires_at = context.now + lifetime;
    forget_own_ticket(context, association);
    established.ticket_wanted = established.has_tickets;
    context.count_for_good("ike-rekeyed");
    context.log(Severity::info, fmt::format("ike {}: established -> established: rekeyed by {} with {}", describe(association), whose, to_string(next->suite)));
    established.forgotten = 0;
    std::swap(association.ike, next);
    IkeSa& old = *next;
    drop_pending(context, old);
    established.siblings.push_back({Sibling::Standing::retired, std::move(next), context.now + context.peer_patience()});
    return old;
}

void send_delete(Context& context, const Association& association, IkeSa& ike) {
    send_request(context, association, ike, ExchangeType::informational, {DeletePayload{.protocol = Protocol::ike}}, DeletingIke{}, context.settings.retransmit_tries);
}

Sibling* sibling_by_spi(Established& established, std::uint64_t our_spi) {
    const auto found = std::ranges::find_if(established.siblings, [&](const Sibling& sibling) { return sibling.ike->our_spi() == our_spi; });
    return found == established.siblings.end() ? nullptr : &*found;
}

/// What we and the peer agree on by this answer, to CREATE_CHILD_SA or to a key exchange behind it; in words what is wrong with it.
std::expected<Agreed<IkeChoice>, std::string> agreed_by(const Context& context, const Profile& profile, const RekeyingIke& rekey, const std::vector<Payload>& payloads) {
    if (rekey.agreed) {
        auto series = advanced(context, rekey.agreed->series, rekey.key, payloads);
        if (!series) return std::unexpected{series.error()};
        return Agreed<IkeChoice>{rekey.agreed->terms, std::move(*series)};
    }
    const auto* sa = find<SaPayload>(payloads);
    const auto* nonce = find<NoncePayload>(payloads);
    const auto* key_exchange = find<KeyExchange>(payloads);
    if (!sa || !nonce || !key_exchange) return std::unexpected{std::string{"SA, nonce or key exchange is missing"}};
    const auto choice = accept_ike(*sa, profile.ike_proposals, true);
    if (!choice || choice->spi == 0 || choice->suite.group != rekey.key.group() || key_exchange->group != rekey.key.group())
        return std::unexpected{fmt::format("it chose {}, which we did not offer", describe_offer(*sa))};
    const auto secret = context.ask(KeyAgreement{rekey.key, key_exchange->data});
    if (!secret) return std::unexpected{fmt::format("the key exchange is wrong: {}", name(secret.error()))};
    auto series = linked({.left = in_order(choice->suite.additional), .initiator_nonce = rekey.nonce, .responder_nonce = nonce->data, .shared_secret = *secret}, payloads);
    if (!series) return std::unexpected{series.error()};
    return Agreed<IkeChoice>{*choice, std::move(*series)};
}

struct Spis { std::uint64_t initiator, responder; };

/// The IKE SA that takes the place of `old`.
std::unique_ptr<IkeSa> successor_to(const IkeSa& old, Role role, const IkeProposal& suite, Spis spis, const KeyExchangeSeries& series) {
    auto made = std::make_unique<IkeSa>();
    made->role = role;
    made->initiator_spi = spis.initiator;
    made->responder_spi = spis.responder;
    made->suite = suite;
    made->fragments = old.fragments;
    const SessionSeed seed{suite, series.initiator_nonce, series.responder_nonce, spis.initiator, spis.responder};
    made->keys = derive_session_keys(seed, rekey_skeyseed(old.keys, seed, series.shared_secret, series.additional));
    return made;
}

/// The IKE SA, made or not, of the peer's request that crossed ours.
bool has_rival(Association& association, const IkeSa& ike, const RekeyingIke& rekey) {
    if (!rekey.rival) return false;
    const auto* pending = ike.pending ? std::get_if<PendingIke>(&ike.pending->made) : nullptr;
    return (pending && pending->spi == rekey.rival->our_spi) || sibling_by_spi(*association.in<Established>(), rekey.rival->our_spi);
}

/// Key exchanges are left. Where both ends rekey, one of them stops here, as nothing is made yet that it could delete (RFC 9370 §2.2.4).
void go_on(Context& context, Association& association, IkeSa& ike, RekeyingIke rekey, const Agreed<IkeChoice>& agreed, bool loses) {
    if (loses) {
        context.table.forget_spi(rekey.spi);
        return context.log(Severity::info, fmt::format("ike {}: both ends rekey; ours stops", describe(association)));
    }
    if (!rekey.agreed && rekey.rival) drop_pending(context, ike);
    rekey.key = DhKeyPair::generate(agreed.series.left.front(), context.random);
    rekey.agreed = agreed;
    const std::vector<Payload> payloads = follow_up_request(agreed.series, rekey.key);
    send_request(context, association, ike, ExchangeType::ike_followup_ke, payloads, std::move(rekey), context.settings.liveness_tries);
}

/// RFC 7296 §2.25.2: which request to rekey the IKE SA must wait.
bool must_wait(Association& association, const IkeSa& ike) {
    auto& established = *association.in<Established>();
    const auto* ours = association.ike->doing<RekeyingIke>();
    if (ours && ours->agreed) return true;  // beyond CREATE_CHILD_SA: it goes on
    return &ike != association.ike.get() || established.siblings.size() >= kSiblingsMax || successor_of(established) || association.ike->doing<RekeyingChild>() ||
           association.ike->doing<DeletingChild>();
}

}  // namespace

void start_ike_rekey(Context& context, Association& association) {
    IkeSa& ike = *association.ike;
    context.count("ike-rekeys");
    send_ike_rekey(context, association, ike,
                   {.spi = context.table.new_spi(context.random, association.id),
                    .nonce = fresh_nonce(context.random),
                    .key = DhKeyPair::generate(ike.suite.group, context.random),
                    .rival = {}});
}

void on_ike_rekey_response(Context& context, Association& association, IkeSa& ike, RekeyingIke rekey, const std::vector<Payload>& payloads) {
    if (const Notify* error = find_error(payloads)) return on_refused(context, association, ike, rekey, *error);
    const auto agreed = agreed_by(context, context.profile_of(association), rekey, payloads);
    if (!agreed) {
        context.table.forget_spi(rekey.spi);
        return end(context, association, DownReason::invalid_message, fmt::format("bad answer to our IKE rekey: {}", agreed.error()), Ending::farewell);
    }
    const KeyExchangeSeries& series = agreed->series;
    auto& established = *association.in<Established>();
    const bool is_current = &ike == association.ike.get(), collides = !is_current || has_rival(association, ike, rekey);
    if (collides && !rekey.agreed) context.count("ike-rekey-collisions");
    const bool loses = !is_current || (collides && lower_nonce(series.initiator_nonce, series.responder_nonce) < rekey.rival->lowest_nonce);
    if (!series.left.empty()) return go_on(context, association, ike, std::move(rekey), *agreed, loses);

    auto made = successor_to(ike, Role::initiator, agreed->terms.suite, {rekey.spi, agreed->terms.spi}, series);
    log_keys(context, *made);
    Sibling* rival = rekey.rival ? sibling_by_spi(established, rekey.rival->our_spi) : nullptr;
    if (loses) {
        context.log(Severity::info, fmt::format("ike {}: both ends rekeyed; ours is redundant", describe(association)));
        IkeSa& redundant = *made;
        established.siblings.push_back({Sibling::Standing::retired, std::move(made), context.now + context.peer_patience()});
        return send_delete(context, association, redundant);
    }
    if (rival) rival->standing = Sibling::Standing::retired, rival->give_up_at = context.now + context.peer_patience();
    send_delete(context, association, adopt(context, association, std::move(made), "us"));
}

void on_ike_rekey_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads) {
    if (must_wait(association, ike)) {
        context.count("answered-TEMPORARY_FAILURE");
        return send_refusal(context, ike, arrival, NotifyType::temporary_failure);
    }
    const auto* sa = find<SaPayload>(payloads);
    const auto* nonce = find<NoncePayload>(payloads);
    const auto* key_exchange = find<KeyExchange>(payloads);
    if (!nonce || !key_exchange) return send_refusal(context, ike, arrival, NotifyType::invalid_syntax);
    const Profile& profile = context.profile_of(association);
    const auto choice = choose_ike(*sa, profile.ike_proposals, key_exchange->group, true);
    if (!choice || choice->spi == 0) {
        context.log(Severity::warning, fmt::format("ike {}: rekeying refused: peer offered {}; we accept {}", describe(association), describe_offer(*sa),
                                                   describe_suites(profile.ike_proposals)));
        return send_refusal(context, ike, arrival, NotifyType::no_proposal_chosen);
    }
    if (choice->suite.group != key_exchange->group) {
        context.count("invalid-ke-sent");
        return send_refusal(context, ike, arrival, NotifyType::invalid_ke_payload, group_data(choice->suite.group));
    }
    const Group group = choice->suite.group;
    const auto answer = context.ask(KeyResponse{group, DhKeyPair::draw(group, context.random), key_exchange->data});
    if (!answer) return send_refusal(context, ike, arrival, NotifyType::invalid_syntax);

    const PendingIke next{*choice, context.table.new_spi(context.random, association.id)};
    KeyExchangeSeries series{.left = in_order(choice->suite.additional),
                             .initiator_nonce = nonce->data,
                             .responder_nonce = fresh_nonce(context.random),
                             .shared_secret = answer->shared_secret};
    if (auto* ours = ike.doing<RekeyingIke>()) ours->rival = RekeyingIke::Rival{next.spi, lower_nonce(series.initiator_nonce, series.responder_nonce)};
    std::vector<Payload> response{answer_ike(*choice, next.spi), NoncePayload{series.responder_nonce}, KeyExchange{group, answer->public_value}};
    drop_pending(context, ike);
    if (series.left.empty()) make_answered_ike(context, association, ike, next, series);
    else response.emplace_back(await_follow_up(context, ike, std::move(series), next));
    send_response(context, ike, arrival, response);
}

void make_answered_ike(Context& context, Association& association, IkeSa& ike, const PendingIke& next, const KeyExchangeSeries& series) {
    auto made = successor_to(ike, Role::responder, next.choice.suite, {next.choice.spi, next.spi}, series);
    log_keys(context, *made);
    association.in<Established>()->siblings.push_back({Sibling::Standing::successor, std::move(made), TimePoint::max()});
}

void promote_successor(Context& context, Association& association) {
    auto& established = *association.in<Established>();
    const auto found = std::ranges::find(established.siblings, Sibling::Standing::successor, &Sibling::standing);
    if (found == established.siblings.end()) return;
    auto next = std::move(found->ike);
    established.siblings.erase(found);
    adopt(context, association, std::move(next), "the peer");
}

void note_use(Context& context, Association& association, const IkeSa& ike) {
    const Sibling* successor = successor_of(*association.in<Established>());
    if (successor && successor->ike.get() == &ike) promote_successor(context, association);
}

}  // namespace nave::ike
