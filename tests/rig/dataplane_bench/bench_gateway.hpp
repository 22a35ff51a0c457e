// A gateway's workers on in-memory ports, as naved has them, driven turn by turn; commands are its only configuration.
#pragma once

#include "dataplane/port.hpp"
#include "dataplane/worker.hpp"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nave::rig {

inline constexpr PortId kUnderlay{0}, kInside{1};
inline constexpr std::array kPorts = {kUnderlay, kInside};
/// IP bytes. Every suite's packet around 1,400 bytes fits, so that none is a fragment.
inline constexpr std::uint16_t kPortMtu = 1600;
inline constexpr TableId kHubTable{0}, kSpokesTable{1};

/// In-memory ports that gateways use in turn, since EAL has no more than 32. The far ends are the rig's: generator and sink.
/// Each worker has devices of its own and uses that queue of them which its number names: the ring driver counts the packets of all
/// queues of a device in one cache line, which no network card would make the workers share.
class Cables {
public:
    /// Frames of one worker that can be under way, a power of two less one.
    static constexpr std::size_t kBuffers = 1023;

    /// Throws std::runtime_error when a port or memory cannot be had. Main lcore.
    Cables(const std::string& name, std::uint8_t workers, dataplane::PacketPools& pools);

    /// A worker's ports, by PortId.
    std::span<dataplane::Port* const> near_ends(WorkerId worker) const { return ends_of_[worker.value].near; }
    /// The frames that a worker's generator fills.
    rte_mempool* store(WorkerId worker) { return ends_of_[worker.value].store->receive_pool(); }
    /// Hands frames to a worker's port, as its cable would; all of them must find room. The caller gives them up.
    void put(WorkerId worker, PortId port, std::span<rte_mbuf*> frames);
    /// Takes up to `room.size()` frames that left a worker's port.
    std::size_t take(WorkerId worker, PortId port, std::span<rte_mbuf*> room);
    std::uint8_t workers() const { return static_cast<std::uint8_t>(ends_of_.size()); }

private:
    struct Ends {
        std::vector<dataplane::Port*> near, far;
        std::unique_ptr<dataplane::PacketPools> store;
    };
    std::vector<std::unique_ptr<dataplane::Port>> ports_;
    std::vector<Ends> ends_of_;  // by WorkerId
};

/// What gateways of one process may share: buffers, and a route table for each side.
struct Foundation {
    /// `name`: unique in the process. `peers_max`: of the largest gateway. Throws std::runtime_error when memory is short. EAL is up.
    Foundation(const std::string& name, std::uint32_t peers_max);
    /// Megabytes that EAL must have for it.
    static std::size_t megabytes(std::uint32_t peers_max);

    dataplane::PacketPools pools;
    dataplane::RouteTables routes;
};

/// What a gateway is made of.
struct GatewayPlan {
    std::string name;  // unique in the process
    TableId table{};
    std::uint32_t peers = 1, sa_slots = 1;
    dataplane::RunMode mode = dataplane::RunMode::poll;
};

/// One gateway: an underlay port, an inside port, and as many workers as its cables are for.
class BenchGateway {
public:
    /// Throws std::runtime_error when memory is short. Main lcore.
    BenchGateway(const GatewayPlan& plan, Foundation& foundation, Cables& cables);
    ~BenchGateway();
    BenchGateway(const BenchGateway&) = delete;
    BenchGateway& operator=(const BenchGateway&) = delete;

    /// To one worker, which takes turns while its ring is full. On the worker's own thread: what commands allocate is near it then.
    void command(WorkerId worker, const Command& command);
    /// Turns until a worker has executed all its commands. The worker's own thread. Throws std::runtime_error if one was refused.
    void settle(WorkerId worker);
    /// Writes a route of its table. Throws std::runtime_error if the table refuses it. One thread.
    void route(const Prefix& prefix, const RouteTarget& target);

    /// What a worker does with the packets that wait in its ports.
    struct Errand {
        std::size_t receive = 0;  // packets that its ports hold
        std::size_t send = 0;     // packets that it transmits then; others may be handed over, by and to it
    };
    /// The worker's rounds until the errand is done; answers the TSC cycles that they took. Throws std::runtime_error with the
    /// drops by name if the packets do not come. The worker's own thread.
    std::uint64_t carry(WorkerId worker, const Errand& errand);
    /// What the control plane would do all the time: takes a worker's events and punted packets. One thread for each worker.
    void hear(WorkerId worker);

    dataplane::Worker& worker(WorkerId id) { return *workers_[id.value]; }
    /// True when the worker has executed all commands that it was sent.
    bool is_settled(WorkerId worker) const { return rings_[worker.value]->commands.read_available() == 0; }
    std::uint8_t worker_count() const { return cables_.workers(); }
    Counters& counters() { return counters_; }
    std::uint64_t drops(Drop reason) const;
    /// Words for every drop counter that is not zero; empty when nothing was dropped.
    std::string drops_by_name() const;

private:
    void turn(WorkerId worker);

    GatewayPlan plan_;
    dataplane::GatewayConfig config_;
    Foundation& foundation_;
    Cables& cables_;
    Counters counters_;
    Doorbell control_bell_;
    std::vector<std::unique_ptr<PlaneRings>> rings_;
    std::vector<PlaneRings*> ring_pointers_;
    dataplane::AssociationStore associations_;
    dataplane::PeerPolicer peer_policer_;
    dataplane::HandoverRings handovers_;
    std::vector<std::unique_ptr<dataplane::Worker>> workers_;
};

}  // namespace nave::rig
