// What NHRP says: bindings, registrations and resolutions become routes and what each peer may send.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace nave::overlay {

void Gateway::Impl::run_nhrp(TunnelState& home, nhrp::Outbox actions, TimePoint now, Outbox& out) {
    report_refusals(home, out);
    for (nhrp::Action& action : actions) std::visit([&](auto& each) { handle(home, each, now, out); }, action);
}

void Gateway::Impl::report_refusals(TunnelState& home, Outbox& out) {
    for (const auto& [id, prefix, code, holder] : home.take_refusals()) {
        const Peer* peer = peers.find(id);
        const std::string sender = peer ? peer->identity.to_string() : "unknown";
        const std::string who = holder.empty() ? sender : fmt::format("{} behind {}", holder, sender);
        const ike::Identity* first = code == nhrp::CieCode::already_registered ? home.access.holder(prefix) : nullptr;
        count(fmt::format("overlay-registration-refused-{}", std::to_underlying(code)));
        log(out, ike::Severity::warning, "refused-" + sender, fmt::format("{}: {} may not register {}: {}{}", home.tunnel.name, who, prefix.to_string(), nhrp::name(code),
                                                                       first ? " by " + first->to_string() : ""));
    }
}

void Gateway::Impl::handle(TunnelState&, nhrp::Send& send, TimePoint, Outbox& out) {
    Peer* peer = peers.find(send.peer);
    if (!peer || peer->leaving || !peer->carries_traffic()) return count("overlay-nhrp-without-sa");
    ++peer->nhrp_out;
    out.push_back(SendNhrp{send.peer, std::move(send.bytes)});
}

/// Wide prefixes first: they may make narrow ones needless.
static std::pair<std::uint8_t, Prefix> wideness(const Prefix& prefix) { return {prefix.length, prefix}; }

bool Gateway::Impl::changes_sources(const TunnelState& home, const Peer& peer, const Prefix& prefix, bool present) const {
    if (!present) return std::ranges::find(peer.sources, prefix) != peer.sources.end();
    const bool is_full = peer.sources.size() == SetPeer::kSourcesMax && wideness(peer.sources.back()) < wideness(prefix);
    return !is_full && std::ranges::none_of(peer.sources, [&](const Prefix& wider) { return wider.contains(prefix); }) && home.access.permits(peer.identity, prefix);
}

