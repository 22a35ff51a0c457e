// Queues by class, and the order in which they leave.
#include "dataplane/shaper.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace nave::dataplane {

namespace {

constexpr auto kPriority = static_cast<std::size_t>(TrafficClass::priority);
constexpr std::uint32_t kPacketsMin = 4;  // of any size fit into a queue, however slow the line
constexpr std::uint64_t kPriorityCreditMilliseconds = 50;
/// Bytes of a round, by class: priority has none, the others share the line 6 : 3 : 1.
constexpr std::array<std::uint32_t, kTrafficClasses> kQuantum{0, 6000, 3000, 1000};
constexpr std::array<Drop, kTrafficClasses> kDrop{Drop::shaper_priority, Drop::shaper_assured, Drop::shaper_best_effort, Drop::shaper_scavenger};

TrafficClass class_of(const PacketMeta& meta) { return traffic_class_of(meta.outer_type_of_service); }

}  // namespace

Shaper::Shaper(std::uint32_t peers, std::uint32_t packets_max, std::uint64_t cycles_per_second, std::vector<PeerRateCounters>& counters)
    : lines_{peers}, packets_max_{packets_max}, cycles_per_second_{cycles_per_second}, counters_{counters} {
    waking_.reserve(peers);
}

Shaper::~Shaper() {
    for (const Waking& each : waking_) {
        for (Queue& queue : lines_[each.peer.value].queues)
            while (queue.head) std::exchange(queue.head, queue.head->meta().behind)->free();
    }
}

void Shaper::set_rate(PeerId peer, std::uint64_t bits_per_second, std::uint64_t now) {
    Line& line = lines_[peer.value];
    const std::uint64_t millisecond = cycles_per_second_ / 1000;
    line.rate.change({bits_per_second, kCreditMilliseconds * millisecond, cycles_per_second_}, now);
    line.priority.change({bits_per_second / 2, kPriorityCreditMilliseconds * millisecond, cycles_per_second_}, now);
    line.queue_bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bits_per_second / 8 * kQueueMilliseconds / 1000, std::numeric_limits<std::uint32_t>::max() / 2));
    if (line.packets == 0) return;
    sleep(peer);
    wake(peer, line);
}

void Shaper::forget(PeerId peer, DropCounters& drops) {
    Line& line = lines_[peer.value];
    if (line.packets > 0) sleep(peer);
    waiting_ -= line.packets;
    for (Queue& queue : line.queues)
        while (queue.head) drops.discard(*std::exchange(queue.head, queue.head->meta().behind), Drop::peer_unknown);
    line = Line{};
}

bool Shaper::is_full(const Line& line, TrafficClass traffic, std::uint32_t length) const {
    const Queue& queue = line.queues[static_cast<std::size_t>(traffic)];
    if (queue.packets >= kPacketsMin && queue.bytes + length > line.queue_bytes) return true;
    // The fewer places are left, the shorter the longest queue of anybody: so the lines share them without knowing of each other.
    const std::uint32_t left = packets_max_ - waiting_;
    return traffic == TrafficClass::priority ? left == 0 : queue.packets >= left / 4;
}

Verdict Shaper::offer(Packet& packet, std::uint64_t now) {
    PacketMeta& meta = packet.meta();
    Line& line = lines_[meta.to_peer.value];
    if (line.packets == 0 && line.rate.ready(now)) {
        charge(line, meta, now);
        return Verdict::pass();
    }
    const TrafficClass traffic = class_of(meta);
    const auto index = static_cast<std::size_t>(traffic);
    if (is_full(line, traffic, meta.wire_length)) {
        counters_[meta.to_peer.value].shaper_drops[index].add(1);
        return kDrop[index];
    }
    Queue& queue = line.queues[index];
    meta.behind = nullptr;
    if (queue.head) queue.tail->meta().behind = &packet;
    else queue.head = &packet;
    queue.tail = &packet;
    queue.bytes += meta.wire_length, ++queue.packets;
    ++waiting_;
    if (++line.packets == 1) wake(meta.to_peer, line);
    return Verdict::taken();
}

Packet* Shaper::take(std::uint64_t now) {
    while (due() <= now) {
        const PeerId peer = waking_.front().peer;
        Line& line = lines_[peer.value];
        Packet* packet = line.rate.ready(now) ? &pop(line, now) : nullptr;
        if (packet && line.packets > 0) return packet;
        std::ranges::pop_heap(waking_, std::greater{});
        waking_.pop_back();
        if (packet) return packet;
        wake(peer, line);
    }
    return nullptr;
}

Packet& Shaper::pop(Line& line, std::uint64_t now) {
    Queue& first = line.queues[kPriority];
    const bool goes_first = first.packets > 0 && (line.priority.ready(now) || first.packets == line.packets);
    Queue& queue = goes_first ? first : next_of_the_others(line);
    Packet& packet = *queue.head;
    const PacketMeta& meta = packet.meta();
    queue.head = meta.behind;
    queue.bytes -= meta.wire_length, --queue.packets;
    --line.packets, --waiting_;
    charge(line, meta, now);
    return packet;
}

/// Deficit round robin. One of them has a packet, and gets as many rounds as that needs: ten for the longest.
Shaper::Queue& Shaper::next_of_the_others(Line& line) {
    while (true) {
        Queue& queue = line.queues[line.turn];
        if (!queue.head) queue.deficit = 0;
        else if (const std::uint32_t length = queue.head->meta().wire_length; length <= queue.deficit) {
            queue.deficit -= length;
            return queue;
        }
        line.turn = static_cast<std::uint8_t>(line.turn + 1u == kTrafficClasses ? kPriority + 1 : line.turn + 1u);
        line.queues[line.turn].deficit += kQuantum[line.turn];
    }
}

void Shaper::charge(Line& line, const PacketMeta& meta, std::uint64_t now) {
    line.rate.spend(meta.wire_length, now);
    // What priority traffic takes beyond its share, while nobody else wants it, is not held against it later.
    if (class_of(meta) == TrafficClass::priority && line.priority.ready(now)) line.priority.spend(meta.wire_length, now);
    PeerRateCounters& counters = counters_[meta.to_peer.value];
    counters.shaped_packets.add(1);
    counters.shaped_bytes.add(meta.wire_length);
}

void Shaper::wake(PeerId peer, const Line& line) {
    waking_.push_back({line.rate.due(), peer});
    std::ranges::push_heap(waking_, std::greater{});
}

void Shaper::sleep(PeerId peer) {
    std::erase_if(waking_, [&](const Waking& each) { return each.peer == peer; });
    std::ranges::make_heap(waking_, std::greater{});
}

}  // namespace nave::dataplane
