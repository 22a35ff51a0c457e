// Direct paths between spokes: IKE on demand, a route once both ends know each other, back to the hub when that ends.
#include "common/headers.hpp"
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace nave::overlay {

namespace {
constexpr std::uint32_t kJitterMilliseconds = 1000;             // both ends may start: PROTOCOL section 5
constexpr std::size_t kAttemptsMax = 256;                         // underlay endpoints that are or were tried lately
constexpr Duration kAskedPause = std::chrono::seconds{5};          // after a failure, when the other end tries again and both must
constexpr Duration kAttemptForgotten = std::chrono::minutes{20};  // pauses start small again after this long

bool is_at(const Peer& peer, const Shortcut& shortcut) {
    const Association* association = peer.best_association();
    return association && (association->remote.address == shortcut.nbma || association->remote.address == shortcut.claimed);
}
}  // namespace

std::vector<Peer*> Gateway::Impl::peers_of(const TunnelState& home) {
    std::vector<Peer*> found = peers.live();
    std::erase_if(found, [&](const Peer* peer) { return peer->tunnel != home.tunnel.id; });
    return found;
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::Resolved& resolved, TimePoint now, Outbox& out) {
    Shortcut& shortcut = home.shortcuts[resolved.prefix] = Shortcut{
        Shortcut::State::waiting, resolved.next_hop, resolved.nbma, resolved.claimed, contact_of(resolved.nbma, resolved.rendezvous), std::nullopt};
    try_activate(home, resolved.prefix, shortcut, now, out);
    if (shortcut.state != Shortcut::State::waiting) return;
    seek_peer(home, shortcut.contact, resolved.next_hop, now);
    const auto attempt = home.attempts.find(shortcut.contact);
    if (attempt != home.attempts.end() && attempt->second.forbidden_until) shortcut.state = Shortcut::State::failed;
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::ShortcutGone& gone, TimePoint, Outbox& out) {
    remove_shortcut(home, gone.prefix, false, nhrp::name(gone.reason), out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::Answered& answered, TimePoint now, Outbox&) {
    if (!home.is_spoke()) return;
    const NbmaEndpoint contact = contact_of(answered.nbma, answered.rendezvous);
    // Our own pause may be longer than the requester's, and through two NATs one alone does not get.
    const auto attempt = home.attempts.find(contact);
    if (answered.rendezvous && attempt != home.attempts.end() && now - attempt->second.failed_at >= kAskedPause) attempt->second.forbidden_until.reset();
    seek_peer(home, contact, answered.requester, now);
}

bool Gateway::Impl::is_sought_in_vain(const TunnelState& home, const NbmaEndpoint& contact, const TunnelAddress& holder) const {
    if (std::ranges::any_of(home.hubs, [&](const HubLink& link) { return link.nbma == contact.address; })) return true;
    return std::ranges::any_of(peers.live(), [&](const Peer* peer) {
        // One that has not said yet who it is may well be it; of several behind one NAT the port tells.
        const auto may_be_it = [&](const Association& each) {
            if (each.remote.address != contact.address || each.replaced) return false;
            return peer->holds(holder) || (peer->tunnel_addresses.empty() && (each.remote == contact || !is_rendezvous(contact)));
        };
        return peer->tunnel == home.tunnel.id && std::ranges::any_of(peer->associations, may_be_it);
    });
}

void Gateway::Impl::seek_peer(TunnelState& home, const NbmaEndpoint& contact, const TunnelAddress& holder, TimePoint now) {
    const auto local = underlay(home.tunnel.underlay, contact.address.value.family());
    if (!local || local == contact.address || is_sought_in_vain(home, contact, holder)) return;
    // A spoke could name any address as its own and have us knock there.
    if (home.attempts.size() >= kAttemptsMax && !home.attempts.contains(contact)) return count("overlay-attempts-full");
    Attempt& attempt = home.attempts[contact];
    attempt.used_at = now;
    if (attempt.sa || attempt.start_at || attempt.forbidden_until) return;
    attempt.holder = holder;
    attempt.start_at = now + std::chrono::milliseconds{random.below(kJitterMilliseconds)};
    plan_review(home);
}

void Gateway::Impl::start_attempt(TunnelState& home, const NbmaEndpoint& contact, TimePoint now, Outbox& out) {
    Attempt& attempt = home.attempts.at(contact);
    attempt.start_at.reset();
    const auto local = underlay(home.tunnel.underlay, contact.address.value.family());
    if (!local || is_sought_in_vain(home, contact, attempt.holder)) {
        home.attempts.erase(contact);
        return;
    }
    const bool punch = is_rendezvous(contact);
    const ike::ConnectRequest request{.profile = home.tunnel.profile,
                                      .local = {*local, punch ? kUdpPortNatTraversal : kUdpPortIke},
                                      .remote = contact,
                                      .expected = std::nullopt,
                                      .token = ++last_token,
                                      .punch = punch};
    attempt.token = request.token;
    purposes.emplace(request.token, ShortcutAttempt{home.tunnel.id, contact});
    log(out, ike::Severity::info, "shortcut-" + contact.to_string(),
        fmt::format("{}: starting IKE with {} for {}{}", home.tunnel.name, contact.to_string(), attempt.holder.value.to_string(), punch ? ", through both NATs" : ""));
    ike::Outbox actions;
    const ike::SaId sa = endpoint.connect(request, now, actions);
    attempt.sa = sa;
    run_ike(std::move(actions), now, out);
}

void Gateway::Impl::cancel_attempt(TunnelState& home, const NbmaEndpoint& contact, TimePoint now, Outbox& out) {
    const auto found = home.attempts.find(contact);
    if (found == home.attempts.end()) return;
    const Attempt attempt = found->second;
    home.attempts.erase(found);
    purposes.erase(attempt.token);
    if (attempt.sa && !peers.find(*attempt.sa)) close(*attempt.sa, ike::DownReason::closed_by_us, true, now, out);
}

void Gateway::Impl::attempt_failed(TunnelState& home, const NbmaEndpoint& contact, std::string_view reason, TimePoint now, Outbox& out) {
    const auto found = home.attempts.find(contact);
    if (found == home.attempts.end()) return;
    Attempt& attempt = found->second;
    const Duration pause = attempt.backoff.next(random);
    attempt.sa.reset(), attempt.start_at.reset();
    attempt.failed_at = now, attempt.forbidden_until = now + pause;
    for (auto& [prefix, shortcut] : home.shortcuts)
        if (shortcut.contact == contact && shortcut.state == Shortcut::State::waiting) shortcut.state = Shortcut::State::failed;
    count("overlay-shortcut-attempts-failed");
    log(out, ike::Severity::warning, "shortcut-" + contact.to_string(),
        fmt::format("{}: no shortcut to {} for {} s, traffic stays on the hub: {}{}", home.tunnel.name, contact.to_string(),
                    std::chrono::duration_cast<std::chrono::seconds>(pause).count(),
                    is_rendezvous(contact) && attempt.unanswered ? "the NATs let nothing through: " : "", reason));
    plan_review(home);
}

void Gateway::Impl::give_up_waiting(TunnelState& home, const NbmaEndpoint& remote, std::string_view reason, TimePoint now, Outbox& out) {
    std::set<NbmaEndpoint> awaited;
    for (const auto& [prefix, shortcut] : home.shortcuts) {
        const bool is_there = is_rendezvous(shortcut.contact) ? shortcut.contact == remote : shortcut.nbma == remote.address;
        if (is_there && shortcut.state == Shortcut::State::waiting) awaited.insert(shortcut.contact);
    }
    for (const NbmaEndpoint& contact : awaited) {
        home.attempts[contact].used_at = now;
        attempt_failed(home, contact, reason, now, out);
    }
}

void Gateway::Impl::plan_review(TunnelState& home) {
    home.review_at.reset();
    for (const auto& [contact, attempt] : home.attempts) home.review_at = earlier(home.review_at, earlier(attempt.start_at, attempt.forbidden_until));
    for (const auto& [peer, introduction] : home.introductions) home.review_at = earlier(home.review_at, introduction.begin_at);
    for (const auto& [peer, introduction] : home.introductions)
        if (!introduction.patience_over) home.review_at = earlier(home.review_at, introduction.since + Introduction::kPatience);
}

void Gateway::Impl::review(TunnelState& home, TimePoint now, Outbox& out) {
    std::vector<PeerId> silent;
    for (auto& [peer, introduction] : home.introductions) {
        if (now >= introduction.since + Introduction::kPatience) introduction.patience_over = true;
        if (introduction.begin_at && *introduction.begin_at <= now) silent.push_back(peer);
    }
    for (const PeerId peer : silent) begin_introduction(home, peer, now, out);
    std::vector<NbmaEndpoint> due, allowed;
    for (auto& [contact, attempt] : home.attempts) {
        if (attempt.start_at && *attempt.start_at <= now) due.push_back(contact);
        if (attempt.forbidden_until && *attempt.forbidden_until <= now) allowed.push_back(contact);
    }
    for (const NbmaEndpoint& contact : due) start_attempt(home, contact, now, out);
    for (const NbmaEndpoint& contact : allowed) {
        if (const auto found = home.attempts.find(contact); found != home.attempts.end()) found->second.forbidden_until.reset();
        std::vector<Prefix> again;
        for (const auto& [prefix, shortcut] : home.shortcuts)
            if (shortcut.state == Shortcut::State::failed && shortcut.contact == contact) again.push_back(prefix);
        // Forgotten by NHRP too, so that the next traffic indication asks anew.
        for (const Prefix& prefix : again) remove_shortcut(home, prefix, true, "it may be tried again", out);
    }
    std::erase_if(home.attempts, [&](const auto& entry) {
        const Attempt& attempt = entry.second;
        return !attempt.sa && !attempt.start_at && !attempt.forbidden_until && now - attempt.used_at > kAttemptForgotten;
    });
    std::vector<Prefix> waiting;
    for (const auto& [prefix, shortcut] : home.shortcuts)
        if (shortcut.state != Shortcut::State::active) waiting.push_back(prefix);
    for (const Prefix& prefix : waiting)
        if (const auto found = home.shortcuts.find(prefix); found != home.shortcuts.end()) try_activate(home, prefix, found->second, now, out);
    plan_review(home);
}

Peer* Gateway::Impl::holder_of(TunnelState& home, const Shortcut& shortcut, TimePoint now) {
    for (Peer* peer : peers_of(home)) {
        if (!peer->carries_traffic() || !peer->holds(shortcut.next_hop)) continue;
        // Which peer it is says its own registration; that it lives there said the hub.
        if (peer->role == Role::hub || is_at(*peer, shortcut)) return peer;
    }
    return adopt_holder(home, shortcut, now);
}

Peer* Gateway::Impl::adopt_holder(TunnelState& home, const Shortcut& shortcut, TimePoint now) {
    const Prefix host = Prefix::host(shortcut.next_hop.value);
    Peer* only = nullptr;
    for (Peer* peer : peers_of(home)) {
        const auto introduction = home.introductions.find(peer->id);
        if (peer->role == Role::hub || !peer->carries_traffic() || !is_at(*peer, shortcut)) continue;
        if (only || introduction == home.introductions.end() || now < introduction->second.since + Introduction::kPatience || !peer->bindings.empty()) return nullptr;
        only = peer;
    }
    if (!only || !only->tunnel_addresses.empty() || home.access.refusal(only->identity, host)) return nullptr;
    // Behind a NAT the underlay address alone does not say who it is.
    if (only->best_association()->remote_behind_nat && !home.access.names_exactly(only->identity, host)) return nullptr;
    only->tunnel_addresses.push_back(shortcut.next_hop);
    return only;
}

void Gateway::Impl::try_activate(TunnelState& home, const Prefix& prefix, Shortcut& shortcut, TimePoint now, Outbox& out) {
    Peer* peer = holder_of(home, shortcut, now);
    if (!peer) return;
    if (peer->role == Role::spoke) {
        if (!knows_us(home, *peer, now)) return;
        if (const auto code = home.objection(*peer, prefix)) {
            if (shortcut.state == Shortcut::State::failed) return;
            shortcut.state = Shortcut::State::failed;
            count("overlay-shortcut-refused");
            return log(out, ike::Severity::warning, "refused-" + peer->identity.to_string(),
                       fmt::format("{}: {} may not answer for {}: {}; traffic stays on the hub",
                                   home.tunnel.name, peer->identity.to_string(), prefix.to_string(), nhrp::name(*code)));
        }
    }
    shortcut.state = Shortcut::State::active, shortcut.peer = peer->id;
    const NbmaEndpoint contact = shortcut.contact;
    update_sources(home, *peer, out);
    home.rib.set(home.id(), RouteSource::shortcut, prefix, ToPeer{peer->id, shortcut.next_hop}, out);
    if (peer->role == Role::spoke && prefix == Prefix::host(shortcut.next_hop.value)) home.bind(shortcut.next_hop, peer->id, out);
    peer->last_data_out = now;
    count("overlay-shortcuts-made");
    log(out, ike::Severity::notice, "shortcut-" + prefix.to_string(),
        fmt::format("{}: {} goes direct to {} at {}", home.tunnel.name, prefix.to_string(), peer->identity.to_string(), contact.address.value.to_string()));
    cancel_attempt(home, contact, now, out);
}

void Gateway::Impl::unroute(TunnelState& home, const Prefix& prefix, const Shortcut& shortcut, Outbox& out) {
    home.rib.remove(home.id(), RouteSource::shortcut, prefix, out);
    const bool is_hub = std::ranges::any_of(home.hubs, [&](const HubLink& link) { return link.address == shortcut.next_hop; });
    if (!is_hub && prefix == Prefix::host(shortcut.next_hop.value)) home.unbind(shortcut.next_hop, out);
}

void Gateway::Impl::remove_shortcut(TunnelState& home, const Prefix& prefix, bool forget, std::string_view reason, Outbox& out) {
    const auto found = home.shortcuts.find(prefix);
    if (found == home.shortcuts.end()) return;
    const Shortcut shortcut = found->second;
    home.shortcuts.erase(found);
    if (forget) home.node.forget(prefix);
    if (!shortcut.peer) return;
    unroute(home, prefix, shortcut, out);
    Peer* peer = peers.find(*shortcut.peer);
    if (peer) update_sources(home, *peer, out);
    log(out, ike::Severity::notice, "shortcut-" + prefix.to_string(), fmt::format("{}: {} goes through the hub again: {}", home.tunnel.name, prefix.to_string(), reason));
}

void Gateway::Impl::remove_shortcuts_through(TunnelState& home, PeerId peer, std::string_view reason, Outbox& out) {
    std::vector<Prefix> gone;
    for (const auto& [prefix, shortcut] : home.shortcuts)
        if (shortcut.peer == peer) gone.push_back(prefix);
    for (const Prefix& prefix : gone) remove_shortcut(home, prefix, true, reason, out);
}

}  // namespace nave::overlay
