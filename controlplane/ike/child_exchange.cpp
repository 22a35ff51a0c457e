// Rekeying of child SAs, its collisions and refusals.
#include "controlplane/ike/child_exchange.hpp"

#include "controlplane/ike/children.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/follow_up.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

// Of one association, beside those of single resources; rekeying leaves a few for some seconds.
constexpr std::size_t kChildrenMax = 8;
constexpr std::size_t kInboundMax = 16;  // with those that are replaced or drain: each holds a slot that all peers share
constexpr int kChildRestartsMax = 2;          // with another group

Bytes spi_bytes(Spi spi) {
    ByteWriter out;
    out.u32(spi.value);
    return out.take();
}

std::optional<Spi> allocate(Context& context, std::optional<ResourceId> resource) { return resource ? context.spis.allocate_for(*resource) : context.spis.allocate(); }

/// `old`: what it replaces; null for the first child SA of a resource.
void send_child_request(Context& context, Association& association, const ChildSa* old, RekeyingChild rekey) {
    std::vector<Payload> payloads;
    if (old) payloads.emplace_back(Notify{.type = NotifyType::rekey_sa, .protocol = Protocol::esp, .spi = spi_bytes(old->inbound)});
    if (rekey.resource) payloads.emplace_back(resource_notify());
    const auto sa = static_cast<std::ptrdiff_t>(payloads.size());
    append_child_offer(payloads, association, context.profile_of(association), rekey.inbound, ChildExchange::create_child_sa);
    const auto behind_sa = payloads.insert(payloads.begin() + sa + 1, NoncePayload{rekey.nonce}) + 1;
    if (rekey.key) payloads.insert(behind_sa, KeyExchange{rekey.key->group(), rekey.key->public_value()});
    send_request(context, association, *association.ike, ExchangeType::create_child_sa, payloads, std::move(rekey), context.settings.liveness_tries);
}

/// With another group that we offer too; true if the request is on its way again.
bool restart(Context& context, Association& association, RekeyingChild& rekey, const Notify& invalid_ke) {
    const auto group = group_from(invalid_ke);
    const auto& suites = context.profile_of(association).esp_proposals;
    const ChildSa* old = child_by_id(*association.in<Established>(), rekey.old);
    if (!group || (!old && rekey.old != ChildId{}) || ++rekey.restarts > kChildRestartsMax || std::ranges::find(suites, group, &EspProposal::group) == suites.end()) return false;
    rekey.key = DhKeyPair::generate(*group, context.random);
    context.count("invalid-ke-received");
    send_child_request(context, association, old, std::move(rekey));
    return true;
}

void on_refused(Context& context, Association& association, RekeyingChild& rekey, const Notify& error) {
    if (error.type == NotifyType::invalid_ke_payload && !rekey.agreed && restart(context, association, rekey, error)) return;
    context.spis.release(rekey.inbound);
    context.count(fmt::format("rekey-refused-{}", to_string(error.type)));
    if (is_forgotten_too_often(context, association, error)) return;
    if (rekey.old == ChildId{}) return on_resource_refused(context, association, error);
    ChildSa* old = child_by_id(*association.in<Established>(), rekey.old);
    if (!old || !old->is_live()) return end_if_childless(context, association);  // replaced or deleted meanwhile: nothing to do
    if (error.type == NotifyType::child_sa_not_found) {
        context.log(Severity::warning, fmt::format("child {}: the peer does not know SPI {:08x} any more", describe(association), old->inbound.value));
        remove_child(context, association, rekey.old);
        return end_if_childless(context, association);
    }
    old->rekey_at = context.now + retry_pause(context, error.type);
    context.log(Severity::warning, fmt::format("child {}: rekeying was refused: {}", describe(association), advice(error.type)));
}

