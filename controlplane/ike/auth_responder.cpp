// The responder's end of IKE_AUTH: who asks, by which key, for which child SA.
#include "controlplane/ike/authentication.hpp"
#include "controlplane/ike/children.hpp"
#include "controlplane/ike/duplicates.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/resources.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/revocation.hpp"

#include <fmt/format.h>

namespace nave::ike {
namespace {

/// Refuses and lingers, so that a repeated request is told the same.
void refuse(Context& context, Association& association, const Arrival& arrival, NotifyType type, DownReason reason, std::string why) {
    send_refusal(context, *association.ike, arrival, type);
    fail_attempt(context, association, reason, std::move(why), Lingering{context.now + kLinger});
}

/// By what the initiator is who it says it is, and which of the messages that came in its name is its own.
struct Proof {
    KeyChoice choice;
    const Datagram* request;
    Proven proven;
};

/// In words why there is no proof. An unknown identity costs the same computation
/// and gets the same answer as a wrong key, so that nobody can ask which identities we know.
std::expected<Proof, std::string> authenticate_by_key(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting, const IdentificationPayload& id,
                                                      const AuthPayload& auth, const IdentificationPayload* wanted, const std::vector<Payload>& payloads) {
    const auto choice = choose_profile(context.settings.profiles, ike.suite, id.identity, wanted ? &wanted->identity : nullptr);
    const auto ppk = choice ? choose_ppk(context.settings.profiles[choice->profile.value], awaiting.may_use_ppk, id.identity, payloads)
                            : std::expected<PpkChoice, std::string>{PpkChoice{nullptr, auth.data}};
    const SessionKeys keys = keys_with(ike.keys, ppk ? ppk->ppk : nullptr);
    static constexpr std::uint8_t kNoKey[32] = {};
    const Secret key = choice ? choice->key->key : Secret{ByteView{kNoKey}};
    const Bytes intermediate = awaiting.intermediate.octets(ike.expected_request_id);
    const Datagram* genuine = nullptr;
    for (const Datagram& each : awaiting.asked)
        if (verify_shared_key_auth(keys, Role::initiator, key, {each.message, awaiting.nonce, &id, intermediate}, ppk ? ppk->auth : ByteView{auth.data})) genuine = &each;
    const std::string peer = id.identity.to_string();
    if (!choice) return std::unexpected{fmt::format("no pre-shared key is configured for {}: add one whose identity matches it", peer)};
    if (auth.method != AuthMethod::shared_key) return std::unexpected{fmt::format("{} authenticates by another method than a pre-shared key or a certificate", peer)};
    if (!ppk) return std::unexpected{ppk.error()};
    if (genuine) return Proof{*choice, genuine, {.means = "pre-shared key", .ppk = ppk->ppk}};
    return std::unexpected{fmt::format("wrong pre-shared key{} for {}: compare the key for '{}' in profile '{}' with the peer's",
                                       ppk->ppk ? fmt::format(" or wrong PPK '{}'", ppk->ppk->id) : "", peer, choice->key->remote.text(),
                                       context.settings.profiles[choice->profile.value].name)};
}

std::expected<Proof, std::string> authenticate_by_certificate(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting, const IdentificationPayload& id,
                                                              const IdentificationPayload* wanted, const std::vector<Payload>& payloads) {
    const auto proof = prove_initiator(context, ike, awaiting, id, wanted ? &wanted->identity : nullptr, payloads);
    if (!proof) return std::unexpected{fmt::format("{} does not prove that it is: {}", id.identity.to_string(), proof.error())};
    return Proof{{proof->profile, nullptr}, proof->request, proof->proven};
}

std::expected<Proof, std::string> authenticate_by_ticket(const Context& context, const Association& association, const Arrival& arrival, const AwaitingAuthRequest& awaiting,
                                                         const IdentificationPayload& id, const AuthPayload& auth) {
    auto proof = prove_by_ticket(context, *association.ike, awaiting, id, auth);
    if (!proof) return std::unexpected{std::move(proof.error())};
    if (auto why = misplaced(context.settings.profiles[proof->profile.value], id.identity, arrival.remote.address)) return std::unexpected{std::move(*why)};
    return Proof{{proof->profile, nullptr}, &awaiting.asked.front(), std::move(proof->proven)};
}

std::expected<Proof, std::string> authenticate(const Context& context, const Association& association, const Arrival& arrival, const AwaitingAuthRequest& awaiting,
                                               const IdentificationPayload& id, const std::vector<Payload>& payloads) {
    const auto& auth = *find<AuthPayload>(payloads);
    const auto* wanted = find<IdentificationPayload>(payloads, Role::responder);
    if (awaiting.ticket) return authenticate_by_ticket(context, association, arrival, awaiting, id, auth);
    auto proof = is_signature(auth.method) ? authenticate_by_certificate(context, *association.ike, awaiting, id, wanted, payloads)
                                           : authenticate_by_key(context, *association.ike, awaiting, id, auth, wanted, payloads);
    if (!proof) return proof;
    if (auto why = misplaced(context.settings.profiles[proof->choice.profile.value], id.identity, arrival.remote.address)) return std::unexpected{std::move(*why)};
    return proof;
}

/// What we answer with, once the initiator is proven.
std::expected<Means, std::string> means_for(const Context& context, const Proof& proof, const Identity& initiator, const std::vector<Payload>& payloads) {
    if (proof.proven.resumes) return Means{.resumes = true};
    const auto request = decode_message(proof.request->message).value();  // it was when it was kept
    auto means = means_of_responder(context.settings.profiles[proof.choice.profile.value], initiator, proof.choice.key, request.payloads);
    if (means) means->with_ocsp = asks_for_ocsp(payloads);
    return means;
}

constexpr Duration kChildlessMax = std::chrono::seconds{30};

/// RFC 6023 §3: nothing about a child SA in IKE_AUTH; CREATE_CHILD_SA is to make the first one.
bool begins_childless(const std::vector<Payload>& request) {
    return !find<SaPayload>(request) && !find<TrafficSelectors>(request, Role::initiator) && !find<TrafficSelectors>(request, Role::responder);
}

/// IDr, the proof of it and, if one is asked for, the child SA or the refusal of it.
struct Answer {
    std::vector<Payload> payloads;
    std::expected<std::optional<ChildTerms>, Refusal> terms;
    Spi inbound{};
};

/// The child SA of an answer.
void append_child(Context& context, const Association& association, const std::vector<Payload>& request, Answer& answer) {
    answer.terms = choose_child(association, context.profile_of(association), request, ChildExchange::ike_auth);
    if (answer.terms) {
        if (const auto inbound = context.spis.allocate()) answer.inbound = *inbound;
        else answer.terms = std::unexpected{Refusal{NotifyType::no_additional_sas, "no inbound SPI is left for another SA"}};
    }
    if (answer.terms) append_child_answer(answer.payloads, **answer.terms, answer.inbound);
    else answer.payloads.emplace_back(Notify{.type = answer.terms.error().type, .data = answer.terms.error().data});
}

/// IDr and what proves it.
std::vector<Payload> prove_ourselves(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting, const Means& means, const Proof& proof) {
    const IdentificationPayload id{.role = Role::responder, .identity = context.settings.profiles[proof.choice.profile.value].local};
    const Bytes intermediate = awaiting.intermediate.octets(ike.expected_request_id);
    const AuthInput input{awaiting.first_message, awaiting.peer_nonce, &id, intermediate};
    std::vector<Payload> payloads = proof_by(context, means, keys_after(ike.keys, proof.proven), Role::responder, input);
    payloads.emplace(payloads.begin(), id);
    return payloads;
}

Answer compose(Context& context, const Association& association, std::vector<Payload> own_proof, const Identity& peer, const Proven& proven,
               const std::vector<Payload>& request) {
    Answer answer{.payloads = std::move(own_proof), .terms = std::nullopt};
    if (!begins_childless(request)) append_child(context, association, request, answer);
    if (answer.terms && find_notify(request, NotifyType::sa_resource_info)) answer.payloads.emplace_back(resource_notify());
    if (proven.ppk && !proven.resumes) answer.payloads.emplace_back(Notify{.type = NotifyType::ppk_identity});
    if (answer.terms && find_notify(request, NotifyType::ticket_request)) {
        if (auto ticket = ticket_for(context, association.profile, *association.ike, {peer, proven.certificates, proven.ppk})) answer.payloads.emplace_back(std::move(*ticket));
    }
    return answer;
}

void on_authenticated(Context& context, Association& association, const Arrival& arrival, const AwaitingAuthRequest& awaiting, const Identity& peer,
                      const Answer& answer, const Proven& proven) {
    Established established{.peer = peer,
                            .certificates = proven.certificates,
                            .ppk = proven.ppk,
                            .lowest_nonce = lower_nonce(awaiting.nonce, awaiting.peer_nonce),
                            .began_at = awaiting.began_at,
                            .established_at = context.now,
                            .heard_at = context.now};
    if (!*answer.terms) established.childless_until = context.now + kChildlessMax;
    come_up(context, association, std::move(established), fmt::format("authenticated {} by {}{}", peer.to_string(), proven.means, in_words(proven.ppk)));
    if (awaiting.may_use_ppk && !proven.ppk)
        context.log(Severity::warning, fmt::format("ike {}: established without PPK: the one that the peer named is not configured for it", describe(association)));
    if (!*answer.terms) return send_response(context, *association.ike, arrival, answer.payloads);
    const ChildId child = install_child(context, association,
                                        {.inbound = answer.inbound,
                                         .terms = **answer.terms,
                                         .role = Role::responder,
                                         .exchanges = {.initiator_nonce = awaiting.peer_nonce, .responder_nonce = awaiting.nonce}});
    send_response(context, *association.ike, arrival, answer.payloads);
    // There is no older SA to send on: a packet that overtakes our answer is lost, waiting would lose all of them.
    use_outbound(context, association, *child_by_id(*association.in<Established>(), child));
}

}  // namespace

void on_auth_request(Context& context, Association& association, const Arrival& arrival, const std::vector<Payload>& payloads) {
    const AwaitingAuthRequest awaiting = *association.in<AwaitingAuthRequest>();
    const auto* id = find<IdentificationPayload>(payloads, Role::initiator);
    const auto* auth = find<AuthPayload>(payloads);
    if (!id) {
        context.count("malformed-inside");
        return refuse(context, association, arrival, NotifyType::invalid_syntax, DownReason::invalid_message, "the peer's IKE_AUTH request lacks IDi");
    }
    if (!auth) {
        context.count("authentication-failed");
        return refuse(context, association, arrival, NotifyType::authentication_failed, DownReason::authentication_failed,
                      fmt::format("{} asks for EAP, which is not supported", id->identity.to_string()));
    }
    const auto proof = authenticate(context, association, arrival, awaiting, *id, payloads);
    const auto means = proof ? means_for(context, *proof, id->identity, payloads) : std::unexpected{proof.error()};
    if (!means) {
        context.count("authentication-failed");
        return refuse(context, association, arrival, NotifyType::authentication_failed, DownReason::authentication_failed, means.error());
    }
    if (context.table.established().total() >= context.settings.established_max) {
        context.count("limit-established");
        return refuse(context, association, arrival, NotifyType::no_additional_sas, DownReason::limit_reached, "as many SAs as established_max allows are up");
    }
    std::vector<Payload> own_proof = prove_ourselves(context, *association.ike, awaiting, *means, *proof);
    association.profile = proof->choice.profile;
    association.ike->keys = keys_after(association.ike->keys, proof->proven);
    take_nat_of(context, association, *proof->request);
    association.local = arrival.local;
    association.remote = arrival.remote;
    association.encapsulated = association.encapsulated && arrival.local.port != 500;  // a peer that stays on 500 cannot encapsulate
    const Identity peer = settled(id->identity);
    if (find_notify(payloads, NotifyType::initial_contact)) on_initial_contact(context, association.profile, peer, awaiting.began_at);

    const Answer answer = compose(context, association, std::move(own_proof), peer, proof->proven, payloads);
    if (answer.terms) {
        on_authenticated(context, association, arrival, awaiting, peer, answer, proof->proven);
        return note_resources(context, association, payloads);
    }
    context.count(to_string(answer.terms.error().type));
    send_response(context, *association.ike, arrival, answer.payloads);
    fail_attempt(context, association, DownReason::no_child,
                 fmt::format("{} is authenticated, but no child SA: {}", peer.to_string(), answer.terms.error().reason), Closing{});
}

}  // namespace nave::ike
