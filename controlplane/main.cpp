// naved: the composition root. It alone sees both planes, starts them and ends them.
#include "controlplane/config/config.hpp"
#include "controlplane/ike/crypto.hpp"
#include "controlplane/runtime/command_line.hpp"
#include "controlplane/runtime/log.hpp"
#include "controlplane/runtime/runtime.hpp"
#include "controlplane/runtime/system_calendar.hpp"
#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "dataplane/peer.hpp"
#include "dataplane/port.hpp"
#include "dataplane/security_association.hpp"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <vector>

namespace {

using namespace nave;

constexpr int kBadConfiguration = 1, kCannotRun = 2;
constexpr std::string_view kVersion = "0.1.0";

int fail(int code, const std::string& text) {
    fmt::print(stderr, "{}\n", text);
    return code;
}

dataplane::RunMode run_mode(const config::Config& config) {
    return config.dataplane.mode == config::Mode::poll ? dataplane::RunMode::poll : dataplane::RunMode::adaptive;
}

dataplane::Hugepages hugepages(config::Hugepages wish) {
    switch (wish) {
    case config::Hugepages::automatic: return dataplane::Hugepages::if_available;
    case config::Hugepages::required: return dataplane::Hugepages::required;
    case config::Hugepages::off: return dataplane::Hugepages::never;
    }
    return dataplane::Hugepages::never;
}

/// PCI devices, with their options, must be named before EAL starts; all others are made later.
std::vector<std::string> pci_devices(const config::Config& config) {
    std::vector<std::string> devices;
    for (const config::Port& port : config.ports) {
        const auto device = dataplane::parse_device_string(port.device);
        if (!device || device->kind != dataplane::DeviceKind::pci) continue;
        const auto made = dataplane::device_arguments(*device, {});
        devices.push_back(made.arguments.empty() ? made.device : made.device + ',' + made.arguments);
    }
    return devices;
}

std::string device_complaint(const std::string& device) {
    const auto parsed = dataplane::parse_device_string(device);
    return parsed ? std::string{} : parsed.error().text;
}

dataplane::EalConfig eal_config(const config::Config& config) {
    return {.program = "naved",
            .workers = config.dataplane.workers,
            .worker_cores = {config.dataplane.cores.begin(), config.dataplane.cores.end()},
            .mode = run_mode(config),
            .hugepages = hugepages(config.dataplane.hugepages),
            .memory_megabytes = config.dataplane.memory_mib,
            .pci_devices = pci_devices(config)};
}

dataplane::GatewayConfig gateway_config(const config::Config& config) {
    dataplane::GatewayConfig gateway{.ports = {}, .workers = config.dataplane.workers, .mode = run_mode(config), .limits = {}};
    for (const config::Port& port : config.ports) {
        const bool inside = port.role == config::PortRole::inside && port.tunnel;
        gateway.ports.push_back({.name = port.name,
                                 .device = port.device,
                                 .role = inside ? dataplane::PortRole::inside : dataplane::PortRole::underlay,
                                 .table = inside ? config.overlay.tunnels.at(port.tunnel->value).table : TableId{},
                                 .vlan = port.vlan,
                                 .mtu = port.mtu});
    }
    gateway.limits.peers = config.overlay.peers_max;
    gateway.limits.sa_slots = config.overlay.sa_slots;
    gateway.limits.routes = config.dataplane.routes_max;
    gateway.limits.route_blocks = config.dataplane.route_blocks_max;
    gateway.limits.tunnels = static_cast<std::uint16_t>(config.overlay.tunnels.size());
    gateway.limits.tables = 1;
    for (const overlay::Tunnel& tunnel : config.overlay.tunnels) {
        gateway.limits.tables = std::max(gateway.limits.tables, static_cast<std::uint16_t>(tunnel.table.value + 1));
    }
    return gateway;
}

/// Bytes of the packet path for a peer with one SA pair; they are taken when the peer comes.
std::size_t bytes_per_peer(const dataplane::GatewayConfig& gateway) {
    return (sizeof(dataplane::Peer) + sizeof(PeerRateCounters)) * gateway.workers + sizeof(dataplane::InboundSa) + sizeof(dataplane::OutboundSa) + 2 * sizeof(SaCounters);
}

/// What --check says of memory: all peers with one SA pair, and twice as many SAs while they are replaced.
std::string memory_text(const dataplane::GatewayConfig& gateway) {
    constexpr double kMebibyte = 1 << 20;
    const std::size_t peer = bytes_per_peer(gateway), pair = sizeof(dataplane::InboundSa) + sizeof(dataplane::OutboundSa);
    const double all = static_cast<double>(gateway.limits.peers) / kMebibyte;
    return fmt::format("memory: a peer takes {} bytes of the packet path, {} peers take {:.1f} MiB, and {:.1f} MiB while all their SAs are replaced\n", peer, gateway.limits.peers,
                       all * static_cast<double>(peer), all * static_cast<double>(peer + pair));
}

void log_sizes(runtime::Log& log, const config::Config& config, const dataplane::GatewayConfig& gateway, bool uses_hugepages) {
    const std::size_t per_peer = bytes_per_peer(gateway);
    log.write(ike::Severity::notice, "sizes",
              fmt::format("room for {} peers ({} bytes of packet path each with one SA pair), {} SAs each way, {} neighbours, {} routes a table, {} buffers in {}; {} MiB",
                          gateway.limits.peers, per_peer, gateway.limits.sa_slots, gateway.limits.adjacencies, gateway.limits.routes, gateway.limits.buffers,
                          uses_hugepages ? "hugepages" : "ordinary memory", config.dataplane.memory_mib),
              runtime::now());
}

runtime::PortDevice device_of(const dataplane::Gateway& dataplane, PortId id) {
    const dataplane::Port& port = dataplane.port(id);
    const dataplane::PortLosses losses = port.losses();
    return {.mac = port.mac(), .up = port.link().up, .queues = port.capabilities().queues, .missed = losses.missed, .errors = losses.errors};
}

/// Workers that want an SA of their own with each peer (RFC 9611): where every port has a queue for each worker, packets stay with the
/// worker that received them. Elsewhere the owners of SAs are how the packets of one queue spread over the workers.
std::uint8_t resources(const config::Config& config, const dataplane::Gateway& dataplane) {
    const auto has_queue_for_each = [&](const config::Port& port) { return dataplane.port(port.id).capabilities().queues >= config.dataplane.workers; };
    return config.dataplane.workers > 1 && std::ranges::all_of(config.ports, has_queue_for_each) ? config.dataplane.workers : 0;
}

int run(config::Config config) {
    runtime::Signals signals;  // before any thread is started
    runtime::Log log{runtime::Log::for_standard_error(config.name, config.control.log_level)};
    auto eal = dataplane::Eal::start(eal_config(config));
    if (!eal) return fail(kCannotRun, "naved: " + eal.error().text);

    Doorbell bell;
    std::vector<std::unique_ptr<PlaneRings>> rings;
    std::vector<PlaneRings*> ring_pointers;
    for (std::size_t i = 0; i < config.dataplane.workers; ++i) {
        rings.push_back(std::make_unique<PlaneRings>(bell));
        ring_pointers.push_back(rings.back().get());
    }
    RouteRings route_rings{bell};
    Counters counters{config.dataplane.workers, config.ports.size(), config.overlay.sa_slots, config.overlay.peers_max};
    const auto wanted = gateway_config(config);
    dataplane::Gateway dataplane{wanted, counters, ring_pointers, route_rings};
    log_sizes(log, config, wanted, eal->uses_hugepages());
    for (const config::Port& port : config.ports) {
        log.write(ike::Severity::notice, "port", fmt::format("port {} is {}", port.name, dataplane.describe_port(port.id)), runtime::now());
    }

    config.overlay.ike.crypto_pool = true;
    config.overlay.ike.resources = resources(config, dataplane);
    ike::SystemRandom random;
    auto runtime = runtime::Runtime::start({.config = config, .rings = ring_pointers, .route_rings = route_rings, .bell = bell, .counters = counters,
                                            .random = random, .signals = signals,
                                            .device = [&](PortId port) { return device_of(dataplane, port); },
                                            .adjacencies_max = wanted.limits.adjacencies});
    if (!runtime) return fail(kCannotRun, "naved: " + runtime.error());
    dataplane.start();
    const int code = runtime->run();
    dataplane.stop();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto line = runtime::parse_command_line(argc, argv);
        if (!line) return fail(kBadConfiguration, line.error());
        if (line->help) {
            fmt::print("{}", runtime::usage());
            return 0;
        }
        if (line->version) {
            fmt::print("naved {}\n", kVersion);
            return 0;
        }
        if (line->check) {
            const config::CheckReport report = config::check(line->config_file, device_complaint);
            fmt::print("{}", report.text);
            if (report.config) fmt::print("{}", memory_text(gateway_config(*report.config)));
            return report.ok() ? 0 : kBadConfiguration;
        }
        auto loaded = config::load(line->config_file, device_complaint);
        if (!loaded) {
            for (const config::Problem& problem : loaded.error()) fmt::print(stderr, "{}\n", problem.to_string());
            return kBadConfiguration;
        }
        for (const config::Problem& warning : loaded->warnings) fmt::print(stderr, "{}\n", warning.to_string());
        const runtime::SystemCalendar calendar;
        loaded->config.overlay.ike.calendar = &calendar;
        return run(loaded->config);
    } catch (const std::exception& error) {
        return fail(kCannotRun, std::string{"naved: "} + error.what());
    }
}
