// What IKE says: associations come and go, SAs are installed and removed.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::overlay {

void Gateway::Impl::run_ike(ike::Outbox actions, TimePoint now, Outbox& out) {
    for (ike::Action& action : actions) std::visit([&](auto& each) { handle(each, now, out); }, action);
    after_sa_changes(now, out);
}

void Gateway::Impl::after_sa_changes(TimePoint now, Outbox& out) {
    for (const ike::SaId sa : peers.take_replaced()) closings.emplace(now + Peers::kReplacedLingers, sa);
    for (const auto& [sa, inbound] : peers.take_rekeys()) {
        ike::Outbox actions;
        endpoint.rekey_child(sa, inbound, now, actions);
        run_ike(std::move(actions), now, out);
    }
}

void Gateway::Impl::close(ike::SaId sa, ike::DownReason reason, bool at_once, TimePoint now, Outbox& out) {
    ike::Outbox actions;
    endpoint.close(sa, reason, at_once, now, actions);
    run_ike(std::move(actions), now, out);
}

void Gateway::Impl::handle(ike::SendDatagram& send, TimePoint, Outbox& out) {
    for (const auto& [key, address] : underlays)
        if (address == send.local.address) {
            out.push_back(SendDatagram{key.first, send.local, send.remote, std::move(send.payload)});
            return;
        }
    count("overlay-datagram-without-address");
}

std::optional<Gateway::Impl::Purpose> Gateway::Impl::take_purpose(std::uint64_t token) {
    const auto found = purposes.find(token);
    if (found == purposes.end()) return std::nullopt;
    const Purpose purpose = found->second;
    purposes.erase(found);
    return purpose;
}

TunnelState* Gateway::Impl::tunnel_of(const ike::SaUp& up) {
    for (const auto& each : tunnels)
        if (each->tunnel.profile == up.profile && underlay(each->tunnel.underlay, up.local_endpoint.address.value.family()) == up.local_endpoint.address) return each.get();
    return nullptr;
}

std::optional<Admission> Gateway::Impl::admit(TunnelState& tunnel, const ike::SaUp& up, Outbox& out) {
    Admission admission{tunnel.tunnel.id, tunnel.tunnel.underlay, Role::spoke, GroupId{}};
    const AccessRule* rule = tunnel.access.rule(up.remote_identity);
    if (rule) admission.role = rule->hub ? Role::hub : Role::spoke;
    const Peer* known = peers.find(tunnel.tunnel.id, up.remote_identity);
    if (known && known->role == Role::hub) {
        // A hub that begins by itself is what it was when we began: no rule for spokes is about it.
        admission.role = Role::hub;
        return admission;
    }
    if (const AccessRule* treatment = tunnel.access.treatment(up.remote_identity, up.subject, known ? known->nhrp_group : std::string{}))
        admission.group = treatment->group, admission.rates = treatment->rates;
    if (rule) return admission;
    count("overlay-identity-refused");
    log(out, ike::Severity::warning, "access-" + up.remote_identity.to_string(),
        fmt::format("{}: {} at {} refused: no access rule allows this identity", tunnel.tunnel.name, up.remote_identity.to_string(), up.remote_endpoint.to_string()));
    return std::nullopt;
}

