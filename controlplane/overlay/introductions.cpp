// Spokes that meet directly: each registers with the other, and traffic goes straight while that holds (see Introduction).
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::overlay {

void Gateway::Impl::forget_acquaintance(TunnelState& home, Peer& peer, TimePoint now, Outbox& out) {
    if (!home.introductions.contains(peer.id)) return;
    suspend_shortcuts(home, peer, "its peer starts anew", out);
    // Down first: a purge of our old registration could arrive behind the new one.
    nhrp::Outbox actions;
    home.node.peer_down(peer.id, now, actions);
    run_nhrp(home, std::move(actions), now, out);
    end_introduction(home, peer.id, now, out);
}

void Gateway::Impl::suspend_shortcuts(TunnelState& home, Peer& peer, std::string_view reason, Outbox& out) {
    for (auto& [prefix, shortcut] : home.shortcuts) {
        if (shortcut.peer != peer.id) continue;
        unroute(home, prefix, shortcut, out);
        shortcut.state = Shortcut::State::waiting, shortcut.peer.reset();
        log(out, ike::Severity::notice, "shortcut-" + prefix.to_string(), fmt::format("{}: {} goes through the hub again: {}", home.tunnel.name, prefix.to_string(), reason));
    }
    update_sources(home, peer, out);
}

void Gateway::Impl::acceptance_lost(TunnelState& home, nhrp::NhsId nhs, std::optional<Prefix> prefix, TimePoint now, Outbox& out) {
    const auto found = std::ranges::find_if(home.introductions, [&](const auto& entry) { return entry.second.nhs == nhs; });
    Peer* peer = found == home.introductions.end() ? nullptr : peers.find(found->first);
    if (!peer) return;
    if (prefix) found->second.accepted.erase(*prefix);
    else found->second.registered = false;
    if (!knows_us(home, *peer, now)) suspend_shortcuts(home, *peer, "the other end does not let us in any more", out);
}

void Gateway::Impl::introduce(TunnelState& home, Peer& peer, TimePoint now, Outbox& out) {
    const auto number = introduction_ids.take();
    if (!number) return count("overlay-introductions-full");
    const bool initiator = peer.best_association()->initiator;
    const TimePoint begin_at = initiator ? now : now + Introduction::kSilence;
    home.introductions.emplace(peer.id, Introduction{.nhs = {static_cast<std::uint16_t>(*number)}, .since = now, .begin_at = begin_at, .accepted = {}});
    if (initiator) begin_introduction(home, peer.id, now, out);
    plan_review(home);
}

void Gateway::Impl::begin_introduction(TunnelState& home, PeerId peer, TimePoint now, Outbox& out) {
    const auto found = home.introductions.find(peer);
    if (found == home.introductions.end() || !found->second.begin_at) return;
    found->second.begin_at.reset();
    nhrp::Outbox actions;
    home.node.add_next_hop_server(found->second.nhs, peer, std::nullopt, now, actions);
    run_nhrp(home, std::move(actions), now, out);
}

void Gateway::Impl::end_introduction(TunnelState& home, PeerId peer, TimePoint now, Outbox& out) {
    const auto found = home.introductions.find(peer);
    if (found == home.introductions.end()) return;
    const nhrp::NhsId nhs = found->second.nhs;
    home.introductions.erase(found);
    nhrp::Outbox actions;
    home.node.remove_next_hop_server(nhs, now, actions);
    run_nhrp(home, std::move(actions), now, out);
    introduction_ids.give_back(nhs.value);
}

bool Gateway::Impl::knows_us(const TunnelState& home, const Peer& peer, TimePoint now) const {
    const auto found = home.introductions.find(peer.id);
    if (found == home.introductions.end()) return false;
    const Introduction& introduction = found->second;
    if (introduction.registered && std::ranges::includes(introduction.accepted, home.local_prefixes)) return true;
    return peer.bindings.empty() && now >= introduction.since + Introduction::kPatience;
}

}  // namespace nave::overlay
