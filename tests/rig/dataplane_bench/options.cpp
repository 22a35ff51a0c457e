// Options become lists of values, and lists become cells.
#include "tests/rig/dataplane_bench/options.hpp"

#include "tests/rig/crew.hpp"
#include "tests/rig/dataplane_bench/address_plan.hpp"
#include "tests/rig/dataplane_bench/matrix.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <fmt/format.h>
#include <sstream>

namespace nave::rig {

namespace {

namespace po = boost::program_options;
using Words = std::vector<std::string>;

template <class Value, std::size_t N>
std::string names(const std::array<Value, N>& all) {
    std::vector<std::string_view> each;
    for (const Value value : all) each.push_back(name(value));
    return fmt::format("{}", fmt::join(each, ", "));
}

po::options_description described() {
    po::options_description known{"options"};
    const auto words = [] { return po::value<Words>()->multitoken(); };
    known.add_options()
        ("help", "this text")
        ("quick", "fewer cells and rounds: less than a minute")
        ("case", words(), names(kCases).c_str())
        ("size", words(), "inner IPv4 bytes from 64 to 1400, or imix")
        ("algorithm", words(), names(kAlgorithms).c_str())
        ("peers", words(), "numbers of peers")
        ("distribution", words(), "round-robin, shuffled (the same in an order of chance), zipf: the order in which packets go to the peers")
        ("workers", words(), "workers, each on a core of its own; 2 or more carry forward, encap and decap for at least 2 peers each")
        ("arrival", words(), "owner, half-elsewhere: which of several workers gets a packet")
        ("mode", words(), "poll or adaptive")
        ("natt", "ESP in UDP")
        ("esn", "extended sequence numbers")
        ("shaped", "peers have a rate that nothing waits for: what keeping it costs")
        ("no-gre-key", "GRE without a key")
        ("rounds", po::value<std::size_t>(), "rounds over all cells")
        ("batches", po::value<std::size_t>(), "batches of a cell in each round")
        ("burst", po::value<std::size_t>(), "packets that a port holds when its worker begins, up to 1000 (128; with several workers 512)")
        ("no-stages", "leave the table of stages out")
        ("json", po::value<std::string>(), "write the figures to this file")
        ("plot", po::value<std::string>(), "draw them into this SVG file")
        ("against", po::value<std::string>(), "a JSON file of an earlier run: print the ratios to it");
    return known;
}

/// Values of option `key`, each read by `read` (word -> optional); the defaults stay when the option is not given.
template <class Value, class Read>
std::expected<void, std::string> read_list(const po::variables_map& given, const char* key, std::vector<Value>& values, Read&& read) {
    if (!given.contains(key)) return {};
    values.clear();
    for (const std::string& word : given[key].as<Words>()) {
        std::stringstream parts{word};
        for (std::string part; std::getline(parts, part, ',');) {
            auto value = read(part);
            if (!value) return std::unexpected{fmt::format("--{} {}: not accepted; --help lists what is", key, part)};
            values.push_back(std::move(*value));
        }
    }
    return {};
}

template <class Value, std::size_t N>
auto named(const std::array<Value, N>& all) {
    return [&all](std::string_view text) -> std::optional<Value> {
        for (const Value each : all)
            if (name(each) == text) return each;
        return std::nullopt;
    };
}

/// Numbers from 1 to `Most`.
template <class Number, Number Most>
std::optional<Number> read_number(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && number >= 1 && number <= Most ? std::optional{number} : std::nullopt;
}

std::optional<bool> read_mode(std::string_view text) { return text == "adaptive" ? std::optional{true} : text == "poll" ? std::optional{false} : std::nullopt; }

std::expected<std::vector<Cell>, std::string> selected(const po::variables_map& given, std::size_t cores) {
    constexpr std::array kArrivals = {Arrival::owner, Arrival::half_elsewhere};
    std::vector<EspAlgorithm> algorithms{EspAlgorithm::aes_gcm_128};
    Selection selection;
    selection.sizes = size_list({"64", "512", "1400"});
    for (const auto& done :
         {read_list(given, "case", selection.cases, named(kCases)), read_list(given, "algorithm", algorithms, named(kAlgorithms)),
          read_list(given, "size", selection.sizes, SizeMix::parse), read_list(given, "peers", selection.peers, read_number<std::uint32_t, plan::kPeersMax>),
          read_list(given, "distribution", selection.distributions, named(kDistributions)), read_list(given, "arrival", selection.arrivals, named(kArrivals)),
          read_list(given, "workers", selection.workers, read_number<std::uint8_t, Crew::kMembersMax>), read_list(given, "mode", selection.adaptive, read_mode)})
        if (!done) return std::unexpected{done.error()};
    selection.tunnels.clear();
    for (const EspAlgorithm algorithm : algorithms)
        selection.tunnels.push_back({algorithm, given.contains("natt"), given.contains("esn"), !given.contains("no-gre-key"), given.contains("shaped")});
    const std::size_t most = std::ranges::max(selection.workers);
    if (most > cores) return std::unexpected{fmt::format("--workers {}: each needs a core, and this process may use {}", most, cores)};
    if (most > 1) selection.burst = kBurstOfWorkers;
    if (given.contains("burst")) selection.burst = given["burst"].as<std::size_t>();
    std::vector<Cell> cells;
    add_cells(selection, cells);
    if (cells.empty()) return std::unexpected{std::string{"no combination of these options can be measured; --help says which can"}};
    return cells;
}

/// True if the options ask for other cells than a run without any.
bool selects(const po::variables_map& given) {
    constexpr std::array kKeys = {"case", "size", "algorithm", "peers", "distribution", "workers", "arrival", "mode", "burst", "natt", "esn", "no-gre-key", "shaped"};
    return std::ranges::any_of(kKeys, [&](const char* key) { return given.contains(key); });
}

}  // namespace

std::expected<DataplaneOptions, std::string> parse_dataplane_options(std::span<const std::string> arguments, std::size_t cores) {
    constexpr std::size_t kBurstMax = 1000;
    po::variables_map given;
    try {
        po::store(po::command_line_parser{Words{arguments.begin(), arguments.end()}}.options(described()).run(), given);
        po::notify(given);
    } catch (const po::error& error) {
        return std::unexpected{fmt::format("{}; --help lists the options", error.what())};
    }
    DataplaneOptions options;
    options.help = given.contains("help");
    if (given.contains("burst") && (given["burst"].as<std::size_t>() < 1 || given["burst"].as<std::size_t>() > kBurstMax))
        return std::unexpected{fmt::format("--burst {}: accepted are 1 to {}", given["burst"].as<std::size_t>(), kBurstMax)};
    const bool quick = given.contains("quick");
    auto cells = selects(given) ? selected(given, cores) : std::expected<std::vector<Cell>, std::string>{quick ? quick_matrix(cores) : full_matrix(cores)};
    if (!cells) return std::unexpected{cells.error()};
    options.cells = std::move(*cells);
    if (quick) options.effort.rounds = 5, options.effort.batches = 60;
    const auto take = [&](const char* key, auto& value) {
        if (given.contains(key)) value = given[key].as<std::remove_cvref_t<decltype(value)>>();
    };
    take("rounds", options.effort.rounds), take("batches", options.effort.batches);
    take("json", options.json_file), take("plot", options.plot_file), take("against", options.baseline_file);
    options.shows_stages = !given.contains("no-stages");
    return options;
}

std::string dataplane_help() {
    std::ostringstream text;
    text << "nave-bench dataplane: TSC cycles of a worker for each packet, next to those of the bare cipher.\n"
            "Without a selection it measures all that the project states figures for (under ten minutes).\n"
            "Lists are separated by blanks or commas.\n\n"
         << described();
    return text.str();
}

}  // namespace nave::rig
