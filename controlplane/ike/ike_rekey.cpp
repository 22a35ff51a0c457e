// Rekeying of the IKE SA, its collisions and refusals.
#include "controlplane/ike/ike_rekey.hpp"

#include "controlplane/ike/child_exchange.hpp"
#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/exchange.hpp"
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
    if (error.type == NotifyType::invalid_ke_payload && restart(context, association, ike, rekey, error)) return;
    context.table.forget_spi(rekey.spi);
    context.count(fmt::format("rekey-refused-{}", to_string(error.type)));
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
    context.count("ike-rekeyed");
    context.log(Severity::info, fmt::format("ike {}: established -> established: rekeyed by {} with {}", describe(association), whose, to_string(next->suite)));
    std::swap(association.ike, next);
    IkeSa& old = *next;
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

/// The IKE SA that our exchange made of `old`; nothing if the answer does not fit.
std::unique_ptr<IkeSa> made_by_us(const Context& context, const IkeSa& old, const Profile& profile, const RekeyingIke& rekey, const std::vector<Payload>& payloads) {
    const auto* sa = find<SaPayload>(payloads);
    const auto* nonce = find<NoncePayload>(payloads);
    const auto* key_exchange = find<KeyExchange>(payloads);
    if (!sa || !nonce || !key_exchange) return nullptr;
    const auto choice = accept_ike(*sa, profile.ike_proposals, true);
    if (!choice || choice->spi == 0 || choice->suite.group != rekey.key.group() || key_exchange->group != rekey.key.group()) return nullptr;
    const auto secret = context.ask(KeyAgreement{rekey.key, key_exchange->data});
    if (!secret) return nullptr;
    auto made = std::make_unique<IkeSa>();
    made->role = Role::initiator;
    made->initiator_spi = rekey.spi;
    made->responder_spi = choice->spi;
    made->suite = choice->suite;
    made->fragments = old.fragments;
    const SessionSeed seed{choice->suite, rekey.nonce, nonce->data, rekey.spi, choice->spi};
    made->keys = derive_session_keys(seed, rekey_skeyseed(old.keys, seed, *secret));
    return made;
}

/// RFC 7296 §2.25.2: which request to rekey the IKE SA must wait.
bool must_wait(Association& association, const IkeSa& ike) {
    auto& established = *association.in<Established>();
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
    auto made = made_by_us(context, ike, context.profile_of(association), rekey, payloads);
    if (!made) {
        context.table.forget_spi(rekey.spi);
        return end(context, association, DownReason::invalid_message, "the answer to our IKE rekey is not what we asked for", Ending::farewell);
    }
    log_keys(context, *made);
    auto& established = *association.in<Established>();
    Sibling* rival = rekey.rival ? sibling_by_spi(established, rekey.rival->our_spi) : nullptr;
    const bool is_current = &ike == association.ike.get();
    if (rival || !is_current) context.count("ike-rekey-collisions");
    const auto* nonce = find<NoncePayload>(payloads);
    const bool loses = !is_current || (rival && lower_nonce(rekey.nonce, nonce->data) < rekey.rival->lowest_nonce);
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

    auto made = std::make_unique<IkeSa>();
    made->role = Role::responder;
    made->initiator_spi = choice->spi;
    made->responder_spi = context.table.new_spi(context.random, association.id);
    made->suite = choice->suite;
    made->fragments = ike.fragments;
    const Bytes our_nonce = fresh_nonce(context.random);
    const SessionSeed seed{choice->suite, nonce->data, our_nonce, made->initiator_spi, made->responder_spi};
    made->keys = derive_session_keys(seed, rekey_skeyseed(ike.keys, seed, answer->shared_secret));
    log_keys(context, *made);
    if (auto* ours = ike.doing<RekeyingIke>()) ours->rival = RekeyingIke::Rival{made->responder_spi, lower_nonce(nonce->data, our_nonce)};
    send_response(context, ike, arrival, {answer_ike(*choice, made->responder_spi), NoncePayload{our_nonce}, KeyExchange{group, answer->public_value}});
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
