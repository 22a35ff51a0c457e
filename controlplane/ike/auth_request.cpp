// Composing the initiator's IKE_AUTH request.
#include "controlplane/ike/auth_request.hpp"

#include "controlplane/ike/child_negotiation.hpp"
#include "controlplane/ike/duplicates.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/resumption.hpp"

namespace nave::ike {

OwnProof prove_ourselves(const Context& context, const Association& association, const ProofBasis& basis) {
    const IdentificationPayload id{.role = Role::initiator, .identity = context.profile_of(association).local};
    const AuthInput input{basis.first_message, basis.peer_nonce, &id, basis.intermediate};
    OwnProof proof{.payloads = proof_by(context, basis.means, keys_with(basis.keys, basis.ppk), Role::initiator, input)};
    if (!basis.ppk || basis.ppk->required) return proof;
    const std::vector<Payload> without = proof_by(context, basis.means, basis.keys, Role::initiator, input);
    proof.without_ppk = find<AuthPayload>(without)->data;
    return proof;
}

void send_auth(Context& context, Association& association, const AwaitingAuthResponse& awaiting, const OwnProof& proof) {
    const Profile& profile = context.profile_of(association);
    IkeSa& ike = *association.ike;
    const auto& expected = association.requests.front().expected;
    std::vector<Payload> payloads{IdentificationPayload{.role = Role::initiator, .identity = profile.local}};
    if (is_first_contact(context, association)) payloads.emplace_back(Notify{.type = NotifyType::initial_contact});
    if (const auto wanted = expected ? expected->exact() : std::nullopt)
        payloads.emplace_back(IdentificationPayload{.role = Role::responder, .identity = *wanted});
    append_requests(payloads, {&profile, 1});
    payloads.insert(payloads.end(), proof.payloads.begin(), proof.payloads.end());
    if (awaiting.ppk) append_ppk_offer(payloads, *awaiting.ppk, proof.without_ppk);
    append_child_offer(payloads, association, profile, awaiting.inbound, ChildExchange::ike_auth);
    if (is_resumable(association)) payloads.emplace_back(Notify{.type = NotifyType::ticket_request});
    send_request(context, association, ike, ExchangeType::ike_auth, payloads, Initial{}, context.settings.retransmit_tries);
}

}  // namespace nave::ike
