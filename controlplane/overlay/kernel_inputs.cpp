// What the kernel's mirror tells: underlay addresses, networks behind us, routes into the tunnel and out of inside ports.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::overlay {

void Gateway::set_underlay_address(PortId port, Family family, std::optional<NbmaAddress> address, TimePoint now, Outbox& out) {
    const auto old = impl_->underlay(port, family);
    if (old == address) return;
    if (address) impl_->underlays[{port, family}] = *address;
    else impl_->underlays.erase({port, family});
    const auto user = std::ranges::find_if(impl_->tunnels, [&](const auto& tunnel) { return tunnel->tunnel.underlay == port; });
    Impl::log(out, ike::Severity::notice, fmt::format("underlay-{}-{}", port.value, std::to_underlying(family)),
              fmt::format("{} underlay address of port {}: {} -> {}", family == Family::v4 ? "IPv4" : "IPv6",
                          user == impl_->tunnels.end() ? std::to_string(port.value) : (*user)->tunnel.underlay_name,
                          old ? old->value.to_string() : "none", address ? address->value.to_string() : "none"));
    if (old) {
        ike::Outbox actions;
        impl_->endpoint.local_address_gone(*old, now, actions);
        impl_->run_ike(std::move(actions), now, out);
    }
    for (const auto& tunnel : impl_->tunnels) {
        if (tunnel->tunnel.underlay != port) continue;
        std::erase_if(tunnel->attempts, [&](const auto& attempt) { return attempt.first.address.value.family() == family; });
        impl_->begin_with_hubs(*tunnel, family, now, out);
    }
}

void Gateway::set_local_prefix(TunnelId id, const Prefix& prefix, bool present, TimePoint now, Outbox& out) {
    TunnelState& named = impl_->tunnel(id);
    if (present) named.rib.set(id, RouteSource::connected, prefix, ToTarget{{RouteTarget::Kind::twin, 0}}, out);
    else named.rib.remove(id, RouteSource::connected, prefix, out);
    for (TunnelState* tunnel : impl_->tunnels_of(named.inside)) {
        tunnel->access.set_local(prefix, present);
        // Without a tunnel of that family the overlay knows no way there.
        if (prefix.address.family() != tunnel->family()) continue;
        if (present) tunnel->local_prefixes.insert(prefix);
        else tunnel->local_prefixes.erase(prefix);
        nhrp::Outbox actions;
        tunnel->node.set_local_prefixes({tunnel->local_prefixes.begin(), tunnel->local_prefixes.end()}, now, actions);
        impl_->run_nhrp(*tunnel, std::move(actions), now, out);
        impl_->review(*tunnel, now, out);
    }
}

void Gateway::set_tunnel_route(TunnelId id, const Prefix& prefix, std::optional<TunnelAddress> gateway, bool present, TimePoint, Outbox& out) {
    TunnelState& tunnel = impl_->tunnel(id);
    if (!present) tunnel.rib.remove(tunnel.id(), RouteSource::kernel, prefix, out);
    else if (gateway) tunnel.rib.set(tunnel.id(), RouteSource::kernel, prefix, ToGateway{*gateway}, out);
    else tunnel.rib.set(tunnel.id(), RouteSource::kernel, prefix, ToBestHub{}, out);
}

void Gateway::routes_followed(Outbox& out) {
    for (auto& [table, inside] : impl_->insides) {
        for (const auto& [gateway, prefixes] : inside.rib.take_changed()) {
            TunnelState& tunnel = impl_->tunnel(gateway.tunnel);
            const auto holder = inside.rib.gateway(gateway.tunnel, gateway.address);
            Peer* peer = holder ? impl_->peers.find(*holder) : nullptr;
            const auto matters = [&](const Prefix& prefix) { return impl_->changes_sources(tunnel, *peer, prefix, inside.rib.leads_through(gateway, prefix)); };
            if (peer && std::ranges::any_of(prefixes, matters)) impl_->update_sources(tunnel, *peer, out);
        }
    }
}

void Gateway::set_inside_route(TunnelId id, const Prefix& prefix, RouteTarget target, bool present, TimePoint, Outbox& out) {
    TunnelState& tunnel = impl_->tunnel(id);
    if (present) tunnel.rib.set(tunnel.id(), RouteSource::inside, prefix, ToTarget{target}, out);
    else tunnel.rib.remove(tunnel.id(), RouteSource::inside, prefix, out);
}

}  // namespace nave::overlay
