// Building the gateway, its traffic, and the loop that times the worker.
#include "tests/bench/forwarder.hpp"

#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "dataplane/eal.hpp"
#include "tests/bench/full_table.hpp"

#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <stdexcept>

namespace nave::bench {

using namespace nave::dataplane;

namespace {

constexpr PortId kIn{0}, kOut{1};
constexpr WorkerId kWorker{0};
constexpr MacAddress kOurMac{{2, 0, 0, 0, 0, 1}}, kNeighbourMac{{2, 0, 0, 0, 0, 2}};
constexpr std::size_t kPackets = 256, kBurst = 64;
constexpr std::uint16_t kIpBytes = 64;

GatewayConfig make_config() {
    GatewayConfig config;
    for (int i = 0; i < 2; ++i) config.ports.push_back({.device = "", .role = PortRole::inside, .table = TableId{}, .vlan = {}, .mtu = {}});
    config.mode = RunMode::poll;
    config.limits.peers = config.limits.sa_slots = 16;
    config.limits.adjacencies = kNeighbours;
    return config;
}

std::uint64_t cpu_nanoseconds() {
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(spent.tv_nsec);
}

std::unique_ptr<Port> open_port(const std::string& cable, PortId id, rte_mempool* pool) {
    auto port = Port::open({.id = id, .device = *parse_device_string("ring:" + cable), .queues = 1, .mtu = std::nullopt, .pool = pool, .adaptive = false});
    if (!port) throw std::runtime_error{port.error().text};
    if (const auto started = port->start(); !started) throw std::runtime_error{started.error().text};
    return std::make_unique<Port>(std::move(*port));
}

}  // namespace

Forwarder::Forwarder(const RouteTables::Sizes& sizes, std::vector<std::uint32_t> destinations)
    : config_{make_config()}, counters_{1, 2, 16, 16}, rings_{std::make_unique<PlaneRings>(bell_)}, route_rings_{std::make_unique<RouteRings>(bell_)},
      ring_pointers_{rings_.get()}, pools_{"bench", {.buffers = 2048, .large_buffers = 64, .data_room = 2176, .socket = SOCKET_ID_ANY}}, routes_{"bench", sizes},
      writer_{routes_, *route_rings_, counters_.routes}, associations_{config_.limits.sa_slots},
      peer_policer_{config_.limits.peers, rte_get_tsc_hz()}, handovers_{"bench", 1, 64}, destinations_{std::move(destinations)} {
    for (const PortId port : {kIn, kOut}) {
        const std::string cable = fmt::format("bench{}", port.value);
        near_.push_back(open_port(cable, port, pool()));
        far_.push_back(open_port(cable, PortId{static_cast<std::uint16_t>(port.value + 2)}, pool()));
        near_pointers_.push_back(near_.back().get());
    }
    worker_ = std::make_unique<Worker>(
        WorkerSetup{kWorker, config_, near_pointers_, counters_, ring_pointers_, pools_, routes_, associations_, peer_policer_, handovers_, rte_get_tsc_hz()});
    configure();
    load_packets();
    writing_ = std::thread{[this] { writer_.run(); }};
}

Forwarder::~Forwarder() {
    while (!route_rings_->commands.push(ShutDown{})) std::this_thread::yield();
    route_rings_->writer_bell.ring();
    writing_.join();
}

void Forwarder::configure() {
    const auto send = [&](const Command& command) {
        if (!rings_->commands.push(command)) throw std::runtime_error{"the command ring is full"};
    };
    for (const PortId port : {kIn, kOut}) send(SetPort{port, kOurMac, 1500});
    for (std::uint32_t i = 0; i < kNeighbours; ++i) send(SetAdjacency{AdjacencyId{i}, kOut, kOurMac, kNeighbourMac});
    while (rings_->commands.read_available() > 0) worker_->run_turn(rte_rdtsc());
    routes_.offline(kWorker);
}

void Forwarder::load_packets() {
    for (std::size_t i = 0; i < kPackets; ++i) {
        Packet* packet = pools_.allocate(kIpBytes + sizeof(EthernetHeader));
        if (!packet) throw std::runtime_error{"no buffers"};
        std::memset(packet->append(kIpBytes + sizeof(EthernetHeader)), 0, kIpBytes + sizeof(EthernetHeader));
        fill(*packet);
        rte_mbuf* buffer = packet;
        if (far_[kIn.value]->transmit(0, {&buffer, 1}) != 1) throw std::runtime_error{"the cable is full"};
    }
}

void Forwarder::fill(rte_mbuf& packet) {
    packet.ol_flags = 0;
    auto* frame = rte_pktmbuf_mtod(&packet, EthernetHeader*);
    frame->destination = kOurMac, frame->source = kNeighbourMac, frame->type = be16(kEtherTypeIpv4);
    auto* ip = reinterpret_cast<Ipv4Header*>(frame + 1);
    *ip = {};
    ip->version_and_length = 0x45;
    ip->total_length = be16(kIpBytes);
    ip->time_to_live = 64;
    ip->protocol = kProtocolUdp;
    ip->source = be32(0x0a000001);
    ip->destination = be32(destinations_[next_destination_++ & (destinations_.size() - 1)]);
    ip->checksum = be16(internet_checksum({reinterpret_cast<const std::uint8_t*>(ip), sizeof *ip}));
}

void Forwarder::recycle() {
    std::array<rte_mbuf*, kBurst> packets;
    const std::size_t count = far_[kOut.value]->receive(0, packets);
    for (std::size_t i = 0; i < count; ++i) fill(*packets[i]);
    if (far_[kIn.value]->transmit(0, {packets.data(), count}) != count) throw std::runtime_error{"the cable is full"};
    turns_.packets += count;
}

int Forwarder::run(void* self) {
    static_cast<Forwarder*>(self)->take_turns();
    return 0;
}

void Forwarder::take_turns() {
    const double nanoseconds_per_cycle = 1e9 / static_cast<double>(rte_get_tsc_hz());
    const std::uint64_t started = rte_rdtsc();
    routes_.online(kWorker);
    while (!stop_) {
        const std::uint64_t cpu_begin = cpu_nanoseconds(), begin = rte_rdtsc();
        worker_->run_turn(begin);
        const std::uint64_t end = rte_rdtsc();
        turns_.cpu.add(cpu_nanoseconds() - cpu_begin);
        turns_.wall.add(static_cast<std::uint64_t>(static_cast<double>(end - begin) * nanoseconds_per_cycle));
        recycle();
    }
    routes_.offline(kWorker);
    turns_.nanoseconds = static_cast<std::uint64_t>(static_cast<double>(rte_rdtsc() - started) * nanoseconds_per_cycle);
}

void Forwarder::forward() {
    stop_ = false;
    turns_ = {};
    if (rte_eal_remote_launch(run, this, Eal::lcore(kWorker)) != 0) throw std::runtime_error{"the worker's lcore is not free"};
}

Turns Forwarder::forward_until_now() {
    stop_ = true;
    rte_eal_wait_lcore(Eal::lcore(kWorker));
    return turns_;
}

std::string Forwarder::drops() const {
    std::string text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Drop::count); ++i) {
        const std::uint64_t count = counters_.workers[0].drops[i].read();
        if (count > 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name(static_cast<Drop>(i)), count);
    }
    return text;
}

}  // namespace nave::bench