/// The key exchange of an answer to ours; an empty secret without PFS; nothing if it does not fit.
std::optional<Secret> pfs_secret(const Context& context, const RekeyingChild& rekey, const ChildTerms& terms, const KeyExchange* answer) {
    if (!terms.choice.suite.group) return Secret{};
    if (!rekey.key || !answer || answer->group != rekey.key->group() || terms.choice.suite.group != rekey.key->group()) return std::nullopt;
    auto secret = context.ask(KeyAgreement{*rekey.key, answer->data});
    return secret ? std::optional{std::move(*secret)} : std::nullopt;
}

/// What we and the peer agree on by this answer, to CREATE_CHILD_SA or to a key exchange behind it; in words what is wrong with it.
std::expected<Agreed<ChildTerms>, std::string> agreed_by(const Context& context, const Association& association, const RekeyingChild& rekey,
                                                         const std::vector<Payload>& payloads) {
    if (rekey.agreed) {
        auto series = advanced(context, rekey.agreed->series, *rekey.key, payloads);
        if (!series) return std::unexpected{series.error()};
        return Agreed<ChildTerms>{rekey.agreed->terms, std::move(*series)};
    }
    const auto* nonce = find<NoncePayload>(payloads);
    const auto terms = accept_child(association, context.profile_of(association), payloads, ChildExchange::create_child_sa);
    if (!terms) return std::unexpected{terms.error().reason};
    const auto secret = nonce ? pfs_secret(context, rekey, *terms, find<KeyExchange>(payloads)) : std::nullopt;
    if (!secret) return std::unexpected{std::string{"nonce or key exchange is missing or wrong"}};
    auto series = linked({.left = in_order(terms->choice.suite.additional), .initiator_nonce = rekey.nonce, .responder_nonce = nonce->data, .shared_secret = *secret}, payloads);
    if (!series) return std::unexpected{series.error()};
    return Agreed<ChildTerms>{*terms, std::move(*series)};
}

/// The peer's exchange for the same old child SA is pending.
bool is_pending(const IkeSa& ike, ChildId old) {
    const auto* child = ike.pending ? std::get_if<PendingChild>(&ike.pending->made) : nullptr;
    return child && child->old == old;
}

/// Against the peer's exchange for the same old child SA: the one with the lowest of four nonces is redundant (RFC 7296 §2.8.1).
bool loses(const RekeyingChild& rekey, const Bytes& lowest) { return lowest < rekey.rival->lowest_nonce; }

/// Both ends asked for the pair of a resource at once, and `made` of ours is the second one: the association's initiator keeps its own.
bool is_redundant(const Association& association, ChildId made, const RekeyingChild& rekey) {
    return rekey.old == ChildId{} && !association.initiator && std::ranges::any_of(association.in<Established>()->children, [&](const ChildSa& child) {
        return child.id != made && child.resource == rekey.resource && child.is_live();
    });
}

/// Ours is made. Against a rival of the same old child SA, the one with the lowest of four nonces is redundant and its initiator deletes
/// it; the initiator of the other one deletes the old (RFC 7296 §2.8.1).
void settle_rekey(Context& context, Association& association, const RekeyingChild& rekey, ChildId made, const Bytes& lowest) {
    auto& established = *association.in<Established>();
    if (is_redundant(association, made, rekey)) {
        child_by_id(established, made)->state = Doomed{};
        return context.log(Severity::info, fmt::format("child {}: both ends made the SA of a resource; ours is redundant", describe(association)));
    }
    established.forgotten = 0;
    ChildSa* rival = rekey.rival ? child_by_id(established, rekey.rival->child) : nullptr;
    const bool has_rival = rival || (rekey.rival && is_pending(*association.ike, rekey.old));
    if (has_rival) context.count("child-rekey-collisions");
    if (has_rival && loses(rekey, lowest)) {
        child_by_id(established, made)->state = Doomed{};
        return context.log(Severity::info, fmt::format("child {}: both ends rekeyed; ours is redundant", describe(association)));
    }
    use_outbound(context, association, *child_by_id(established, made));
    if (ChildSa* old = child_by_id(established, rekey.old)) old->state = Doomed{};
    if (rival) rival->state = Replaced{made, context.now + context.peer_patience()};
    else if (has_rival) drop_pending(context, *association.ike);
}

