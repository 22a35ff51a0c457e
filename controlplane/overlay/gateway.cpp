// The gateway's face: takes inputs, hands them to the part they concern.
#include "controlplane/overlay/gateway.hpp"

#include "controlplane/overlay/gateway_impl.hpp"

namespace nave::overlay {

namespace {
/// NHRP knows next-hop servers by number: configured hubs have the first ones, peers that we introduced ourselves to the rest.
constexpr std::uint32_t kIntroductionsMax = 0xffff;

SetTunnel tunnel_command(const Tunnel& tunnel) {
    SetTunnel set{};
    set.tunnel = tunnel.id, set.table = tunnel.table, set.has_key = tunnel.gre_key.has_value(), set.gre_key = tunnel.gre_key.value_or(0);
    set.mtu = tunnel.mtu, set.mss_clamp = tunnel.mss_clamp, set.ttl = tunnel.ttl;
    set.redirect = tunnel.redirect && !tunnel.is_spoke();
    return set;
}

/// A hub speaks for everybody, so its identity counts at its own addresses only.
Settings with_pinned_hubs(Settings settings) {
    for (const Tunnel& tunnel : settings.tunnels) {
        if (tunnel.profile.value >= settings.ike.profiles.size()) continue;
        for (const Hub& hub : tunnel.hubs)
            if (hub.identity) settings.ike.profiles[tunnel.profile.value].pinned.push_back({*hub.identity, {hub.address}, hub.redirects});
    }
    return settings;
}
}  // namespace

Gateway::Impl::Impl(Settings given, Random& source)
    : settings{with_pinned_hubs(std::move(given))},
      random{source},
      spis{settings.sa_slots, settings.workers},
      peers{settings.peers_max, settings.sa_slots, settings.workers, spis},
      endpoint{settings.ike, random, spis},
      introduction_ids{kIntroductionsMax} {
    std::size_t hubs = 0;
    for (const Tunnel& each : settings.tunnels) {
        tunnels.push_back(std::make_unique<TunnelState>(each, insides.try_emplace(each.table, each.table).first->second, random, peers));
        hubs = std::max(hubs, tunnels.back()->hubs.size());
    }
    // Who is in one tunnel has no business with the addresses of another.
    for (const auto& each : tunnels)
        for (const TunnelState* other : tunnels_of(each->inside))
            if (other != each.get()) each->access.set_local(other->network(), true);
    for (std::size_t i = 0; i < hubs; ++i) (void)introduction_ids.take();
}

Gateway::Gateway(Settings settings, Random& random, TimePoint now, Outbox& out) : impl_{std::make_unique<Impl>(std::move(settings), random)} {
    (void)now;
    for (const auto& tunnel : impl_->tunnels) {
        out.push_back(Dataplane{tunnel_command(tunnel->tunnel)});
        out.push_back(Dataplane{AddTunnelAddress{tunnel->tunnel.id, tunnel->tunnel.address}});
        tunnel->rib.set(tunnel->id(), RouteSource::connected, Prefix::host(tunnel->tunnel.address.value), ToTarget{{RouteTarget::Kind::twin, 0}}, out);
        tunnel->rib.set(tunnel->id(), RouteSource::configuration, tunnel->network(), ToBestHub{}, out);
        for (const Prefix& prefix : tunnel->tunnel.routes) tunnel->rib.set(tunnel->id(), RouteSource::configuration, prefix, ToBestHub{}, out);
    }
}

Gateway::~Gateway() = default;

TunnelState& Gateway::Impl::tunnel(TunnelId id) {
    for (const auto& each : tunnels)
        if (each->tunnel.id == id) return *each;
    return *tunnels.front();
}

std::vector<TunnelState*> Gateway::Impl::tunnels_of(const Inside& inside) const {
    std::vector<TunnelState*> found;
    for (const auto& each : tunnels)
        if (&each->inside == &inside) found.push_back(each.get());
    return found;
}

std::optional<NbmaAddress> Gateway::Impl::underlay(PortId port, Family family) const {
    const auto found = underlays.find({port, family});
    return found == underlays.end() ? std::nullopt : std::optional{found->second};
}

void Gateway::replace_revocations(TunnelId tunnel, std::vector<ike::RevocationList> lists, TimePoint now, Outbox& out) {
    ike::Outbox actions;
    impl_->endpoint.replace_revocations(impl_->tunnel(tunnel).tunnel.profile, std::move(lists), now, actions);
    impl_->run_ike(std::move(actions), now, out);
}

void Gateway::replace_ticket_keys(std::vector<Secret> keys) { impl_->endpoint.replace_ticket_keys(std::move(keys)); }

void Gateway::on_datagram(PortId, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload, TimePoint now, Outbox& out) {
    ike::Outbox actions;
    impl_->endpoint.on_datagram(local, remote, payload, now, actions);
    impl_->run_ike(std::move(actions), now, out);
}

void Gateway::on_computed(ike::Compute job, TimePoint now, Outbox& out) {
    ike::Outbox actions;
    impl_->endpoint.on_computed(job.job, std::move(job.work), now, actions);
    impl_->run_ike(std::move(actions), now, out);
}

void Gateway::on_fetched(ike::FetchId id, const std::expected<Bytes, std::string>& content, TimePoint now, Outbox& out) {
    ike::Outbox actions;
    impl_->endpoint.fetched(id, content, now, actions);
    impl_->run_ike(std::move(actions), now, out);
}

void Gateway::on_nhrp(PeerId id, ByteView packet, TimePoint now, Outbox& out) {
    Peer* peer = impl_->peers.find(id);
    if (!peer || peer->leaving) return impl_->count("overlay-nhrp-from-unknown-peer");
    ++peer->nhrp_in;
    TunnelState& tunnel = impl_->tunnel(peer->tunnel);
    nhrp::Outbox actions;
    tunnel.node.on_packet(id, packet, now, actions);
    impl_->run_nhrp(tunnel, std::move(actions), now, out);
}

void Gateway::on_redirect(PeerId id, ByteView packet, TimePoint now, Outbox& out) {
    const Peer* peer = impl_->peers.find(id);
    if (!peer || peer->leaving) return;
    TunnelState& tunnel = impl_->tunnel(peer->tunnel);
    nhrp::Outbox actions;
    tunnel.node.relayed(id, packet, now, actions);
    impl_->run_nhrp(tunnel, std::move(actions), now, out);
}

void Gateway::on_event(const Event& event, TimePoint now, Outbox& out) {
    std::visit([&](const auto& each) { impl_->handle(each, now, out); }, event);
}

void Gateway::on_counters(const Counters& counters, TimePoint now, Outbox& out) {
    for (Peer* peer : impl_->peers.live()) impl_->read_counters(*peer, counters, now);
    for (Peer* peer : impl_->peers.live()) impl_->probe_if_deaf(*peer, now, out);
    for (Peer* peer : impl_->peers.live()) impl_->close_if_idle(*peer, now, out);
    impl_->tell_wrong_keys(counters, out);
}

void Gateway::on_deadline(TimePoint now, Outbox& out) { impl_->on_deadline(now, out); }
std::optional<TimePoint> Gateway::next_deadline() const { return impl_->next_deadline(); }

void Gateway::shut_down(TimePoint now, Outbox& out) {
    for (const auto& tunnel : impl_->tunnels) {
        nhrp::Outbox actions;
        tunnel->node.shut_down(now, actions);
        impl_->run_nhrp(*tunnel, std::move(actions), now, out);
    }
    for (const Peer* peer : impl_->peers.live())
        for (const Association& association : std::vector<Association>{peer->associations})
            impl_->close(association.sa, ike::DownReason::closed_by_us, true, now, out);
}

void Gateway::Impl::on_deadline(TimePoint now, Outbox& out) {
    ike::Outbox actions;
    endpoint.on_deadline(now, actions);
    run_ike(std::move(actions), now, out);
    while (!closings.empty() && closings.begin()->first <= now) {
        const ike::SaId sa = closings.begin()->second;
        closings.erase(closings.begin());
        const Peer* peer = peers.find(sa);
        const Association* association = peer ? peer->association(sa) : nullptr;
        if (association && association->replaced) close(sa, ike::DownReason::replaced_duplicate, true, now, out);
    }
    for (const auto& each : tunnels) {
        nhrp::Outbox said;
        each->node.on_deadline(now, said);
        run_nhrp(*each, std::move(said), now, out);
        tend_hubs(*each, now, out);
        ask_for_hubs(*each, now, out);
        if (each->review_at && *each->review_at <= now) review(*each, now, out);
    }
    peers.on_deadline(now, out);
}

std::optional<TimePoint> Gateway::Impl::next_deadline() const {
    std::optional<TimePoint> next = earlier(endpoint.next_deadline(), peers.next_deadline());
    if (!closings.empty()) next = earlier(next, closings.begin()->first);
    for (const auto& each : tunnels) {
        next = earlier(next, earlier(each->node.next_deadline(), each->review_at));
        for (const HubLink& hub : each->hubs) next = earlier(earlier(next, hub.retry_at), earlier(hub.judged_at, hub.dropped_at));
        for (const auto& [name, asked] : each->names) next = earlier(next, asked.ask_at);
    }
    return next;
}

}  // namespace nave::overlay
