// Rates in packets/s, times in microseconds, losses as shares in JSON and as percent for people.
#include "tests/rig/throughput/report.hpp"

#include "tests/rig/plot.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace nave::rig::throughput {

namespace {

double megabits(double rate, std::size_t frame_size) { return rate * static_cast<double>(frame_size) * 8 / 1e6; }

/// What kept the rate from being higher.
std::string_view limit_of(const SizeFigures& figures, const Found& found) {
    if (!found.converged) return "trials-max";
    if (found.missed_at) return "device";
    const auto& fastest = figures.trials.front();
    return fastest.offered < 0.98 * fastest.wanted ? "rig" : "rate-max";
}

/// The rate with a mark where it is not the device's limit.
std::string marked(const SizeFigures& figures, const Found& found) {
    const auto limit = limit_of(figures, found);
    return fmt::format("{}{:.0f}", limit == "device" ? "" : limit == "trials-max" ? "~" : ">", found.rate);
}

bool any_limit(const Figures& figures, std::string_view limit) {
    return std::ranges::any_of(figures.sizes, [&](const SizeFigures& size) {
        return size.fault.empty() && (limit_of(size, size.ndr) == limit || limit_of(size, size.pdr) == limit);
    });
}

double most_held_up(const Figures& figures) {
    double most = 0;
    for (const auto& size : figures.sizes)
        for (const auto& trial : size.trials) most = std::max(most, trial.held_up);
    return most;
}

std::uint64_t missed_by_rig(const Figures& figures) {
    std::uint64_t missed = 0;
    for (const auto& size : figures.sizes)
        for (const auto& trial : size.trials) missed += trial.missed;
    return missed;
}

nlohmann::json json_of(const Latency& latency) {
    return {{"min", latency.least}, {"mean", latency.mean}, {"p50", latency.p50}, {"p90", latency.p90}, {"p99", latency.p99}, {"p99.9", latency.p999}, {"max", latency.most}};
}

nlohmann::json json_of(const TrialFigures& trial) {
    return {{"wanted_rate", trial.wanted}, {"rate", trial.offered},         {"pace", trial.pace},           {"sent", trial.sent},         {"received", trial.received},
            {"loss", trial.loss},          {"reordered", trial.reordered},  {"duplicates", trial.duplicates}, {"missed_by_rig", trial.missed},
            {"held_up", trial.held_up},    {"fell_short", trial.fell_short}, {"latency_us", json_of(trial.latency)}};
}

nlohmann::json json_of(const SizeFigures& figures, const Found& found) {
    nlohmann::json json{{"rate", found.rate}, {"mbps", megabits(found.rate, figures.frame_size)}, {"loss", found.loss}, {"converged", found.converged},
                        {"limit", limit_of(figures, found)}, {"missed_at", nullptr}};
    if (found.missed_at) json["missed_at"] = *found.missed_at;
    return json;
}

nlohmann::json json_of(const SizeFigures& figures) {
    nlohmann::json json{{"size", figures.frame_size}};
    if (!figures.fault.empty()) {
        json["fault"] = figures.fault;
        return json;
    }
    json["ndr"] = json_of(figures, figures.ndr);
    json["pdr"] = json_of(figures, figures.pdr);
    if (figures.at_load) json["at_load"] = json_of(*figures.at_load);
    json["trials"] = nlohmann::json::array();
    for (const auto& trial : figures.trials) json["trials"].push_back(json_of(trial));
    return json;
}

std::string join_of(const EndFigures& end) {
    return end.gateway.empty() ? fmt::format("{} ({}), straight", end.device, end.address)
                               : fmt::format("{} ({}), gateway {} at {}", end.device, end.address, end.gateway, end.gateway_mac);
}

/// A curve over frame sizes.
template <class Value>
Series by_size(const Figures& figures, std::string name, Value value) {
    Series series{.name = std::move(name), .points = {}};
    for (const auto& size : figures.sizes)
        if (size.fault.empty()) series.points.emplace_back(static_cast<double>(size.frame_size), value(size));
    return series;
}

std::vector<Chart> rate_charts(const Options& options, const Figures& figures) {
    const auto pdr_name = fmt::format("PDR ({:g} % loss)", 100 * options.pdr_loss);
    const std::string each = options.bidirectional ? " in each direction" : "";
    Chart packets{.title = "Packets by frame size", .x_label = "frame size, bytes", .y_label = "packets/s" + each, .series = {}, .x_logarithmic = true};
    packets.series = {by_size(figures, "NDR", [](const auto& size) { return size.ndr.rate; }), by_size(figures, pdr_name, [](const auto& size) { return size.pdr.rate; })};
    packets.series[1].dashed = true;
    Chart bits{.title = "Bits by frame size", .x_label = "frame size, bytes", .y_label = "Mbit/s" + each, .series = packets.series, .x_logarithmic = true};
    for (auto& series : bits.series)
        for (auto& [size, rate] : series.points) rate *= size * 8 / 1e6;
    return {packets, bits};
}

Chart latency_chart(const Options& options, const Figures& figures) {
    Chart chart{.title = fmt::format("Latency at {:g} % of the NDR", 100 * options.latency_load), .x_label = "frame size, bytes", .y_label = "µs", .series = {},
                .x_logarithmic = true, .y_logarithmic = true};
    const auto add = [&](const char* name, double Latency::*percentile) {
        chart.series.push_back(by_size(figures, name, [&](const auto& size) { return size.at_load ? size.at_load->latency.*percentile : 0; }));
    };
    add("50 %", &Latency::p50), add("90 %", &Latency::p90), add("99 %", &Latency::p99), add("99.9 %", &Latency::p999), add("max", &Latency::most);
    return chart;
}

Chart loss_chart(const Figures& figures) {
    Chart chart{.title = "Loss by offered rate", .x_label = "offered, packets/s", .y_label = "lost, %", .series = {}};
    for (const auto& size : figures.sizes) {
        if (!size.fault.empty()) continue;
        Series series{.name = fmt::format("{} bytes", size.frame_size), .points = {}};
        for (const auto& trial : size.trials) series.points.emplace_back(trial.pace, 100 * trial.loss);
        std::ranges::sort(series.points);
        chart.series.push_back(std::move(series));
    }
    return chart;
}

}  // namespace

