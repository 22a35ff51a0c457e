// Puts the dataplane together, and takes it apart in the right order.
#include "dataplane/gateway.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/port.hpp"
#include "dataplane/route_writer.hpp"
#include "dataplane/worker.hpp"

#include <chrono>
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdexcept>
#include <thread>

namespace nave::dataplane {

namespace {

constexpr std::uint16_t kUsualMtu = 1500;

std::uint16_t data_room(const GatewayConfig& config) {
    std::uint16_t mtu = kUsualMtu;
    for (const PortConfig& port : config.ports) mtu = std::max(mtu, port.mtu.value_or(kUsualMtu));
    return Port::data_room(mtu);
}

void check(const GatewayConfig& config, const Counters& counters, std::span<PlaneRings* const> rings) {
    constexpr unsigned kWorkersMax = 1u << spi_layout::kWorkerBits;
    if (config.workers == 0 || config.workers > kWorkersMax) throw std::runtime_error{fmt::format("{} workers: accepted are 1 to {}", config.workers, kWorkersMax)};
    if (rings.size() != config.workers || counters.workers.size() != config.workers) throw std::runtime_error{"rings or counters are not one for each worker"};
    if (counters.inbound.size() < config.limits.sa_slots) throw std::runtime_error{"there are fewer SA counters than SA slots"};
    for (const auto& worker : counters.workers)
        if (worker.ports.size() < config.ports.size()) throw std::runtime_error{"there are fewer port counters than ports"};
}

std::vector<std::unique_ptr<Port>> open_ports(const GatewayConfig& config, rte_mempool* pool) {
    std::vector<std::unique_ptr<Port>> ports;
    for (const PortConfig& port : config.ports) {
        const auto device = parse_device_string(port.device);
        if (!device) throw std::runtime_error{fmt::format("port {}: {}", port.name, device.error().text)};
        auto opened = Port::open({.id = PortId{static_cast<std::uint16_t>(ports.size())},
                                  .name = port.name,
                                  .device = *device,
                                  .queues = config.workers,
                                  .mtu = port.mtu,
                                  .pool = pool,
                                  .adaptive = config.mode == RunMode::adaptive});
        if (!opened) throw std::runtime_error{opened.error().text};
        ports.push_back(std::make_unique<Port>(std::move(*opened)));
    }
    for (const auto& port : ports)
        if (const auto started = port->start(); !started) throw std::runtime_error{started.error().text};
    return ports;
}

/// The reader makes room: it drains commands for as long as it runs.
template <class Ring>
void send_last(Ring& commands, Doorbell& bell) {
    while (!commands.push(ShutDown{})) {
        bell.ring();
        std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
    bell.ring();
}

int run_worker(void* worker) {
    static_cast<Worker*>(worker)->run();
    return 0;
}

}  // namespace

/// In the order of making; destroyed the other way round, so that buffers go last.
struct Gateway::Parts {
    GatewayConfig config;
    std::span<PlaneRings* const> rings;
    RouteRings& route_rings;
    PacketPools pools;
    RouteTables routes;
    RouteWriter route_writer;
    AssociationStore associations;
    PeerPolicer peer_policer;
    HandoverRings handovers;
    std::vector<std::unique_ptr<Port>> ports;
    std::vector<Port*> port_pointers;
    std::vector<std::unique_ptr<Worker>> workers;
    std::thread writing;
    bool running = false;

    Parts(const GatewayConfig& wanted, Counters& counters, std::span<PlaneRings* const> all_rings, RouteRings& rings_of_routes)
        : config{wanted}, rings{all_rings}, route_rings{rings_of_routes},
          pools{"nave",
                {.buffers = wanted.limits.buffers, .large_buffers = wanted.limits.large_buffers, .data_room = data_room(wanted), .socket = SOCKET_ID_ANY}},
          routes{"nave_routes",
                 {.tables = wanted.limits.tables,
                  .routes = wanted.limits.routes,
                  .groups = wanted.limits.route_blocks,
                  .workers = wanted.workers,
                  .socket = SOCKET_ID_ANY}},
          route_writer{routes, route_rings, counters.routes}, associations{wanted.limits.sa_slots},
          peer_policer{wanted.limits.peers, rte_get_tsc_hz()},
          handovers{"nave_handover", wanted.workers, wanted.limits.handover_packets}, ports{open_ports(wanted, pools.receive_pool())} {
        for (const auto& port : ports) port_pointers.push_back(port.get());
        for (std::uint8_t i = 0; i < wanted.workers; ++i)
            workers.push_back(std::make_unique<Worker>(
                WorkerSetup{WorkerId{i}, config, port_pointers, counters, rings, pools, routes, associations, peer_policer, handovers, rte_get_tsc_hz()}));
    }
};

Gateway::Gateway(const GatewayConfig& config, Counters& counters, std::span<PlaneRings* const> rings, RouteRings& route_rings) {
    check(config, counters, rings);
    parts_ = std::make_unique<Parts>(config, counters, rings, route_rings);
}

Gateway::~Gateway() { stop(); }

void Gateway::start() {
    for (std::size_t i = 0; i < parts_->workers.size(); ++i) {
        const unsigned lcore = Eal::lcore(WorkerId{static_cast<std::uint8_t>(i)});
        if (rte_eal_remote_launch(run_worker, parts_->workers[i].get(), lcore) != 0) {
            parts_->running = i > 0;
            throw std::runtime_error{fmt::format("EAL has no free lcore {} for worker {}", lcore, i)};
        }
    }
    parts_->running = true;
    parts_->writing = std::thread{[writer = &parts_->route_writer] { writer->run(); }};
}

void Gateway::stop() {
    if (!std::exchange(parts_->running, false)) return;
    if (parts_->writing.joinable()) {
        // First, while the workers still run: it may wait for their turns to end.
        send_last(parts_->route_rings.commands, parts_->route_rings.writer_bell);
        parts_->writing.join();
    }
    for (PlaneRings* rings : parts_->rings) send_last(rings->commands, rings->worker_bell);
    for (std::size_t i = 0; i < parts_->workers.size(); ++i) rte_eal_wait_lcore(Eal::lcore(WorkerId{static_cast<std::uint8_t>(i)}));
}

const Port& Gateway::port(PortId id) const { return *parts_->ports.at(id.value); }

std::string Gateway::describe_port(PortId id) const {
    const Port& shown = port(id);
    const PortCapabilities& can = shown.capabilities();
    const std::string& device = parts_->config.ports.at(id.value).device;
    return fmt::format("{}: {}, {} queue{}, MTU {}, {}", device, can.driver, can.queues, can.queues == 1 ? "" : "s", can.mtu, shown.mac().to_string());
}

}  // namespace nave::dataplane
