// Choosing next hops, keeping their MACs, and holding datagrams until a next hop answers.
#include "controlplane/kernel/underlay.hpp"

#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"

#include <algorithm>

namespace nave::kernel {

namespace {

bool same_path(const SetPeerPath& a, const SetPeerPath& b) {
    return a.port == b.port && a.source_mac == b.source_mac && a.destination_mac == b.destination_mac && a.local == b.local && a.remote == b.remote &&
           a.local_udp_port == b.local_udp_port && a.remote_udp_port == b.remote_udp_port && a.mtu == b.mtu;
}

}  // namespace

RouteChoice::RouteChoice(const std::map<Prefix, std::optional<IpAddress>>& routes) : gateways_{routes.begin(), routes.end()} {
    for (const auto& [prefix, gateway] : routes) lengths_.insert(prefix.length);
}

std::optional<IpAddress> RouteChoice::next_hop(const IpAddress& remote) const {
    for (const std::uint8_t length : lengths_) {
        if (length > remote.bit_count()) continue;
        const auto found = gateways_.find(Prefix::of(remote, length));
        if (found != gateways_.end()) return found->second.value_or(remote);
    }
    return std::nullopt;
}

std::optional<IpAddress> Underlay::choose(PortId port, const IpAddress& remote) const {
    const auto routes = routes_.find(port);
    return routes == routes_.end() ? std::nullopt : routes->second.next_hop(remote);
}

void Underlay::update(const UnderlayView& view, TimePoint now, UnderlayOutbox& out) {
    const bool ports_changed = view.ports != view_.ports;
    const auto before = std::move(view_);
    view_ = view;
    if (ports_changed) {
        routes_.clear();
        for (const auto& [port, facts] : view_.ports) routes_.emplace(port, RouteChoice{facts.routes});
        for (auto& [id, peer] : peers_) route_peer(peer, now, out);
    }
    for (auto& [key, hop] : next_hops_) {
        const auto old = before.neighbours.find(key);
        const auto current = view_.neighbours.find(key);
        if (current == view_.neighbours.end()) {
            if (old != before.neighbours.end()) hop.ask_at = now;  // the kernel forgot it
            continue;
        }
        if (old == before.neighbours.end() || old->second != current->second) learn(key, hop, current->second, now, out);
    }
}

void Underlay::learn(const NextHopKey& key, NextHop& hop, const UnderlayNeighbour& neighbour, TimePoint now, UnderlayOutbox& out) {
    if (!neighbour.mac && !neighbour.failed) return;  // being asked
    hop.mac = neighbour.mac;
    hop.ask_at = now + (neighbour.mac ? kConfirm : kAskAgain);
    for (const PeerId id : hop.peers) path_peer(peers_.at(id), out);
    waiting_ -= hop.waiting.size();
    for (const Waiting& waiting : std::exchange(hop.waiting, {})) {
        if (hop.mac && view_.ports.contains(key.first)) {
            transmit(waiting.datagram, *hop.mac, out);
        } else {
            ++counters_.unresolved;
            tell({key.first, waiting.datagram.remote.address.value, key.second}, now, out);
        }
    }
}

/// The next hop's entry; the kernel is asked at once when it is new.
Underlay::NextHop& Underlay::want(const NextHopKey& key, TimePoint now, UnderlayOutbox& out) {
    const auto [entry, is_new] = next_hops_.try_emplace(key);
    if (!is_new) return entry->second;
    NextHop& hop = entry->second;
    const auto known = view_.neighbours.find(key);
    if (known != view_.neighbours.end()) hop.mac = known->second.mac;
    // Also a known one: the kernel may not have confirmed it for long.
    out.push_back(ResolveNeighbour{.port = key.first, .address = key.second});
    hop.ask_at = now + (hop.mac ? kConfirm : kAskAgain);
    return hop;
}

void Underlay::leave(const std::optional<NextHopKey>& key, PeerId peer) {
    if (!key) return;
    const auto hop = next_hops_.find(*key);
    if (hop == next_hops_.end()) return;
    hop->second.peers.erase(peer);
}

void Underlay::route_peer(Peer& peer, TimePoint now, UnderlayOutbox& out) {
    std::optional<NextHopKey> key;
    if (const auto next = choose(peer.wish.port, peer.wish.remote.value)) key = NextHopKey{peer.wish.port, *next};
    if (key != peer.next_hop) leave(peer.next_hop, peer.wish.peer);
    peer.next_hop = key;
    if (key) want(*key, now, out).peers.insert(peer.wish.peer);
    path_peer(peer, out);
}

/// Tells the dataplane the peer's path when it is another than it has.
void Underlay::path_peer(Peer& peer, UnderlayOutbox& out) {
    const overlay::ReachPeer& wish = peer.wish;
    const auto port = view_.ports.find(wish.port);
    const auto hop = peer.next_hop ? next_hops_.find(*peer.next_hop) : next_hops_.end();
    if (port == view_.ports.end() || hop == next_hops_.end() || !hop->second.mac) {
        if (peer.path) out.push_back(Command{ClearPeerPath{.peer = wish.peer}});
        peer.path.reset();
        return;
    }
    const SetPeerPath path{.peer = wish.peer, .port = wish.port, .source_mac = port->second.mac, .destination_mac = *hop->second.mac,
                           .local = wish.local, .remote = wish.remote, .local_udp_port = wish.local_udp_port, .remote_udp_port = wish.remote_udp_port, .mtu = peer.mtu};
    if (peer.path && same_path(*peer.path, path)) return;
    peer.path = path;
    out.push_back(Command{path});
}

void Underlay::reach(const overlay::ReachPeer& wish, TimePoint now, UnderlayOutbox& out) {
    const auto [entry, is_new] = peers_.try_emplace(wish.peer);
    if (is_new || entry->second.wish.remote != wish.remote) {
        if (!is_new) forget_remote(entry->second);
        by_remote_.emplace(wish.remote.value, wish.peer);
    }
    entry->second.wish = wish;
    route_peer(entry->second, now, out);
}

/// With the address go what was learnt of the way there.
void Underlay::forget_remote(Peer& peer) {
    auto [first, last] = by_remote_.equal_range(peer.wish.remote.value);
    for (; first != last; ++first) {
        if (first->second != peer.wish.peer) continue;
        by_remote_.erase(first);
        break;
    }
    std::erase_if(lowered_, [&](const Lowered& each) { return peer.mtu != 0 && each.peer == peer.wish.peer; });
    peer.mtu = 0;
}

void Underlay::too_big(const PacketTooBig& message, TimePoint now, UnderlayOutbox& out) {
    if (message.mtu < kIpv6MtuMin) return;  // RFC 8201 §4
    const auto mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(message.mtu, UINT16_MAX));
    const auto [first, last] = by_remote_.equal_range(message.remote.value);
    for (auto each = first; each != last; ++each) {
        Peer& peer = peers_.at(each->second);
        const auto port = view_.ports.find(peer.wish.port);
        if (port == view_.ports.end() || peer.wish.local != message.local || mtu >= (peer.mtu != 0 ? peer.mtu : port->second.mtu)) continue;
        if (peer.mtu == 0) lowered_.push_back({now + kTryLarger, each->second});
        peer.mtu = mtu;
        path_peer(peer, out);
    }
}