void Gateway::Impl::handle(const ike::SaUp& up, TimePoint now, Outbox& out) {
    const auto purpose = take_purpose(up.token);
    const auto* for_hub = purpose ? std::get_if<HubAttempt>(&*purpose) : nullptr;
    const auto* for_shortcut = purpose ? std::get_if<ShortcutAttempt>(&*purpose) : nullptr;
    TunnelState* found = for_hub ? &tunnel(for_hub->tunnel) : for_shortcut ? &tunnel(for_shortcut->tunnel) : tunnel_of(up);
    if (!found) {
        count("overlay-association-without-tunnel");
        return close(up.sa, ike::DownReason::closed_by_us, false, now, out);
    }
    Peer* peer = peers.find(up.sa);
    if (!peer) {
        auto admission = for_hub ? Admission{found->tunnel.id, found->tunnel.underlay, Role::hub, GroupId{}} : admit(*found, up, out);
        if (admission) peer = peers.admit(*admission, up, now, out);
        if (admission && !peer) {
            count("overlay-peers-full");
            log(out, ike::Severity::error, "peers-full",
                fmt::format("{}: {} refused: all {} peers are taken", found->tunnel.name, up.remote_identity.to_string(), settings.peers_max));
        }
    }
    if (for_shortcut && !peer) attempt_failed(*found, for_shortcut->contact, "the identity there is refused", now, out);
    if (for_shortcut && peer) found->attempts.erase(for_shortcut->contact);
    if (!peer) return close(up.sa, ike::DownReason::closed_by_us, false, now, out);
    if (!for_hub) return;
    if (peer->role != Role::hub) {
        // It came up first by its own attempt, as a spoke; the configuration says that it is a hub.
        peer->role = Role::hub, peer->multicast = true;
        peers.tell(*peer, out);
    }
    HubLink& link = found->hubs[for_hub->index];
    link.sa = up.sa, link.peer = peer->id;
    set_state(*found, for_hub->index, HubLink::State::up, fmt::format("IKE is up with {}", up.remote_identity.to_string()), now, out);
    if (peer->carries_traffic()) peer_ready(*peer, now, out);
}

void Gateway::Impl::handle(const ike::SaDown& down, TimePoint now, Outbox& out) {
    if (const auto purpose = take_purpose(down.token)) {
        if (const auto* hub = std::get_if<HubAttempt>(&*purpose)) hub_attempt_failed(tunnel(hub->tunnel), hub->index, down, now, out);
        if (const auto* shortcut = std::get_if<ShortcutAttempt>(&*purpose)) {
            TunnelState& home = tunnel(shortcut->tunnel);
            if (const auto attempt = home.attempts.find(shortcut->contact); attempt != home.attempts.end())
                attempt->second.unanswered = down.reason == ike::DownReason::timed_out;
            attempt_failed(home, shortcut->contact, fmt::format("{}: {}", ike::name(down.reason), down.detail), now, out);
        }
    }
    Peer* peer = peers.find(down.sa);
    if (!peer) return;
    // The last association: traffic goes elsewhere before its SAs go.
    if (peer->associations.size() == 1) {
        TunnelState& home = tunnel(peer->tunnel);
        const NbmaEndpoint remote = peer->associations.front().remote;
        remove_shortcuts_through(home, peer->id, ike::name(down.reason), out);
        give_up_waiting(home, remote, ike::name(down.reason), now, out);
    }
    peers.detach(down.sa, now, out);
    if (peer->associations.empty()) peer_gone(*peer, ike::name(down.reason), now, out);
}

void Gateway::Impl::handle(const ike::InstallInbound& install, TimePoint now, Outbox& out) {
    const Peer* peer = peers.find(install.sa);
    peers.install_inbound(install, peer ? tunnel(peer->tunnel).tunnel.replay_window : std::uint16_t{64}, now, out);
}

void Gateway::Impl::handle(const ike::InstallOutbound& install, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(install.sa);
    if (!peer) return;
    const bool is_rekey = peer->carries_traffic() && peer->active == install.sa;
    if (!peers.install_outbound(install, now, out)) {
        count("overlay-sa-slots-full");
        log(out, ike::Severity::error, "sa-slots-full", fmt::format("{} closed: all {} SA slots are taken", peer->identity.to_string(), settings.sa_slots));
        return close(install.sa, ike::DownReason::limit_reached, false, now, out);
    }
    if (!is_rekey && peer->active == install.sa) peer_ready(*peer, now, out);
}

void Gateway::Impl::handle(const ike::RemoveInbound& remove, TimePoint now, Outbox& out) { peers.remove_inbound(remove.sa, remove.spi, now, out); }

