// EAL, buffers and route tables of the test process, and the boxes on them.
#include "tests/unit/dataplane/lab.hpp"

#include "dataplane/eal.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <rte_lcore.h>

namespace nave::test {

namespace {

constexpr std::uint8_t kWorkersMax = 2;
constexpr std::uint16_t kTables = 3;  // one for each box of a test

/// One EAL a process, and tables that are costly to make; alive until the process ends.
struct World {
    Eal eal;
    PacketPools pools{"test", {.buffers = 2048, .large_buffers = 256, .data_room = 2176, .socket = SOCKET_ID_ANY}};
    RouteTables routes{"test", {.tables = kTables, .routes = 1024, .groups = 64, .workers = kWorkersMax, .socket = SOCKET_ID_ANY}};
};

World& world() {
    static World* made = [] {
        auto eal = Eal::start({.program = "test", .workers = 1, .mode = RunMode::poll, .hugepages = Hugepages::never, .memory_megabytes = 512});
        if (!eal) FAIL(eal.error().text);
        return new World{std::move(*eal)};
    }();
    return *made;
}

Bytes copy(const rte_mbuf& packet) {
    Bytes bytes;
    for (const rte_mbuf* segment = &packet; segment; segment = segment->next) {
        const auto* data = rte_pktmbuf_mtod(segment, const std::uint8_t*);
        bytes.insert(bytes.end(), data, data + segment->data_len);
    }
    return bytes;
}

std::unique_ptr<Port> open_end(const std::string& cable, std::uint8_t queues, PortId id) {
    const DeviceString device = parse_device_string("ring:" + cable).value();
    auto port = Port::open({.id = id, .device = device, .queues = queues, .mtu = std::nullopt, .pool = world().pools.receive_pool(), .adaptive = false});
    if (!port) FAIL(port.error().text);
    REQUIRE(port->start());
    return std::make_unique<Port>(std::move(*port));
}

}  // namespace

Box::Box(const BoxOptions& options) : options_{options}, counters_{options.workers, 2, kSaSlots, 64} {
    static int boxes = 0;
    World& shared = world();
    ++boxes;
    config_.ports = {{.device = "", .role = PortRole::underlay, .table = {}, .vlan = options.underlay_vlan, .mtu = {}},
                     {.device = "", .role = PortRole::inside, .table = table(), .vlan = options.inside_vlan, .mtu = {}}};
    config_.workers = options.workers;
    config_.limits = options.limits;
    config_.limits.peers = config_.limits.adjacencies = 64;
    config_.limits.sa_slots = kSaSlots;
    config_.limits.tables = kTables;
    for (std::uint16_t i = 0; i < 2; ++i) {
        const std::string cable = fmt::format("t{}p{}", boxes, i);
        ports_.push_back(open_end(cable, options.workers, PortId{i}));
        far_ends_.push_back(open_end(cable, options.workers, PortId{static_cast<std::uint16_t>(i + 2)}));
        port_pointers_.push_back(ports_.back().get());
    }
    handovers_ = std::make_unique<HandoverRings>(fmt::format("t{}h", boxes), options.workers, options.limits.handover_packets);
    for (std::uint8_t i = 0; i < options.workers; ++i) {
        rings_.push_back(std::make_unique<PlaneRings>(bell_));
        ring_pointers_.push_back(rings_.back().get());
    }
    route_rings_ = std::make_unique<RouteRings>(bell_);
    route_writer_ = std::make_unique<RouteWriter>(shared.routes, *route_rings_, counters_.routes);
    for (std::uint8_t i = 0; i < options.workers; ++i)
        workers_.push_back(std::make_unique<Worker>(
            WorkerSetup{WorkerId{i}, config_, port_pointers_, counters_, ring_pointers_, shared.pools, shared.routes, associations_, peer_policer_, *handovers_, kSecond}));
    for (const PortId port : {kUnderlay, kInside}) command(SetPort{port, kBoxMac, 1500});
    const auto n = options.number;
    for (const bool ipv6 : {false, true}) command(AddLocalAddress{kUnderlay, IpAddress::parse(underlay_address(ipv6)).value()});
    command(AddLocalAddress{kInside, IpAddress::parse(fmt::format("10.{}.0.1", n)).value()});
    command(SetTunnel{kTunnel, table(), true, 42, 1400, true, true, 64});
    command(AddTunnelAddress{kTunnel, TunnelAddress{IpAddress::parse(fmt::format("172.16.0.{}", n)).value()}});
    command(SetAdjacency{AdjacencyId{0}, kInside, kBoxMac, kNeighbourMac});
    route(fmt::format("10.{}.0.9/32", n), {RouteTarget::Kind::adjacency, 0});
}

Box::~Box() {
    hold_route_writer(false);
    for (const Prefix& prefix : routes_) command(RemoveRoute{table(), prefix});
    for (const PortId port : {kUnderlay, kInside}) sent(port);
    for (std::uint8_t i = 0; i < options_.workers; ++i) world().routes.offline(WorkerId{i});
}

void Box::command(const Command& command) {
    if (const auto share = for_route_writer(command)) REQUIRE(route_rings_->commands.push(*share));
    for (std::uint8_t i = 0; is_for_workers(command) && i < options_.workers; ++i) command_only(i, command);
    turn(1);
}

void Box::command_only(std::uint8_t worker, const Command& command) { REQUIRE(rings_[worker]->commands.push(command)); }

void Box::route(std::string_view prefix, RouteTarget target) {
    routes_.push_back(Prefix::parse(prefix).value());
    command(SetRoute{table(), routes_.back(), target});
}

void Box::put(PortId port, ByteView frame, std::uint8_t queue, std::uint64_t device_flags) {
    Packet* packet = world().pools.allocate(frame.size());
    REQUIRE(packet);
    std::copy(frame.begin(), frame.end(), packet->append(frame.size()));
    packet->ol_flags = device_flags;
    rte_mbuf* buffer = packet;
    REQUIRE(far_ends_[port.value]->transmit(queue, {&buffer, 1}) == 1);
}

void Box::put_chain(PortId port, ByteView frame, std::size_t piece) {
    rte_mbuf* head = nullptr;
    for (; !frame.empty(); frame = frame.subspan(std::min(piece, frame.size()))) {
        Packet* packet = world().pools.allocate(piece);
        const ByteView part = frame.first(std::min(piece, frame.size()));
        std::copy(part.begin(), part.end(), packet->append(part.size()));
        if (head) REQUIRE(rte_pktmbuf_chain(head, packet) == 0);
        else head = packet;
    }
    REQUIRE(far_ends_[port.value]->transmit(0, {&head, 1}) == 1);
}

void Box::inject(PacketMessage::Inject kind, ByteView bytes, PeerId peer, PortId port) {
    PacketMessage message;
    message.inject = kind, message.peer = peer, message.port = port, message.tunnel = kTunnel;
    message.set(bytes);
    REQUIRE(rings_[0]->injected.push(message));
}

void Box::turn(int turns) {
    for (int i = 0; i < turns; ++i) {
        for (const auto& worker : workers_) worker->run_turn(now_);
        now_ += 10;
        while (!writer_is_held_ && route_writer_->work() == RouteWriter::Round::more) continue;
    }
}

std::vector<Bytes> Box::sent(PortId port) {
    std::vector<Bytes> frames;
    for (std::uint16_t queue = 0; queue < options_.workers; ++queue) {
        std::array<rte_mbuf*, 64> buffers;
        while (const std::size_t count = far_ends_[port.value]->receive(queue, buffers)) {
            for (std::size_t i = 0; i < count; ++i) {
                frames.push_back(copy(*buffers[i]));
                rte_pktmbuf_free(buffers[i]);
            }
        }
    }
    return frames;
}

std::vector<Event> Box::events() {
    std::vector<Event> all;
    Event event;
    for (const auto& rings : rings_)
        while (rings->events.pop(event)) all.push_back(event);
    while (route_rings_->events.pop(event)) all.push_back(event);
    return all;
}

std::vector<Punted> Box::punted() {
    std::vector<Punted> all;
    for (const auto& rings : rings_)
        rings->punted.consume_all([&](const PacketMessage& m) { all.push_back({m.punt, m.port, m.tunnel, m.peer, Bytes(m.view().begin(), m.view().end())}); });
    return all;
}

std::uint64_t Box::drops(Drop reason) const {
    std::uint64_t sum = 0;
    for (const auto& worker : counters_.workers) sum += worker.drops[static_cast<std::size_t>(reason)].read();
    return sum;
}

std::uint64_t Box::drops() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Drop::count); ++i) sum += drops(static_cast<Drop>(i));
    return sum;
}