/// Key exchanges are left. Where both ends rekey, one of them stops here, as nothing is made yet that it could delete (RFC 9370 §2.2.4).
void go_on(Context& context, Association& association, RekeyingChild rekey, const Agreed<ChildTerms>& agreed) {
    IkeSa& ike = *association.ike;
    const bool has_rival = rekey.rival && (is_pending(ike, rekey.old) || child_by_id(*association.in<Established>(), rekey.rival->child));
    const bool is_first = !rekey.agreed;
    if (is_first && has_rival) context.count("child-rekey-collisions");
    if (is_first && has_rival && loses(rekey, lower_nonce(agreed.series.initiator_nonce, agreed.series.responder_nonce))) {
        context.spis.release(rekey.inbound);
        return context.log(Severity::info, fmt::format("child {}: both ends rekey; ours stops", describe(association)));
    }
    if (has_rival && is_pending(ike, rekey.old)) drop_pending(context, ike);
    rekey.key = DhKeyPair::generate(agreed.series.left.front(), context.random);
    rekey.agreed = agreed;
    const std::vector<Payload> payloads = follow_up_request(agreed.series, *rekey.key);
    send_request(context, association, ike, ExchangeType::ike_followup_ke, payloads, std::move(rekey), context.settings.liveness_tries);
}

struct Made {
    ChildTerms terms;
    std::optional<KeyResponse::Answer> key_exchange;
    Spi inbound;
};

/// What we answer to a request for a child SA, or why not.
std::expected<Made, Refusal> agree(Context& context, const Association& association, const std::vector<Payload>& payloads, std::optional<ResourceId> resource) {
    auto terms = choose_child(association, context.profile_of(association), payloads, ChildExchange::create_child_sa);
    if (!terms) return std::unexpected{terms.error()};
    Made made{.terms = *terms, .key_exchange = {}, .inbound = {}};
    if (const auto group = terms->choice.suite.group) {
        auto answer = context.ask(KeyResponse{*group, DhKeyPair::draw(*group, context.random), find<KeyExchange>(payloads)->data});
        if (!answer) return std::unexpected{Refusal{NotifyType::invalid_syntax, fmt::format("the peer's key exchange is wrong: {}", name(answer.error()))}};
        made.key_exchange = std::move(*answer);
    }
    const auto inbound = allocate(context, resource);
    if (!inbound) return std::unexpected{Refusal{NotifyType::no_additional_sas, "no inbound SPI is left for another SA"}};
    made.inbound = *inbound;
    return made;
}

RekeyingChild request_for(Context& context, const Association& association, ChildId old, Spi inbound, std::optional<ResourceId> resource) {
    RekeyingChild request{.old = old, .inbound = inbound, .nonce = fresh_nonce(context.random), .key = {}, .rival = {}, .resource = resource};
    if (const auto group = pfs_group(context.profile_of(association))) request.key = DhKeyPair::generate(*group, context.random);
    return request;
}

/// For whom the peer's request is: for the resource of what it replaces, for the next one, or for all, who come first.
std::optional<ResourceId> resource_for(const Established& established, const ChildSa* old, std::span<const Payload> payloads) {
    if (old) return old->resource;
    const bool is_first = std::ranges::all_of(established.children, [](const ChildSa& child) { return child.resource.has_value(); });
    return !is_first && find_notify(payloads, NotifyType::sa_resource_info) ? free_resource(established, kResourcesMax) : std::nullopt;
}

/// Both ends ask for the pair of a resource at once: the association's initiator has its way. See is_redundant() for the case that its
/// answer was faster than the peer's request.
bool crosses_ours(Association& association, bool wants_resource) {
    const auto* ours = association.ike->doing<RekeyingChild>();
    return wants_resource && association.initiator && ours && ours->old == ChildId{};
}

