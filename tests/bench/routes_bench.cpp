// Measures what changes of the route table cost a worker that forwards at full load, and how many can be made.
#include "dataplane/eal.hpp"
#include "tests/bench/forwarder.hpp"
#include "tests/bench/full_table.hpp"
#include "tests/bench/sender.hpp"

#include <boost/program_options.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <rte_cycles.h>
#include <rte_malloc.h>

namespace {

using namespace nave;
using namespace nave::bench;
using Json = nlohmann::ordered_json;

struct Plan {
    std::size_t routes = 1'000'000;
    std::uint32_t rate = 100'000;  // updates a second
    double seconds = 3;            // of each run
    unsigned repetitions = 3;
    std::uint64_t seed = 1;
    std::string json;
};

constexpr std::size_t kDestinations = 1u << 20, kSamples = 200'000;
constexpr double kMiB = 1 << 20;

/// One kind of changes, and what it cost.
struct Case {
    std::string name;
    std::function<double()> send;  // gives changes per second
    Turns turns{};
    double rate = 0;

    double cycles_per_packet() const {
        const double packets_a_turn = static_cast<double>(turns.packets) / static_cast<double>(turns.wall.total());
        return static_cast<double>(turns.wall.quantile(0.5)) * static_cast<double>(rte_get_tsc_hz()) / 1e9 / packets_a_turn;
    }
};

std::size_t heap_in_use() {
    rte_malloc_socket_stats stats{};
    rte_malloc_get_socket_stats(0, &stats);
    return stats.heap_allocsz_bytes;
}

void print(const Case& shown) {
    const auto us = [](std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; };
    for (const auto& [clock, times] : {std::pair{"wall", &shown.turns.wall}, std::pair{"cpu", &shown.turns.cpu}}) {
        fmt::print("{:<14} {:>10.0f} {:>7.0f}  {:<5} {:>9} {:>6.1f} {:>6.1f} {:>6.1f} {:>8.1f} {:>9.1f} {:>6}\n", shown.name, shown.rate, shown.cycles_per_packet(), clock,
                   times->total(), us(times->quantile(0.5)), us(times->quantile(0.99)), us(times->quantile(0.999)), us(times->quantile(0.9999)), us(times->longest()),
                   times->over_limit());
    }
}

Json to_json(const Case& shown) {
    const auto part = [](const TurnTimes& times) {
        return Json{{"turns", times.total()}, {"p50_ns", times.quantile(0.5)}, {"p99_ns", times.quantile(0.99)}, {"p999_ns", times.quantile(0.999)},
                    {"p9999_ns", times.quantile(0.9999)}, {"longest_ns", times.longest()}, {"over_100us", times.over_limit()}};
    };
    return {{"case", shown.name}, {"updates_per_second", shown.rate}, {"cycles", shown.cycles_per_packet()}, {"packets", shown.turns.packets},
            {"wall", part(shown.turns.wall)}, {"cpu", part(shown.turns.cpu)}};
}

/// Lookups that do not find what the model says.
std::size_t count_wrong(const Forwarder& forwarder, FullTable& table) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < kSamples; ++i) {
        const std::uint32_t destination = table.some_destination();
        wrong += forwarder.routes().lookup(TableId{}, destination) != dataplane::next_hop::encode(table.expected(destination));
    }
    return wrong;
}

std::vector<Case> cases(const Plan& plan, Sender& sender, FullTable& table) {
    const double shorter = plan.seconds / 2;
    return {{"no updates", [&plan] { return std::this_thread::sleep_for(Seconds(plan.seconds)), 0.0; }},
            {"updates", [&] { return sender.paced(plan.rate, plan.seconds, [&] { return table.change(); }); }},
            {"flat out", [&, shorter] { return sender.flat_out(shorter, [&] { return table.change(); }); }},
            {"a /1", [&, shorter] { return sender.paced(10, shorter, [&] { return table.change_half(); }); }},
            {"lone /32s", [&, shorter] { return sender.flat_out(shorter, [&] { return table.change_lone(); }); }}};
}

double load(Sender& sender, const FullTable& table) {
    const auto start = Clock::now();
    sender.send(table.initial_default());
    for (std::size_t i = 0; i < table.size(); ++i) sender.send(table.initial(i));
    sender.finish();
    return seconds_since(start);
}

void repeat(std::vector<Case>& all, unsigned repetitions, Forwarder& forwarder) {
    for (unsigned i = 0; i < repetitions; ++i) {
        for (Case& each : all) {
            forwarder.forward();
            each.rate += each.send() / repetitions;
            each.turns.merge(forwarder.forward_until_now());
        }
    }
}