Spi spi_between(const Box& from, const Box& to, std::uint8_t owner) {
    static_cast<void>(to);
    return spi_layout::make(slot_for(from), WorkerId{owner}, 1);
}

SetPeer peer_command(PeerId peer, const Peering& peering, std::initializer_list<std::string_view> sources) {
    SetPeer command{peer, kTunnel, GroupId{}, peering.any_source, peering.multicast, 0, {}};
    for (const std::string_view source : sources) command.sources[command.source_count++] = Prefix::parse(source).value();
    return command;
}

void connect(Box& a, Box& b, const Peering& peering) {
    const auto half = [&](Box& here, Box& there) {
        const PeerId id = peer_id(there);
        const std::uint16_t port = peering.udp ? kUdpPortNatTraversal : std::uint16_t{0};
        const auto nbma = [&](const Box& box) { return NbmaAddress{IpAddress::parse(box.underlay_address(peering.over_ipv6)).value()}; };
        const auto key = [&](const Box& from) {
            Bytes bytes = pattern(sizes_of(peering.algorithm).keymat());
            bytes[0] = from.number();
            return EspKeymat{bytes};
        };
        const std::string inside = fmt::format("10.{}.0.0/16", there.number()), tunnel = fmt::format("172.16.0.{}/32", there.number());
        here.command(peer_command(id, peering, {inside, tunnel}));
        here.command(SetPeerPath{id, kUnderlay, kBoxMac, kNeighbourMac, nbma(here), nbma(there), port, port});
        const auto& p = peering;
        here.command_only(p.owner, InstallInboundSa{spi_between(there, here, p.owner), id, p.algorithm, p.mode, p.esn, p.window, p.limits, key(there)});
        here.route(inside, {RouteTarget::Kind::peer, id.value});
        here.command(InstallOutboundSa{slot_for(there), WorkerId{p.owner}, spi_between(here, there, p.owner), id, p.algorithm, p.mode, p.esn, p.limits, key(here)});
    };
    half(a, b), half(b, a);
}

