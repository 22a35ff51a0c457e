// Batches one way and the other, and rekeys between them whose commands the workers execute amid the packets.
#include "tests/rig/soak/soak.hpp"

#include "tests/rig/dataplane_bench/address_plan.hpp"

#include <rte_mempool.h>

namespace nave::rig {

namespace {

constexpr WorkerId kWorker{0};

GatewayPlan gateway_plan(const std::string& name, TableId table, const SoakPlan& plan) {
    return {.name = name, .table = table, .peers = plan.peers, .sa_slots = slots_for(plan.peers)};
}

std::uint64_t all_drops(const BenchGateway& gateway) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Drop::count); ++i) sum += gateway.drops(static_cast<Drop>(i));
    return sum;
}

}  // namespace

SoakResult& SoakResult::operator+=(const SoakResult& other) {
    sent += other.sent, intact += other.intact, damaged += other.damaged, dropped += other.dropped, rekeys += other.rekeys, leaked += other.leaked;
    return *this;
}

Soak::Soak(const std::string& name, const SoakPlan& plan)
    : plan_{plan}, foundation_{name, plan.peers}, cables_{name + "w", 1, foundation_.pools}, hub_{gateway_plan(name + "h", kHubTable, plan), foundation_, cables_},
      spokes_{gateway_plan(name + "s", kSpokesTable, plan), foundation_, cables_}, available_before_{foundation_.pools.available()}, states_(2 * plan.peers) {}

/// Every algorithm with and without NAT traversal and extended sequence numbers.
WorldShape Soak::shape_of(std::uint32_t peer) const {
    const auto turn = static_cast<std::uint32_t>(peer / kAlgorithms.size());
    return {.tunnel = {.algorithm = kAlgorithms[peer % kAlgorithms.size()], .natt = turn % 2 == 1, .esn = turn / 2 % 2 == 1}, .peers = plan_.peers};
}

void Soak::install() {
    for (const Side side : {Side::hub, Side::spokes}) {
        const Station at{gateway(side), side, kWorker};
        set_up(at, shape_of(0));
        for (std::uint32_t peer = 0; peer < plan_.peers; ++peer) add_peer(at, peer, shape_of(peer));
        add_spoke_lans(at, shape_of(0));
        at.gateway.settle(kWorker);
    }
}

void Soak::run(std::atomic<std::uint64_t>& done) {
    install();
    Frames frames{cables_, kWorker, plan_.burst};
    for (Side sender = Side::hub; result_.sent < plan_.packets; sender = other(sender)) {
        carry_batch(sender, frames);
        done += plan_.burst;
        for (std::uint32_t peer = 0; peer < plan_.peers; ++peer) advance_rekey(peer, sender);
    }
    for (const Side side : {Side::hub, Side::spokes}) gateway(side).settle(kWorker);
}

void Soak::carry_batch(Side sender, Frames& frames) {
    constexpr unsigned kRouters = 2;
    std::uniform_int_distribution<unsigned> size{FrameWriter::kSizeMin, FrameWriter::kSizeMax};
    const std::size_t packets = plan_.burst;
    sent_.clear();
    for (rte_mbuf* frame : frames.renew()) {
        const auto peer = static_cast<std::uint32_t>(number_ % plan_.peers);
        const std::uint32_t behind_hub = plan::hub_network(peer) + 9;
        const auto bytes = static_cast<std::uint16_t>(size(random_));
        if (sender == Side::spokes) sent_.push_back({plan::spoke_network(peer) + 9, behind_hub, bytes, number_++});
        else sent_.push_back({behind_hub, plan::spoke_lan(peer) + 9, bytes, number_++});
        writer_.write(*frame, sent_.back());
        ++state(peer, sender).packets;
    }
    result_.sent += packets;
    for (const auto& [side, port] : {std::pair{sender, kInside}, {other(sender), kUnderlay}}) {
        frames.send(port);
        gateway(side).carry(kWorker, {.receive = packets, .send = packets});
        gateway(side).hear(kWorker);
        frames.receive(port == kInside ? kUnderlay : kInside, packets);
    }
    for (std::size_t i = 0; i < packets; ++i) {
        if (writer_.verify(*frames.view()[i], sent_[i], kRouters)) ++result_.intact;
        else ++result_.damaged;
    }
}

void Soak::advance_rekey(std::uint32_t peer, Side sender) {
    SaState& sa = state(peer, sender);
    const WorldShape shape = shape_of(peer);
    const SaPlan now{peer, sender, sa.epoch}, next{peer, sender, sa.epoch + 1};
    BenchGateway &from = gateway(sender), &to = gateway(other(sender));
    switch (sa.rekey) {
    case Rekey::none:
        if (sa.packets < plan_.rekey_after) return;
        to.command(kWorker, inbound_end(next, shape));
        sa.rekey = Rekey::receiver_has_new;
        return;
    case Rekey::receiver_has_new:
        if (!to.is_settled(kWorker)) return;
        from.command(kWorker, outbound_end(next, shape));
        from.command(kWorker, RemoveOutboundSa{outbound_end(now, shape).slot, PeerId{peer}});
        sa.rekey = Rekey::sender_uses_new;
        return;
    case Rekey::sender_uses_new:
        if (!from.is_settled(kWorker)) return;
        to.command(kWorker, RemoveInboundSa{inbound_end(now, shape).spi});
        sa = {.epoch = sa.epoch + 1};
        ++result_.rekeys;
    }
}

SoakResult Soak::result() {
    result_.dropped = all_drops(hub_) + all_drops(spokes_);
    result_.leaked = available_before_ - foundation_.pools.available() + Cables::kBuffers - rte_mempool_avail_count(cables_.store(kWorker));
    return result_;
}

}  // namespace nave::rig
