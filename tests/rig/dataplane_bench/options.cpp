// Options become lists of values, and lists become cells.
#include "tests/rig/dataplane_bench/options.hpp"

#include "tests/rig/dataplane_bench/address_plan.hpp"

#include <boost/program_options.hpp>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

namespace nave::rig {

namespace {

namespace po = boost::program_options;
using Words = std::vector<std::string>;

/// What cells are made of; every combination of the values becomes one.
struct Selection {
    std::vector<Case> cases{Case::encap, Case::decap};
    std::vector<EspAlgorithm> algorithms{EspAlgorithm::aes_gcm_128};
    std::vector<SizeMix> sizes;
    std::vector<std::uint32_t> peers{1};
    std::vector<Distribution> distributions{Distribution::round_robin};
    std::vector<std::uint8_t> shapes{kPlain};  // bits
    static constexpr std::uint8_t kPlain = 0, kNatt = 1, kEsn = 2, kNoKey = 4;
};

std::vector<SizeMix> size_list(std::initializer_list<std::string_view> names) {
    std::vector<SizeMix> sizes;
    for (const auto text : names) sizes.push_back(*SizeMix::parse(text));
    return sizes;
}

void add_cells(const Selection& selection, std::vector<Cell>& cells) {
    for (const Case which : selection.cases)
        for (const EspAlgorithm algorithm : selection.algorithms)
            for (const std::uint8_t bits : selection.shapes)
                for (const Distribution distribution : selection.distributions)
                    for (const std::uint32_t peers : selection.peers)
                        for (const SizeMix& size : selection.sizes) {
                            const TunnelShape shape{algorithm, (bits & Selection::kNatt) != 0, (bits & Selection::kEsn) != 0, (bits & Selection::kNoKey) == 0};
                            cells.push_back({.which = which, .shape = shape, .size = size, .peers = peers, .distribution = distribution});
                        }
}

/// Everything that the project states figures for.
std::vector<Cell> full_matrix() {
    const auto all = size_list({"64", "128", "256", "512", "1024", "1400", "imix"}), some = size_list({"64", "512", "1400", "imix"}), ends = size_list({"64", "1400"});
    const std::vector<EspAlgorithm> algorithms{kAlgorithms.begin(), kAlgorithms.end()};
    std::vector<Cell> cells;
    add_cells({.cases = {Case::forward}, .sizes = all}, cells);
    add_cells({.algorithms = algorithms, .sizes = all}, cells);
    add_cells({.cases = {Case::relay, Case::loop}, .algorithms = algorithms, .sizes = some}, cells);
    add_cells({.sizes = some, .peers = {100, 1000, 10000, 100000}}, cells);
    add_cells({.algorithms = {EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305}, .sizes = ends, .peers = {1000, 10000}}, cells);
    add_cells({.cases = {Case::relay}, .sizes = ends, .peers = {1000, 10000}}, cells);
    add_cells({.sizes = ends, .peers = {10000, 100000}, .distributions = {Distribution::zipf}}, cells);
    add_cells({.sizes = ends, .shapes = {Selection::kNatt, Selection::kEsn, Selection::kNoKey}}, cells);
    return cells;
}

/// The same questions with fewer answers.
std::vector<Cell> quick_matrix() {
    const auto all = size_list({"64", "128", "256", "512", "1024", "1400", "imix"}), three = size_list({"64", "512", "1400"}), ends = size_list({"64", "1400"});
    std::vector<Cell> cells;
    add_cells({.cases = {Case::forward}, .sizes = ends}, cells);
    add_cells({.sizes = all}, cells);
    add_cells({.algorithms = {EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305}, .sizes = three}, cells);
    add_cells({.cases = {Case::relay, Case::loop}, .sizes = three}, cells);
    add_cells({.sizes = three, .peers = {1000, 10000}}, cells);
    return cells;
}

po::options_description described() {
    po::options_description known{"options"};
    const auto words = [] { return po::value<Words>()->multitoken(); };
    known.add_options()
        ("help", "this text")
        ("quick", "fewer cells and rounds: less than a minute")
        ("case", words(), "forward, encap, decap, relay, loop")
        ("size", words(), "inner IPv4 bytes from 64 to 1400, or imix")
        ("algorithm", words(), "aes-128-gcm, aes-256-gcm, chacha20-poly1305")
        ("peers", words(), "numbers of peers")
        ("distribution", words(), "round-robin or zipf: the order in which packets go to the peers")
        ("natt", "ESP in UDP")
        ("esn", "extended sequence numbers")
        ("no-gre-key", "GRE without a key")
        ("rounds", po::value<std::size_t>(), "rounds over all cells")
        ("batches", po::value<std::size_t>(), "batches of a cell in each round")
        ("burst", po::value<std::size_t>()->default_value(Effort{}.packets), "packets that the port holds when the worker's turns begin, up to 1000")
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

std::optional<std::uint32_t> read_peers(std::string_view text) {
    std::uint32_t peers = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), peers);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && peers >= 1 && peers <= plan::kPeersMax ? std::optional{peers} : std::nullopt;
}

std::expected<std::vector<Cell>, std::string> selected(const po::variables_map& given) {
    constexpr std::array kDistributions = {Distribution::round_robin, Distribution::zipf};
    Selection selection;
    selection.sizes = size_list({"64", "512", "1400"});
    for (const auto& done : {read_list(given, "case", selection.cases, named(kCases)), read_list(given, "algorithm", selection.algorithms, named(kAlgorithms)),
                             read_list(given, "size", selection.sizes, SizeMix::parse), read_list(given, "peers", selection.peers, read_peers),
                             read_list(given, "distribution", selection.distributions, named(kDistributions))})
        if (!done) return std::unexpected{done.error()};
    const int bits = (given.contains("natt") ? Selection::kNatt : 0) | (given.contains("esn") ? Selection::kEsn : 0) | (given.contains("no-gre-key") ? Selection::kNoKey : 0);
    selection.shapes = {static_cast<std::uint8_t>(bits)};
    std::vector<Cell> cells;
    add_cells(selection, cells);
    return cells;
}

}  // namespace

