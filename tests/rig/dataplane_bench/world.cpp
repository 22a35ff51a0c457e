// Playing the cases.
#include "tests/rig/dataplane_bench/world.hpp"

#include "tests/rig/dataplane_bench/address_plan.hpp"
#include "tests/rig/dataplane_bench/peering.hpp"

#include <fmt/format.h>
#include <rte_mbuf.h>
#include <stdexcept>

namespace nave::rig {

namespace {

/// Frames that wait in a cable at the same time.
constexpr std::size_t kPacketsMax = 1024 - 1;

std::array<std::uint64_t, static_cast<std::size_t>(Stage::count)> stage_cycles(BenchGateway& gateway) {
    std::array<std::uint64_t, static_cast<std::size_t>(Stage::count)> cycles;
    const auto& stages = gateway.counters().workers[0].stages;
    for (std::size_t i = 0; i < cycles.size(); ++i) cycles[i] = stages[i].cycles.read();
    return cycles;
}

}  // namespace

World::World(const std::string& name, const TunnelShape& shape, std::uint32_t peers, Foundation& foundation)
    : shape_{shape}, peers_{peers + peers % 2}, foundation_{foundation},
      hub_{{.name = name + "h", .table = kHubTable, .peers = peers_}, foundation, foundation.cables},
      spokes_{{.name = name + "s", .table = kSpokesTable, .peers = peers_}, foundation, foundation.cables} {
    set_up_gateway(hub_, Side::hub, shape_);
    set_up_gateway(spokes_, Side::spokes, shape_);
    for (std::uint32_t peer = 0; peer < peers_; ++peer) connect(hub_, spokes_, peer, shape_);
    hub_.settle(), spokes_.settle();
    hub_.hear(), spokes_.hear();
}

InnerPacket World::packet(Case which, Traffic& traffic) const {
    const std::uint32_t peer = traffic.order.next();
    const std::uint16_t size = traffic.mix.of(traffic.number);
    const std::uint64_t number = traffic.number++;
    switch (which) {
    case Case::forward: return {plan::kHubNetworks + 9, plan::hub_network(peer) + 9, size, number};
    case Case::encap: return {plan::kHubNetworks + 9, plan::spoke_network(peer) + 9, size, number};
    case Case::relay: return {plan::spoke_network(peer) + 9, plan::spoke_network(plan::partner(peer)) + 9, size, number};
    case Case::decap:
    case Case::loop: break;
    }
    return {plan::spoke_network(peer) + 9, plan::hub_network(peer) + 9, size, number};
}

void World::generate(Case which, Traffic& traffic, std::span<rte_mbuf*> frames) {
    if (rte_pktmbuf_alloc_bulk(foundation_.pools.receive_pool(), frames.data(), static_cast<unsigned>(frames.size())) != 0)
        throw std::runtime_error{"the generator has no buffers left: packets leaked"};
    sent_.clear();
    for (rte_mbuf* frame : frames) {
        sent_.push_back(packet(which, traffic));
        writer_.write(*frame, sent_.back());
    }
}

void World::charge(BenchGateway& gateway, std::size_t packets, BatchCost& cost) {
    const auto before = stage_cycles(gateway);
    cost.cycles += gateway.carry(packets);
    const auto after = stage_cycles(gateway);
    for (std::size_t i = 0; i < after.size(); ++i) cost.stages[i] += after[i] - before[i];
    gateway.hear();
}

void World::collect(PortId port, std::span<rte_mbuf*> frames) {
    std::size_t taken = 0;
    while (taken < frames.size()) {
        const std::size_t more = foundation_.cables.take(port, frames.subspan(taken));
        if (more == 0) break;
        taken += more;
    }
    std::array<rte_mbuf*, 1> surplus;
    if (taken == frames.size() && foundation_.cables.take(port, surplus) == 0) return;
    complain_of_losses();
    throw std::runtime_error{fmt::format("{} packets went in, {} came out, and no drop was counted", frames.size(), taken)};
}

void World::complain_of_losses() const {
    const std::string drops = hub_.drops_by_name() + spokes_.drops_by_name();
    if (!drops.empty()) throw std::runtime_error{"packets were dropped: " + drops};
}

void World::verify(std::span<rte_mbuf*> frames) {
    constexpr unsigned kRouters = 2;
    for (std::size_t i = 0; i < frames.size(); ++i)
        if (!writer_.verify(*frames[i], sent_[i], kRouters)) throw std::runtime_error{fmt::format("packet {} came out other than it went in", sent_[i].number)};
}

BatchCost World::play(Case which, Traffic& traffic, std::size_t packets) {
    packets = std::min(packets, kPacketsMax);
    frames_.resize(packets);
    const std::span<rte_mbuf*> frames{frames_};
    generate(which, traffic, frames);
    BatchCost cost;
    cost.packets = packets;
    if (which == Case::forward || which == Case::encap) {
        foundation_.cables.put(kInside, frames);
    } else {
        foundation_.cables.put(kInside, frames);
        BatchCost apart;
        charge(spokes_, packets, which == Case::loop ? cost : apart);
        collect(kUnderlay, frames);
        foundation_.cables.put(kUnderlay, frames);
    }
    charge(hub_, packets, cost);
    collect(which == Case::encap || which == Case::relay ? kUnderlay : kInside, frames);
    complain_of_losses();
    if (which == Case::loop) verify(frames);
    for (rte_mbuf* frame : frames) rte_pktmbuf_free(frame);
    return cost;
}

}  // namespace nave::rig
