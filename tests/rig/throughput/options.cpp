// Options by Boost.Program_options, and what they must hold.
#include "tests/rig/throughput/options.hpp"

#include "tests/rig/throughput/test_packet.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <ranges>
#include <sstream>
#include <string_view>

namespace nave::rig::throughput {

namespace {

namespace po = boost::program_options;

/// The options that are texts of their own grammar.
struct Words {
    std::array<std::string, 2> port, address, gateway, gateway_mac;
    std::string sizes, vary = "ports", rate_max, rate_min, line_rate;
    double resolution = 1, ndr_loss = 0, pdr_loss = 0.5, latency_load = 80;  // percent
    int core = -1;
};

po::options_description described(Options& into, Words& words) {
    po::options_description all{"nave-bench throughput: the rates that a device under test passes on, between two ports of this machine", 110, 60};
    auto add = all.add_options();
    for (std::size_t end = 0; end < 2; ++end) {
        const char name = end == 0 ? 'a' : 'b';
        const auto text = [&](std::string& word, const char* what, const char* value, const char* help) {
            add(fmt::format("{}-{}", what, name).c_str(), po::value(&word)->value_name(value), help);
        };
        text(words.port[end], "port", "DEVICE", "af_packet:IF, memif:PATH, virtio_user:PATH, a PCI address; as in nave's configuration");
        text(words.address[end], "address", "ADDRESS/LENGTH", "the rig's address on that port and the length of its network");
        text(words.gateway[end], "gateway", "ADDRESS", "the device under test on that network; none: a cable or a bridge joins the ports");
        text(words.gateway_mac[end], "gateway-mac", "MAC", "instead of asking for it by ARP");
    }
    add("sizes", po::value(&words.sizes)->value_name("LIST"), "frame sizes with check sequence; 64,128,256,512,1024,1280,1518");
    add("flows", po::value(&into.flows)->value_name("N"), "streams that take turns; 1");
    add("vary", po::value(&words.vary)->value_name("WHAT"), "what makes them differ: ports (UDP source) or addresses (of both ends, upwards from the rig's); ports");
    add("bidirectional", po::bool_switch(&into.bidirectional), "send from b to a as well, at the same rate");
    add("rate-max", po::value(&words.rate_max)->value_name("RATE"), "of the first trial: packets/s such as 800k, or 90% of the line rate; 100%, or 1M on a line of unknown rate");
    add("line-rate", po::value(&words.line_rate)->value_name("BITS/S"), "such as 10G; what the ports say");
    add("rate-min", po::value(&words.rate_min)->value_name("RATE"), "packets/s at which the search gives up; 1000");
    add("resolution", po::value(&words.resolution)->value_name("PERCENT"), "how close the rates found lie below rates that fail; 1");
    add("ndr-loss", po::value(&words.ndr_loss)->value_name("PERCENT"), "loss that the no-drop rate may have; 0");
    add("pdr-loss", po::value(&words.pdr_loss)->value_name("PERCENT"), "loss that the partial-drop rate may have; 0.5");
    add("latency-load", po::value(&words.latency_load)->value_name("PERCENT"), "share of the no-drop rate at which latency is measured; 80");
    add("trial-seconds", po::value(&into.trial_seconds)->value_name("SECONDS"), "1; RFC 2544 asks for 60");
    add("settle-seconds", po::value(&into.settle_seconds)->value_name("SECONDS"), "wait for stragglers after a trial; 0.2; RFC 2544 asks for 2");
    add("repeat", po::value(&into.repeat)->value_name("N"), "trials of a rate, of which more than half must hold; 1; 3 on a machine with other work");
    add("trials-max", po::value(&into.trials_max)->value_name("N"), "per frame size; 60");
    add("core", po::value(&words.core)->value_name("CPU"), "where to generate and count; wherever the system likes");
    add("title", po::value(&into.title)->value_name("TEXT"), "headline of the report");
    add("json", po::value(&into.json_file)->value_name("FILE"), "write all figures, every trial's too");
    add("plot", po::value(&into.plot_file)->value_name("FILE"), "draw them as an SVG page");
    add("quiet", po::bool_switch(&into.quiet), "no progress on standard error");
    add("help,h", po::bool_switch(&into.help), "print this, and exit");
    return all;
}

std::expected<EndOptions, std::string> end_options(const Words& words, std::size_t end) {
    const char name = end == 0 ? 'a' : 'b';
    const auto wrong = [&](std::string_view option, std::string_view value, std::string_view accepted) {
        return std::unexpected{value.empty() ? fmt::format("--{}-{} is missing: {}", option, name, accepted)
                                             : fmt::format("--{}-{} is \"{}\" but must be {}", option, name, value, accepted)};
    };
    EndOptions options;
    if (words.port[end].empty()) return wrong("port", "", "a device such as af_packet:eth1");
    auto device = dataplane::parse_device_string(words.port[end]);
    if (!device) return std::unexpected{fmt::format("--port-{}: {}", name, device.error().text)};
    options.device = std::move(*device);

    const std::string_view address = words.address[end];
    const auto slash = address.find('/');
    const auto host = IpAddress::parse(address.substr(0, slash));
    unsigned length = 32;
    const auto digits = slash == std::string_view::npos ? std::string_view{} : address.substr(slash + 1);
    const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!host || !host->is_v4() || error != std::errc{} || last != digits.data() + digits.size() || length == 0 || length > 32)
        return wrong("address", address, "an IPv4 address with the length of its network, such as 192.0.2.2/24");
    options.address = host->v4_host();
    options.length = static_cast<std::uint8_t>(length);

