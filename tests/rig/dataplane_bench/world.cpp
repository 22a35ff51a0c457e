// Playing the cases.
#include "tests/rig/dataplane_bench/world.hpp"

#include "tests/rig/dataplane_bench/address_plan.hpp"
#include "tests/rig/dataplane_bench/peering.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <stdexcept>

namespace nave::rig {

namespace {

StageCycles stage_cycles(BenchGateway& gateway, WorkerId worker) {
    StageCycles cycles;
    const auto& stages = gateway.counters().workers[worker.value].stages;
    for (std::size_t i = 0; i < cycles.size(); ++i) cycles[i] = stages[i].cycles.read();
    return cycles;
}

GatewayPlan gateway_plan(const std::string& name, TableId table, const WorldShape& shape) {
    const std::uint32_t peers = even(shape.peers);
    return {.name = name, .table = table, .peers = peers, .sa_slots = peers, .mode = shape.adaptive ? dataplane::RunMode::adaptive : dataplane::RunMode::poll};
}

BatchCost cost_of(std::span<const Lane> lanes) {
    BatchCost cost;
    std::uint64_t begin = lanes[0].begin, end = lanes[0].end;
    for (const Lane& lane : lanes) {
        cost.packets += lane.sent.size();
        begin = std::min(begin, lane.begin), end = std::max(end, lane.end);
        for (std::size_t i = 0; i < cost.stages.size(); ++i) cost.stages[i] += lane.stages[i];
    }
    cost.cycles = lanes.size() == 1 ? lanes[0].cycles : (end - begin) * lanes.size();
    return cost;
}

}  // namespace

World::World(const std::string& name, const WorldShape& shape, Foundation& foundation, Cables& cables)
    : shape_{shape}, hub_{gateway_plan(name + "h", kHubTable, shape), foundation, cables},
      spokes_{gateway_plan(name + "s", kSpokesTable, shape), foundation, cables} {
    Crew::run(shape.workers, [&](unsigned member, Rendezvous&) {
        const WorkerId worker{static_cast<std::uint8_t>(member)};
        for (const Station& at : {Station{hub_, Side::hub, worker}, Station{spokes_, Side::spokes, worker}}) {
            set_up(at, shape);
            for (std::uint32_t peer = 0; peer < even(shape.peers); ++peer) add_peer(at, peer, shape);
            at.gateway.settle(worker);
        }
    });
}

InnerPacket World::next_packet(Lane& lane) {
    const std::uint32_t peer = lane.order.next();
    ++lane.for_owner[owner_of(peer, shape_.workers)];
    const std::uint16_t size = lane.mix.of(lane.next);
    const std::uint64_t number = lane.next++;
    switch (lane.which) {
    case Case::forward: return {plan::kHubNetworks + 9, plan::hub_network(peer) + 9, size, number};
    case Case::gre:
    case Case::encap: return {plan::kHubNetworks + 9, plan::spoke_network(peer) + 9, size, number};
    case Case::relay: return {plan::spoke_network(peer) + 9, plan::spoke_network(plan::partner(peer)) + 9, size, number};
    case Case::decap:
    case Case::loop: break;
    }
    return {plan::spoke_network(peer) + 9, plan::hub_network(peer) + 9, size, number};
}

void World::generate(Lane& lane) {
    lane.sent.clear();
    lane.for_owner = {};
    lane.cycles = 0, lane.stages = {};
    for (rte_mbuf* frame : lane.frames.renew()) {
        lane.sent.push_back(next_packet(lane));
        lane.writer.write(*frame, lane.sent.back());
    }
}

void World::charge(BenchGateway& gateway, Lane& lane, const BenchGateway::Errand& errand) {
    const auto before = stage_cycles(gateway, lane.worker);
    lane.begin = rte_rdtsc();
    lane.cycles += gateway.carry(lane.worker, errand);
    lane.end = rte_rdtsc();
    const auto after = stage_cycles(gateway, lane.worker);
    for (std::size_t i = 0; i < after.size(); ++i) lane.stages[i] += after[i] - before[i];
    gateway.hear(lane.worker);
}

void World::complain_of_drops() const {
    const std::string drops = hub_.drops_by_name() + spokes_.drops_by_name();
    if (!drops.empty()) throw std::runtime_error{"packets were dropped: " + drops};
}

void World::verify(Lane& lane) {
    constexpr unsigned kRouters = 2;
    for (std::size_t i = 0; i < lane.sent.size(); ++i)
        if (!lane.writer.verify(*lane.frames.view()[i], lane.sent[i], kRouters))
            throw std::runtime_error{fmt::format("packet {} came out other than it went in", lane.sent[i].number)};
}

BatchCost World::play(std::span<Lane> lanes, unsigned member, Rendezvous& all) {
    Lane& lane = lanes[member];
    const std::size_t count = lane.burst;
    generate(lane);
    lane.frames.send(kInside);
    if (lane.which == Case::decap || lane.which == Case::relay || lane.which == Case::loop) {
        charge(spokes_, lane, {.receive = count, .send = count});
        if (lane.which != Case::loop) lane.cycles = 0, lane.stages = {};
        lane.frames.receive(kUnderlay, count);
        lane.frames.send(kUnderlay);
    }
    all.meet();
    std::size_t mine = 0;
    for (const Lane& each : lanes) mine += lane.which == Case::forward ? each.worker == lane.worker ? count : 0 : each.for_owner[lane.worker.value];
    charge(hub_, lane, {.receive = count, .send = mine});
    all.meet();
    const BatchCost cost = cost_of(lanes);
    lane.frames.receive(lane.which == Case::gre || lane.which == Case::encap || lane.which == Case::relay ? kUnderlay : kInside, mine);
    complain_of_drops();
    if (lane.which == Case::loop) verify(lane);
    // Nobody writes to a lane, or into a port, that another one still looks at.
    all.meet();
    return cost;
}

}  // namespace nave::rig
