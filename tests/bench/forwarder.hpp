// One real worker and the real route writer over in-memory ports: full load, every turn timed.
#pragma once

#include "dataplane/port.hpp"
#include "dataplane/route_writer.hpp"
#include "dataplane/worker.hpp"
#include "tests/bench/turn_times.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nave::bench {

/// What a run of turns took. `wall` is what a packet sees; `cpu` leaves out that the scheduler gave the core to somebody else.
struct Turns {
    TurnTimes wall, cpu;
    std::uint64_t packets = 0, nanoseconds = 0;
    void merge(const Turns& other) {
        wall.merge(other.wall), cpu.merge(other.cpu);
        packets += other.packets, nanoseconds += other.nanoseconds;
    }
};

/// Forwards from one inside port to another, by routes that lead to neighbours. EAL must be up, with one worker.
class Forwarder {
public:
    /// `destinations`: of the packets, in turn; a power of two of them.
    Forwarder(const dataplane::RouteTables::Sizes& sizes, std::vector<std::uint32_t> destinations);
    /// Ends the route writer.
    ~Forwarder();

    /// Starts taking turns on the worker's core; forward_until_now() ends it.
    void forward();
    Turns forward_until_now();

    RouteRings& route_rings() { return *route_rings_; }
    const dataplane::RouteTables& routes() const { return routes_; }
    const RouteCounters& route_counters() const { return counters_.routes; }
    /// True when the route writer has carried out all that it was sent.
    bool routes_are_written() const { return route_rings_->commands.write_available() == RouteRings::kCommands; }
    /// Packets that were lost, by name; empty when none was.
    std::string drops() const;

private:
    static int run(void* self);
    void take_turns();
    void configure();
    void load_packets();
    /// Packets that were forwarded come in again, for the next destinations.
    void recycle();
    void fill(rte_mbuf& packet);
    rte_mempool* pool() { return pools_.receive_pool(); }

    dataplane::GatewayConfig config_;
    Counters counters_;
    Doorbell bell_;
    std::unique_ptr<PlaneRings> rings_;
    std::unique_ptr<RouteRings> route_rings_;
    std::array<PlaneRings*, 1> ring_pointers_;
    dataplane::PacketPools pools_;
    dataplane::RouteTables routes_;
    dataplane::RouteWriter writer_;
    dataplane::AssociationStore associations_;
    dataplane::PeerPolicer peer_policer_;
    dataplane::HandoverRings handovers_;
    std::vector<std::unique_ptr<dataplane::Port>> near_, far_;
    std::vector<dataplane::Port*> near_pointers_;
    std::unique_ptr<dataplane::Worker> worker_;
    std::thread writing_;
    std::vector<std::uint32_t> destinations_;
    std::size_t next_destination_ = 0;
    std::atomic<bool> stop_ = false;
    Turns turns_;
};

}  // namespace nave::bench
