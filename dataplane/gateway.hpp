// The dataplane as its composition root sees it: made from a configuration, started, stopped. Everything else goes over the rings.
#pragma once

#include "common/counters.hpp"
#include "common/ids.hpp"
#include "common/plane_rings.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::dataplane {

class Port;

enum class PortRole : std::uint8_t { underlay, inside };

/// One port, by its position the PortId of both planes.
struct PortConfig {
    std::string name{};                   // for errors
    std::string device;                   // device string, see device_string.hpp
    PortRole role = PortRole::underlay;
    TableId table{};                      // inside ports: where frames' destinations are looked up
    std::optional<std::uint16_t> vlan;    // 802.1Q id of the port's traffic; nothing = untagged
    std::optional<std::uint16_t> mtu;     // IP bytes; nothing: what the device has
};

/// Packets per second and burst of one punt class.
struct PoliceRate {
    std::uint32_t packets_per_second = 1000;
    std::uint32_t burst = 200;
};

/// Sizes and rates that are fixed at start.
struct Limits {
    std::uint32_t peers = 16384, adjacencies = 16384, sa_slots = 32768;
    std::uint16_t tunnels = 16, tables = 1;
    std::uint32_t routes = 65536;          // per table
    std::uint32_t route_blocks = 1024;     // per table: /24 blocks that hold longer prefixes
    std::uint32_t buffers = 16384, large_buffers = 512;
    std::uint32_t reassembly_datagrams = 1024;  // outer datagrams in reassembly, per worker
    std::uint32_t handover_packets = 1024;      // ring from one worker to another; a power of two
    std::uint32_t redirect_interval_seconds = 10;  // between two redirects for one source and destination pair
    PoliceRate icmp_errors{100, 50};
    std::array<PoliceRate, static_cast<std::size_t>(Punt::count)> punt = default_punt_rates();
    PoliceRate nhrp_of_peer{200, 400};     // within Punt::nhrp, for each peer: one that floods must not starve the registrations of the others

    static constexpr std::array<PoliceRate, static_cast<std::size_t>(Punt::count)> default_punt_rates() {
        // In order of Punt: arp, local, ike, ike_of_peer, nhrp, tunnel, glean, redirect. Tunnel carries routing protocols and pings of the gateway.
        return {{{500, 200}, {5000, 1000}, {2000, 1000}, {2000, 1000}, {2000, 1000}, {10000, 2000}, {500, 200}, {500, 200}}};
    }
};

enum class RunMode : std::uint8_t {
    poll,      // workers never rest
    adaptive,  // workers rest while there is nothing to do
};

struct GatewayConfig {
    std::vector<PortConfig> ports;
    std::uint8_t workers = 1;  // one EAL lcore each, besides the main lcore
    RunMode mode = RunMode::adaptive;
    Limits limits;
};

/// Buffers, ports, tables, workers and the route writer. One object a process; EAL must be up, with `workers` lcores besides the main one.
class Gateway {
public:
    /// `rings`: one for each worker; they, `route_rings` and `counters` outlive the gateway. Throws std::runtime_error with words for
    /// the operator when a port, memory or a table cannot be had. Main lcore.
    Gateway(const GatewayConfig& config, Counters& counters, std::span<PlaneRings* const> rings, RouteRings& route_rings);
    /// Stops when needed.
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Launches the workers on their lcores, and the route writer on the main lcore's CPUs. Main lcore.
    void start();
    /// Tells all threads to end and waits for them. Main lcore, when nobody else sends commands any more.
    void stop();

    /// MAC, MTU, link and offloads of an open port; for main, which tells the control plane. Main lcore.
    const Port& port(PortId id) const;
    /// What an operator wants to see of a port before any packet flows: driver, queues, MTU.
    std::string describe_port(PortId port) const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace nave::dataplane
