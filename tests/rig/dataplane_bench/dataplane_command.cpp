// Options in, EAL up, cells measured, figures out.
#include "tests/rig/dataplane_bench/dataplane_command.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "tests/rig/crew.hpp"
#include "tests/rig/dataplane_bench/bench_gateway.hpp"
#include "tests/rig/dataplane_bench/charts.hpp"
#include "tests/rig/dataplane_bench/options.hpp"
#include "tests/rig/dataplane_bench/report.hpp"
#include "tests/rig/machine.hpp"

#include <exception>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace nave::rig {

namespace {

constexpr int kLost = 1, kWrongUse = 2;

bool write_file(const std::string& file, const std::string& text) {
    std::ofstream out{file};
    out << text;
    out.close();
    if (!out) fmt::print(stderr, "nave-bench: {} cannot be written\n", file);
    return static_cast<bool>(out);
}

/// False if a file could not be written.
bool report(const DataplaneOptions& options, std::span<const Figure> figures, bool hugepages, const nlohmann::json& baseline) {
    fmt::print("{}\n", figure_table(figures));
    for (const std::string& table : {scaling_table(figures), mode_table(figures)})
        if (!table.empty()) fmt::print("{}\n", table);
    if (options.shows_stages) fmt::print("TSC cycles per packet and stage\n{}\n", stage_table(figures));
    if (!options.baseline_file.empty()) fmt::print("cycles per packet against {}\n{}\n", options.baseline_file, comparison_table(figures, baseline));
    bool written = options.json_file.empty() || write_file(options.json_file, records(figures, hugepages).dump(1) + "\n");
    if (options.plot_file.empty()) return written;
    const auto charts = charts_of(figures);
    if (charts.empty()) fmt::print(stderr, "nave-bench: nothing to draw: --plot needs several sizes, numbers of peers or of workers\n");
    written &= write_file(options.plot_file, draw(fmt::format("nave-bench dataplane on {}", describe_processor()), charts));
    return written;
}

}  // namespace

int run_dataplane(std::span<const std::string> arguments) {
    const auto options = parse_dataplane_options(arguments, Crew::choose_cpus().size());
    if (!options) {
        fmt::print(stderr, "nave-bench dataplane: {}\n", options.error());
        return kWrongUse;
    }
    if (options->help) {
        fmt::print("{}", dataplane_help());
        return 0;
    }
    nlohmann::json baseline;
    if (!options->baseline_file.empty()) {
        auto read = read_records(options->baseline_file);
        if (!read) {
            fmt::print(stderr, "nave-bench dataplane: {}\n", read.error());
            return kWrongUse;
        }
        baseline = std::move(*read);
    }
    const std::uint8_t workers = most_workers(options->cells);
    const auto eal = dataplane::Eal::start({.program = "nave-bench", .workers = workers, .worker_cores = Crew::choose_cpus(workers), .mode = dataplane::RunMode::poll,
                                            .memory_megabytes = Foundation::megabytes(most_peers(options->cells))});
    if (!eal) {
        fmt::print(stderr, "nave-bench: {}\n", eal.error().text);
        return kLost;
    }
    try {
        const auto figures = measure(options->cells, options->effort);
        fmt::print("{}, {} pages; TSC cycles of a worker per packet, without generator, sink and free, medians of {} rounds\n", describe_processor(),
                   eal->uses_hugepages() ? "huge" : "ordinary", options->effort.rounds);
        return report(*options, figures, eal->uses_hugepages(), baseline) ? 0 : kLost;
    } catch (const std::exception& error) {
        fmt::print(stderr, "nave-bench dataplane: {}\n", error.what());
        return kLost;
    }
}

}  // namespace nave::rig
