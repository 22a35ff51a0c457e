// Tables and JSON of the figures.
#include "tests/rig/dataplane_bench/report.hpp"

#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace nave::rig {

namespace {

/// What makes a tunnel differ from the default, in words.
std::string remarks(const Cell& cell) {
    std::string text;
    const WorldShape& world = cell.world;
    if (cell.distribution != Distribution::round_robin) text += fmt::format(" {}", name(cell.distribution));
    if (world.tunnel.natt) text += " nat-t";
    if (world.tunnel.shaped) text += " shaped";
    if (world.tunnel.esn) text += " esn";
    if (!world.tunnel.gre_key) text += " no-key";
    if (world.workers > 1) text += fmt::format(" {} workers", world.workers);
    if (world.arrival != Arrival::owner) text += fmt::format(" {}", name(world.arrival));
    if (world.adaptive) text += " adaptive";
    if (cell.burst != Cell{}.burst) text += fmt::format(" burst {}", cell.burst);
    return text;
}

std::string_view algorithm_of(const Cell& cell) { return cell.which == Case::forward || cell.which == Case::gre ? "-" : name(cell.world.tunnel.algorithm); }

std::string label(const Cell& cell) { return fmt::format("{:<8}{:<24}{:>5}{:>8}", name(cell.which), algorithm_of(cell), cell.size.name, cell.world.peers); }

nlohmann::json identity(const Cell& cell) {
    nlohmann::json record;
    record["case"] = name(cell.which);
    record["algorithm"] = algorithm_of(cell);
    if (cell.size.sizes.size() == 1) record["size"] = cell.size.sizes.front();
    else record["size"] = cell.size.name;
    record["peers"] = cell.world.peers;
    record["workers"] = cell.world.workers;
    record["arrival"] = name(cell.world.arrival);
    record["mode"] = cell.world.adaptive ? "adaptive" : "poll";
    record["natt"] = cell.world.tunnel.natt;
    record["shaped"] = cell.world.tunnel.shaped;
    record["esn"] = cell.world.tunnel.esn;
    record["gre_key"] = cell.world.tunnel.gre_key;
    record["distribution"] = name(cell.distribution);
    record["burst"] = cell.burst;
    return record;
}

/// Throughput of the cells of which `is_meant` is true, against the same cell after `reduce`.
template <class Predicate, class Reduce>
std::string ratio_table(std::span<const Figure> figures, Predicate&& is_meant, Reduce&& reduce) {
    std::string text;
    for (const Figure& figure : figures) {
        if (!is_meant(figure.cell)) continue;
        Cell simple = figure.cell;
        reduce(simple);
        const nlohmann::json wanted = identity(simple);
        const auto base = std::ranges::find_if(figures, [&](const Figure& each) { return identity(each.cell) == wanted; });
        if (base == figures.end()) continue;
        text += fmt::format("{} {:>9.3f} {:>9.3f} {:>9.3f}", label(figure.cell), base->mpps, figure.mpps, figure.mpps / base->mpps);
        if (figure.core_round_trip > 0) text += fmt::format(" {:>9.0f}", figure.core_round_trip);
        text += remarks(figure.cell) + "\n";
    }
    return text;
}

std::string ratio_header(std::string_view title, std::string_view base, std::string_view now) {
    return fmt::format("{}\n{:<8}{:<24}{:>5}{:>8} {:>9} {:>9} {:>9}", title, "case", "algorithm", "size", "peers", base, now, "ratio");
}

double rounded(double value) { return static_cast<double>(static_cast<long long>(value * 1000 + 0.5)) / 1000; }

}  // namespace

std::string figure_table(std::span<const Figure> figures) {
    std::string text = fmt::format("{:<8}{:<24}{:>5}{:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "case", "algorithm", "size", "peers", "Mpps", "Gbit/s", "cyc/pkt", "spread",
                                   "floor", "over");
    const Cell* last = nullptr;
    for (const Figure& figure : figures) {
        const Cell* cell = &figure.cell;
        if (last && (last->which != cell->which || remarks(*last).empty() != remarks(*cell).empty())) text += "\n";
        last = cell;
        text += fmt::format("{} {:>9.3f} {:>9.2f} {:>9.1f} {:>9.1f}", label(figure.cell), figure.mpps, figure.gbps, figure.cycles, figure.spread);
        if (figure.floor_cycles > 0) text += fmt::format(" {:>9.1f} {:>9.1f}", figure.floor_cycles, figure.over_floor());
        else text += fmt::format(" {:>9} {:>9}", "-", "-");
        text += remarks(figure.cell) + "\n";
    }
    return text;
}