    if (!words.gateway[end].empty()) {
        const auto gateway = IpAddress::parse(words.gateway[end]);
        if (!gateway || !Prefix::of(*host, options.length).contains(*gateway) || *gateway == *host)
            return wrong("gateway", words.gateway[end], fmt::format("another address of the network of {}", address));
        options.gateway = gateway->v4_host();
    }
    if (!words.gateway_mac[end].empty()) {
        options.gateway_mac = MacAddress::parse(words.gateway_mac[end]);
        if (!options.gateway_mac) return wrong("gateway-mac", words.gateway_mac[end], "a MAC address such as 02:00:00:00:00:01");
    }
    return options;
}

std::expected<std::vector<std::size_t>, std::string> parse_sizes(std::string_view list) {
    std::vector<std::size_t> sizes;
    for (const auto part : std::views::split(list, ',')) {
        const std::string_view word{part.begin(), part.end()};
        std::size_t size = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), size);
        if (error != std::errc{} || end != word.data() + word.size() || size < kFrameMin || size > kFrameMax)
            return std::unexpected{fmt::format("--sizes has \"{}\" but a frame has {} to {} bytes", word, kFrameMin, kFrameMax)};
        sizes.push_back(size);
    }
    std::ranges::sort(sizes);
    sizes.erase(std::ranges::unique(sizes).begin(), sizes.end());
    return sizes;
}

/// How many addresses from the rig's own upwards lie in its network, the broadcast address left out.
std::uint64_t addresses_upwards(const EndOptions& end) {
    const std::uint64_t block = std::uint64_t{1} << (32 - end.length), offset = end.address & (block - 1);
    return block - offset - (end.length < 31 ? 1 : 0);
}

/// What is wrong with the numbers; empty when nothing is.
std::string find_fault(const Options& options) {
    constexpr std::uint16_t kSourcePorts = 16384;  // the dynamic ones (RFC 6335 §6)
    const auto share = [](double value) { return value >= 0 && value <= 1; };
    if (options.flows == 0) return "--flows must be at least 1";
    if (options.vary == Vary::ports && options.flows > kSourcePorts)
        return fmt::format("--flows is {} but there are {} source ports; use --vary addresses", options.flows, kSourcePorts);
    for (const auto& end : options.ends)
        if (const auto room = addresses_upwards(end); options.vary == Vary::addresses && options.flows > room)
            return fmt::format("--flows is {} but the network of {} has {} addresses from there upwards", options.flows, IpAddress::v4(end.address).to_string(), room);
    if (!share(options.ndr_loss) || !share(options.pdr_loss) || options.pdr_loss < options.ndr_loss)
        return "--ndr-loss and --pdr-loss must be 0 to 100, the second not below the first";
    if (options.resolution <= 0 || options.resolution > 0.5) return "--resolution must be above 0 and at most 50";
    if (options.latency_load <= 0 || options.latency_load > 1) return "--latency-load must be above 0 and at most 100";
    if (options.rate_min < 1) return "--rate-min must be at least 1";
    if (options.trial_seconds < 0.01 || options.trial_seconds > 3600) return "--trial-seconds must be 0.01 to 3600";
    if (options.settle_seconds < 0 || options.settle_seconds > 60) return "--settle-seconds must be 0 to 60";
    if (options.repeat == 0 || options.trials_max == 0) return "--repeat and --trials-max must be at least 1";
    return {};
}

