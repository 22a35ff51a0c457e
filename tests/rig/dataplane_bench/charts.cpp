// Each chart picks the figures that differ in what it draws only.
#include "tests/rig/dataplane_bench/charts.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::rig {

namespace {

/// Not a variant of a usual cell, and of one size: it has a place on an axis of sizes.
bool is_plain(const Cell& cell) {
    WorldShape usual;
    usual.tunnel.algorithm = cell.world.tunnel.algorithm, usual.peers = cell.world.peers;
    return cell.world == usual && cell.distribution == Distribution::round_robin && cell.size.sizes.size() == 1 && cell.burst == Cell{}.burst;
}

/// The line of the series' name, made when it is new.
Series& series_of(Chart& chart, const std::string& name, bool dashed = false) {
    const auto known = std::ranges::find(chart.series, name, &Series::name);
    if (known != chart.series.end()) return *known;
    return chart.series.emplace_back(Series{.name = name, .points = {}, .dashed = dashed});
}

double size_of(const Figure& figure) { return figure.cell.size.sizes.front(); }

Chart cost_by_size(std::span<const Figure> figures) {
    Chart chart{.title = "aes-128-gcm, one peer: cost of a packet", .x_label = "inner IPv4 bytes", .y_label = "TSC cycles per packet", .series = {}};
    for (const Figure& figure : figures) {
        const Cell& cell = figure.cell;
        if (!is_plain(cell) || cell.world.peers != 1 || cell.world.tunnel.algorithm != EspAlgorithm::aes_gcm_128 || cell.which == Case::loop) continue;
        series_of(chart, std::string{name(cell.which)}).points.emplace_back(size_of(figure), figure.cycles);
        if (cell.which == Case::encap) series_of(chart, "bare cipher, encrypting", true).points.emplace_back(size_of(figure), figure.floor_cycles);
    }
    return chart;
}

Chart rate_by_algorithm(std::span<const Figure> figures) {
    Chart chart{.title = "encap, one peer: what a worker carries", .x_label = "inner IPv4 bytes", .y_label = "Gbit/s of inner packets", .series = {}};
    for (const Figure& figure : figures) {
        const Cell& cell = figure.cell;
        if (!is_plain(cell) || cell.world.peers != 1 || cell.which != Case::encap) continue;
        series_of(chart, std::string{name(cell.world.tunnel.algorithm)}).points.emplace_back(size_of(figure), figure.gbps);
    }
    return chart;
}

Chart cost_by_peers(std::span<const Figure> figures) {
    Chart chart{.title = "aes-128-gcm, many peers: cost of a packet", .x_label = "peers, one after the other", .y_label = "TSC cycles per packet", .series = {}};
    chart.x_logarithmic = true;
    for (const Figure& figure : figures) {
        const Cell& cell = figure.cell;
        const bool is_end = cell.size.name == "64" || cell.size.name == "1400";
        if (!is_plain(cell) || !is_end || cell.world.tunnel.algorithm != EspAlgorithm::aes_gcm_128 || (cell.which != Case::encap && cell.which != Case::decap)) continue;
        series_of(chart, fmt::format("{}, {} bytes", name(cell.which), cell.size.name)).points.emplace_back(cell.world.peers, figure.cycles);
        if (cell.which == Case::encap) series_of(chart, fmt::format("bare cipher, {} bytes", cell.size.name), true).points.emplace_back(cell.world.peers, figure.floor_cycles);
    }
    return chart;
}

Chart rate_by_workers(std::span<const Figure> figures) {
    Chart chart{.title = "aes-128-gcm: what workers carry", .x_label = "workers, a core each", .y_label = "million packets per second", .series = {}};
    for (const Figure& figure : figures) {
        const Cell& cell = figure.cell;
        if (cell.burst == Cell{}.burst || cell.world.adaptive || cell.which == Case::forward || cell.which == Case::gre) continue;
        const std::string what = fmt::format("{}, {} bytes", name(cell.which), cell.size.name), elsewhere = what + ", half arrive elsewhere";
        series_of(chart, cell.world.arrival == Arrival::owner ? what : elsewhere, cell.world.arrival != Arrival::owner).points.emplace_back(cell.world.workers, figure.mpps);
        if (cell.world.workers == 1) series_of(chart, elsewhere, true).points.emplace_back(1, figure.mpps);
    }
    return chart;
}

}  // namespace

std::vector<Chart> charts_of(std::span<const Figure> figures) {
    std::vector<Chart> charts{cost_by_size(figures), rate_by_algorithm(figures), cost_by_peers(figures), rate_by_workers(figures)};
    // One point is no curve.
    for (Chart& chart : charts) {
        for (Series& series : chart.series) std::ranges::sort(series.points);
        std::erase_if(chart.series, [](const Series& series) { return series.points.size() < 2; });
    }
    std::erase_if(charts, [](const Chart& chart) { return chart.series.empty(); });
    return charts;
}

}  // namespace nave::rig
