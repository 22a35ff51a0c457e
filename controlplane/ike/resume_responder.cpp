// The responder's IKE_SESSION_RESUME: whose ticket it is, and whether that peer would still be let in.
#include "controlplane/ike/cookie.hpp"
#include "controlplane/ike/exchange.hpp"
#include "controlplane/ike/initial_exchange.hpp"
#include "controlplane/ike/key_log.hpp"
#include "controlplane/ike/lifecycle.hpp"
#include "controlplane/ike/redirect.hpp"
#include "controlplane/ike/resumption.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {
namespace {

struct Admitted {
    ProfileId profile;
    Grounds grounds;
};

const Ppk* ppk_of(const Profile& profile, const Ticket& ticket) {
    const auto found = std::ranges::find_if(profile.ppks, [&](const Ppk& each) { return each.id == ticket.ppk && each.remote.matches(ticket.peer); });
    return found == profile.ppks.end() ? nullptr : &*found;
}

/// Everything that a proof would be asked for today, but for the proof itself; in words why the ticket does not count.
std::expected<Admitted, std::string> admit(const Context& context, const Ticket& ticket) {
    const std::string peer = ticket.peer.to_string();
    if (!context.settings.calendar) return std::unexpected{std::string{"nobody tells us the date, without which no ticket is valid"}};
    if (ticket.expires <= context.settings.calendar->now()) return std::unexpected{fmt::format("the ticket of {} has expired", peer)};
    const auto& profiles = context.settings.profiles;
    const auto profile = std::ranges::find(profiles, ticket.profile, &Profile::name);
    if (profile == profiles.end()) return std::unexpected{fmt::format("the ticket of {} is for a profile that is not configured any more", peer)};
    if (std::ranges::find(profile->ike_proposals, ticket.suite) == profile->ike_proposals.end())
        return std::unexpected{fmt::format("the ticket of {} is for {}, which profile '{}' does not allow", peer, to_string(ticket.suite), profile->name)};
    const Ppk* ppk = ticket.ppk.empty() ? nullptr : ppk_of(*profile, ticket);
    const auto trust = trust_in(*profile, ticket.peer, !ticket.certificates.ids.empty(), ppk);
    if (!trust || *trust != ticket.trust)
        return std::unexpected{fmt::format("the keys or authorities for {} in profile '{}' are not those of its ticket", peer, profile->name)};
    Grounds grounds{.peer = ticket.peer, .certificates = ticket.certificates, .ppk = ppk};
    if (auto why = doubt(context, *profile, grounds)) return std::unexpected{std::move(*why)};
    return Admitted{ProfileId{static_cast<std::uint16_t>(profile - profiles.begin())}, std::move(grounds)};
}

/// A request that we answered before gets the same answer (RFC 7296 §2.1). One that differs counts as an attempt of its own: nobody holds
/// the genuine one up by being faster.
bool is_repeated(Context& context, const Arrival& arrival) {
    for (Association* association : context.table.by_init(arrival.header.initiator_spi, arrival.remote.address)) {
        const auto* kept = association->in<AwaitingAuthRequest>();
        if (kept && !std::ranges::equal(kept->asked.front().message, arrival.message)) continue;
        context.count(kept ? "resume-repeated" : "resume-repeated-late");
        if (kept) send_message(context, arrival.local, arrival.remote, kept->first_message);
        return true;
    }
    return false;
}

/// HDR, Nr, N(NAT_DETECTION_*), N(IKEV2_FRAGMENTATION_SUPPORTED); keys from the ticket and the two nonces.
void answer(Context& context, const Arrival& arrival, const Message& request, ByteView peer_nonce, Ticket ticket, ProfileId profile) {
    Association& association = add_responder(context, arrival, ticket.suite, request.payloads);
    association.profile = profile;
    IkeSa& ike = *association.ike;
    const Bytes nonce = fresh_nonce(context.random);
    const SessionSeed seed{ike.suite, peer_nonce, nonce, ike.initiator_spi, ike.responder_spi};
    ike.keys = derive_session_keys(seed, resumption_skeyseed(ticket.derivation, seed));
    log_keys(context, ike);

    std::vector<Payload> payloads{NoncePayload{nonce}};
    append_path_notifies(payloads, ike, arrival.local, arrival.remote, is_encapsulation_forced(context));
    const std::string reason = fmt::format("answered IKE_SESSION_RESUME with a ticket of {}", ticket.peer.to_string());
    await_auth(context, association, arrival, payloads, {.nonce = nonce, .peer_nonce = Bytes{peer_nonce.begin(), peer_nonce.end()}, .ticket = std::move(ticket)}, reason);
}

}  // namespace

void on_resume_request(Context& context, CookieJar& cookies, const Arrival& arrival) {
    context.count("resume-requests");
    const auto message = decode_message(arrival.message);
    const bool is_first = arrival.header.message_id == 0 && arrival.header.from_initiator && arrival.header.initiator_spi != 0 && arrival.header.responder_spi == 0;
    const auto* nonce = message ? find<NoncePayload>(message->payloads) : nullptr;
    const Notify* opaque = message ? find_notify(message->payloads, NotifyType::ticket_opaque) : nullptr;
    if (!is_first || !nonce || !opaque) return context.count("malformed");
    if (is_repeated(context, arrival)) return;
    if (!has_shown_cookie(context, cookies, arrival, nonce->data, message->payloads)) return;
    if (!is_within_limits(context, arrival)) return;
    auto ticket = open_ticket(opaque->data, context.settings.ticket_keys);
    auto admitted = ticket ? admit(context, *ticket) : std::unexpected{fmt::format("the ticket is {}", name(ticket.error()))};
    // Who is here already, and comes from elsewhere, is no additional load.
    if (admitted && shares_load(context) && context.table.by_identity(admitted->profile, ticket->peer).empty())
        admitted = std::unexpected{std::string{"other hubs share the load; IKE_SA_INIT is told which"}};
    if (admitted) return answer(context, arrival, *message, nonce->data, std::move(*ticket), admitted->profile);
    context.count("tickets-refused");
    context.log_stranger(Severity::notice, fmt::format("ike {}: IKE_SESSION_RESUME refused: {}", arrival.remote.to_string(), admitted.error()));
    send_stateless(context, arrival, {.type = NotifyType::ticket_nack});
}

std::expected<TicketProof, std::string> prove_by_ticket(const Context& context, const IkeSa& ike, const AwaitingAuthRequest& awaiting, const IdentificationPayload& id,
                                                        const AuthPayload& auth) {
    const AuthInput input{awaiting.asked.front().message, awaiting.nonce, &id};
    if (!equal_in_constant_time(resumption_auth(ike.keys, Role::initiator, input), auth.data))
        return std::unexpected{fmt::format("{} does not know the keys of the session that its ticket is of", id.identity.to_string())};
    if (settled(id.identity) != awaiting.ticket->peer)
        return std::unexpected{fmt::format("{} comes with a ticket of {}", id.identity.to_string(), awaiting.ticket->peer.to_string())};
    auto admitted = admit(context, *awaiting.ticket);
    if (!admitted) return std::unexpected{std::move(admitted.error())};
    return TicketProof{admitted->profile, proven_by_ticket(admitted->grounds)};
}

}  // namespace nave::ike
