// A spoke's hubs: connect, connect again for ever, and let the best registered one carry the traffic.
#include "controlplane/overlay/gateway_impl.hpp"

#include "common/headers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>
#include <utility>

namespace nave::overlay {

namespace {
/// Pause before a hub that did not answer is asked again. With the last wait of an attempt it is shorter than the default of Tunnel::hub_return,
/// so that all spokes are back at a hub before the first of them relies on it.
constexpr std::uint32_t kSilencePauseMin = 4000, kSilencePauseSpread = 4000;  // ms

/// The order in which hubs are preferred; a configuration's order decides between equals.
auto rank(const HubLink& link) { return std::pair{link.hub->priority, &link}; }

ToPeer way_to(const HubLink& registered) { return {*registered.peer, *registered.address}; }

/// Of registered hubs the one to use, of equal ones the first. The one in use is left for one that works, not for one that has yet to show it.
const HubLink* best_of(const std::vector<const HubLink*>& registered, const HubLink* in_use) {
    const auto order = [](const HubLink* link) { return std::tuple{link->silent, !link->settled, link->hub->priority}; };
    const auto best = std::ranges::min_element(registered, {}, order);
    if (best == registered.end()) return nullptr;
    const bool stays = in_use && !in_use->silent && !(*best)->settled && std::ranges::find(registered, in_use) != registered.end();
    return stays ? in_use : *best;
}
}  // namespace

bool Gateway::Impl::has_way(const TunnelState& home, const HubLink& link) const {
    return link.nbma && underlay(home.tunnel.underlay, link.nbma->value.family());
}

bool Gateway::Impl::is_spare_address(const TunnelState& home, const HubLink& link) const {
    if (link.hub->name.empty() || !link.hub->identity || !link.hub->identity->exact()) return false;
    return std::ranges::any_of(home.hubs, [&](const HubLink& other) {
        const bool is_sibling = &other != &link && other.hub == link.hub && has_way(home, other);
        return is_sibling && link.state != HubLink::State::registered && (other.state == HubLink::State::registered || (other.settled && rank(other) < rank(link)));
    });
}

bool Gateway::Impl::is_wanted(const TunnelState& home, const HubLink& link) const {
    if (!has_way(home, link) || is_spare_address(home, link)) return false;
    if (home.tunnel.hub_connections == 0) return true;
    const auto is_before = [&](const HubLink& other) {
        return other.hub->cluster == link.hub->cluster && has_way(home, other) && other.settled && rank(other) < rank(link) && !is_spare_address(home, other);
    };
    return std::ranges::count_if(home.hubs, is_before) < home.tunnel.hub_connections;
}

void Gateway::Impl::set_state(TunnelState& home, std::size_t index, HubLink::State state, std::string_view reason, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    const HubLink::State before = std::exchange(link.state, state);
    if (before != state) {
        log(out, ike::Severity::notice, fmt::format("hub-{}", index),
            fmt::format("{}: hub {}: {} -> {}: {}", home.tunnel.name, link.nbma->value.to_string(), name(before), name(state), reason));
        link.silent = false;
        const bool is_registered = state == HubLink::State::registered;
        if (is_registered && !link.settled) link.judged_at = now + home.tunnel.hub_return;
        if (is_registered && link.settled) link.judged_at.reset();
        if (state == HubLink::State::connecting && link.settled) link.judged_at = now + HubLink::kDoubtAfter;
        if (state == HubLink::State::down || before == HubLink::State::registered) {
            link.judged_at.reset(), link.dropped_at.reset();
            link.settled = !is_wanted(home, link);  // what we left ourselves has not failed
            doubt_hub_name(home, link, now);
        }
    }
    if (state != HubLink::State::registered && link.address) {
        home.unbind(*link.address, out);
        home.rib.remove(home.id(), RouteSource::station, Prefix::host(link.address->value), out);
        link.address.reset();
    }
    choose_best_hub(home, out);
    if (before != state) keep_hubs(home, now, out);
}

void Gateway::Impl::begin_with_hubs(TunnelState& home, Family family, TimePoint now, Outbox& out) {
    for (auto& [name, asked] : home.names) asked.ask_at = now;
    for (HubLink& link : home.hubs) {
        if (link.nbma && link.nbma->value.family() != family) continue;
        link.retry_at.reset(), link.judged_at.reset();
        link.backoff.reset();
        link.settled = true;
    }
    keep_hubs(home, now, out);
}

void Gateway::Impl::tend_hubs(TunnelState& home, TimePoint now, Outbox& out) {
    const auto is_due = [&](std::optional<TimePoint>& when) {
        if (!when || *when > now) return false;
        when.reset();
        return true;
    };
    bool is_judged = false;
    for (std::size_t i = 0; i < home.hubs.size(); ++i) {
        HubLink& link = home.hubs[i];
        if (is_due(link.judged_at)) link.settled = link.state == HubLink::State::registered, is_judged = true;
        const auto is_shared = [&] { return std::ranges::any_of(home.hubs, [&](const HubLink& other) { return &other != &link && link.peer && other.peer == link.peer; }); };
        if (is_due(link.dropped_at) && link.sa && !is_wanted(home, link) && !is_shared()) {
            log(out, ike::Severity::notice, fmt::format("hub-{}", i),
                fmt::format("{}: hub {} is not needed, as better ones work", home.tunnel.name, link.nbma->value.to_string()));
            close(*link.sa, ike::DownReason::closed_by_us, false, now, out);
        }
        if (is_due(link.retry_at)) connect_hub(home, i, now, out);
    }
    if (!is_judged) return;
    choose_best_hub(home, out);
    keep_hubs(home, now, out);
}

void Gateway::Impl::keep_hubs(TunnelState& home, TimePoint now, Outbox& out) {
    for (std::size_t i = 0; i < home.hubs.size(); ++i) {
        HubLink& link = home.hubs[i];
        const bool wanted = is_wanted(home, link);
        if (wanted) link.dropped_at.reset();
        if (wanted && !link.retry_at) connect_hub(home, i, now, out);
        if (!wanted) link.retry_at.reset();
        if (!wanted && link.sa && link.state == HubLink::State::connecting) close(*link.sa, ike::DownReason::closed_by_us, true, now, out);
        else if (!wanted && link.sa && !link.dropped_at) link.dropped_at = now + home.tunnel.hub_return;
    }
}

void Gateway::Impl::connect_hub(TunnelState& home, std::size_t index, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    link.retry_at.reset();
    const Hub& hub = *link.hub;
    const auto local = link.nbma ? underlay(home.tunnel.underlay, link.nbma->value.family()) : std::nullopt;
    if (!local || link.state != HubLink::State::down) return;
    ike::ConnectRequest request{home.tunnel.profile, {*local, kUdpPortIke}, {*link.nbma, kUdpPortIke}, hub.identity, ++last_token, hub.redirects, true};
    purposes.emplace(request.token, HubAttempt{home.tunnel.id, index});
    set_state(home, index, HubLink::State::connecting, "IKE starts", now, out);
    ike::Outbox actions;
    link.sa = endpoint.connect(request, now, actions);
    run_ike(std::move(actions), now, out);
}

void Gateway::Impl::retry_hub(TunnelState& home, std::size_t index, Duration pause, TimePoint now) {
    HubLink& link = home.hubs[index];
    if (is_wanted(home, link)) link.retry_at = now + pause;
}

void Gateway::Impl::hub_attempt_failed(TunnelState& home, std::size_t index, const ike::SaDown& down, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    if (link.state != HubLink::State::connecting) return;
    link.sa.reset();
    const Duration silence = std::chrono::milliseconds{kSilencePauseMin + random.below(kSilencePauseSpread)};
    retry_hub(home, index, down.reason == ike::DownReason::timed_out ? silence : link.backoff.next(random), now);
    set_state(home, index, HubLink::State::down, fmt::format("{}: {}", ike::name(down.reason), down.detail), now, out);
}

void Gateway::Impl::hub_peer_gone(TunnelState& home, Peer& peer, TimePoint now, Outbox& out) {
    for (std::size_t i = 0; i < home.hubs.size(); ++i) {
        HubLink& link = home.hubs[i];
        if (link.peer != peer.id) continue;
        const bool was_registered = link.state == HubLink::State::registered;
        link.peer.reset(), link.sa.reset();
        nhrp::Outbox actions;
        home.node.remove_next_hop_server(nhrp::NhsId{static_cast<std::uint16_t>(i)}, now, actions);
        // A hub that worked is tried at once, though not by all its spokes in the same instant.
        retry_hub(home, i, was_registered ? Duration{std::chrono::milliseconds{random.below(1000)}} : link.backoff.next(random), now);
        set_state(home, i, HubLink::State::down, "its IKE association is gone", now, out);
        run_nhrp(home, std::move(actions), now, out);
    }
    for (const TunnelAddress& address : peer.tunnel_addresses) home.access.release(peer.identity, Prefix::host(address.value));
}

void Gateway::Impl::hub_silent(TunnelState& home, std::size_t index, bool silent, TimePoint now, Outbox& out) {
    HubLink& link = home.hubs[index];
    if (link.state != HubLink::State::registered || link.silent == silent) return;
    log(out, ike::Severity::notice, fmt::format("hub-{}", index),
        fmt::format("{}: hub {} {}", home.tunnel.name, link.nbma->value.to_string(), silent ? "does not answer" : "answers again"));
    link.silent = silent, link.settled = false;
    if (silent) link.judged_at.reset();
    else link.judged_at = now + home.tunnel.hub_return;
    choose_best_hub(home, out);
    keep_hubs(home, now, out);
}

void Gateway::Impl::choose_best_hub(TunnelState& home, Outbox& out) {
    if (!home.is_spoke()) return;  // a hub sends another one what is for its spokes, and nothing on suspicion
    std::vector<const HubLink*> registered;
    for (const HubLink& link : home.hubs)
        if (link.state == HubLink::State::registered) registered.push_back(&link);
    home.best_hub = best_of(registered, home.best_hub);

    Rib& rib = home.rib;
    const auto preferred = rib.preferred(home.family());
    const auto before = preferred ? rib.best_hub(*preferred) : std::nullopt;
    std::vector<const HubLink*> hubs;
    const HubLink* in_use = nullptr;
    for (const TunnelState* each : tunnels_of(home.inside)) {
        if (!each->best_hub || each->family() != home.family()) continue;
        hubs.push_back(each->best_hub);
        if (each->id() == preferred) in_use = each->best_hub;
    }
    const HubLink* best = best_of(hubs, in_use);
    const auto carrier = std::ranges::find_if(tunnels, [&](const auto& each) { return best && each->best_hub == best; });
    rib.prefer(home.family(), best ? std::optional{(*carrier)->id()} : std::nullopt, out);
    rib.set_best_hub(home.id(), home.best_hub ? std::optional{way_to(*home.best_hub)} : std::nullopt, out);
    tell_kernel_of_hubs(home.inside, out);
    if (before == (best ? std::optional{way_to(*best)} : std::nullopt)) return;
    log(out, ike::Severity::notice, "best-hub",
        best ? fmt::format("{}: traffic goes through hub {}", (*carrier)->tunnel.name, best->nbma->value.to_string())
             : fmt::format("{}: traffic is stopped: no hub is registered with", home.tunnel.name));
}

void Gateway::Impl::tell_kernel_of_hubs(Inside& inside, Outbox& out) {
    std::map<Prefix, Rib::Gateway> wanted;
    for (const TunnelState* each : tunnels_of(inside)) {
        const auto hub = inside.rib.best_hub(each->id());
        const bool is_preferred = inside.rib.preferred(each->family()) == each->id();
        for (const Prefix& prefix : each->tunnel.routes)
            if (hub && (is_preferred || !wanted.contains(prefix))) wanted[prefix] = {each->id(), hub->next_hop};
    }
    for (const auto& [prefix, way] : inside.kernel_routes)
        if (!wanted.contains(prefix)) out.push_back(KernelRoute{way.tunnel, prefix, way.address, false});
    for (const auto& [prefix, way] : wanted)
        if (const auto told = inside.kernel_routes.find(prefix); told == inside.kernel_routes.end() || told->second != way)
            out.push_back(KernelRoute{way.tunnel, prefix, way.address, true});
    inside.kernel_routes = std::move(wanted);
}

}  // namespace nave::overlay