std::expected<void, std::string> convert(const Words& words, Options& options) {
    for (std::size_t end = 0; end < 2; ++end) {
        auto parsed = end_options(words, end);
        if (!parsed) return std::unexpected{std::move(parsed.error())};
        options.ends[end] = std::move(*parsed);
    }
    if (!words.sizes.empty()) {
        auto sizes = parse_sizes(words.sizes);
        if (!sizes) return std::unexpected{std::move(sizes.error())};
        options.sizes = std::move(*sizes);
    }
    if (words.vary != "ports" && words.vary != "addresses") return std::unexpected{fmt::format("--vary is \"{}\" but must be ports or addresses", words.vary)};
    options.vary = words.vary == "ports" ? Vary::ports : Vary::addresses;
    if (!words.rate_max.empty() && !(options.rate_max = parse_rate(words.rate_max)))
        return std::unexpected{fmt::format("--rate-max is \"{}\" but must be packets/s such as 800k or 1.5M, or a share such as 90%", words.rate_max)};
    if (!words.rate_min.empty()) {
        const auto rate = parse_magnitude(words.rate_min);
        if (!rate) return std::unexpected{fmt::format("--rate-min is \"{}\" but must be packets/s such as 500 or 10k", words.rate_min)};
        options.rate_min = *rate;
    }
    if (!words.line_rate.empty() && !(options.line_rate = parse_magnitude(words.line_rate)))
        return std::unexpected{fmt::format("--line-rate is \"{}\" but must be bits/s such as 10G", words.line_rate)};
    options.resolution = words.resolution / 100;
    options.ndr_loss = words.ndr_loss / 100;
    options.pdr_loss = words.pdr_loss / 100;
    options.latency_load = words.latency_load / 100;
    if (words.core >= 0) options.core = static_cast<unsigned>(words.core);
    if (auto fault = find_fault(options); !fault.empty()) return std::unexpected{std::move(fault)};
    return {};
}

}  // namespace

std::optional<double> parse_magnitude(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view unit{end, text.data() + text.size()};
    if (error != std::errc{} || !(value > 0) || value > 1e15) return std::nullopt;
    if (unit.empty()) return value;
    if (unit == "k") return value * 1e3;
    if (unit == "M") return value * 1e6;
    if (unit == "G") return value * 1e9;
    return std::nullopt;
}

std::optional<RateLimit> parse_rate(std::string_view text) {
    const bool is_share = text.ends_with('%');
    const auto value = parse_magnitude(is_share ? text.substr(0, text.size() - 1) : text);
    if (!value || (is_share && *value > 100)) return std::nullopt;
    return RateLimit{.value = is_share ? *value / 100 : *value, .is_share = is_share};
}

std::expected<Options, std::string> parse_options(std::span<const std::string> arguments) {
    Options options;
    Words words;
    try {
        po::variables_map values;
        po::store(po::command_line_parser({arguments.begin(), arguments.end()}).options(described(options, words)).positional({}).run(), values);
        po::notify(values);
    } catch (const po::error& error) {
        return std::unexpected{std::string{error.what()}};
    }
    if (options.help) return options;
    if (auto converted = convert(words, options); !converted) return std::unexpected{std::move(converted.error())};
    return options;
}

std::string usage() {
    Options options;
    Words words;
    std::ostringstream text;
    text << described(options, words);
    return text.str();
}

}  // namespace nave::rig::throughput