std::string scaling_table(std::span<const Figure> figures) {
    const auto rows = ratio_table(
        figures, [](const Cell& cell) { return cell.world.workers > 1; },
        [](Cell& cell) { cell.world.workers = 1, cell.world.arrival = Arrival::owner; });
    if (rows.empty()) return rows;
    return ratio_header("Mpps of several workers against one; trip: TSC cycles in which a cache line goes from one core to another and back", "one", "several") +
           fmt::format(" {:>9}\n", "trip") + rows;
}

std::string mode_table(std::span<const Figure> figures) {
    const auto rows = ratio_table(
        figures, [](const Cell& cell) { return cell.world.adaptive; }, [](Cell& cell) { cell.world.adaptive = false; });
    return rows.empty() ? rows : ratio_header("Mpps of adaptive workers against polling ones, at full load", "poll", "adaptive") + "\n" + rows;
}

std::string stage_table(std::span<const Figure> figures) {
    // Idle is what the worker bills to the time between two turns, which is the rig's.
    const auto is_shown = [&](std::size_t stage) {
        if (static_cast<Stage>(stage) == Stage::idle) return false;
        return std::ranges::any_of(figures, [&](const Figure& figure) { return figure.stages[stage] >= 0.05; });
    };
    std::string text = fmt::format("{:<8}{:<24}{:>5}{:>8}", "case", "algorithm", "size", "peers");
    for (std::size_t stage = 0; stage < static_cast<std::size_t>(Stage::count); ++stage)
        if (is_shown(stage)) text += fmt::format(" {:>15}", name(static_cast<Stage>(stage)));
    text += fmt::format(" {:>9} {:>9}\n", "rest", "all");
    for (const Figure& figure : figures) {
        text += label(figure.cell);
        double rest = figure.cycles;
        for (std::size_t stage = 0; stage < figure.stages.size(); ++stage) {
            if (!is_shown(stage)) continue;
            text += fmt::format(" {:>15.1f}", figure.stages[stage]);
            rest -= figure.stages[stage];
        }
        text += fmt::format(" {:>9.1f} {:>9.1f}{}\n", rest, figure.cycles, remarks(figure.cell));
    }
    return text;
}

nlohmann::json records(std::span<const Figure> figures, bool hugepages) {
    auto all = nlohmann::json::array();
    for (const Figure& figure : figures) {
        nlohmann::json record = identity(figure.cell);
        record["hugepages"] = hugepages;
        record["cycles"] = rounded(figure.cycles);
        record["spread"] = rounded(figure.spread);
        record["floor_cycles"] = rounded(figure.floor_cycles);
        record["floor_spread"] = rounded(figure.floor_spread);
        if (figure.core_round_trip > 0) record["core_round_trip"] = rounded(figure.core_round_trip);
        record["mpps"] = rounded(figure.mpps);
        record["gbps"] = rounded(figure.gbps);
        for (std::size_t stage = 0; stage < figure.stages.size(); ++stage)
            if (static_cast<Stage>(stage) != Stage::idle) record["stages"][std::string{name(static_cast<Stage>(stage))}] = rounded(figure.stages[stage]);
        all.push_back(std::move(record));
    }
    return all;
}

std::string comparison_table(std::span<const Figure> figures, const nlohmann::json& baseline) {
    std::string text = fmt::format("{:<8}{:<24}{:>5}{:>8} {:>9} {:>9} {:>9}\n", "case", "algorithm", "size", "peers", "before", "now", "ratio");
    for (const Figure& figure : figures) {
        const nlohmann::json same = identity(figure.cell);
        const auto before = std::ranges::find_if(baseline, [&](const nlohmann::json& record) {
            return std::ranges::all_of(same.items(), [&](const auto& item) { return record.value(item.key(), nlohmann::json{}) == item.value(); });
        });
        if (before == baseline.end()) continue;
        const double then = before->value("cycles", 0.0);
        text += fmt::format("{} {:>9.1f} {:>9.1f} {:>9.3f}{}\n", label(figure.cell), then, figure.cycles, then > 0 ? figure.cycles / then : 0, remarks(figure.cell));
    }
    return text;
}

std::expected<nlohmann::json, std::string> read_records(const std::string& file) {
    std::ifstream in{file};
    if (!in) return std::unexpected{fmt::format("{}: cannot be read", file)};
    auto read = nlohmann::json::parse(in, nullptr, false);
    if (!read.is_array()) return std::unexpected{fmt::format("{}: not the JSON array of records that --json writes", file)};
    return read;
}

}  // namespace nave::rig