int measure(const Plan& plan) {
    FullTable table{plan.routes, plan.seed};
    const dataplane::RouteTables::Sizes sizes{.tables = 1, .routes = static_cast<std::uint32_t>(plan.routes), .groups = table.blocks() + FullTable::kLoneBlocks,
                                              .workers = 1, .socket = SOCKET_ID_ANY};
    const std::uint64_t memory = dataplane::RouteTables::memory(sizes);
    const unsigned worker_core = std::thread::hardware_concurrency() > 1 ? 1 : 0;
    auto eal = dataplane::Eal::start({.program = "routes_bench", .workers = 1, .worker_cores = {worker_core}, .mode = dataplane::RunMode::poll,
                                      .memory_megabytes = (memory >> 20) + 128});
    if (!eal) throw std::runtime_error{eal.error().text};
    std::vector<std::uint32_t> destinations(kDestinations);
    for (auto& destination : destinations) destination = table.some_destination();
    const std::size_t before = heap_in_use();
    Forwarder forwarder{sizes, std::move(destinations)};
    const std::size_t in_use = heap_in_use() - before;
    fmt::print("{} routes, {} blocks with longer ones than /24; memory: {:.0f} MiB for the table, {:.0f} MiB with buffers and rings; {}\n", table.size(), table.blocks(),
               static_cast<double>(memory) / kMiB, static_cast<double>(in_use) / kMiB, eal->uses_hugepages() ? "hugepages" : "ordinary memory");

    Sender sender{forwarder};
    const double load_seconds = load(sender, table);
    fmt::print("loaded in {:.2f} s, {:.0f} routes a second\n\n", load_seconds, static_cast<double>(table.size()) / load_seconds);
    std::vector<Case> all = cases(plan, sender, table);
    repeat(all, plan.repetitions, forwarder);

    fmt::print("turns of 32 packets, in microseconds; cpu: without the time that the scheduler gave to others\n");
    fmt::print("{:<14} {:>10} {:>7}  {:<5} {:>9} {:>6} {:>6} {:>6} {:>8} {:>9} {:>6}\n", "changes", "a second", "cycles", "clock", "turns", "50 %", "99 %", "99.9 %", "99.99 %",
               "longest", "> 100");
    for (const Case& each : all) print(each);
    const RouteCounters& counters = forwarder.route_counters();
    const std::size_t wrong = count_wrong(forwarder, table);
    const std::string drops = forwarder.drops();
    fmt::print("\nchanges made {}, refused {}, waited for the worker {}; ring full {} times\n", counters.changes.read(), counters.refused.read(),
               counters.grace_waits.read(), sender.full());
    fmt::print("lookups that differ from the model: {} of {}; packets dropped: {}\n", wrong, kSamples, drops.empty() ? "none" : drops);
    if (!plan.json.empty()) {
        Json report{{"routes", table.size()}, {"blocks", table.blocks()}, {"table_bytes", memory}, {"load_seconds", load_seconds}, {"wrong_lookups", wrong},
                    {"refused", counters.refused.read()}, {"grace_waits", counters.grace_waits.read()}};
        for (const Case& each : all) report["cases"].push_back(to_json(each));
        std::ofstream{plan.json} << report.dump(2) << '\n';
    }
    return wrong == 0 && drops.empty() && counters.refused.read() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    namespace options = boost::program_options;
    Plan plan;
    options::options_description known{"Changes a large route table while a worker forwards"};
    known.add_options()("help", "this text")("quick", "a hundred thousand routes, one short run")
        ("routes", options::value(&plan.routes)->default_value(plan.routes), "prefixes in the table")
        ("rate", options::value(&plan.rate)->default_value(plan.rate), "updates a second")
        ("seconds", options::value(&plan.seconds)->default_value(plan.seconds), "of each run")
        ("repetitions", options::value(&plan.repetitions)->default_value(plan.repetitions), "of all runs")
        ("seed", options::value(&plan.seed)->default_value(plan.seed), "of the table and its changes")
        ("json", options::value(&plan.json), "file for the figures");
    try {
        options::variables_map given;
        options::store(options::parse_command_line(argc, argv, known), given);
        options::notify(given);
        if (given.contains("help")) {
            std::cout << known;
            return 0;
        }
        if (given.contains("quick")) plan.routes = std::min<std::size_t>(plan.routes, 100'000), plan.seconds = 1, plan.repetitions = 1;
        return measure(plan);
    } catch (const std::exception& error) {
        fmt::print(stderr, "routes_bench: {}\n", error.what());
        return 2;
    }
}
