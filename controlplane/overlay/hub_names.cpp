// Hubs that have a name instead of an address: every address that the name leads to is one to try.
#include "controlplane/overlay/gateway_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::overlay {

void Gateway::on_resolved(const std::string& name, const std::expected<std::vector<NbmaAddress>, std::string>& addresses, TimePoint now, Outbox& out) {
    for (const auto& tunnel : impl_->tunnels)
        if (tunnel->names.contains(name)) impl_->hub_resolved(*tunnel, name, addresses, now, out);
}

void Gateway::Impl::ask_for_hubs(TunnelState& home, TimePoint now, Outbox& out) {
    for (auto& [name, asked] : home.names) {
        if (!asked.ask_at || *asked.ask_at > now) continue;
        asked.ask_at.reset();
        asked.asked_at = now;
        out.push_back(ResolveHub{name});
    }
}

void Gateway::Impl::doubt_hub_name(TunnelState& home, const HubLink& link, TimePoint now) {
    const auto found = home.names.find(link.hub->name);
    if (found == home.names.end() || !found->second.ask_at) return;
    found->second.ask_at = std::min(*found->second.ask_at, std::max(now, found->second.asked_at + HubName::kAskApart));
}

void Gateway::Impl::hub_resolved(TunnelState& home, const std::string& name, const std::expected<std::vector<NbmaAddress>, std::string>& addresses, TimePoint now,
                                 Outbox& out) {
    HubName& asked = home.names.at(name);
    if (!addresses || addresses->empty()) {
        asked.ask_at = now + asked.backoff.next(random);
        count("overlay-hub-names-unresolved");
        return log(out, ike::Severity::warning, "hub-name-" + name,
                   fmt::format("{}: hub {} has no address, so it is asked for again: {}", home.tunnel.name, name, addresses ? "the name has none" : addresses.error()));
    }
    asked.backoff.reset();
    asked.ask_at = now + HubName::kAskAgain;
    place_addresses(home, name, *addresses, out);
    pin_hubs(home);
    keep_hubs(home, now, out);
}

void Gateway::Impl::place_addresses(TunnelState& home, const std::string& name, const std::vector<NbmaAddress>& addresses, Outbox& out) {
    const auto is_named = [&](const HubLink& link) { return link.hub->name == name; };
    for (HubLink& link : home.hubs) {
        // A hub that works stays until it fails, whatever the name says.
        if (!is_named(link) || !link.nbma || link.state != HubLink::State::down || std::ranges::find(addresses, *link.nbma) != addresses.end()) continue;
        link = HubLink{.hub = link.hub};
    }
    // Without an address of our own nothing tells which of theirs serve; with one, those of the other IP version would only take places.
    const bool some_way = underlay(home.tunnel.underlay, Family::v4) || underlay(home.tunnel.underlay, Family::v6);
    for (const NbmaAddress& address : addresses) {
        if (some_way && !underlay(home.tunnel.underlay, address.value.family())) continue;
        if (std::ranges::any_of(home.hubs, [&](const HubLink& link) { return link.nbma == address; })) continue;
        const auto place = std::ranges::find_if(home.hubs, [&](const HubLink& link) { return is_named(link) && !link.nbma; });
        if (place == home.hubs.end()) return count("overlay-hub-addresses-full");
        place->nbma = address;
        log(out, ike::Severity::notice, "hub-name-" + name, fmt::format("{}: hub {} is at {}", home.tunnel.name, name, address.value.to_string()));
    }
}

void Gateway::Impl::pin_hubs(const TunnelState& home) {
    std::vector<ike::PinnedIdentity> pinned;
    for (const HubLink& link : home.hubs)
        if (link.hub->identity) pinned.push_back({*link.hub->identity, link.nbma ? std::vector{*link.nbma} : std::vector<NbmaAddress>{}, link.hub->redirects});
    endpoint.replace_pinned(home.tunnel.profile, std::move(pinned));
}

}  // namespace nave::overlay
