// What must hold for certificates: a key that fits, dates, names, and an authority to judge the peers by.
#include "controlplane/config/finish.hpp"
#include "controlplane/ike/crypto_chain.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace nave::config {
namespace {

std::string names_in_words(const ike::Certificate& certificate) {
    std::string text;
    for (const ike::Identity& identity : certificate.identities()) text += (text.empty() ? "" : " or ") + identity.to_string();
    return text;
}

void check_dates(Reader& reader, const Value& place, const ike::Certificate& certificate, std::chrono::sys_seconds now) {
    if (now > certificate.valid_until())
        return reader.problem(place, fmt::format("the certificate of {} expired on {}; get a new one", certificate.subject(), ike::date_text(certificate.valid_until())));
    // A machine without a battery for its clock may learn the date only later.
    if (now < certificate.valid_from())
        reader.warning(place, fmt::format("the certificate of {} is valid from {} on; is our clock right?", certificate.subject(), ike::date_text(certificate.valid_from())));
}

void check_own(Reader& reader, const TunnelDraft& tunnel, std::chrono::sys_seconds now) {
    const Value &certificate = at(*tunnel.source, "certificate"), &key = at(*tunnel.source, "private_key");
    if (tunnel.files.certificate.empty() != tunnel.files.private_key.empty()) {
        const bool has_key = tunnel.files.certificate.empty();
        return reader.problem(has_key ? key : certificate, fmt::format("{} is missing; accepted: both or neither", has_key ? "certificate" : "private_key"));
    }
    if (tunnel.certificate.empty()) return;
    const ike::Certificate& own = tunnel.certificate.front();
    if (tunnel.private_key && !tunnel.private_key->belongs_to(own))
        reader.problem(key, fmt::format("the key in {} does not belong to the certificate of {}, the first in {}", tunnel.files.private_key, own.subject(),
                                        tunnel.files.certificate));
    if (tunnel.certificate.size() > ike::kChainMax)
        reader.problem(certificate, fmt::format("found {} certificates; accepted: up to {}, ours and those that lead to the peers' authority", tunnel.certificate.size(),
                                                ike::kChainMax));
    for (const ike::Certificate& each : tunnel.certificate) check_dates(reader, certificate, each, now);
    if (!tunnel.profile.local.data.empty() && !own.names(tunnel.profile.local))
        reader.problem(at(*tunnel.source, "identity"), fmt::format("our certificate is not for {}, so no peer would believe it; it is for {}",
                                                                   tunnel.profile.local.to_string(), names_in_words(own)));
    if (tunnel.ca.empty())
        reader.problem(certificate, "no ca is given, so that no peer's certificate could be judged; give ca = [{ file = ... }]");
}

void check_authorities(Reader& reader, const TunnelDraft& tunnel, std::chrono::sys_seconds now) {
    for (const CaDraft& ca : tunnel.ca)
        for (const ike::Certificate& each : ca.certificates) check_dates(reader, at(*ca.source, "file"), each, now);
    if (!tunnel.ca.empty() && tunnel.files.certificate.empty() && tunnel.psk.empty())
        reader.problem(at(*tunnel.source, "ca"), "peers can be judged, but there is nothing to prove ourselves by; give certificate and private_key, or psk");
    const Value& lists = at(*tunnel.source, "crl");
    if (!tunnel.files.revocations.empty() && tunnel.ca.empty()) reader.problem(lists, "there is no ca whose certificates it could revoke; give ca = [{ file = ... }]");
    if (!tunnel.profile.ocsp_responder.empty() && (tunnel.ca.empty() || tunnel.profile.revocation == ike::RevocationPolicy::off))
        reader.problem(at(*tunnel.source, "ocsp"), "nobody would be asked there; give ca = [{ file = ... }], and revocation other than \"off\"");
    for (const ike::RevocationList& list : tunnel.profile.revocations)
        if (const auto until = list.valid_until(); until && now > *until)
            reader.warning(lists, fmt::format("the revocation list of {} expired on {}: until there is a new one, nobody with its certificates is let in", list.issuer(),
                                              ike::date_text(*until)));
}

}  // namespace

void check_certificates(Reader& reader, const Draft& draft) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const TunnelDraft& tunnel : draft.tunnels) {
        check_own(reader, tunnel, now);
        check_authorities(reader, tunnel, now);
    }
}

}  // namespace nave::config