/// Ours for the same purpose is beyond CREATE_CHILD_SA: it goes on.
bool comes_too_late(Association& association, const ChildSa* old, bool wants_resource) {
    const auto* ours = association.ike->doing<RekeyingChild>();
    return ours && ours->agreed && (old ? ours->old == old->id : wants_resource && ours->old == ChildId{});
}

/// Which error a request meets whatever it offers (RFC 7296 §2.25); nothing if it may go on.
std::optional<Notify> obstacle(Association& association, const IkeSa& ike, const Notify* rekey_sa, const ChildSa* old, bool wants_resource) {
    auto& established = *association.in<Established>();
    if (&ike != association.ike.get() || successor_of(established) || association.ike->doing<RekeyingIke>()) return Notify{.type = NotifyType::temporary_failure};
    if (rekey_sa && !old) return Notify{.type = NotifyType::child_sa_not_found, .protocol = Protocol::esp, .spi = rekey_sa->spi};
    if (crosses_ours(association, wants_resource) || comes_too_late(association, old, wants_resource)) return Notify{.type = NotifyType::temporary_failure};
    if (old && !old->is_live()) return Notify{.type = NotifyType::temporary_failure};
    const auto of_resources = static_cast<std::size_t>(std::ranges::count_if(established.children, [](const ChildSa& child) { return child.resource && child.is_live(); }));
    if (established.children.size() + established.draining.size() >= kInboundMax + of_resources) return Notify{.type = NotifyType::temporary_failure};
    if (wants_resource && !free_resource(established, kResourcesMax)) return Notify{.type = NotifyType::ts_max_queue};
    if (!old && !wants_resource && established.children.size() >= kChildrenMax + of_resources) return Notify{.type = NotifyType::no_additional_sas};
    return std::nullopt;
}

ChildSa* named_child(Established& established, const Notify* rekey_sa) {
    if (!rekey_sa || rekey_sa->protocol != Protocol::esp || rekey_sa->spi.size() != 4) return nullptr;
    return child_by_outbound(established, Spi{ByteReader{rekey_sa->spi}.u32()});
}

}  // namespace

Duration retry_pause(Context& context, NotifyType refusal) {
    using std::chrono::seconds;
    if (refusal == NotifyType::temporary_failure || refusal == NotifyType::state_not_found) return context.between(seconds{1}, seconds{3});
    return context.between(seconds{10}, seconds{30});
}

void start_child_rekey(Context& context, Association& association, ChildSa& child) {
    const auto inbound = allocate(context, child.resource);
    if (!inbound) {
        context.count("limit-spis");
        context.log(Severity::warning, fmt::format("child {}: rekeying is put off: no inbound SPI is left", describe(association)));
        child.rekey_at = context.now + retry_pause(context, NotifyType::no_additional_sas);
        return;
    }
    context.count("child-rekeys");
    send_child_request(context, association, &child, request_for(context, association, child.id, *inbound, child.resource));
}

void start_resource_child(Context& context, Association& association, ResourceId resource) {
    const auto inbound = context.spis.allocate_for(resource);
    if (!inbound) {
        context.count("limit-spis");
        association.in<Established>()->resources_at = context.now + retry_pause(context, NotifyType::no_additional_sas);
        return;
    }
    context.count("resource-children");
    send_child_request(context, association, nullptr, request_for(context, association, ChildId{}, *inbound, resource));
}

void on_child_rekey_response(Context& context, Association& association, RekeyingChild rekey, const std::vector<Payload>& payloads) {
    if (const Notify* error = find_error(payloads)) return on_refused(context, association, rekey, *error);
    const auto agreed = agreed_by(context, association, rekey, payloads);
    if (!agreed) {
        // The peer may hold a child SA that we cannot name or use: only ending the IKE SA makes both ends agree again.
        context.spis.release(rekey.inbound);
        return end(context, association, DownReason::invalid_message, fmt::format("bad answer to a child rekey: {}", agreed.error()), Ending::farewell);
    }
    const KeyExchangeSeries& series = agreed->series;
    if (!series.left.empty()) return go_on(context, association, std::move(rekey), *agreed);
    const ChildId made = install_child(context, association,
                                       {.inbound = rekey.inbound, .terms = agreed->terms, .role = Role::initiator, .exchanges = series, .resource = rekey.resource});
    settle_rekey(context, association, rekey, made, lower_nonce(series.initiator_nonce, series.responder_nonce));
}

