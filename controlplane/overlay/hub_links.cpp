// A spoke's hubs: connect, connect again for ever, and let the best registered one carry the traffic.
#include "controlplane/overlay/gateway_impl.hpp"

#include "common/headers.hpp"

#include <fmt/format.h>

namespace nave::overlay {

void Gateway::Impl::set_state(TunnelState& home, std::size_t index, HubLink::State state, std::string_view reason, Outbox& out) {
    HubLink& link = home.hubs[index];
    if (link.state != state) {
        log(out, ike::Severity::notice, fmt::format("hub-{}", index),
            fmt::format("{}: hub {}: {} -> {}: {}", home.tunnel.name, home.tunnel.hubs[index].address.value.to_string(), name(link.state), name(state), reason));
    }
    link.state = state;
    if (state != HubLink::State::registered && link.address) {
        home.rib.unbind_gateway(*link.address, out);
        home.rib.remove(RouteSource::registration, Prefix::host(link.address->value), out);
        link.address.reset();
    }
    choose_best_hub(home, out);
}

void Gateway::Impl::connect_hub(TunnelState& home, std::size_t index, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    link.retry_at.reset();
    const Hub& hub = home.tunnel.hubs[index];
    const auto local = underlay(home.tunnel.underlay, hub.address.value.family());
    if (!local || link.state != HubLink::State::down) return;
    ike::ConnectRequest request{home.tunnel.profile, {*local, kUdpPortIke}, {hub.address, kUdpPortIke}, hub.identity, ++last_token, hub.redirects, true};
    purposes.emplace(request.token, HubAttempt{home.tunnel.id, index});
    set_state(home, index, HubLink::State::connecting, "IKE starts", out);
    ike::Outbox actions;
    link.sa = endpoint.connect(request, now, actions);
    run_ike(std::move(actions), now, out);
}

void Gateway::Impl::retry_hub(TunnelState& home, std::size_t index, Duration pause, TimePoint now) {
    HubLink& link = home.hubs[index];
    if (underlay(home.tunnel.underlay, home.tunnel.hubs[index].address.value.family())) link.retry_at = now + pause;
}

void Gateway::Impl::hub_attempt_failed(TunnelState& home, std::size_t index, const ike::SaDown& down, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    if (link.state != HubLink::State::connecting) return;
    link.sa.reset();
    set_state(home, index, HubLink::State::down, fmt::format("{}: {}", ike::name(down.reason), down.detail), out);
    retry_hub(home, index, link.backoff.next(random), now);
}

void Gateway::Impl::hub_peer_gone(TunnelState& home, Peer& peer, TimePoint now, Outbox& out) {
    for (std::size_t i = 0; i < home.hubs.size(); ++i) {
        HubLink& link = home.hubs[i];
        if (link.peer != peer.id) continue;
        const bool was_registered = link.state == HubLink::State::registered;
        link.peer.reset(), link.sa.reset();
        nhrp::Outbox actions;
        home.node.remove_next_hop_server(nhrp::NhsId{static_cast<std::uint16_t>(i)}, now, actions);
        set_state(home, i, HubLink::State::down, "its IKE association is gone", out);
        run_nhrp(home, std::move(actions), now, out);
        // A hub that worked is tried at once, though not by all its spokes in the same instant.
        retry_hub(home, i, was_registered ? Duration{std::chrono::milliseconds{random.below(1000)}} : link.backoff.next(random), now);
    }
    for (const TunnelAddress& address : peer.tunnel_addresses) home.access.release(peer.identity, Prefix::host(address.value));
}

void Gateway::Impl::choose_best_hub(TunnelState& home, Outbox& out) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < home.hubs.size(); ++i) {
        if (home.hubs[i].state != HubLink::State::registered) continue;
        if (!best || home.tunnel.hubs[i].priority < home.tunnel.hubs[*best].priority) best = i;
    }
    std::optional<ToPeer> chosen;
    if (best) chosen = ToPeer{*home.hubs[*best].peer, *home.hubs[*best].address};
    const auto& current = home.rib.best_hub();
    if (chosen.has_value() == current.has_value() && (!chosen || (chosen->peer == current->peer && chosen->next_hop == current->next_hop))) return;
    home.rib.set_best_hub(chosen, out);
    log(out, ike::Severity::notice, "best-hub",
        fmt::format("{}: traffic {}", home.tunnel.name, best ? "goes through hub " + home.tunnel.hubs[*best].address.value.to_string() : "is stopped: no hub is registered with"));
    tell_kernel_of_hub(home, out);
}

void Gateway::Impl::tell_kernel_of_hub(TunnelState& home, Outbox& out) {
    const auto& hub = home.rib.best_hub();
    const auto gateway = hub ? std::optional{hub->next_hop} : std::nullopt;
    if (gateway == home.kernel_gateway) return;
    for (const Prefix& prefix : home.tunnel.routes) {
        if (gateway) out.push_back(KernelRoute{home.tunnel.id, prefix, *gateway, true});
        else out.push_back(KernelRoute{home.tunnel.id, prefix, *home.kernel_gateway, false});
    }
    home.kernel_gateway = gateway;
}

}  // namespace nave::overlay
