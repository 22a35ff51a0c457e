// Tickets from the responder's hand into the initiator's, and what makes one worthless.
#include "controlplane/ike/crypto.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/ppk.hpp"
#include "controlplane/ike/resumption.hpp"
#include "controlplane/ike/revocation.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

using std::chrono::seconds;

constexpr seconds kLifetimeMax = std::chrono::hours{24};  // the keys that seal tickets are renewed that often, and open them for as long again
constexpr std::size_t kHeldSizeMax = 4096;                // of another implementation's ticket

const ConnectRequest* resumable_request(const Association& association) {
    const auto found = std::ranges::find_if(association.requests, &ConnectRequest::resumable);
    return !association.initiator || found == association.requests.end() ? nullptr : &*found;
}

/// How long a ticket of now is good; zero or less if it is not.
seconds lifetime_of(const Context& context, const Profile& profile, const Grounds& grounds) {
    const seconds lifetime = std::min(kLifetimeMax, std::chrono::duration_cast<seconds>(profile.ike_lifetime));
    const auto& valid_until = grounds.certificates.valid_until;
    return valid_until ? std::min(lifetime, *valid_until - context.settings.calendar->now()) : lifetime;
}

Grounds grounds_of(const Established& established) { return {established.peer, established.certificates, established.ppk}; }

Notify refusal(Context& context, std::string_view reason) {
    context.count(fmt::format("tickets-withheld-{}", reason));
    return {.type = NotifyType::ticket_nack};
}

}  // namespace

std::optional<Notify> ticket_for(Context& context, ProfileId profile_id, const IkeSa& ike, const Grounds& grounds) {
    if (context.settings.ticket_keys.empty() || !context.settings.calendar) return std::nullopt;
    const Profile& profile = context.settings.profiles[profile_id.value];
    const seconds lifetime = lifetime_of(context, profile, grounds);
    auto trust = trust_in(profile, grounds.peer, !grounds.certificates.ids.empty(), grounds.ppk);
    if (lifetime <= seconds::zero() || !trust || grounds.certificates.ids.size() > Ticket::kCertificatesMax) return refusal(context, "unfit");
    const Ticket ticket{.profile = profile.name,
                        .peer = grounds.peer,
                        .suite = ike.suite,
                        .derivation = ike.keys.derivation,
                        .trust = std::move(*trust),
                        .ppk = grounds.ppk ? grounds.ppk->id : std::string{},
                        .certificates = grounds.certificates,
                        .expires = context.settings.calendar->now() + lifetime};
    const Bytes sealed = seal_ticket(ticket, context.settings.ticket_keys.front(), context.random);
    if (sealed.size() > Ticket::kSizeMax) return refusal(context, "too-large");
    ByteWriter out;
    out.u32(static_cast<std::uint32_t>(lifetime.count()));  // RFC 5723 §7.2
    out.bytes(sealed);
    context.count("tickets-handed-out");
    return Notify{.type = NotifyType::ticket_lt_opaque, .data = out.take()};
}

std::optional<Notify> ticket_for(Context& context, const Association& association, const IkeSa& ike) {
    return ticket_for(context, association.profile, ike, grounds_of(*association.in<Established>()));
}

bool is_resumable(const Association& association) { return resumable_request(association) != nullptr; }

void take_ticket(Context& context, Association& association, const IkeSa& ike, const std::vector<Payload>& payloads) {
    const ConnectRequest* request = resumable_request(association);
    const Notify* sent = find_notify(payloads, NotifyType::ticket_lt_opaque);
    if (!request) return;
    auto& established = *association.in<Established>();
    if (sent || find_notify(payloads, NotifyType::ticket_ack)) established.has_tickets = true;  // after ACK it comes in an INFORMATIONAL (§4.2)
    if (!sent) return;
    ByteReader in{sent->data};
    const seconds lifetime{in.u32()};
    const ByteView opaque = in.take_rest();
    if (in.failed() || opaque.empty() || opaque.size() > kHeldSizeMax || lifetime == seconds::zero()) return context.count("bad-tickets");
    context.count("tickets-received");
    context.tickets.keep(request->profile, request->remote.address,
                         {.opaque = Bytes{opaque.begin(), opaque.end()},
                          .expires_at = context.now + lifetime,
                          .suite = ike.suite,
                          .derivation = ike.keys.derivation,
                          .grounds = grounds_of(established)});
}

void start_ticket_request(Context& context, Association& association) {
    association.in<Established>()->ticket_wanted = false;
    send_request(context, association, *association.ike, ExchangeType::informational, {Notify{.type = NotifyType::ticket_request}}, RequestingTicket{},
                 context.settings.liveness_tries);
}

void forget_ticket(Context& context, const Association& association) {
    if (const ConnectRequest* request = resumable_request(association)) context.tickets.forget(request->profile, request->remote.address);
}

void forget_own_ticket(Context& context, const Association& association) {
    const ConnectRequest* request = resumable_request(association);
    const HeldTicket* held = request ? context.tickets.find(request->profile, request->remote.address, context.now) : nullptr;
    if (held && held->derivation == association.ike->keys.derivation) context.tickets.forget(request->profile, request->remote.address);
}

std::optional<Secret> trust_in(const Profile& profile, const Identity& peer, bool by_certificate, const Ppk* ppk) {
    Bytes content = profile.local.data;
    const auto add = [&](ByteView part) { content.insert(content.end(), part.begin(), part.end()); };
    if (by_certificate) {
        const std::vector<Certificate> authorities = authorities_for(profile, peer);
        if (authorities.empty()) return std::nullopt;
        for (const Certificate& each : authorities) add(each.der());
    } else {
        const PreSharedKey* key = key_for(profile, peer);
        if (!key) return std::nullopt;
        add(key->key.view());
    }
    if (ppk) add(as_bytes("ppk")), add(ppk->key.view());
    Secret fingerprint = prf(Prf::hmac_sha256, as_bytes("what a ticket rests on"), {content});
    wipe(content);
    return fingerprint;
}

Proven proven_by_ticket(const Grounds& grounds) {
    return {.means = "the ticket of an earlier session", .certificates = grounds.certificates, .ppk = grounds.ppk, .resumes = true};
}

std::optional<std::string> doubt(const Context& context, const Profile& profile, const Grounds& grounds) {
    if (auto why = distrust_ppk(profile, grounds.peer, grounds.ppk)) return why;
    const ProvenCertificates& certificates = grounds.certificates;
    if (certificates.ids.empty()) return std::nullopt;
    if (!context.settings.calendar) return "nobody tells us the date, without which no certificate is valid";
    const auto now = context.settings.calendar->now();
    if (certificates.valid_until && *certificates.valid_until < now) return fmt::format("the certificate of {} has expired", grounds.peer.to_string());
    if (is_revoked(context, profile, certificates.ids)) return fmt::format("the certificate of {} is revoked", grounds.peer.to_string());
    if (certificates.is_asked_about && !is_known_good(context, profile, certificates.ids))
        return fmt::format("nothing is known of the certificate of {} today; it has to be shown again", grounds.peer.to_string());
    const auto is_stale = [&](const RevocationList& list) { return list.valid_until() && *list.valid_until() < now; };
    if (std::ranges::any_of(profile.revocations, is_stale)) return fmt::format("a revocation list of profile '{}' has expired, so that nobody knows who is revoked", profile.name);
    return std::nullopt;
}

}  // namespace nave::ike
