// Options in, one pair of gateways on each core, the sum of what became of the packets out.
#include "tests/rig/soak/soak_command.hpp"

#include "dataplane/eal.hpp"
#include "dataplane/gateway.hpp"
#include "tests/rig/crew.hpp"
#include "tests/rig/progress.hpp"
#include "tests/rig/soak/soak.hpp"

#include <boost/program_options.hpp>
#include <expected>
#include <fmt/format.h>
#include <sstream>

namespace nave::rig {

namespace {

namespace po = boost::program_options;

struct SoakOptions {
    SoakPlan plan;
    std::size_t threads = 1;
    bool help = false;
};

po::options_description soak_options(SoakOptions& options) {
    po::options_description known{"options"};
    known.add_options()
        ("help", "this text")
        ("packets", po::value(&options.plan.packets)->default_value(options.plan.packets), "packets, both ways together")
        ("rekey", po::value(&options.plan.rekey_after)->default_value(options.plan.rekey_after), "packets after which an SA is replaced")
        ("peers", po::value(&options.plan.peers)->default_value(options.plan.peers), "peers of each hub, an even number from 2 to 64")
        ("threads", po::value(&options.threads)->default_value(options.threads), "pairs of gateways, each on a core of its own");
    return known;
}

std::expected<SoakOptions, std::string> parse_soak_options(std::span<const std::string> arguments) {
    SoakOptions options;
    options.threads = Crew::choose_cpus().size();
    const std::size_t cores = options.threads;
    po::variables_map given;
    try {
        po::store(po::command_line_parser{std::vector<std::string>{arguments.begin(), arguments.end()}}.options(soak_options(options)).run(), given);
        po::notify(given);
    } catch (const po::error& error) {
        return std::unexpected{fmt::format("{}; --help lists the options", error.what())};
    }
    options.help = given.contains("help");
    if (options.threads < 1 || options.threads > cores)
        return std::unexpected{fmt::format("--threads {}: accepted are 1 to {}, the cores of this process", options.threads, cores)};
    if (options.plan.peers < 2 || options.plan.peers > 64 || options.plan.peers % 2 == 1)
        return std::unexpected{fmt::format("--peers {}: accepted are even numbers from 2 to 64", options.plan.peers)};
    if (options.plan.rekey_after == 0) return std::unexpected{std::string{"--rekey 0: accepted are numbers from 1"}};
    options.plan.packets = (options.plan.packets + options.threads - 1) / options.threads;
    return options;
}

SoakResult soak(const SoakOptions& options) {
    std::vector<std::unique_ptr<Soak>> soaks;
    for (std::size_t i = 0; i < options.threads; ++i) soaks.push_back(std::make_unique<Soak>(fmt::format("soak{}", i), options.plan));
    std::atomic<std::uint64_t> done{0};
    const std::uint64_t all = options.plan.packets * options.threads;
    Progress progress{all};
    Crew::run(static_cast<unsigned>(options.threads), [&](unsigned member, Rendezvous&) { soaks[member]->run(done); },
              [&] { progress.show(done, fmt::format("{} of {} million packets", done / 1'000'000, all / 1'000'000)); });
    SoakResult sum;
    for (const auto& each : soaks) sum += each->result();
    return sum;
}

}  // namespace

int run_soak(std::span<const std::string> arguments) {
    const auto options = parse_soak_options(arguments);
    if (!options) {
        fmt::print(stderr, "nave-bench soak: {}\n", options.error());
        return 2;
    }
    if (options->help) {
        SoakOptions defaults;
        std::ostringstream text;
        text << "nave-bench soak: a hub and its spokes exchange packets of all sizes; each is verified, and SAs are replaced all the time.\n\n" << soak_options(defaults);
        fmt::print("{}", text.str());
        return 0;
    }
    const auto threads = static_cast<std::uint8_t>(options->threads);
    const auto eal = dataplane::Eal::start({.program = "nave-bench", .workers = threads, .worker_cores = Crew::choose_cpus(threads), .mode = dataplane::RunMode::poll,
                                            .memory_megabytes = threads * Soak::megabytes(options->plan)});
    if (!eal) {
        fmt::print(stderr, "nave-bench: {}\n", eal.error().text);
        return 1;
    }
    try {
        const SoakResult result = soak(*options);
        fmt::print("packets sent {}, intact {}, damaged {}, dropped {}, lost without a counter {}, SAs replaced {}, buffers leaked {}\n", result.sent, result.intact,
                   result.damaged, result.dropped, result.unexplained(), result.rekeys, result.leaked);
        return result.is_clean() ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "nave-bench soak: {}\n", error.what());
        return 1;
    }
}

}  // namespace nave::rig
