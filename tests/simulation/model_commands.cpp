// A model of the dataplane: commands, and the order in which they must come.
#include "tests/simulation/model_dataplane.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::simulation {

void ModelDataplane::expect(bool holds, const std::string& otherwise) {
    if (!holds) violations_.push_back(fmt::format("gateway {}: {}", station_, otherwise));
}

void ModelDataplane::execute(const Command& command, Effects& effects) {
    if (const auto share = for_route_writer(command)) queue_route(*share, effects);
    if (is_for_workers(command)) std::visit([&](const auto& each) { apply(each, effects); }, command);
}

void ModelDataplane::reach(const overlay::ReachPeer& path) {
    const auto peer = peers_.find(path.peer);
    expect(peer != peers_.end(), "a path for a peer that was not set");
    if (peer != peers_.end()) peer->second.path = path;
}

void ModelDataplane::forget(PeerId id) {
    if (const auto peer = peers_.find(id); peer != peers_.end()) peer->second.path.reset();
}

void ModelDataplane::apply(const SetPeer& set, Effects&) {
    const auto [peer, is_new] = peers_.try_emplace(set.peer);
    peer->second.set = set;
    if (is_new) peer->second.life = ++last_life_;
}

void ModelDataplane::apply(const RemovePeer& remove, Effects& effects) {
    const auto has_peer = [&](const auto& entry) { return entry.second.sa.peer == remove.peer; };
    expect(std::ranges::none_of(inbound_, has_peer), "a peer is removed before its inbound SAs");
    expect(std::ranges::none_of(outbound_, has_peer), "a peer is removed before its outbound SAs");
    const RouteTarget target{RouteTarget::Kind::peer, remove.peer.value};
    expect(std::ranges::none_of(wanted_routes_, [&](const auto& entry) { return entry.second == target; }), "a peer is removed that a route leads to");
    peers_.erase(remove.peer);
    effects.push_back(Raised{PeerRemoved{remove.peer, remove.removal, WorkerId{0}}});
}

void ModelDataplane::apply(const InstallInboundSa& install, Effects&) {
    const std::uint32_t slot = spi_layout::slot(install.spi).value;
    expect(peers_.contains(install.peer), "an inbound SA for a peer that was not set");
    expect(slot < counters_.inbound.size(), "an inbound slot out of range");
    expect(std::ranges::none_of(inbound_, [&](const auto& entry) { return spi_layout::slot(entry.first).value == slot; }), "an inbound slot is used twice");
    if (slot >= counters_.inbound.size()) return;
    counters_.inbound[slot].packets.set(0);
    counters_.inbound[slot].bytes.set(0);
    inbound_[install.spi] = Inbound{.sa = install, .seen = {}, .sender = {}};
}

void ModelDataplane::apply(const InstallOutboundSa& install, Effects&) {
    const auto peer = peers_.find(install.peer);
    expect(peer != peers_.end(), "an outbound SA for a peer that was not set");
    expect(!outbound_.contains(install.slot), "an outbound slot is used twice");
    expect(std::ranges::any_of(inbound_, [&](const auto& entry) { return entry.second.sa.peer == install.peer; }), "an outbound SA before the inbound one");
    const ByteView key = install.keymat.view();
    expect(sealing_keys_.insert({key.begin(), key.end()}).second, "a key is used for sending a second time");
    if (peer == peers_.end()) return;
    counters_.outbound[install.slot.value].packets.set(0);
    counters_.outbound[install.slot.value].bytes.set(0);
    outbound_[install.slot] = Outbound{install};
    peer->second.outbound = install.slot;
}

void ModelDataplane::apply(const RemoveInboundSa& remove, Effects& effects) {
    inbound_.erase(remove.spi);
    effects.push_back(Raised{SaRemoved{Direction::inbound, spi_layout::slot(remove.spi), remove.spi}});
}

void ModelDataplane::apply(const RemoveOutboundSa& remove, Effects& effects) {
    const auto found = outbound_.find(remove.slot);
    const Spi spi = found == outbound_.end() ? Spi{} : found->second.sa.spi;
    if (found != outbound_.end()) outbound_.erase(found);
    const auto peer = peers_.find(remove.peer);
    if (peer != peers_.end() && peer->second.outbound == remove.slot) peer->second.outbound.reset();
    effects.push_back(Raised{SaRemoved{Direction::outbound, remove.slot, spi}});
}

void ModelDataplane::queue_route(const RouteCommand& command, Effects& effects) {
    std::uint64_t life = 0;
    if (const auto* set = std::get_if<SetRoute>(&command)) {
        const auto peer = peers_.find(PeerId{set->target.index});
        const bool to_peer = set->target.kind == RouteTarget::Kind::peer;
        expect(!to_peer || peer != peers_.end(), "a route to a peer that was not set");
        if (to_peer && peer != peers_.end()) life = peer->second.life;
        wanted_routes_.insert_or_assign(set->prefix, set->target);
    } else if (const auto* remove = std::get_if<RemoveRoute>(&command)) {
        wanted_routes_.erase(remove->prefix);
    }
    route_ring_.push_back({command, life});
    effects.push_back(RouteQueued{});
}

void ModelDataplane::write_route(Effects& effects) {
    const RouteWrite next = std::move(route_ring_.front());
    route_ring_.pop_front();
    std::visit([&](const auto& each) { write(each, next.life, effects); }, next.command);
}

void ModelDataplane::write(const SetRoute& set, std::uint64_t life, Effects&) {
    if (routes_.insert_or_assign(set.prefix, Route{set.target, life}).second) ++lengths_[set.prefix.length];
}

void ModelDataplane::write(const RemoveRoute& remove, std::uint64_t, Effects&) {
    if (routes_.erase(remove.prefix) > 0) --lengths_[remove.prefix.length];
}

void ModelDataplane::write(const RemovePeer& remove, std::uint64_t, Effects& effects) {
    effects.push_back(Raised{PeerRemoved{remove.peer, remove.removal, kRouteWriter}});
}

}  // namespace nave::simulation
