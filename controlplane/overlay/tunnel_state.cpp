// One tunnel of this gateway: the answers to what its NHRP node asks; see the header.
#include "controlplane/overlay/tunnel_state.hpp"

#include "controlplane/overlay/link_local.hpp"

#include <algorithm>

namespace nave::overlay {

namespace {
nhrp::Settings node_settings(const Tunnel& tunnel) {
    nhrp::Settings settings;
    settings.holding_time = std::max(std::chrono::seconds{1}, std::chrono::duration_cast<std::chrono::seconds>(tunnel.holding_time));
    settings.server = !tunnel.is_spoke();
    settings.relay = tunnel.relay;
    settings.introductions = tunnel.is_spoke();  // of the spokes that it has a shortcut with (see Introduction)
    settings.redirect = tunnel.redirect && !tunnel.is_spoke();
    settings.shortcut = tunnel.shortcut && tunnel.is_spoke();
    settings.unique = tunnel.unique;
    settings.authentication = tunnel.nhrp_authentication;
    settings.group = tunnel.nhrp_group;
    return settings;
}

std::vector<HubLink> links_to(const Tunnel& tunnel) {
    std::vector<HubLink> links;
    for (const Hub& hub : tunnel.hubs) {
        if (hub.name.empty()) links.push_back({.hub = &hub, .nbma = hub.address});
        else links.insert(links.end(), HubLink::kPlacesPerName, {.hub = &hub, .nbma = {}});
    }
    return links;
}
}  // namespace

std::string_view name(HubLink::State state) {
    switch (state) {
    case HubLink::State::down: return "down";
    case HubLink::State::connecting: return "connecting";
    case HubLink::State::up: return "up";
    case HubLink::State::registered: return "registered";
    }
    return "unknown";
}

std::string_view name(Shortcut::State state) {
    switch (state) {
    case Shortcut::State::waiting: return "waiting";
    case Shortcut::State::active: return "active";
    case Shortcut::State::failed: return "failed";
    }
    return "unknown";
}

TunnelState::TunnelState(const Tunnel& settings, Inside& shared, Random& random, const Peers& peers)
    : tunnel{settings},
      inside{shared},
      rib{shared.rib},
      access{settings, shared.claims},
      node{node_settings(settings), settings.address, settings.address_length, random, *this},
      hubs{links_to(settings)},
      peers_{peers} {
    for (const Hub& hub : tunnel.hubs)
        if (!hub.name.empty()) names.try_emplace(hub.name);
}

std::size_t TunnelState::active_through(PeerId peer) const {
    return static_cast<std::size_t>(std::ranges::count_if(shortcuts, [&](const auto& entry) { return entry.second.peer == peer; }));
}

std::optional<TunnelAddress> TunnelState::link_local_of(const TunnelAddress& address) const {
    return tunnel.link_local ? overlay::link_local_of(address) : std::nullopt;
}

void TunnelState::bind(const TunnelAddress& address, PeerId peer, Outbox& out) {
    rib.bind_gateway(id(), address, peer, out);
    if (const auto other = link_local_of(address)) rib.set(id(), RouteSource::station, Prefix::host(other->value), ToPeer{peer, address}, out);
}

void TunnelState::unbind(const TunnelAddress& address, Outbox& out) {
    if (const auto other = link_local_of(address)) rib.remove(id(), RouteSource::station, Prefix::host(other->value), out);
    rib.unbind_gateway(id(), address, out);
}

nhrp::Route TunnelState::route(const IpAddress& destination) const {
    if (destination == tunnel.address.value) return nhrp::LocalRoute{Prefix::host(destination)};
    const auto match = rib.lookup(destination);
    if (!match || match->target.kind == RouteTarget::Kind::reject) return nhrp::NoRoute{};
    if (match->leads_to_peer() && match->tunnel == id()) return nhrp::PeerRoute{PeerId{match->target.index}, match->next_hop, match->prefix};
    // Another tunnel of our table carries it: a hub is the way there, a spoke leads nobody on.
    if (match->leads_to_peer() && is_spoke()) return nhrp::NoRoute{};
    // A neighbour's host route lies within a network of ours: one answer for the network spares one for each neighbour.
    for (const Prefix& local : local_prefixes)
        if (local.contains(match->prefix)) return nhrp::LocalRoute{local};
    return nhrp::LocalRoute{match->prefix};
}

nhrp::Route TunnelState::way_to_ask(const IpAddress& destination) const {
    const auto match = destination == tunnel.address.value ? std::nullopt : rib.lookup(destination);
    const auto hub = rib.best_hub(id());
    const bool leads_to_hub = match && match->tunnel == id() && is_server(PeerId{match->target.index});
    if (!match || !match->leads_to_peer() || !hub || leads_to_hub) return route(destination);
    return nhrp::PeerRoute{hub->peer, hub->next_hop, match->prefix};
}

bool TunnelState::is_server(PeerId id) const {
    const Peer* peer = peers_.find(id);
    return peer && peer->role == Role::hub;
}

bool TunnelState::is_station(PeerId id, const IpAddress& address) const {
    const Peer* peer = peers_.find(id);
    return peer && peer->holds(TunnelAddress{address});
}

std::optional<nhrp::CieCode> TunnelState::objection(const Peer& peer, const Prefix& prefix) const {
    return is_spoke() ? access.prohibition(peer.identity, prefix) : access.refusal(peer.identity, prefix);
}

std::optional<nhrp::CieCode> TunnelState::why_not(const Peer& peer, const Prefix& prefix) const {
    if (peer.leaving || peer.role == Role::hub) return nhrp::CieCode::administratively_prohibited;
    return objection(peer, prefix);
}

std::optional<nhrp::CieCode> TunnelState::registration_refusal(PeerId id, const Prefix& prefix) const {
    const Peer* peer = peers_.find(id);
    if (!peer) return nhrp::CieCode::administratively_prohibited;
    const auto code = why_not(*peer, prefix);
    note_refusal(id, prefix, code, {});
    return code;
}

void TunnelState::note_refusal(PeerId id, const Prefix& prefix, std::optional<nhrp::CieCode> code, std::string_view holder) const {
    // One request may ask twice about its tunnel address: as next hop, and as what is registered.
    const bool noted = !refusals_.empty() && refusals_.back().peer == id && refusals_.back().prefix == prefix;
    if (code && !noted) refusals_.push_back({id, prefix, *code, std::string{holder}});
}

std::optional<nhrp::CieCode> TunnelState::refusal_behind_hub(PeerId id, std::string_view holder, const Prefix& prefix) const {
    const Peer* hub = peers_.find(id);
    const auto spoke = holder.empty() ? std::nullopt : ike::Identity::parse(holder);
    if (!hub || hub->leaving || (!holder.empty() && !spoke)) return nhrp::CieCode::administratively_prohibited;
    const auto code = spoke ? access.refusal(*spoke, prefix) : access.refusal_of_hub(hub->identity, prefix);
    note_refusal(id, prefix, code, holder);
    return code;
}

bool TunnelState::may_answer(PeerId id, const Prefix& prefix) const {
    const Peer* peer = peers_.find(id);
    return peer && (peer->role == Role::hub || (access.permits(peer->identity, prefix) && !objection(*peer, prefix)));
}

bool TunnelState::same_identity(PeerId a, PeerId b) const {
    const Peer* first = peers_.find(a);
    const Peer* second = peers_.find(b);
    return first && second && first->identity == second->identity;
}

const Association* TunnelState::association_with(PeerId id) const {
    const Peer* peer = peers_.find(id);
    return peer ? peer->best_association() : nullptr;
}

NbmaAddress TunnelState::local_nbma(PeerId id) const {
    const Association* association = association_with(id);
    return association ? association->local.address : NbmaAddress{};
}

bool TunnelState::is_behind_nat(PeerId id) const {
    const Association* association = association_with(id);
    return association && association->local_behind_nat;
}

NbmaAddress TunnelState::observed_nbma(PeerId id) const {
    const Association* association = association_with(id);
    return association ? association->remote.address : NbmaAddress{};
}

std::optional<NbmaEndpoint> TunnelState::observed_behind_nat(PeerId id) const {
    const Association* association = association_with(id);
    const bool shows_a_port = association && association->remote_behind_nat && association->encapsulated && association->remote.port != kUdpPortIke;
    return shows_a_port ? std::optional{association->remote} : std::nullopt;
}

}  // namespace nave::overlay