void on_create_child_request(Context& context, Association& association, IkeSa& ike, const Arrival& arrival, const std::vector<Payload>& payloads) {
    auto& established = *association.in<Established>();
    const auto* nonce = find<NoncePayload>(payloads);
    if (!nonce) {
        context.count("malformed-inside");
        return send_refusal(context, ike, arrival, NotifyType::invalid_syntax);
    }
    const Notify* rekey_sa = find_notify(payloads, NotifyType::rekey_sa);
    const ChildSa* old = named_child(established, rekey_sa);
    if (auto error = obstacle(association, ike, rekey_sa, old, !old && find_notify(payloads, NotifyType::sa_resource_info))) {
        context.count(fmt::format("answered-{}", to_string(error->type)));
        return send_response(context, ike, arrival, {std::move(*error)});
    }
    const auto resource = resource_for(established, old, payloads);
    auto made = agree(context, association, payloads, resource);
    if (!made) {
        context.count(fmt::format("answered-{}", to_string(made.error().type)));
        context.log(Severity::warning, fmt::format("child {}: refused: {}", describe(association), made.error().reason));
        return send_refusal(context, ike, arrival, made.error().type, made.error().data);
    }
    const PendingChild child{made->terms, made->inbound, old ? old->id : ChildId{}, resource};
    KeyExchangeSeries series{.left = in_order(made->terms.choice.suite.additional),
                             .initiator_nonce = nonce->data,
                             .responder_nonce = fresh_nonce(context.random),
                             .shared_secret = made->key_exchange ? made->key_exchange->shared_secret : Secret{}};
    if (auto* ours = ike.doing<RekeyingChild>(); ours && old && child.old == ours->old)
        ours->rival = RekeyingChild::Rival{ChildId{}, lower_nonce(series.initiator_nonce, series.responder_nonce)};

    std::vector<Payload> answer;
    append_child_answer(answer, made->terms, made->inbound);
    auto behind_sa = answer.insert(answer.begin() + 1, NoncePayload{series.responder_nonce}) + 1;
    if (made->key_exchange) answer.insert(behind_sa, KeyExchange{*made->terms.choice.suite.group, made->key_exchange->public_value});
    if (resource) answer.emplace_back(resource_notify());
    if (series.left.empty()) return make_answered_child(context, association, ike, child, series, arrival, answer);
    answer.emplace_back(await_follow_up(context, ike, std::move(series), child));
    send_response(context, ike, arrival, answer);
}

void make_answered_child(Context& context, Association& association, IkeSa& ike, const PendingChild& child, const KeyExchangeSeries& series, const Arrival& arrival,
                         const std::vector<Payload>& answer) {
    auto& established = *association.in<Established>();
    const ChildId id = install_child(context, association,
                                     {.inbound = child.inbound, .terms = child.terms, .role = Role::responder, .exchanges = series, .resource = child.resource});
    if (ChildSa* old = child_by_id(established, child.old); old && old->is_live()) old->state = Replaced{id, context.now + context.peer_patience()};
    auto* ours = ike.doing<RekeyingChild>();
    if (ours && ours->rival && child.old == ours->old) ours->rival->child = id;
    send_response(context, ike, arrival, answer);
    // The first one of an association that began without (RFC 6023): as after IKE_AUTH, waiting for its use would lose all packets.
    if (child.old == ChildId{} && std::ranges::none_of(established.children, &ChildSa::outbound_installed)) use_outbound(context, association, *child_by_id(established, id));
}

}  // namespace nave::ike
