// Which routes would lead the underlay into the overlay.
#include "controlplane/kernel/recursion.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::kernel {

std::string RecursiveRoute::text() const {
    return fmt::format("refused the route {}{} in table {}: it leads the underlay address {} of a peer into the tunnel that needs it (recursive routing); "
                       "do not announce underlay networks in the overlay, or give the underlay a more specific route to the peer",
                       prefix.to_string(), gateway ? " via " + gateway->to_string() : "", table, peer.to_string());
}

bool GuardedPeers::add(PeerId peer, PortId port, const IpAddress& address) {
    if (!places_.try_emplace(peer, port, address).second) return false;
    by_address_.emplace(address, port, peer);
    return true;
}

void GuardedPeers::remove(PeerId peer) {
    const auto place = places_.find(peer);
    if (place == places_.end()) return;
    by_address_.erase({place->second.second, place->second.first, peer});
    places_.erase(place);
}

std::optional<IpAddress> GuardedPeers::captured_by(const Prefix& prefix, const UnderlayView& underlay) const {
    if (prefix.length == 0) return std::nullopt;
    for (auto peer = by_address_.lower_bound({prefix.address, PortId{}, PeerId{}}); peer != by_address_.end(); ++peer) {
        const auto& [address, port, id] = *peer;
        if (!prefix.contains(address)) break;
        const auto facts = underlay.ports.find(port);
        if (facts == underlay.ports.end()) continue;
        const bool is_known_better = std::ranges::any_of(facts->second.routes, [&](const UnderlayRoute& route) {
            return route.prefix.length > prefix.length && route.prefix.contains(address);
        });
        if (!is_known_better) return address;
    }
    return std::nullopt;
}

}  // namespace nave::kernel
