// Counters that one worker writes and the control thread reads at any time: the only statistics shared by the planes.
#pragma once

#include "common/drop.hpp"
#include "common/ids.hpp"
#include "common/traffic_class.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace nave {

/// A number with one writer and any readers. A relaxed load and store suffice, without a lock prefix.
class Counter {
public:
    void add(std::uint64_t amount) { value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed); }
    void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
    std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// One direction of one SA, by slot; reset when an SA is installed in the slot. A line of its own: the SAs of neighbouring slots may
/// belong to different workers.
struct alignas(64) SaCounters {
    Counter packets, bytes;  // inner IP bytes
};

/// What one worker did to keep a peer within its rates; zero again when the peer goes. Bytes of outer IP packets.
struct alignas(64) PeerRateCounters {
    Counter shaped_packets, shaped_bytes;                // sent at the peer's rate
    std::array<Counter, kTrafficClasses> shaper_drops;   // packets that found their class's queue full
    Counter policed;                                     // packets that came beyond the peer's rate
    void reset() {
        for (Counter* counter : {&shaped_packets, &shaped_bytes, &policed}) counter->set(0);
        for (Counter& counter : shaper_drops) counter.set(0);
    }
};

/// A line of its own, since the workers' are allocated side by side.
struct alignas(64) PortCounters {
    Counter received_packets, received_bytes, sent_packets, sent_bytes;
};

/// The stages of a worker's turn, in order of the packet path.
enum class Stage : std::uint8_t {
    receive, classify, reassemble, esp_decrypt, gre_decap, route, inside_transmit, gre_encap, esp_encrypt, outer_header, transmit, commands, inject, idle, count
};
constexpr std::string_view name(Stage stage) {
    switch (stage) {
    case Stage::receive: return "receive";
    case Stage::classify: return "classify";
    case Stage::reassemble: return "reassemble";
    case Stage::esp_decrypt: return "esp-decrypt";
    case Stage::gre_decap: return "gre-decap";
    case Stage::route: return "route";
    case Stage::inside_transmit: return "inside-transmit";
    case Stage::gre_encap: return "gre-encap";
    case Stage::esp_encrypt: return "esp-encrypt";
    case Stage::outer_header: return "outer-header";
    case Stage::transmit: return "transmit";
    case Stage::commands: return "commands";
    case Stage::inject: return "inject";
    case Stage::idle: return "idle";
    case Stage::count: break;
    }
    return "unknown";
}

struct StageCounters {
    Counter calls, packets, cycles;  // TSC cycles
};

/// What one worker counts. Each worker is the only writer of its own.
struct alignas(64) WorkerCounters {
    std::array<Counter, static_cast<std::size_t>(Drop::count)> drops;
    std::array<StageCounters, static_cast<std::size_t>(Stage::count)> stages;
    std::vector<PortCounters> ports;  // by PortId
    std::vector<PeerRateCounters> peers;  // by PeerId
    Counter events_lost, redirects, fragments_made, reassembled, icmp_sent, handed_over;
    Counter commands_refused;  // named something beyond a table's size
};

/// What the route writer counts.
struct RouteCounters {
    Counter changes;      // routes set or removed
    Counter refused;      // table full or absent, nothing to remove, or IPv6
    Counter grace_waits;  // changes that had to wait until every worker had moved on
    Counter events_lost;
};

/// All counters of the dataplane; made once at start, before the workers, and outlives them.
struct Counters {
    Counters(std::size_t worker_count, std::size_t port_count, std::size_t sa_slots, std::size_t peers) : workers(worker_count), inbound(sa_slots), outbound(sa_slots) {
        for (auto& worker : workers) {
            worker.ports = std::vector<PortCounters>(port_count);
            worker.peers = std::vector<PeerRateCounters>(peers);
        }
    }
    std::vector<WorkerCounters> workers;
    RouteCounters routes;
    std::vector<SaCounters> inbound, outbound;  // by SaSlot; written by the SA's owner
};

}  // namespace nave
