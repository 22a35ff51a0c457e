// Proofs by certificate, and the choice between them and pre-shared keys.
#include "controlplane/ike/authentication.hpp"

#include "controlplane/ike/association.hpp"
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/revocation.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <ranges>

namespace nave::ike {
namespace {

using Own = std::expected<Means, std::string>;

Own by_certificate(const Credential& credential, const SignatureSupport& peer, bool with_ocsp = false) {
    const auto choice = choose_signature(credential.key.kind(), peer);
    if (!choice) return std::unexpected{choice.error()};
    return Means{.credential = &credential, .signature = *choice, .with_ocsp = with_ocsp};
}

Proven proven_by(const Profile& profile, const Path& path, const SignatureAlgorithm& algorithm) {
    const auto below_anchor = std::span{path.certificates}.first(path.certificates.size() - 1);
    ProvenCertificates proven{.subject = path.certificates.front().subject_name(),
                              .valid_until = std::ranges::min(below_anchor | std::views::transform(&Certificate::valid_until)),
                              .is_asked_about = is_asked_about(profile, path)};
    for (std::size_t i = 0; i < below_anchor.size(); ++i) proven.ids.push_back(below_anchor[i].id_by(path.certificates[i + 1]));
    return {.means = fmt::format("the certificate of {} ({})", path.certificates.front().subject(), to_string(algorithm)), .certificates = std::move(proven)};
}

/// The peer's certificates, decoded once however often its message is handled.
std::expected<PeerChain, std::string> chain_in(const Context& context, std::span<const Payload> payloads) {
    ChainReading reading;
    for (const Payload& payload : payloads)
        if (const auto* sent = std::get_if<CertificatePayload>(&payload)) reading.sent.push_back(*sent);
    return context.ask(std::move(reading));
}

/// Profiles in which an initiator of that identity may prove itself by certificate, those that it asked for first.
std::vector<std::size_t> candidates(const Context& context, const IkeProposal& suite, const Identity& initiator, const Identity* wanted) {
    const std::vector<Profile>& profiles = context.settings.profiles;
    std::vector<std::size_t> found, last;
    for (std::size_t i = 0; i < profiles.size(); ++i) {
        const Profile& profile = profiles[i];
        if (std::ranges::find(profile.ike_proposals, suite) == profile.ike_proposals.end() || authorities_for(profile, initiator).empty()) continue;
        const bool is_wanted = wanted && same_identity(profile.local, *wanted);
        (is_wanted ? found : last).push_back(i);
    }
    found.insert(found.end(), last.begin(), last.end());
    return found;
}

}  // namespace

Own means_of_initiator(const Profile& profile, const std::optional<IdentityPattern>& expected, std::span<const Payload> answer) {
    const PreSharedKey* key = key_for_attempt(profile, expected);
    const SignatureSupport peer = signature_support(answer);
    if (profile.credential && (peer.certificates || !key)) return by_certificate(*profile.credential, peer, asks_for_ocsp(answer));
    if (key) return Means{.key = key};
    return std::unexpected{fmt::format("profile '{}' has neither a certificate nor a pre-shared key for this peer", profile.name)};
}

Own means_of_responder(const Profile& profile, const Identity& initiator, const PreSharedKey* by_key, std::span<const Payload> request) {
    if (by_key) return Means{.key = by_key};
    if (profile.credential) return by_certificate(*profile.credential, signature_support(request));
    if (const PreSharedKey* key = key_for(profile, initiator)) return Means{.key = key};
    return std::unexpected{fmt::format("profile '{}' has neither a certificate nor a pre-shared key to answer {} with", profile.name, initiator.to_string())};
}

std::vector<Payload> proof_by(const Context& context, const Means& means, const SessionKeys& keys, Role role, const AuthInput& input) {
    if (means.resumes) return {AuthPayload{AuthMethod::shared_key, resumption_auth(keys, role, input)}};
    if (means.key) return {AuthPayload{AuthMethod::shared_key, shared_key_auth(keys, role, means.key->key, input)}};
    std::vector<Payload> payloads;
    for (const Certificate& certificate : means.credential->chain) payloads.emplace_back(CertificatePayload{CertificateEncoding::x509_signature, certificate.der()});
    if (means.with_ocsp) append_own_response(context, payloads, *means.credential);
    payloads.emplace_back(context.ask(Signing{means.credential->key, means.signature, signed_octets(keys, role, input)}));
    return payloads;
}

SessionKeys keys_after(const SessionKeys& keys, const Proven& proven) { return proven.resumes ? keys : keys_with(keys, proven.ppk); }

std::optional<CertificateRequest> certificate_request(std::span<const Profile> profiles) {
    std::vector<KeyId> ids;
    for (const Profile& profile : profiles)
        for (const TrustedAuthority& authority : profile.authorities)
            if (const KeyId id = authority.certificate.key_id(); std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
    if (ids.empty()) return std::nullopt;
    CertificateRequest request{.encoding = CertificateEncoding::x509_signature};
    // With more of them the peer gets no hint, and sends what it has.
    if (ids.size() > CertificateRequest::kAuthoritiesMax) return request;
    for (const KeyId& id : ids) request.authorities.insert(request.authorities.end(), id.begin(), id.end());
    return request;
}

void append_requests(std::vector<Payload>& payloads, std::span<const Profile> profiles) {
    if (const auto request = certificate_request(profiles)) payloads.emplace_back(*request);
    append_ocsp_request(payloads, profiles);
}

void append_signature_support(std::vector<Payload>& payloads, std::span<const Profile> profiles, Role role) {
    const auto request = certificate_request(profiles);
    if (!request) return;
    payloads.emplace_back(signature_hash_algorithms());
    if (role == Role::responder) append_requests(payloads, profiles);  // the initiator's go into IKE_AUTH (RFC 7296 §1.2)
}

std::expected<Path, std::string> trust_chain(const Context& context, const Profile& profile, const Identity& identity, const PeerChain& chain) {
    std::vector<Certificate> anchors = authorities_for(profile, identity);
    if (anchors.empty()) return std::unexpected{fmt::format("profile '{}' has no ca for {}", profile.name, identity.to_string())};
    if (!chain.own.names(identity)) return std::unexpected{fmt::format("its certificate is for {}, not for {}", chain.own.subject(), identity.to_string())};
    if (!context.settings.calendar) return std::unexpected{std::string{"nobody tells us the date, without which no certificate is valid"}};
    std::vector<Certificate> all = chain.others;
    all.push_back(chain.own);
    RevocationEvidence evidence = evidence_about(context, profile, all, chain.responses);
    return context.ask(ChainCheck{chain.own, chain.others, std::move(anchors), std::move(evidence.lists), std::move(evidence.responses), context.settings.calendar->now()});
}

Identity settled(const Identity& identity) {
    if (identity.type != Identity::Type::der_distinguished_name) return identity;
    return Identity::parse(identity.to_string()).value_or(identity);
}

std::expected<CertificateProof, std::string> prove_initiator(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting,
                                                              const IdentificationPayload& id, const Identity* wanted, std::span<const Payload> payloads) {
    const auto chain = chain_in(context, payloads);
    if (!chain) return std::unexpected{chain.error()};
    std::string why = fmt::format("no ca is configured for {}", id.identity.to_string());
    for (const std::size_t i : candidates(context, ike.suite, id.identity, wanted)) {
        const auto trusted = trust_chain(context, context.settings.profiles[i], id.identity, *chain);
        if (!trusted) {
            why = trusted.error();
            continue;
        }
        const auto ppk = choose_ppk(context.settings.profiles[i], awaiting.may_use_ppk, id.identity, payloads);
        if (!ppk) return std::unexpected{ppk.error()};
        const SessionKeys keys = keys_with(ike.keys, ppk->ppk);
        const AuthPayload auth{find<AuthPayload>(payloads)->method, Bytes{ppk->auth.begin(), ppk->auth.end()}};
        const Bytes intermediate = awaiting.intermediate.octets(ike.expected_request_id);
        for (const Datagram& each : awaiting.asked) {
            const AuthInput input{each.message, awaiting.nonce, &id, intermediate};
            const auto algorithm = context.ask(SignatureCheck{chain->own, auth, signed_octets(keys, Role::initiator, input)});
            if (!algorithm) {
                why = algorithm.error();
                continue;
            }
            if (auto counts = settle_doubts(context, context.settings.profiles[i], *trusted); !counts) return std::unexpected{std::move(counts.error())};
            CertificateProof proof{ProfileId{static_cast<std::uint16_t>(i)}, &each, proven_by(context.settings.profiles[i], *trusted, *algorithm)};
            proof.proven.ppk = ppk->ppk;
            return proof;
        }
        break;  // another profile does not make the signature genuine
    }
    return std::unexpected{std::move(why)};
}

std::expected<Proven, std::string> prove_responder(const Context& context, const Profile& profile, const SessionKeys& keys, const AuthInput& input,
                                                   std::span<const Payload> payloads) {
    const auto chain = chain_in(context, payloads);
    if (!chain) return std::unexpected{chain.error()};
    const auto trusted = trust_chain(context, profile, input.id->identity, *chain);
    if (!trusted) return std::unexpected{trusted.error()};
    const auto algorithm = context.ask(SignatureCheck{chain->own, *find<AuthPayload>(payloads), signed_octets(keys, Role::responder, input)});
    if (!algorithm) return std::unexpected{algorithm.error()};
    if (auto counts = settle_doubts(context, profile, *trusted); !counts) return std::unexpected{std::move(counts.error())};
    return proven_by(profile, *trusted, *algorithm);
}

}  // namespace nave::ike
