// The loop that sends and receives.
#include "tests/rig/throughput/trial.hpp"

#include "tests/rig/throughput/kernel_sockets.hpp"
#include "tests/rig/throughput/pacer.hpp"

#include <algorithm>
#include <cmath>
#include <rte_cycles.h>

namespace nave::rig::throughput {

namespace {

constexpr std::uint16_t kFirstSourcePort = 49'152;

/// How much of the schedule is caught up after a pause: what no turn takes by itself, and at least a burst.
double catch_up_seconds(double rate) {
    constexpr double kTurn = 0.0005;
    return std::max(kTurn, TrafficPort::kBurst / rate);
}

/// The heads of all streams from one end to the other.
std::vector<FrameHead> stream_heads(const TrafficPort& from, const TrafficPort& to, const TrialSettings& settings) {
    std::vector<FrameHead> heads;
    for (std::uint16_t stream = 0; stream < settings.flows; ++stream) {
        const std::uint32_t step = settings.vary == Vary::addresses ? stream : 0;
        const auto port = static_cast<std::uint16_t>(kFirstSourcePort + (settings.vary == Vary::ports ? stream : 0));
        heads.push_back(encode_head({.source_mac = from.mac(),
                                     .destination_mac = from.gateway_mac().value_or(to.mac()),
                                     .source = from.options().address + step,
                                     .destination = to.options().address + step,
                                     .source_port = port},
                                    settings.frame_size));
    }
    return heads;
}

/// The traffic from one end to the other.
class Direction {
public:
    Direction(const Ends& ends, TrafficPort& from, TrafficPort& to, const TrialSettings& settings, std::uint64_t start)
        : from_{from}, to_{to}, pool_{ends.buffers.transmit()}, heads_{stream_heads(from, to, settings)}, frame_size_{settings.frame_size}, trial_{settings.number},
          pacer_{start, settings.rate, static_cast<double>(rte_get_tsc_hz()), static_cast<std::uint64_t>(settings.rate * catch_up_seconds(settings.rate))},
          // A trial is ended by the clock, which may be read late.
          reception_{static_cast<std::uint64_t>(settings.rate * settings.seconds * 1.1) + 2ul * TrafficPort::kBurst, settings.flows} {}

    /// Sends at most one burst of what is due.
    void send_due() {
        const std::uint64_t now = rte_rdtsc();
        const auto count = static_cast<unsigned>(std::min<std::uint64_t>(pacer_.due(now), TrafficPort::kBurst));
        std::array<rte_mbuf*, TrafficPort::kBurst> burst;
        if (count == 0 || rte_pktmbuf_alloc_bulk(pool_, burst.data(), count) != 0) return;
        for (unsigned i = 0; i < count; ++i) write(*burst[i], pacer_.taken() + i, now);
        const std::uint16_t sent = from_.transmit(std::span{burst.data(), count});
        // The numbers of those that the port did not take are used again.
        rte_pktmbuf_free_bulk(burst.data() + sent, count - sent);
        pacer_.take(sent);
    }

    void receive(LatencyHistogram& latency) {
        std::uint64_t now = 0;
        to_.receive([&](ByteView frame) {
            const auto packet = decode(frame, frame_size_);
            if (!packet) return false;
            if (packet->trial != trial_) return true;
            if (now == 0) now = rte_rdtsc();
            const auto arrival = reception_.note(packet->stream, packet->sequence);
            if (arrival == Reception::Arrival::in_order || arrival == Reception::Arrival::reordered) latency.add(elapsed(packet->sent_at, now));
            return true;
        });
    }

