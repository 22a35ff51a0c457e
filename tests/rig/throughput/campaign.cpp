// The order of trials, and what is told while they run.
#include "tests/rig/throughput/campaign.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <rte_cycles.h>

namespace nave::rig::throughput {

namespace {

constexpr double kGatewaySeconds = 5, kLineOverhead = 20;  // bytes: preamble, start of frame, gap between frames
constexpr double kNoticeable = 0.02;

double microseconds(std::uint64_t cycles) { return static_cast<double>(cycles) / static_cast<double>(rte_get_tsc_hz()) * 1e6; }

TrialFigures summarise(const TrialResult& result) {
    const auto& latency = result.latency;
    TrialFigures figures{.wanted = result.wanted, .offered = result.offered, .pace = result.pace(), .reordered = result.reordered(), .duplicates = result.duplicates(),
                         .loss = result.loss(), .missed = result.missed, .held_up = result.held_up, .fell_short = result.fell_short(), .latency = {}};
    for (const auto& direction : result.directions) figures.sent += direction.sent, figures.received += direction.received;
    figures.latency = {.least = microseconds(latency.least()),
                       .mean = latency.mean() / static_cast<double>(rte_get_tsc_hz()) * 1e6,
                       .p50 = microseconds(latency.percentile(0.5)),
                       .p90 = microseconds(latency.percentile(0.9)),
                       .p99 = microseconds(latency.percentile(0.99)),
                       .p999 = microseconds(latency.percentile(0.999)),
                       .most = microseconds(latency.most())};
    return figures;
}

std::string rate_text(double rate, std::size_t frame_size) {
    return fmt::format("{:.0f} packets/s ({:.1f} Mbit/s)", rate, rate * static_cast<double>(frame_size) * 8 / 1e6);
}

}  // namespace

std::expected<std::vector<SizeFigures>, std::string> Campaign::run() {
    for (TrafficPort* end : {&ends_.a, &ends_.b})
        if (auto found = end->find_gateway(kGatewaySeconds); !found) return std::unexpected{std::move(found.error())};
    std::vector<SizeFigures> all;
    for (const std::size_t size : options_.sizes) {
        auto figures = measure(size);
        if (ends_.stop) break;
        if (!figures.fault.empty()) tell(fmt::format("{} bytes: {}", size, figures.fault));
        all.push_back(std::move(figures));
    }
    return all;
}

double Campaign::rate_max(const Options& options, std::size_t frame_size, std::optional<double> line_rate) {
    const auto wish = options.rate_max.value_or(line_rate ? RateLimit{1, true} : RateLimit{kRateUnknownLine, false});
    if (!wish.is_share) return wish.value;
    return wish.value * line_rate.value_or(0) / 8 / (static_cast<double>(frame_size) + kLineOverhead);
}

SizeFigures Campaign::measure(std::size_t frame_size) {
    SizeFigures figures{.frame_size = frame_size, .fault = rehearse(frame_size), .ndr = {}, .pdr = {}, .at_load = std::nullopt, .trials = {}};
    if (!figures.fault.empty() || ends_.stop) return figures;
    search(figures);
    if (ends_.stop) return figures;
    const double base = figures.ndr.rate > 0 ? figures.ndr.rate : figures.pdr.rate;
    if (base <= 0) return figures;
    figures.at_load = summarise(trial(frame_size, base * options_.latency_load, options_.trial_seconds));
    tell(fmt::format("{} bytes: NDR {}, PDR {}, median latency {:.0f} µs", frame_size, rate_text(figures.ndr.rate, frame_size), rate_text(figures.pdr.rate, frame_size),
                     figures.at_load->latency.p50));
    return figures;
}

std::string Campaign::rehearse(std::size_t frame_size) {
    constexpr int kRounds = 12;
    constexpr double kSeconds = 0.25;
    for (const TrafficPort* end : {&ends_.a, &ends_.b}) {
        const std::size_t largest = std::size_t{end->port().capabilities().mtu} + sizeof(EthernetHeader) + kFrameCheckBytes;
        if (frame_size > largest) return fmt::format("port {} has an MTU of {}, so that frames have at most {} bytes", end->name(), end->port().capabilities().mtu, largest);
    }
    TrialResult last;
    for (int round = 0; round < kRounds && !ends_.stop; ++round) {
        // Twice each stream, so that the first packet may be lost on a question of the device's.
        last = trial(frame_size, std::max(100.0, 2 * options_.flows / kSeconds), kSeconds);
        const auto came = [&](const DirectionResult& direction) { return direction.streams_seen == options_.flows; };
        if (std::ranges::all_of(last.directions, came)) return {};
    }
    return silence(last, frame_size);
}

std::string Campaign::silence(const TrialResult& result, std::size_t frame_size) const {
    for (const TrafficPort* end : {&ends_.a, &ends_.b})
        if (const auto mtu = end->path_mtu(); mtu && *mtu + sizeof(EthernetHeader) + kFrameCheckBytes < frame_size)
            return fmt::format("the path has an MTU of {}, so that frames have at most {} bytes", *mtu, *mtu + sizeof(EthernetHeader) + kFrameCheckBytes);
    for (const auto& direction : result.directions) {
        const bool forth = &direction == result.directions.data();
        if (direction.streams_seen < options_.flows)
            return fmt::format("{} of {} streams from port {} come through to port {}: does the device route there, and may they pass?", direction.streams_seen, options_.flows,
                               forth ? 'a' : 'b', forth ? 'b' : 'a');
    }
    return "stopped";
}

void Campaign::search(SizeFigures& figures) {
    const std::size_t size = figures.frame_size;
    RateSearch search{{.rate_max = rate_max(options_, size, line_rate_), .rate_min = options_.rate_min, .resolution = options_.resolution,
                       .goals = {options_.ndr_loss, options_.pdr_loss}, .repeat = options_.repeat, .trials_max = options_.trials_max}};
    while (const auto rate = search.next()) {
        const auto result = trial(size, *rate, options_.trial_seconds);
        if (ends_.stop) return;
        search.record({.pace = result.pace(), .offered = result.offered, .loss = result.loss()});
        figures.trials.push_back(summarise(result));
        tell(fmt::format("{} bytes: trial {}: {}, lost {:.4f} %{}{}{}", size, search.trials(), rate_text(result.offered, size), 100 * result.loss(),
                         result.missed > 0 ? fmt::format(" ({} packets by the rig)", result.missed) : "", result.fell_short() ? ", as fast as the rig can" : "",
                         result.held_up > kNoticeable ? fmt::format(", held up for {:.0f} % of the time", 100 * result.held_up) : ""));
    }
    figures.ndr = search.found(0);
    figures.pdr = search.found(1);
}

TrialResult Campaign::trial(std::size_t frame_size, double rate, double seconds) {
    return run_trial(ends_, {.rate = rate, .seconds = seconds, .settle_seconds = options_.settle_seconds, .frame_size = frame_size, .number = ++trials_,
                             .flows = options_.flows, .vary = options_.vary, .bidirectional = options_.bidirectional});
}

void Campaign::tell(const std::string& line) const {
    if (options_.quiet) return;
    fmt::print(stderr, "{}\n", line);
}

}  // namespace nave::rig::throughput