std::string to_text(const Options& options, const Figures& figures) {
    std::string text;
    const auto line = [&]<class... Arguments>(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
        text += '\n';
    };
    line("{}", options.title);
    for (std::size_t end = 0; end < figures.ends.size(); ++end) line("port {}: {}", end == 0 ? 'a' : 'b', join_of(figures.ends[end]));
    line("{} stream{}{}, trials of {:g} s, {}\n", options.flows, options.flows == 1 ? "" : "s", options.bidirectional ? " in each direction" : " from a to b",
         options.trial_seconds, options.repeat == 1 ? "one for each rate" : fmt::format("more than half of {} at a rate must hold", options.repeat));
    line("{:>6} {:>24} {:>24} {:>51} {:>10}", "", "no-drop rate (NDR)", fmt::format("{:g} % drop rate (PDR)", 100 * options.pdr_loss),
         fmt::format("latency at {:g} % of the NDR, µs", 100 * options.latency_load), "");
    line("{:>6} {:>13} {:>10} {:>13} {:>10} {:>11} {:>9} {:>9} {:>9} {:>9} {:>10}", "bytes", "packets/s", "Mbit/s", "packets/s", "Mbit/s", "50 %", "90 %", "99 %", "99.9 %", "max",
         "reordered");
    for (const auto& size : figures.sizes) {
        if (!size.fault.empty()) {
            line("{:>6} {}", size.frame_size, size.fault);
            continue;
        }
        const auto at_load = size.at_load.value_or(TrialFigures{});
        const auto& latency = at_load.latency;
        line("{:>6} {:>13} {:>10.1f} {:>13} {:>10.1f} {:>11.1f} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f} {:>10}", size.frame_size, marked(size, size.ndr),
             megabits(size.ndr.rate, size.frame_size), marked(size, size.pdr), megabits(size.pdr.rate, size.frame_size), latency.p50, latency.p90, latency.p99, latency.p999,
             latency.most, at_load.reordered);
    }
    if (any_limit(figures, "rig")) line("> the rig cannot send faster; the device may");
    if (any_limit(figures, "rate-max")) line("> --rate-max is the limit; the device may be faster");
    if (any_limit(figures, "trials-max")) line("~ the trials were used up before the rate was found");
    if (const double held_up = most_held_up(figures); held_up > 0.02)
        line("Other work held the rig up for up to {:.0f} % of a trial. Rates are means over whole trials; give it a CPU of its own for better ones.", 100 * held_up);
    if (const std::uint64_t missed = missed_by_rig(figures); missed > 0)
        line("{} packets were lost by the rig's own ports, and count as the device's loss: it must be faster, or have a CPU of its own.", missed);
    return text;
}

std::string to_json(const Options& options, const Figures& figures) {
    nlohmann::json json{{"command", "throughput"}, {"title", options.title}};
    json["settings"] = {{"flows", options.flows},
                        {"vary", options.vary == Vary::ports ? "ports" : "addresses"},
                        {"bidirectional", options.bidirectional},
                        {"trial_seconds", options.trial_seconds},
                        {"settle_seconds", options.settle_seconds},
                        {"repeat", options.repeat},
                        {"resolution", options.resolution},
                        {"ndr_loss", options.ndr_loss},
                        {"pdr_loss", options.pdr_loss},
                        {"latency_load", options.latency_load}};
    for (std::size_t end = 0; end < figures.ends.size(); ++end) {
        const auto& figure = figures.ends[end];
        json["ports"][end == 0 ? "a" : "b"] = {
            {"device", figure.device}, {"driver", figure.driver}, {"address", figure.address}, {"gateway", figure.gateway}, {"gateway_mac", figure.gateway_mac}};
    }
    json["results"] = nlohmann::json::array();
    for (const auto& size : figures.sizes) json["results"].push_back(json_of(size));
    return json.dump(1) + "\n";
}

std::string to_page(const Options& options, const Figures& figures) {
    auto charts = rate_charts(options, figures);
    charts.push_back(latency_chart(options, figures));
    charts.push_back(loss_chart(figures));
    return draw(options.title, charts);
}

}  // namespace nave::rig::throughput
