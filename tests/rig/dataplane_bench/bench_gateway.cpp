// Puts workers together in the order in which dataplane/gateway.cpp does, but for more than one gateway a process.
#include "tests/rig/dataplane_bench/bench_gateway.hpp"

#include "tests/rig/crew.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <stdexcept>

namespace nave::rig {

using namespace nave::dataplane;

namespace {

/// Of what gateways make themselves: fragments, ICMP errors.
constexpr std::uint32_t kOwnBuffers = 1023, kOwnLargeBuffers = 63;
constexpr std::uint16_t kFarEndIds = 1000;

GatewayConfig config_of(const GatewayPlan& plan, std::uint8_t workers) {
    GatewayConfig config;
    for (const PortRole role : {PortRole::underlay, PortRole::inside}) config.ports.push_back({.device = "", .role = role, .table = plan.table, .vlan = {}, .mtu = kPortMtu});
    config.workers = workers;
    config.mode = plan.mode;
    config.limits.peers = plan.peers;
    config.limits.sa_slots = plan.sa_slots;
    config.limits.adjacencies = 16;
    config.limits.tables = 2;
    return config;
}

std::uint64_t moved(const WorkerCounters& counters, Counter PortCounters::*direction) {
    std::uint64_t sum = 0;
    for (const PortCounters& port : counters.ports) sum += (port.*direction).read();
    return sum;
}

}  // namespace

Cables::Cables(const std::string& name, std::uint8_t workers, PacketPools& pools) {
    const auto open_end = [&](const std::string& cable, PortId id) {
        const auto device = parse_device_string("ring:" + cable);
        auto port = Port::open({.id = id, .name = cable, .device = *device, .queues = workers, .mtu = kPortMtu, .pool = pools.receive_pool(), .adaptive = false});
        if (!port) throw std::runtime_error{port.error().text};
        if (const auto started = port->start(); !started) throw std::runtime_error{started.error().text};
        return ports_.emplace_back(std::make_unique<Port>(std::move(*port))).get();
    };
    for (unsigned worker = 0; worker < workers; ++worker) {
        Ends& ends = ends_of_.emplace_back();
        ends.store = std::make_unique<PacketPools>(
            fmt::format("{}{}", name, worker), PoolSizes{.buffers = kBuffers, .large_buffers = 1, .data_room = Port::data_room(kPortMtu), .socket = SOCKET_ID_ANY});
        for (const PortId port : kPorts) {
            const std::string cable = fmt::format("{}{}p{}", name, worker, port.value);
            ends.near.push_back(open_end(cable, port));
            ends.far.push_back(open_end(cable, PortId{static_cast<std::uint16_t>(kFarEndIds + port.value)}));
        }
    }
}

void Cables::put(WorkerId worker, PortId port, std::span<rte_mbuf*> frames) {
    if (ends_of_[worker.value].far[port.value]->transmit(worker.value, frames) != frames.size()) throw std::runtime_error{"the cable of an in-memory port is full"};
}

std::size_t Cables::take(WorkerId worker, PortId port, std::span<rte_mbuf*> room) { return ends_of_[worker.value].far[port.value]->receive(worker.value, room); }

Foundation::Foundation(const std::string& name, std::uint32_t peers_max)
    : pools{name, {.buffers = kOwnBuffers, .large_buffers = kOwnLargeBuffers, .data_room = Port::data_room(kPortMtu), .socket = SOCKET_ID_ANY}},
      routes{name, {.tables = 2, .routes = 2 * peers_max + 16, .groups = 64, .workers = Crew::kMembersMax, .socket = SOCKET_ID_ANY}} {}

std::size_t Foundation::megabytes(std::uint32_t peers_max) {
    // Two tables of 64 MB and the buffers; rte_fib takes about 1 KB for each pair of routes.
    return 320 + peers_max / 500;
}

BenchGateway::BenchGateway(const GatewayPlan& plan, Foundation& foundation, Cables& cables)
    : plan_{plan}, config_{config_of(plan, cables.workers())}, foundation_{foundation}, cables_{cables}, counters_{cables.workers(), kPorts.size(), plan.sa_slots, plan.peers},
      associations_{config_.limits.sa_slots}, peer_policer_{config_.limits.peers, rte_get_tsc_hz()},
      handovers_{plan.name + "h", cables.workers(), config_.limits.handover_packets} {
    for (std::uint8_t i = 0; i < worker_count(); ++i) {
        rings_.push_back(std::make_unique<PlaneRings>(control_bell_));
        ring_pointers_.push_back(rings_.back().get());
    }
    for (std::uint8_t i = 0; i < worker_count(); ++i)
        workers_.push_back(std::make_unique<Worker>(WorkerSetup{WorkerId{i}, config_, cables.near_ends(WorkerId{i}), counters_, ring_pointers_, foundation.pools, foundation.routes,
                                                               associations_, peer_policer_, handovers_, rte_get_tsc_hz()}));
}

BenchGateway::~BenchGateway() {
    for (std::uint8_t i = 0; i < worker_count(); ++i) foundation_.routes.offline(WorkerId{i});
}

void BenchGateway::command(WorkerId worker, const Command& command) {
    while (!rings_[worker.value]->commands.push(command)) turn(worker);
}

void BenchGateway::settle(WorkerId worker) {
    while (!is_settled(worker)) turn(worker);
    // Gateways share the tables: one that does not run must not hold up another one's changes.
    foundation_.routes.offline(worker);
    const auto refused = counters_.workers[worker.value].commands_refused.read();
    if (refused > 0) throw std::runtime_error{fmt::format("gateway {} refused {} commands", plan_.name, refused)};
}

void BenchGateway::route(const Prefix& prefix, const RouteTarget& target) {
    if (foundation_.routes.set(plan_.table, prefix, target) != RouteTables::Outcome::done)
        throw std::runtime_error{fmt::format("gateway {} refused a route to {}", plan_.name, prefix.to_string())};
}

void BenchGateway::turn(WorkerId worker) {
    workers_[worker.value]->run_turn(rte_rdtsc());
    hear(worker);
}

std::uint64_t BenchGateway::carry(WorkerId id, const Errand& errand) {
    // Of steps and not of time alone: a thread that waits for its core has not failed.
    constexpr std::uint64_t kSecondsMax = 2, kStepsMax = 5'000'000;
    Worker& worker = *workers_[id.value];
    const WorkerCounters& counters = counters_.workers[id.value];
    const auto is_done = [&, received = moved(counters, &PortCounters::received_packets), sent = moved(counters, &PortCounters::sent_packets)] {
        return moved(counters, &PortCounters::received_packets) - received == errand.receive && moved(counters, &PortCounters::sent_packets) - sent == errand.send;
    };
    const std::uint64_t give_up_at = rte_rdtsc() + kSecondsMax * rte_get_tsc_hz();
    std::uint64_t cycles = 0, steps = 0;
    foundation_.routes.online(id);
    while (!is_done()) {
        const std::uint64_t begin = rte_rdtsc();
        worker.step();
        const std::uint64_t end = rte_rdtsc();
        cycles += end - begin;
        if (++steps < kStepsMax || end < give_up_at) continue;
        const std::string drops = drops_by_name();
        throw std::runtime_error{fmt::format("worker {} of gateway {} did not carry {} packets. Drops: {}", id.value, plan_.name, errand.receive, drops.empty() ? "none" : drops)};
    }
    foundation_.routes.offline(id);
    return cycles;
}

void BenchGateway::hear(WorkerId worker) {
    PlaneRings& rings = *rings_[worker.value];
    Event event;
    while (rings.events.pop(event)) {}
    rings.punted.consume_all([](const PacketMessage&) {});
}

std::uint64_t BenchGateway::drops(Drop reason) const {
    std::uint64_t sum = 0;
    for (const auto& worker : counters_.workers) sum += worker.drops[static_cast<std::size_t>(reason)].read();
    return sum;
}

std::string BenchGateway::drops_by_name() const {
    std::string text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Drop::count); ++i)
        if (const auto count = drops(static_cast<Drop>(i)); count > 0) text += fmt::format("{}{}: {} {}", text.empty() ? "" : ", ", plan_.name, count, name(static_cast<Drop>(i)));
    return text;
}

}  // namespace nave::rig