void Gateway::Impl::update_sources(TunnelState& home, Peer& peer, Outbox& out) {
    if (peer.leaving) return;
    std::vector<Prefix> sources = peer.bindings, kept;
    for (const TunnelAddress& address : peer.tunnel_addresses) {
        // First, as none of the others must cost the peer its own: by them it speaks of the others.
        kept.push_back(Prefix::host(address.value));
        if (const auto link_local = home.link_local_of(address)) kept.push_back(Prefix::host(link_local->value));
        for (const Prefix& prefix : home.rib.prefixes_through({home.id(), address}))
            if (home.access.permits(peer.identity, prefix)) sources.push_back(prefix);
    }
    for (const auto& [prefix, shortcut] : home.shortcuts)
        if (shortcut.peer == peer.id) sources.push_back(prefix);
    std::ranges::sort(sources, {}, wideness);
    for (const Prefix& prefix : sources)
        if (std::ranges::none_of(kept, [&](const Prefix& wider) { return wider.contains(prefix); })) kept.push_back(prefix);
    if (kept.size() > SetPeer::kSourcesMax) {
        count("overlay-sources-full");
        log(out, ike::Severity::warning, "sources-" + peer.identity.to_string(),
            fmt::format("{}: {} has {} prefixes, of which {} may be sent from", home.tunnel.name, peer.identity.to_string(), kept.size(), SetPeer::kSourcesMax));
        kept.resize(SetPeer::kSourcesMax);
    }
    const bool multicast = peer.role == Role::hub || (!home.is_spoke() && !peer.tunnel_addresses.empty());
    if (kept == peer.sources && multicast == peer.multicast) return;
    peer.sources = std::move(kept), peer.multicast = multicast;
    peers.tell(peer, out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::BindingAdded& added, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(added.peer);
    if (!peer || peer->leaving) return;
    const bool is_new = std::ranges::find(peer->bindings, added.prefix) == peer->bindings.end();
    if (is_new) peer->bindings.push_back(added.prefix);
    home.access.claim(peer->identity, added.prefix);
    const bool is_tunnel_address = added.prefix == Prefix::host(added.next_hop.value);
    if (is_tunnel_address && !peer->holds(added.next_hop)) peer->tunnel_addresses.push_back(added.next_hop);
    update_sources(home, *peer, out);
    if (is_new)
        log(out, ike::Severity::notice, "bindings-" + peer->identity.to_string(),
            fmt::format("{}: {} is at {} ({})", home.tunnel.name, added.prefix.to_string(), peer->identity.to_string(), home.observed_nbma(added.peer).value.to_string()));
    // At a spoke a binding says who speaks on an SA; routes come from resolution, which the hub vouches for.
    if (home.is_spoke()) return review(home, now, out);
    home.rib.set(home.id(), is_tunnel_address ? RouteSource::station : RouteSource::registration, added.prefix, ToPeer{added.peer, added.next_hop}, out);
    if (is_tunnel_address) home.bind(added.next_hop, added.peer, out);
    else tell_kernel_of_registration(home, added.prefix, added.next_hop, out);
    if (home.tunnel.relay) home.node.tell_hubs(added.prefix, peer->identity.to_string(), now);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::BehindHub& said, TimePoint now, Outbox& out) {
    const Peer* hub = peers.find(said.hub);
    auto& words = home.behind_hubs[said.prefix];
    std::erase_if(words, [&](const nhrp::BehindHub& word) { return word.hub == said.hub; });
    if (said.present) words.insert(words.begin(), said);
    const auto holder = said.holder.empty() && hub ? std::optional{hub->identity} : ike::Identity::parse(said.holder);
    if (said.present && holder) home.access.claim(*holder, said.prefix);
    auto here = home.rib.said_by(RouteSource::station, said.prefix);
    if (!here) here = home.rib.said_by(RouteSource::registration, said.prefix);
    // It may have moved without a goodbye, and what is registered here comes first as long as its SA does.
    Peer* peer = said.present && here ? peers.find(PeerId{here->target.index}) : nullptr;
    if (peer && holder && peer->identity == *holder) probe(*peer, now, out);
    if (!words.empty()) {
        home.rib.set(home.id(), RouteSource::behind_hub, said.prefix, ToPeer{words.front().hub, words.front().next_hop}, out);
    } else {
        home.behind_hubs.erase(said.prefix);
        home.rib.remove(home.id(), RouteSource::behind_hub, said.prefix, out);
        if (holder && !here) home.access.release(*holder, said.prefix);
    }
    // The kernel has the tunnel's own network on the twin.
    if (!home.access.is_tunnel_address(said.prefix)) tell_kernel_of_registration(home, said.prefix, said.next_hop, out);
}

void Gateway::Impl::tell_kernel_of_registration(const TunnelState& home, const Prefix& prefix, const TunnelAddress& next_hop, Outbox& out) {
    auto held = home.rib.said_by(RouteSource::registration, prefix);
    if (!held) held = home.rib.said_by(RouteSource::behind_hub, prefix);
    out.push_back(held ? KernelRoute{held->tunnel, prefix, held->next_hop, true} : KernelRoute{home.id(), prefix, next_hop, false});
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::BindingRemoved& removed, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(removed.peer);
    if (!peer) return;
    const bool is_tunnel_address = removed.prefix == Prefix::host(removed.next_hop.value);
    if (!home.is_spoke()) {
        home.rib.remove(home.id(), is_tunnel_address ? RouteSource::station : RouteSource::registration, removed.prefix, out);
        if (is_tunnel_address) home.unbind(removed.next_hop, out);
        else tell_kernel_of_registration(home, removed.prefix, removed.next_hop, out);
        if (home.tunnel.relay) home.node.tell_hubs(removed.prefix, std::nullopt, now);
    } else if (is_tunnel_address) {
        std::vector<Prefix> lost;
        for (const auto& [prefix, shortcut] : home.shortcuts)
            if (shortcut.peer == removed.peer && shortcut.next_hop == removed.next_hop) lost.push_back(prefix);
        for (const Prefix& prefix : lost) remove_shortcut(home, prefix, true, nhrp::name(removed.reason), out);
    }
    // Another hub still knows the same spoke there.
    if (!home.behind_hubs.contains(removed.prefix)) home.access.release(peer->identity, removed.prefix);
    std::erase(peer->bindings, removed.prefix);
    if (is_tunnel_address) std::erase(peer->tunnel_addresses, removed.next_hop);
    update_sources(home, *peer, out);
    log(out, ike::Severity::notice, "bindings-" + peer->identity.to_string(),
        fmt::format("{}: {} is no longer at {}: {}", home.tunnel.name, removed.prefix.to_string(), peer->identity.to_string(), nhrp::name(removed.reason)));
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::GroupNamed& named, TimePoint, Outbox& out) {
    Peer* peer = peers.find(named.peer);
    if (!peer || peer->leaving) return;
    peer->nhrp_group = named.group;
    log(out, ike::Severity::info, "group-" + peer->identity.to_string(),
        fmt::format("{}: {} calls itself {}", home.tunnel.name, peer->identity.to_string(), named.group.empty() ? "by no group" : "\"" + named.group + "\""));
    const AccessRule* treatment = home.access.treatment(peer->identity, peer->subject, named.group);
    if (!treatment) return;
    peers.limit(*peer, treatment->rates, out);
    if (std::exchange(peer->group, treatment->group) != treatment->group) peers.tell(*peer, out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::Registered& registered, TimePoint now, Outbox& out) {
    Peer* peer = peers.find(registered.peer);
    if (!peer || peer->leaving) return;
    if (registered.nhs.value >= home.hubs.size()) {
        const auto found = home.introductions.find(registered.peer);
        if (found == home.introductions.end() || found->second.nhs != registered.nhs) return;
        found->second.registered = true;
        return review(home, now, out);
    }
    HubLink& link = home.hubs[registered.nhs.value];
    if (const Prefix own = Prefix::host(registered.hub.value); !home.network().contains(registered.hub.value) && home.access.touches_local(own)) {
        count("overlay-hub-address-refused");
        log(out, ike::Severity::warning, fmt::format("refused-hub-{}", registered.nhs.value),
            fmt::format("{}: hub {} refused: it calls itself {}, which is ours or of another tunnel; correct the address of its tunnel", home.tunnel.name,
                        link.nbma->value.to_string(), registered.hub.value.to_string()));
        if (link.sa) close(*link.sa, ike::DownReason::closed_by_us, false, now, out);
        return;
    }
    if (link.address && *link.address != registered.hub) {
        home.unbind(*link.address, out);
        home.rib.remove(home.id(), RouteSource::station, Prefix::host(link.address->value), out);
    }
    link.address = registered.hub;
    link.backoff.reset();
    if (!peer->holds(registered.hub)) peer->tunnel_addresses.push_back(registered.hub);
    home.access.claim(peer->identity, Prefix::host(registered.hub.value));
    home.bind(registered.hub, registered.peer, out);
    // Of several hubs each is reached itself, not by way of the best one: routing daemons speak with all.
    home.rib.set(home.id(), RouteSource::station, Prefix::host(registered.hub.value), ToPeer{registered.peer, registered.hub}, out);
    if (registered.observed) log(out, ike::Severity::info, "nat", fmt::format("{}: the hub sees us at {}", home.tunnel.name, registered.observed->value.to_string()));
    set_state(home, registered.nhs.value, HubLink::State::registered, "the hub confirmed our tunnel address", now, out);
    review(home, now, out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::RegistrationLost& lost, TimePoint now, Outbox& out) {
    if (lost.nhs.value >= home.hubs.size()) return acceptance_lost(home, lost.nhs, std::nullopt, now, out);
    HubLink& link = home.hubs[lost.nhs.value];
    if (link.state != HubLink::State::registered && lost.reason != nhrp::RegistrationEnd::unanswered) return;
    if (link.state == HubLink::State::registered) set_state(home, lost.nhs.value, HubLink::State::up, nhrp::name(lost.reason), now, out);
    if (lost.reason != nhrp::RegistrationEnd::unanswered || !link.sa) return;
    // IKE may believe in an SA that the hub has lost: start anew.
    count("overlay-hub-restarts");
    close(*link.sa, ike::DownReason::timed_out, true, now, out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::RegistrationRefused& refused, TimePoint now, Outbox& out) {
    const bool by_hub = refused.nhs.value < home.hubs.size();
    count(by_hub ? "overlay-refused-by-hub" : "overlay-refused-by-spoke");
    const bool by_no_relay = by_hub && home.tunnel.relay && refused.prefix == Prefix::host(home.tunnel.address.value);
    log(out, ike::Severity::warning, fmt::format("refused-by-{}", refused.nhs.value),
        fmt::format("{}: {} refuses our {}: {}{}", home.tunnel.name, by_hub ? "hub " + home.hubs[refused.nhs.value].nbma->value.to_string() : "a spoke",
                    refused.prefix.to_string(), nhrp::name(refused.code), by_no_relay ? "; relays name each other in hub, and each has relay = true" : ""));
    if (!by_hub) acceptance_lost(home, refused.nhs, refused.prefix, now, out);
}

void Gateway::Impl::handle(TunnelState& home, const nhrp::PrefixRegistered& registered, TimePoint now, Outbox& out) {
    for (auto& [peer, introduction] : home.introductions)
        if (introduction.nhs == registered.nhs) introduction.accepted.insert(registered.prefix);
    if (registered.nhs.value >= home.hubs.size()) review(home, now, out);
}

void Gateway::Impl::handle(TunnelState& home, nhrp::Log& line, TimePoint, Outbox& out) {
    if (line.severity == nhrp::Severity::debug) return;
    const auto severity = line.severity == nhrp::Severity::info ? ike::Severity::info : line.severity == nhrp::Severity::notice ? ike::Severity::notice : ike::Severity::warning;
    out.push_back(Log{severity, "nhrp-" + line.key, home.tunnel.name + ": " + std::move(line.text)});
}

void Gateway::Impl::handle(TunnelState&, const nhrp::ResolutionFailed& failed, TimePoint, Outbox&) {
    count(fmt::format("overlay-resolution-{}", nhrp::name(failed.reason)));
}

}  // namespace nave::overlay