    bool complete() const { return reception_.received() == pacer_.taken(); }
    DirectionResult result() const {
        return {.sent = pacer_.taken(), .received = reception_.received(), .reordered = reception_.reordered(), .duplicates = reception_.duplicates(),
                .streams_seen = reception_.streams_seen()};
    }

private:
    void write(rte_mbuf& buffer, std::uint64_t packet, std::uint64_t now) const {
        const std::size_t stream = packet % heads_.size();
        auto* bytes = rte_pktmbuf_mtod(&buffer, std::uint8_t*);
        bytes = std::ranges::copy(heads_[stream], bytes).out;
        std::ranges::copy(encode(TestPacket{.trial = trial_,
                                            .stream = static_cast<std::uint16_t>(stream),
                                            .sequence = static_cast<std::uint32_t>(packet / heads_.size()),
                                            .sent_at = now}),
                          bytes);
        buffer.data_len = static_cast<std::uint16_t>(buffer_bytes(frame_size_));
        buffer.pkt_len = buffer.data_len;
    }

    TrafficPort& from_;
    TrafficPort& to_;
    rte_mempool* pool_;
    std::vector<FrameHead> heads_;
    std::size_t frame_size_;
    std::uint16_t trial_;
    Pacer pacer_;
    Reception reception_;
};

std::uint64_t port_losses(const Ends& ends) { return ends.a.port().losses().missed + ends.b.port().losses().missed; }

}  // namespace

TrialResult run_trial(Ends ends, const TrialSettings& settings) {
    TrialResult result{.wanted = settings.rate, .directions = {}, .latency = {}};
    const auto cycles = [hz = static_cast<double>(rte_get_tsc_hz())](double seconds) { return static_cast<std::uint64_t>(seconds * hz); };
    const std::uint64_t losses_before = port_losses(ends);
    take_ring_drops();
    std::vector<Direction> directions;
    directions.reserve(2);
    // Making them takes its time; the clock starts once they are there.
    const std::uint64_t start = rte_rdtsc() + cycles(0.002 + 1e-9 * settings.rate * settings.seconds);
    directions.emplace_back(ends, ends.a, ends.b, settings, start);
    if (settings.bidirectional) directions.emplace_back(ends, ends.b, ends.a, settings, start);
    const auto receive = [&] {
        for (auto& direction : directions) direction.receive(result.latency);
        // Nobody sends test packets this way, but the gateway may ask who is there.
        if (directions.size() == 1) ends.a.receive([](ByteView) { return false; });
    };

    while (rte_rdtsc() < start) receive();
    const std::uint64_t end = start + cycles(settings.seconds), longest_turn = cycles(catch_up_seconds(settings.rate));
    std::uint64_t now = rte_rdtsc(), held_up = 0;
    while (now < end && !ends.stop) {
        for (auto& direction : directions) direction.send_due();
        receive();
        const std::uint64_t turn = rte_rdtsc() - now;
        if (turn > longest_turn) held_up += turn - longest_turn;
        now += turn;
    }
    const double seconds = static_cast<double>(now - start) / static_cast<double>(cycles(1));
    const std::uint64_t settled = now + cycles(settings.settle_seconds);
    while (rte_rdtsc() < settled && !ends.stop && !std::ranges::all_of(directions, &Direction::complete)) receive();

    std::uint64_t sent = 0;
    for (const auto& direction : directions) result.directions.push_back(direction.result()), sent += direction.result().sent;
    result.offered = static_cast<double>(sent) / seconds / static_cast<double>(directions.size());
    result.held_up = static_cast<double>(held_up) / static_cast<double>(now - start);
    result.missed = port_losses(ends) - losses_before + take_ring_drops();
    return result;
}

double TrialResult::loss() const {
    double worst = 0;
    for (const auto& direction : directions) worst = std::max(worst, direction.loss());
    return worst;
}

std::uint64_t TrialResult::reordered() const {
    std::uint64_t sum = 0;
    for (const auto& direction : directions) sum += direction.reordered;
    return sum;
}

std::uint64_t TrialResult::duplicates() const {
    std::uint64_t sum = 0;
    for (const auto& direction : directions) sum += direction.duplicates;
    return sum;
}

}  // namespace nave::rig::throughput
