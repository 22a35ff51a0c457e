// Options in, ports up, the campaign on a core of its own, reports out.
#include "tests/rig/throughput/throughput_command.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "tests/rig/throughput/campaign.hpp"
#include "tests/rig/throughput/report.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fmt/format.h>
#include <fstream>
#include <rte_launch.h>
#include <rte_lcore.h>

namespace nave::rig {

namespace throughput {

namespace {

constexpr int kFailed = 1, kWrongUse = 2, kInterrupted = 130;
constexpr double kLinkSeconds = 10, kPacketsMax = 3.5e9;  // of one trial: numbers have 32 bits

int complain(std::string_view what, int status) {
    fmt::print(stderr, "nave-bench throughput: {}\n", what);
    return status;
}

bool write_file(const std::string& file, const std::string& text) {
    if (file.empty()) return true;
    std::ofstream out{file};
    out << text;
    out.close();
    return static_cast<bool>(out);
}

std::expected<dataplane::Eal, dataplane::SetupError> start_eal(const Options& options) {
    dataplane::EalConfig config{.program = "nave-bench", .workers = 1, .mode = dataplane::RunMode::poll, .memory_megabytes = Buffers::megabytes(options.sizes.back())};
    if (options.core) config.worker_cores = {*options.core};
    for (const auto& end : options.ends) {
        if (end.device.kind != dataplane::DeviceKind::pci) continue;
        config.pci_devices.push_back(end.device.name);
        for (const auto& [key, value] : end.device.options) config.pci_devices.back() += fmt::format(",{}={}", key, value);
    }
    return dataplane::Eal::start(config);
}

/// Bits/s: what the operator says, else what the slower port does; nothing when a port does not know.
std::optional<double> line_rate(const Options& options, const TrafficPort& a, const TrafficPort& b) {
    if (options.line_rate) return options.line_rate;
    const auto slower = std::min(a.port().link().megabits_per_second, b.port().link().megabits_per_second);
    if (slower == 0) return std::nullopt;
    return slower * 1e6;
}

std::string rate_fault(const Options& options, std::optional<double> line) {
    if (options.rate_max && options.rate_max->is_share && !line) return "--rate-max is a share of the line rate, which the ports do not know: give --line-rate";
    const double fastest = Campaign::rate_max(options, options.sizes.front(), line);
    if (fastest * options.trial_seconds > kPacketsMax) return "a trial would have too many packets: lower --rate-max or --trial-seconds";
    return {};
}

EndFigures describe(const TrafficPort& end) {
    const auto& options = end.options();
    return {.device = to_string(options.device),
            .driver = end.port().capabilities().driver,
            .address = fmt::format("{}/{}", IpAddress::v4(options.address).to_string(), options.length),
            .gateway = options.gateway ? IpAddress::v4(*options.gateway).to_string() : "",
            .gateway_mac = end.gateway_mac() ? end.gateway_mac()->to_string() : ""};
}

/// SIGINT and SIGTERM, taken by whoever asks instead of by a handler. Made before other threads are, which inherit it.
class Signals {
public:
    Signals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGINT);
        sigaddset(&set_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    }
    /// Waits for a signal, a moment at the most; whether one came.
    bool wait() const {
        constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 20'000'000};
        return sigtimedwait(&set_, nullptr, &kMoment) > 0;
    }

private:
    sigset_t set_;
};

struct Run {
    const Options& options;
    TrafficPort& a;
    TrafficPort& b;
    const Buffers& buffers;
    std::optional<double> line;
    std::atomic<bool> stop = false;
    std::expected<std::vector<SizeFigures>, std::string> outcome = {};
};

/// The campaign, on the worker's core.
int run_campaign(void* argument) {
    auto& run = *static_cast<Run*>(argument);
    try {
        run.outcome = Campaign{run.options, {run.a, run.b, run.buffers, run.stop}, run.line}.run();
    } catch (const std::exception& error) {
        run.outcome = std::unexpected{std::string{error.what()}};
    }
    return 0;
}

int report(const Options& options, const Figures& figures) {
    fmt::print("{}", to_text(options, figures));
    std::fflush(stdout);
    if (!write_file(options.json_file, to_json(options, figures))) return complain(fmt::format("{} cannot be written", options.json_file), kFailed);
    if (!write_file(options.plot_file, to_page(options, figures))) return complain(fmt::format("{} cannot be written", options.plot_file), kFailed);
    return std::ranges::all_of(figures.sizes, [](const SizeFigures& size) { return size.fault.empty(); }) ? 0 : kFailed;
}

int measure(const Options& options, const Signals& signals) {
    const auto eal = start_eal(options);
    if (!eal) return complain(eal.error().text, kFailed);
    const Buffers buffers{options.sizes.back()};
    const std::uint32_t addresses = options.vary == Vary::addresses ? options.flows : 1;
    auto a = TrafficPort::open('a', options.ends[0], addresses, buffers);
    if (!a) return complain(a.error(), kFailed);
    auto b = TrafficPort::open('b', options.ends[1], addresses, buffers);
    if (!b) return complain(b.error(), kFailed);
    for (const auto* end : {&*a, &*b})
        if (auto up = end->await_link(kLinkSeconds); !up) return complain(up.error(), kFailed);
    const auto line = line_rate(options, *a, *b);
    if (const auto fault = rate_fault(options, line); !fault.empty()) return complain(fault, kWrongUse);

    Run run{.options = options, .a = *a, .b = *b, .buffers = buffers, .line = line};
    const unsigned lcore = dataplane::Eal::lcore(WorkerId{0});
    rte_eal_remote_launch(run_campaign, &run, lcore);
    while (rte_eal_get_lcore_state(lcore) == RUNNING)
        if (signals.wait()) run.stop = true;
    rte_eal_wait_lcore(lcore);
    if (!run.outcome) return complain(run.outcome.error(), kFailed);
    const Figures figures{.ends = {describe(*a), describe(*b)}, .sizes = std::move(*run.outcome)};
    const int status = report(options, figures);
    return run.stop ? kInterrupted : status;
}

int run(std::span<const std::string> arguments) {
    const auto options = parse_options(arguments);
    if (!options) return complain(options.error() + "; see nave-bench throughput --help", kWrongUse);
    if (options->help) {
        fmt::print("{}", usage());
        return 0;
    }
    try {
        return measure(*options, Signals{});
    } catch (const std::exception& error) {
        return complain(error.what(), kFailed);
    }
}

}  // namespace

}  // namespace throughput

int run_throughput(std::span<const std::string> arguments) { return throughput::run(arguments); }

}  // namespace nave::rig
