// Policy and effects of revocation.
#include "controlplane/ike/revocation.hpp"

#include "controlplane/ike/association.hpp"
#include "controlplane/ike/crypto_revocation.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/revocation_desk.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <set>

namespace nave::ike {
namespace {

/// Certificates in a response are outside of its signature: whoever is on the way by HTTP may add as many as IKE_AUTH cannot bear.
constexpr std::size_t kOwnResponseBytesMax = 4096;

Moment moment_of(const Context& context) { return {context.now, context.settings.calendar->now()}; }

/// Whom to ask about a step, in that order: the operator's responder, or what the certificate names. A list first, for it answers for all
/// peers of its issuer at once.
std::vector<RevocationQuestion> questions(const Profile& profile, const Certificate& subject, const Certificate& issuer) {
    std::vector<RevocationQuestion> all;
    const auto add = [&](const std::string& url, bool by_list) { all.push_back({subject, issuer, url, by_list}); };
    if (!profile.ocsp_responder.empty()) {
        add(profile.ocsp_responder, false);
        return all;
    }
    const RevocationSources sources = revocation_sources(subject);
    for (const std::string& url : sources.lists) add(url, true);
    for (const std::string& url : sources.responders) add(url, false);
    return all;
}

/// By the profile's own lists, which nobody has verified. One that is known to be signed by an authority of the same name as the certificate's says
/// nothing of it; whoever else signed it, such as an intermediate authority that is not at hand, the operator's word counts.
bool is_listed(const Profile& profile, const CertificateId& certificate) {
    const auto is_by_namesake = [&](const RevocationList& list) {
        return std::ranges::any_of(profile.authorities, [&](const TrustedAuthority& each) {
            return each.certificate.key_id() != certificate.issuer_key && list.is_signed_by(each.certificate);
        });
    };
    return std::ranges::any_of(profile.revocations, [&](const RevocationList& list) { return list.revokes(certificate) && !is_by_namesake(list); });
}

/// Nothing if nobody that we know of issued it.
std::optional<Certificate> issuer_of(const Settings& settings, const Credential& own) {
    std::vector<Certificate> authorities{own.chain.begin() + 1, own.chain.end()};
    for (const Profile& profile : settings.profiles)
        for (const TrustedAuthority& each : profile.authorities) authorities.push_back(each.certificate);
    return issuer_among(own.chain.front(), authorities);
}

std::optional<CertificateId> id_of(const Settings& settings, const Credential& own) {
    const auto issuer = issuer_of(settings, own);
    return issuer ? std::optional{own.chain.front().id_by(*issuer)} : std::nullopt;
}

/// By what certificates of a chain may be known that nobody has put in order yet.
std::vector<CertificateId> possible_ids(const Profile& profile, std::span<const Certificate> chain) {
    std::vector<Certificate> authorities{chain.begin(), chain.end()};
    for (const TrustedAuthority& each : profile.authorities) authorities.push_back(each.certificate);
    std::set<CertificateId> ids;
    for (const Certificate& subject : chain)
        for (const Certificate& issuer : possible_issuers(subject, authorities)) ids.insert(subject.id_by(issuer));
    return {ids.begin(), ids.end()};
}

using IsRevoked = std::function<bool(const CertificateId&)>;

void drop(Context& context, ProfileId profile, const IsRevoked& is_revoked) {
    for (const auto& [id, association] : context.table.all()) {
        const auto* established = association->profile == profile ? association->in<Established>() : nullptr;
        if (!established || std::ranges::none_of(established->certificates.ids, is_revoked)) continue;
        context.count("peers-revoked");
        end(context, *association, DownReason::authentication_failed, "its certificate is revoked", Ending::farewell);
    }
}

/// Our own certificates and those by which peers proved themselves. By issuer, then by serial number, so that one of an issuer is found as well.
std::set<CertificateId> used_certificates(const Context& context) {
    std::set<CertificateId> used;
    for (const Profile& profile : context.settings.profiles)
        if (const auto own = profile.credential ? id_of(context.settings, *profile.credential) : std::nullopt) used.insert(*own);
    for (const auto& [id, association] : context.table.all())
        if (const auto* established = association->in<Established>()) used.insert(established->certificates.ids.begin(), established->certificates.ids.end());
    return used;
}

/// What an OCSP responder is asked about our own certificate; nothing if there is none, or nobody knows who issued it.
std::optional<RevocationQuestion> question_about_ourselves(const Settings& settings, const Profile& profile) {
    if (!profile.credential || profile.revocation == RevocationPolicy::off) return std::nullopt;
    const auto issuer = issuer_of(settings, *profile.credential);
    if (!issuer) return std::nullopt;
    const auto all = questions(profile, profile.credential->chain.front(), *issuer);
    const auto found = std::ranges::find(all, false, &RevocationQuestion::by_list);
    return found == all.end() ? std::nullopt : std::optional{*found};
}

}  // namespace

RevocationEvidence evidence_about(const Context& context, const Profile& profile, std::span<const Certificate> chain, std::span<const Bytes> sent) {
    RevocationEvidence evidence{.lists = profile.revocations, .responses = {}};
    if (profile.revocation == RevocationPolicy::off) return evidence;
    const auto today = context.settings.calendar->now();
    const std::vector<CertificateId> ids = possible_ids(profile, chain);
    std::ranges::move(context.desk.lists(ids, today), std::back_inserter(evidence.lists));
    evidence.responses = context.desk.responses(ids, today);
    for (const Bytes& response : sent) evidence.responses.push_back({std::nullopt, response});
    return evidence;
}

std::expected<void, std::string> settle_doubts(const Context& context, const Profile& profile, const Path& path) {
    if (profile.revocation == RevocationPolicy::off) {
        if (profile.revocations.empty() || path.doubts.empty()) return {};
        return std::unexpected{path.doubts.front().words};
    }
    std::optional<FetchId> awaited;
    for (const Path::Doubt& doubt : path.doubts) {
        const auto all = questions(profile, path.certificates[doubt.step], path.certificates[doubt.step + 1]);
        const auto is_asked = [&](const RevocationQuestion& question) {
            const auto fetch = context.desk.ask(question, moment_of(context), context.out);
            if (!fetch) throw RevocationBusy{{FetchId{}}};  // neither policy may take this for silence
            if (*fetch) awaited = *fetch;
            return fetch->has_value();
        };
        if (std::ranges::any_of(all, is_asked)) continue;
        const bool is_needed = profile.revocation == RevocationPolicy::strict && (!all.empty() || !profile.revocations.empty());
        if (is_needed) return std::unexpected{doubt.words};
    }
    if (awaited) throw Postponed{*awaited};
    return {};
}

void take_answer(Context& context, FetchId id, const std::expected<Bytes, std::string>& content) {
    const auto news = context.desk.take(id, content, moment_of(context));
    if (!news) return context.count("revocation-answers-late");
    context.count(news->failure.empty() ? "revocation-answers" : "revocation-failures");
    if (!news->failure.empty()) return context.log(Severity::warning, fmt::format("revocation: nothing to be had from {}: {}", news->url, news->failure));
    const IsRevoked is_revoked = [&](const CertificateId& each) { return news->revokes(each); };
    for (std::size_t i = 0; i < context.settings.profiles.size(); ++i) {
        const Profile& profile = context.settings.profiles[i];
        if (profile.revocation == RevocationPolicy::off) continue;
        if (const auto own = profile.credential ? id_of(context.settings, *profile.credential) : std::nullopt; own && is_revoked(*own))
            context.log(Severity::error, fmt::format("revocation: our own certificate of {} is revoked", profile.credential->chain.front().subject()));
        drop(context, ProfileId{static_cast<std::uint16_t>(i)}, is_revoked);
    }
}

std::vector<FetchId> renew_answers(Context& context) {
    if (!context.settings.calendar) return {};
    for (const Profile& profile : context.settings.profiles)
        if (const auto question = question_about_ourselves(context.settings, profile)) (void)context.desk.ask(*question, moment_of(context), context.out);
    std::optional<std::set<CertificateId>> used;  // looked up once, and only if something is due
    const auto is_used = [&](const CertificateId& subject, bool by_list) {
        if (!used) used = used_certificates(context);
        if (!by_list) return used->contains(subject);
        const auto first = used->lower_bound({.issuer = subject.issuer, .issuer_key = subject.issuer_key, .serial = {}});
        return first != used->end() && first->issuer == subject.issuer && first->issuer_key == subject.issuer_key;
    };
    return context.desk.on_deadline(moment_of(context), is_used, context.out);
}

bool asks_about_itself(const Settings& settings) {
    return settings.calendar && std::ranges::any_of(settings.profiles, [&](const Profile& profile) { return question_about_ourselves(settings, profile).has_value(); });
}

bool is_asked_about(const Profile& profile, const Path& path) {
    if (profile.revocation == RevocationPolicy::off) return false;
    for (std::size_t i = 0; i + 1 < path.certificates.size(); ++i)
        if (!questions(profile, path.certificates[i], path.certificates[i + 1]).empty()) return true;
    return false;
}

bool is_revoked(const Context& context, const Profile& profile, std::span<const CertificateId> certificates) {
    const bool asks = profile.revocation != RevocationPolicy::off && context.settings.calendar;
    return std::ranges::any_of(certificates, [&](const CertificateId& each) {
        return is_listed(profile, each) || (asks && context.desk.standing(each, context.settings.calendar->now()) == RevocationDesk::Standing::revoked);
    });
}

bool is_known_good(const Context& context, const Profile& profile, std::span<const CertificateId> certificates) {
    if (profile.revocation != RevocationPolicy::strict) return true;
    return std::ranges::all_of(certificates, [&](const CertificateId& each) {
        return context.desk.standing(each, context.settings.calendar->now()) == RevocationDesk::Standing::good;
    });
}

void drop_revoked(Context& context, ProfileId id) {
    const Profile& profile = context.settings.profiles[id.value];
    drop(context, id, [&](const CertificateId& each) { return is_listed(profile, each); });
}

void append_ocsp_request(std::vector<Payload>& payloads, std::span<const Profile> profiles) {
    const auto wants = [](const Profile& profile) { return !profile.authorities.empty() && profile.revocation != RevocationPolicy::off; };
    if (std::ranges::any_of(profiles, wants)) payloads.emplace_back(CertificateRequest{.encoding = CertificateEncoding::ocsp});
}

bool asks_for_ocsp(std::span<const Payload> payloads) {
    return std::ranges::any_of(payloads, [](const Payload& payload) {
        const auto* request = std::get_if<CertificateRequest>(&payload);
        return request && request->encoding == CertificateEncoding::ocsp;
    });
}

void append_own_response(const Context& context, std::vector<Payload>& payloads, const Credential& own) {
    const auto id = context.settings.calendar ? id_of(context.settings, own) : std::nullopt;
    if (!id) return;
    const auto responses = context.desk.responses({&*id, 1}, context.settings.calendar->now());
    const auto fit = std::ranges::find_if(responses, [](const OcspEvidence& each) { return each.response.size() <= kOwnResponseBytesMax; });
    if (fit != responses.end()) payloads.emplace_back(CertificatePayload{CertificateEncoding::ocsp, fit->response});
}

}  // namespace nave::ike