std::expected<DataplaneOptions, std::string> parse_dataplane_options(std::span<const std::string> arguments) {
    po::variables_map given;
    try {
        po::store(po::command_line_parser{Words{arguments.begin(), arguments.end()}}.options(described()).run(), given);
        po::notify(given);
    } catch (const po::error& error) {
        return std::unexpected{fmt::format("{}; --help lists the options", error.what())};
    }
    DataplaneOptions options;
    options.help = given.contains("help");
    const bool quick = given.contains("quick");
    bool selects = false;
    for (const char* key : {"case", "size", "algorithm", "peers", "distribution", "natt", "esn", "no-gre-key"}) selects |= given.contains(key);
    auto cells = selects ? selected(given) : std::expected<std::vector<Cell>, std::string>{quick ? quick_matrix() : full_matrix()};
    if (!cells) return std::unexpected{cells.error()};
    options.cells = std::move(*cells);
    if (quick) options.effort.rounds = 5, options.effort.batches = 60;
    const auto number = [&](const char* key, std::size_t& value) {
        if (given.contains(key)) value = given[key].as<std::size_t>();
    };
    number("rounds", options.effort.rounds), number("batches", options.effort.batches), number("burst", options.effort.packets);
    constexpr std::size_t kBurstMax = 1000;
    if (options.effort.packets < 1 || options.effort.packets > kBurstMax)
        return std::unexpected{fmt::format("--burst {}: accepted are 1 to {}", options.effort.packets, kBurstMax)};
    const auto file = [&](const char* key, std::string& value) {
        if (given.contains(key)) value = given[key].as<std::string>();
    };
    file("json", options.json_file), file("plot", options.plot_file), file("against", options.baseline_file);
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
