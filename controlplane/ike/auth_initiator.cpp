// The initiator's end of IKE_AUTH: who answered, and with which child SA.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/children.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/words.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

DownReason reason_of(NotifyType type) {
    switch (type) {
    case NotifyType::authentication_failed: return DownReason::authentication_failed;
    case NotifyType::no_proposal_chosen: return DownReason::no_proposal_chosen;
    default: return DownReason::refused_by_peer;
    }
}

/// The PPK that the responder takes; its answer is authenticated by the keys that follow from it.
const Ppk* accepted_ppk(const AwaitingAuthResponse& awaiting, const std::vector<Payload>& payloads) {
    return find_notify(payloads, NotifyType::ppk_identity) ? awaiting.ppk : nullptr;
}

/// By what the responder is whom we want, or in words why it is not.
std::expected<Proven, std::string> judge(const Context& context, const Association& association, const AwaitingAuthResponse& awaiting,
                                         const IdentificationPayload& id, const std::vector<Payload>& payloads, const Ppk* ppk) {
    const Profile& profile = context.profile_of(association);
    const auto& expected = association.requests.front().expected;
    const std::string peer = id.identity.to_string();
    const auto distrust = [](std::string why) { return std::unexpected{std::move(why)}; };
    if (expected && !expected->matches(id.identity)) return distrust(fmt::format("expected {}, but the peer is {}", expected->text(), peer));
    const AuthPayload& auth = *find<AuthPayload>(payloads);
    const Bytes intermediate = awaiting.intermediate.octets(association.ike->next_request_id - 1);
    const AuthInput input{awaiting.answer.message, awaiting.nonce, &id, intermediate};
    const SessionKeys keys = keys_with(association.ike->keys, ppk);
    std::expected<Proven, std::string> proven = Proven{"pre-shared key"};
    if (is_signature(auth.method)) {
        proven = prove_responder(context, profile, keys, input, payloads);
        if (!proven) return distrust(fmt::format("{} does not prove that it is: {}", peer, proven.error()));
    } else {
        const PreSharedKey* key = key_for(profile, id.identity);
        if (!key) return distrust(fmt::format("no key of profile '{}' is for {}, which is who the peer says it is", profile.name, peer));
        if (auth.method != AuthMethod::shared_key) return distrust(fmt::format("{} authenticates by another method than a pre-shared key or a certificate", peer));
        if (!verify_shared_key_auth(keys, Role::responder, key->key, input, auth.data))
            return distrust(fmt::format("wrong pre-shared key for {}: compare the key for '{}' in profile '{}' with the peer's", peer, key->remote.text(), profile.name));
    }
    if (auto why = distrust_ppk(profile, id.identity, ppk)) return distrust(std::move(*why));
    if (auto why = misplaced(profile, id.identity, association.remote.address)) return distrust(std::move(*why));
    proven->ppk = ppk;
    return proven;
}

}  // namespace

void establish(Context& context, Association& association, const FirstExchange& first, const Identity& peer, const ChildTerms& terms, const Proven& proven) {
    association.ike->keys = keys_after(association.ike->keys, proven);
    Established established{.peer = peer,
                            .certificates = proven.certificates,
                            .ppk = proven.ppk,
                            .lowest_nonce = lower_nonce(first.nonce, first.peer_nonce),
                            .began_at = context.now,
                            .established_at = context.now,
                            .heard_at = context.now};
    come_up(context, association, std::move(established), fmt::format("authenticated {} by {}{}", peer.to_string(), proven.means, in_words(proven.ppk)));
    const ChildId child = install_child(context, association,
                                        {.inbound = first.inbound,
                                         .terms = terms,
                                         .role = Role::initiator,
                                         .exchanges = {.initiator_nonce = first.nonce, .responder_nonce = first.peer_nonce}});
    use_outbound(context, association, *child_by_id(*association.in<Established>(), child));
}

void on_auth_response(Context& context, Association& association, const std::vector<Payload>& payloads) {
    const auto& awaiting = *association.in<AwaitingAuthResponse>();
    const auto* id = find<IdentificationPayload>(payloads, Role::responder);
    const auto* auth = find<AuthPayload>(payloads);
    const Notify* error = find_error(payloads);
    const bool is_refused = !auth && error;
    const Ppk* ppk = accepted_ppk(awaiting, payloads);
    std::expected<Proven, std::string> proven;
    if (id && auth) proven = judge(context, association, awaiting, *id, payloads, ppk);
    // What looks wrong may be an IKE_SA_INIT that somebody altered on its way: the genuine answer gets its chance.
    if ((is_refused || !proven) && try_next_answer(context, association)) return;
    if (is_refused) {
        context.count(to_string(error->type));
        return fail_attempt(context, association, reason_of(error->type), advice(error->type));
    }
    if (!id || !auth) return fail_attempt(context, association, DownReason::invalid_message, "the peer's IKE_AUTH response lacks IDr or AUTH", Closing{});
    if (!proven) {
        context.count("authentication-failed");
        return fail_attempt(context, association, DownReason::authentication_failed, proven.error(), Closing{NotifyType::authentication_failed});
    }
    if (error) return fail_attempt(context, association, DownReason::no_child, fmt::format("authenticated, but no child SA: {}", advice(error->type)), Closing{});
    const auto terms = accept_child(association, context.profile_of(association), payloads, ChildExchange::ike_auth);
    if (!terms) return fail_attempt(context, association, DownReason::no_child, fmt::format("authenticated, but no child SA: {}", terms.error().reason), Closing{});
    const Ppk* wanted = awaiting.ppk;
    const FirstExchange first{.nonce = awaiting.nonce, .peer_nonce = awaiting.peer_nonce, .inbound = awaiting.inbound};
    establish(context, association, first, settled(id->identity), *terms, *proven);
    if (wanted && !proven->ppk)
        context.log(Severity::warning, fmt::format("ike {}: established without PPK: the peer does not have '{}' for us", describe(association), wanted->id));
    take_ticket(context, association, *association.ike, payloads);
    note_resources(context, association, payloads);
}

}  // namespace nave::ike