void Underlay::try_larger(TimePoint now, UnderlayOutbox& out) {
    for (; !lowered_.empty() && lowered_.front().until <= now; lowered_.pop_front()) {
        Peer& peer = peers_.at(lowered_.front().peer);
        peer.mtu = 0;
        path_peer(peer, out);
    }
}

void Underlay::forget(PeerId peer) {
    const auto known = peers_.find(peer);
    if (known == peers_.end()) return;
    leave(known->second.next_hop, peer);
    forget_remote(known->second);
    peers_.erase(known);
}

void Underlay::send(const overlay::SendDatagram& datagram, TimePoint now, UnderlayOutbox& out) {
    const auto next = choose(datagram.port, datagram.remote.address.value);
    if (!next) {
        ++counters_.no_route;
        if (view_.ports.contains(datagram.port)) tell({datagram.port, datagram.remote.address.value, {}}, now, out);
        return;
    }
    NextHop& hop = want({datagram.port, *next}, now, out);
    hop.wanted_until = now + kConfirm;
    if (hop.mac) {
        transmit(datagram, *hop.mac, out);
    } else if (hop.waiting.size() >= kWaitingPerNextHop || waiting_ >= kWaitingMax) {
        ++counters_.waiting_full;
    } else {
        hop.waiting.push_back({datagram, now});
        ++waiting_;
    }
}

void Underlay::tell(const Unreachable& unreachable, TimePoint now, UnderlayOutbox& out) {
    std::erase_if(told_, [&](const auto& each) { return each.second <= now; });
    if (told_.size() >= kToldMax) return;
    if (told_.try_emplace({unreachable.port, unreachable.next_hop.value_or(unreachable.remote)}, now + kTellAgain).second) out.push_back(unreachable);
}

void Underlay::transmit(const overlay::SendDatagram& datagram, const MacAddress& destination, UnderlayOutbox& out) {
    const UnderlayPort& port = view_.ports.at(datagram.port);
    // What IKE does not cut itself, such as its first messages. Routers of IPv6 fragment nothing, and nobody learns here what they say of a datagram.
    const std::uint16_t mtu = datagram.remote.address.value.is_v4() ? port.mtu : std::min(port.mtu, kIpv6MtuMin);
    auto frames = datagram_frames({.source = port.mac, .destination = destination, .mtu = mtu, .identification = ++identification_},
                                  datagram.local, datagram.remote, datagram.payload);
    if (frames.empty()) ++counters_.unsupported;
    for (Bytes& frame : frames) out.push_back(SendFrame{.port = datagram.port, .frame = std::move(frame)});
}

void Underlay::on_deadline(TimePoint now, UnderlayOutbox& out) {
    try_larger(now, out);
    for (auto entry = next_hops_.begin(); entry != next_hops_.end();) {
        auto& [key, hop] = *entry;
        while (!hop.waiting.empty() && hop.waiting.front().since + kWaitAtMost <= now) {
            tell({key.first, hop.waiting.front().datagram.remote.address.value, key.second}, now, out);
            hop.waiting.pop_front();
            --waiting_;
            ++counters_.unresolved;
        }
        if (hop.ask_at > now) {
            ++entry;
            continue;
        }
        if (hop.peers.empty() && hop.waiting.empty() && hop.wanted_until <= now) {
            entry = next_hops_.erase(entry);
            continue;
        }
        out.push_back(ResolveNeighbour{.port = key.first, .address = key.second});
        hop.ask_at = now + (hop.mac ? kConfirm : kAskAgain);
        ++entry;
    }
}

std::optional<TimePoint> Underlay::next_deadline() const {
    std::optional<TimePoint> next;
    if (!lowered_.empty()) next = lowered_.front().until;
    for (const auto& [key, hop] : next_hops_) next = earlier(next, hop.ask_at);
    return next;
}

}  // namespace nave::kernel
