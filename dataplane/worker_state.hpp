// Everything that one worker owns or may touch while it moves packets: what the stages are given.
#pragma once

#include "dataplane/esp_crypto.hpp"
#include "dataplane/handover.hpp"
#include "dataplane/packet_pools.hpp"
#include "dataplane/punt_gate.hpp"
#include "dataplane/reassembly.hpp"
#include "dataplane/redirect_limiter.hpp"
#include "dataplane/route_tables.hpp"
#include "dataplane/shaper.hpp"
#include "dataplane/stage_clock.hpp"
#include "dataplane/tables.hpp"
#include "dataplane/verdict.hpp"

#include <span>
#include <vector>

namespace nave::dataplane {

class Port;

/// What the gateway shares with a worker; all of it outlives the worker.
struct WorkerSetup {
    WorkerId id;
    const GatewayConfig& config;
    std::span<Port* const> ports;  // by PortId
    Counters& counters;
    std::span<PlaneRings* const> rings;  // by WorkerId
    PacketPools& pools;
    RouteTables& routes;
    AssociationStore& associations;
    PeerPolicer& peer_policer;
    HandoverRings& handovers;
    std::uint64_t cycles_per_second;
};

/// The cipher's jobs of one burst; job i belongs to packet i of the burst between the phases.
struct EspBatch {
    std::array<EspJob, Burst::kCapacity> jobs;
    std::array<std::array<ByteView, EspJob::kGatherMax>, Burst::kCapacity> gathered;  // of those jobs that gather
    std::array<InboundSa*, Burst::kCapacity> associations;  // when opening
    std::size_t size = 0;
};

/// How this worker uses one port. A device with fewer queues than there are workers gives some workers none.
struct PortLane {
    Port* port = nullptr;
    bool has_queue = false;
    std::uint16_t queue = 0;
    WorkerId transmitter{};  // who transmits for this worker; itself when it has a queue
};

/// One worker's world. No other thread touches it, but for what is shared by design (rings, pools, route tables).
struct WorkerState {
    explicit WorkerState(const WorkerSetup& setup);
    WorkerState(const WorkerState&) = delete;
    WorkerState& operator=(const WorkerState&) = delete;

    WorkerId id;
    std::uint8_t worker_count;
    std::uint64_t cycles_per_second;
    Counters& all_counters;
    WorkerCounters& counters;
    DropCounters drops;
    PlaneRings& rings;
    std::vector<Doorbell*> bells;   // by WorkerId: wakes whom we hand packets to
    PacketPools& pools;
    RouteTables& routes;
    HandoverRings& handovers;

    std::vector<PortLane> lanes;  // by PortId
    Tables tables;
    EspCrypto crypto;
    Reassembly reassembly;
    PuntGate punts;
    RedirectLimiter<std::uint32_t> redirects;
    RedirectLimiter<Ipv6Bytes> ipv6_redirects;
    Policer icmp_errors;
    Shaper shaper;
    PeerPolicer& peer_policer;
    StageClock clock;

    std::uint64_t now = 0;  // TSC at the start of the turn
    bool event_sent = false;

    // Packets on their way between the steps of pipeline.cpp; all empty between turns.
    Burst to_encap;                 // to a peer, at the GRE payload
    Burst from_here;                // made here (ICMP errors), at their IP header, to be routed
    std::vector<Burst> to_port;     // by PortId: frames to transmit
    std::vector<Burst> to_worker;   // by WorkerId: packets to hand over
    EspBatch opening, sealing;

    /// Hands a packet up and gives it up; the verdict says what became of it.
    [[gnu::cold, gnu::noinline]] Verdict punt(Packet& packet, Punt punt);
    /// Gives a packet to another worker by the end of the turn.
    [[gnu::noinline]] Verdict hand_over(Packet& packet, WorkerId to, PacketMeta::Handover what);
    void flush_handover(WorkerId to);
    /// Tells the control plane; a full ring is counted, never waited for.
    /// False when the ring is full; the loss is counted.
    [[gnu::cold, gnu::noinline]] bool emit(const Event& event);
};

}  // namespace nave::dataplane
