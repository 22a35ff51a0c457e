// The keys of the whole gateway: its name, [control], [dataplane] and [ike].
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"

namespace nave::config {
namespace {

constexpr std::size_t kNamedTablesMax = 64;
constexpr std::uint64_t kMiB = 1ull << 20;
constexpr std::size_t kRedirectsMax = 64;
constexpr std::uint64_t kSocketPathMax = 107;  // sun_path without its final zero
using std::chrono::hours, std::chrono::milliseconds, std::chrono::minutes, std::chrono::seconds;

/// A table with fixed keys, read into the configuration itself.
Binding<Draft> section(std::string_view name, const Bindings<Config>& keys) {
    return {name, fmt::format("a table, [{}]", name), [&keys](Reader& reader, const Value& value, Draft& out) { read_table(reader, value, keys, out.config); },
            [](const Draft&) { return std::string{}; }};
}

/// A table of tables, each of which the operator named.
template <class Element, class Field>
Binding<Draft> named(std::string_view name, const Bindings<Element>& keys, std::vector<Element> Draft::*list, Field field) {
    auto read = [=, &keys](Reader& reader, const Value& value, Draft& out) {
        const std::string accepts = fmt::format("tables with a name, [{}.NAME]", name);
        if (value.kind != Value::Kind::table) return reader.problem(value, "accepted: " + accepts);
        if (value.children.size() > kNamedTablesMax)
            return reader.problem(value, fmt::format("found {}; accepted: up to {}", value.children.size(), kNamedTablesMax));
        for (const Value& child : value.children) {
            if (!is_name(child.name)) reader.problem(child, fmt::format("accepted: {}", kAcceptsName));
            Element element;
            element.source = &child;
            field(element).name = child.name;
            read_table(reader, child, keys, element);
            (out.*list).push_back(std::move(element));
        }
    };
    return {name, fmt::format("tables with a name, [{}.NAME]", name), read, [](const Draft&) { return std::string{}; }};
}

Parsed<std::string> parse_name(std::string_view text) { return is_name(text) ? Parsed<std::string>{text} : std::unexpected{std::string{}}; }

Parsed<std::string> parse_socket(std::string_view text) {
    if (text.size() > kSocketPathMax) return std::unexpected{fmt::format("this has {} characters", text.size())};
    if (text.empty() || text[0] != '/' || text.find('\0') != std::string_view::npos) return std::unexpected{std::string{}};
    return std::string{text};
}

Binding<Config> cores() {
    constexpr std::string_view kAccepts = "an array of different core numbers from 0 to 1023, one per worker; empty lets the system choose";
    auto read = [=](Reader& reader, const Value& value, Config& out) {
        if (value.kind != Value::Kind::array || value.children.size() > 64) return reader.refuse(value, kAccepts);
        for (const Value& element : value.children) {
            const auto core = static_cast<std::uint16_t>(element.integer);
            if (element.kind != Value::Kind::integer || element.integer < 0 || element.integer > 1023) reader.refuse(element, "a core number from 0 to 1023");
            else if (std::ranges::find(out.dataplane.cores, core) != out.dataplane.cores.end()) reader.problem(element, fmt::format("core {} is named twice", core));
            else out.dataplane.cores.push_back(core);
        }
    };
    return {"cores", std::string{kAccepts}, read, [](const Config& config) { return fmt::format("[{}]", fmt::join(config.dataplane.cores, ", ")); }};
}

Parsed<std::string> parse_path(std::string_view text) {
    if (!text.starts_with('/') || text.find('\0') != std::string_view::npos) return std::unexpected{std::string{}};
    return std::string{text};
}

Binding<Config> key_log() {
    constexpr std::string_view kAccepts = "an absolute path of a folder";
    auto read = [=](Reader& reader, const Value& value, Config& out) {
        if (value.kind != Value::Kind::text || !value.text.starts_with('/') || value.text.find('\0') != std::string::npos) return reader.refuse(value, kAccepts);
        reader.warning(value, "all keys of IKE and ESP are written into this folder, and IKE in clear: whoever reads it reads all traffic. "
                              "Only for finding faults; take it out afterwards");
        out.control.key_log = value.text;
        out.overlay.ike.key_log = true;
    };
    return {"key_log", std::string{kAccepts}, read, [](const Config& config) { return config.control.key_log.empty() ? std::string{} : quote(config.control.key_log); }};
}

}  // namespace

const Bindings<Draft>& root_keys() {
    static const Bindings<Draft> keys{
        parsed<Draft>("name", std::string{kAcceptsName}, parse_name, print_text, via(&Draft::config, &Config::name)),
        section("control", control_keys()),
        section("dataplane", dataplane_keys()),
        section("ike", ike_keys()),
        required(named("port", port_keys(), &Draft::ports, [](PortDraft& draft) -> auto& { return draft.port; })),
        required(named("tunnel", tunnel_keys(), &Draft::tunnels, [](TunnelDraft& draft) -> auto& { return draft.tunnel; })),
    };
    return keys;
}

const Bindings<Config>& control_keys() {
    static const Bindings<Config> keys{
        parsed<Config>("socket", "an absolute path of up to 107 characters", parse_socket, print_text, via(&Config::control, &Control::socket)),
        choice<Config, ike::Severity>(
            "log_level",
            {{"info", ike::Severity::info}, {"notice", ike::Severity::notice}, {"warning", ike::Severity::warning}, {"error", ike::Severity::error}},
            via(&Config::control, &Control::log_level)),
        parsed<Config>("ticket_key", "an absolute path of a file", parse_path, print_text, via(&Config::control, &Control::ticket_key)),
        key_log(),
    };
    return keys;
}

const Bindings<Config>& dataplane_keys() {
    static const Bindings<Config> keys{
        choice<Config, Mode>("mode", {{"adaptive", Mode::adaptive}, {"poll", Mode::poll}}, via(&Config::dataplane, &Dataplane::mode)),
        number<Config>("workers", 1, 64, via(&Config::dataplane, &Dataplane::workers)),
        cores(),
        size<Config>("memory", 144 * kMiB, 1024 * 1024 * kMiB, kMiB, via(&Config::dataplane, &Dataplane::memory_mib)),
        choice<Config, Hugepages>("hugepages", {{"auto", Hugepages::automatic}, {"required", Hugepages::required}, {"off", Hugepages::off}},
                                  via(&Config::dataplane, &Dataplane::hugepages)),
        number<Config>("sa_slots", 16, 1u << spi_layout::kSlotBits, via(&Config::overlay, &overlay::Settings::sa_slots)),
        number<Config>("peers_max", 1, 1'000'000, via(&Config::overlay, &overlay::Settings::peers_max)),
        number<Config>("routes_max", 256, 16'000'000, via(&Config::dataplane, &Dataplane::routes_max)),
        number<Config>("route_blocks_max", 64, 1'000'000, via(&Config::dataplane, &Dataplane::route_blocks_max)),
    };
    return keys;
}

const Bindings<Config>& ike_keys() {
    static const Bindings<Config> keys{
        number<Config>("half_open_max", 1, 1'000'000, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::half_open_max)),
        number<Config>("half_open_per_source_max", 1, 1'000'000, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::half_open_per_source_max)),
        number<Config>("cookies_from_half_open", 0, 1'000'000, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::cookies_from_half_open)),
        number<Config>("established_max", 1, 1'000'000, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::established_max)),
        list<Config>("redirect_to", std::string{kAcceptsAddress}, Count{0, kRedirectsMax}, parse_nbma, print_nbma,
                     via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::redirect_to)),
        number<Config>("redirect_from_established", 0, 1'000'000, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::redirect_from_established)),
        duration<Config>("retransmit_first", milliseconds{100}, seconds{10}, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::retransmit_first)),
        number<Config>("retransmit_tries", 1, 20, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::retransmit_tries)),
        number<Config>("liveness_tries", 1, 20, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::liveness_tries)),
        duration<Config>("keepalive_interval", seconds{1}, minutes{10}, via(&Config::overlay, &overlay::Settings::ike, &ike::Settings::keepalive_interval)),
    };
    return keys;
}

}  // namespace nave::config