std::vector<Bytes> carry(Box& from, Box& to) {
    const auto frames = from.sent(kUnderlay);
    for (const Bytes& frame : frames) to.put(kUnderlay, concat({kBoxMac.bytes, ByteView{frame}.subspan(6)}));
    to.turn();
    return frames;
}

Bytes host_packet(const Box& from, const Box& to, std::size_t payload_size) {
    const std::string source = fmt::format("10.{}.0.9", from.number()), destination = fmt::format("10.{}.0.9", to.number());
    return ipv4({.source = source, .destination = destination}, udp(1000, 2000, pattern(payload_size)));
}

Bytes keyed_gre(ByteView inner, std::uint16_t protocol, std::uint8_t key) { return gre(GreHeader::kKey, protocol, concat({Bytes{0, 0, 0, key}, inner})); }

EspJob job_over(const EspKey& key, Bytes& esp, bool esn, std::uint64_t sequence) {
    const EspSizes sizes = sizes_of(key.algorithm);
    EspJob job;
    job.text = esp.data() + front_of(sizes);
    job.length = static_cast<std::uint32_t>(esp.size() - front_of(sizes) - sizes.icv);
    job.describe(key, sizes, esp.data(), esn, sequence);
    return job;
}

Bytes forge(const Box& from, const Box& to, const Forged& forged, const Peering& peering) {
    const EspSizes sizes = sizes_of(peering.algorithm);
    EspCrypto crypto;
    EspKey key;
    Bytes keymat = pattern(sizes.keymat());
    keymat[0] = from.number();
    REQUIRE(crypto.expand(peering.algorithm, keymat, key));
    Bytes text = forged.payload;
    if (forged.trailer) text = concat({text, *forged.trailer});
    else {
        std::uint8_t padding = 0;
        while ((text.size() + 2) % sizes.alignment != 0) text.push_back(++padding);
        text.insert(text.end(), {padding, forged.next_header});
    }
    ByteWriter header;
    header.u32(spi_between(from, to, peering.owner).value);
    header.u32(static_cast<std::uint32_t>(forged.sequence));
    ByteWriter number;
    number.u64(forged.sequence);
    Bytes iv = number.take();
    iv.resize(sizes.iv);
    Bytes esp = concat({header.view(), iv, text, Bytes(sizes.icv, 0)});
    EspJob job = job_over(key, esp, peering.esn, forged.sequence);
    crypto.seal({&job, 1});
    esp.back() ^= forged.flip_icv;
    const std::string destination = to.underlay_address();
    return ipv4({.source = forged.source, .destination = destination, .protocol = kProtocolEsp, .type_of_service = forged.outer_type_of_service}, esp);
}

LeakCheck::LeakCheck() : before_{world().pools.available()} {}
LeakCheck::~LeakCheck() { CHECK(world().pools.available() == before_); }

}  // namespace nave::test