void Gateway::Impl::handle(const ike::RemoveOutbound& remove, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(remove.sa);
    if (!peer) return;
    const bool was_active = peer->active == remove.sa && peer->active_child == remove.child;
    const bool has_successor = std::ranges::any_of(peer->associations, [&](const Association& each) { return each.sa != remove.sa && each.standby; });
    // Traffic that has another way takes it before this SA goes.
    if (was_active && !has_successor) remove_shortcuts_through(tunnel(peer->tunnel), peer->id, "its SA is removed", out);
    peers.remove_outbound(remove.sa, remove.child, now, out);
    if (!was_active || !peer->carries_traffic()) return;
    // Most likely its crossing twin took over and nothing changes; to say who we are once more does no harm.
    nhrp::Outbox actions;
    tunnel(peer->tunnel).node.peer_up(peer->id, now, actions);
    run_nhrp(tunnel(peer->tunnel), std::move(actions), now, out);
}

void Gateway::Impl::handle(const ike::PeerEndpointChanged& changed, TimePoint, Outbox& out) {
    if (Peer* peer = peers.find(changed.sa)) peers.move(*peer, changed.sa, changed.local, changed.remote, out);
}

void Gateway::Impl::handle(const ike::PeerSilent& silent, TimePoint now, Outbox& out) {
    const Peer* peer = peers.find(silent.sa);
    if (!peer || peer->active != silent.sa) return;
    TunnelState& home = tunnel(peer->tunnel);
    for (std::size_t i = 0; i < home.hubs.size(); ++i)
        if (home.hubs[i].peer == peer->id) hub_silent(home, i, silent.silent, now, out);
}

void Gateway::Impl::handle(ike::Log& line, TimePoint, Outbox& out) { out.push_back(Log{line.severity, "ike", std::move(line.text)}); }

void Gateway::Impl::handle(ike::KeyLog& keys, TimePoint, Outbox& out) { out.push_back(std::move(keys)); }

void Gateway::Impl::handle(ike::Trace& trace, TimePoint, Outbox& out) { out.push_back(std::move(trace)); }

void Gateway::Impl::handle(ike::Compute& compute, TimePoint, Outbox& out) { out.push_back(std::move(compute)); }

void Gateway::Impl::handle(ike::FetchRevocation& fetch, TimePoint, Outbox& out) { out.push_back(std::move(fetch)); }

void Gateway::Impl::peer_ready(Peer& peer, TimePoint now, Outbox& out) {
    TunnelState& home = tunnel(peer.tunnel);
    const PeerId id = peer.id;
    forget_acquaintance(home, peer, now, out);
    nhrp::Outbox actions;
    home.node.peer_up(id, now, actions);
    for (std::size_t i = 0; i < home.hubs.size(); ++i)
        if (home.hubs[i].peer == id) home.node.add_next_hop_server(nhrp::NhsId{static_cast<std::uint16_t>(i)}, id, std::nullopt, now, actions);
    run_nhrp(home, std::move(actions), now, out);
    if (home.is_spoke() && peer.role == Role::spoke) introduce(home, peer, now, out);
}

void Gateway::Impl::peer_gone(Peer& peer, std::string_view reason, TimePoint now, Outbox& out) {
    TunnelState& home = tunnel(peer.tunnel);
    log(out, ike::Severity::notice, "peer-" + peer.identity.to_string(), fmt::format("{}: peer {} is gone: {}", home.tunnel.name, peer.identity.to_string(), reason));
    remove_shortcuts_through(home, peer.id, reason, out);
    nhrp::Outbox actions;
    home.node.peer_down(peer.id, now, actions);
    run_nhrp(home, std::move(actions), now, out);
    end_introduction(home, peer.id, now, out);
    hub_peer_gone(home, peer, now, out);
    peers.leave(peer, now, out);
}

}  // namespace nave::overlay
