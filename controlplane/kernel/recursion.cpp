// Which routes would lead the underlay into the overlay.
#include "controlplane/kernel/recursion.hpp"

#include <fmt/format.h>

namespace nave::kernel {

namespace {

/// Whether a route of the underlay, at least so long, leads to the address.
bool is_covered(const IpAddress& address, int length_min, const UnderlayPort& port) {
    for (int length = address.bit_count(); length >= length_min; --length)
        if (port.routes.contains(Prefix::of(address, static_cast<std::uint8_t>(length)))) return true;
    return false;
}

}  // namespace

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

std::optional<IpAddress> GuardedPeers::remove(PeerId peer) {
    const auto place = places_.find(peer);
    if (place == places_.end()) return std::nullopt;
    const auto [port, address] = place->second;
    by_address_.erase({address, port, peer});
    places_.erase(place);
    return address;
}

std::optional<IpAddress> GuardedPeers::captured_by(const Prefix& prefix, const UnderlayView& underlay) const {
    if (prefix.length == 0) return std::nullopt;
    for (auto peer = by_address_.lower_bound({prefix.address, PortId{}, PeerId{}}); peer != by_address_.end(); ++peer) {
        const auto& [address, port, id] = *peer;
        if (!prefix.contains(address)) break;
        const auto facts = underlay.ports.find(port);
        if (facts == underlay.ports.end()) continue;
        if (!is_covered(address, prefix.length + 1, facts->second)) return address;
    }
    return std::nullopt;
}

}  // namespace nave::kernel
