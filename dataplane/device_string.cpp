// Grammar of device strings, the options of each kind, and the devargs of DPDK 22.11's drivers.
#include "dataplane/device_string.hpp"

#include "common/addresses.hpp"
#include "dataplane/frame_size.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <span>

namespace nave::dataplane {

namespace {

constexpr std::string_view kForms =
    "a PCI address such as 0000:03:00.0, or one of af_packet:INTERFACE, af_xdp:INTERFACE, tap:NAME, memif:SOCKET, virtio_user:PATH, vhost:PATH, ring:NAME, pcap:FILE";

enum class ValueType : std::uint8_t { number, bit, yes_no, role, mac, text };

struct OptionRule {
    std::string_view key;
    ValueType type;
};

constexpr std::array kAfPacketOptions{OptionRule{"blocksz", ValueType::number}, OptionRule{"framesz", ValueType::number},
                                      OptionRule{"framecnt", ValueType::number}, OptionRule{"qdisc_bypass", ValueType::bit}};
constexpr std::array kAfXdpOptions{OptionRule{"start_queue", ValueType::number}, OptionRule{"xdp_prog", ValueType::text},
                                   OptionRule{"busy_budget", ValueType::number}, OptionRule{"force_copy", ValueType::bit}};
constexpr std::array kTapOptions{OptionRule{"mac", ValueType::mac}};
constexpr std::array kMemifOptions{OptionRule{"id", ValueType::number}, OptionRule{"role", ValueType::role}, OptionRule{"bsize", ValueType::number},
                                   OptionRule{"rsize", ValueType::number}, OptionRule{"mac", ValueType::mac}, OptionRule{"zero-copy", ValueType::yes_no},
                                   OptionRule{"secret", ValueType::text}};
constexpr std::array kVirtioUserOptions{OptionRule{"mac", ValueType::mac}, OptionRule{"queues", ValueType::number}, OptionRule{"queue_size", ValueType::number},
                                        OptionRule{"iface", ValueType::text}, OptionRule{"server", ValueType::bit}, OptionRule{"mrg_rxbuf", ValueType::bit},
                                        OptionRule{"in_order", ValueType::bit}, OptionRule{"packed_vq", ValueType::bit}, OptionRule{"speed", ValueType::number},
                                        OptionRule{"vectorized", ValueType::bit}};
constexpr std::array kVhostOptions{OptionRule{"queues", ValueType::number}, OptionRule{"client", ValueType::bit}, OptionRule{"iommu-support", ValueType::bit},
                                   OptionRule{"linear-buffer", ValueType::bit}, OptionRule{"ext-buffer", ValueType::bit}};
constexpr std::array kPcapOptions{OptionRule{"tx_pcap", ValueType::text}, OptionRule{"infinite_rx", ValueType::bit}};

struct KindRule {
    std::string_view word;
    DeviceKind kind;
    std::string_view names;  // what follows the colon
    std::span<const OptionRule> options;
};

constexpr std::array kKinds{
    KindRule{"af_packet", DeviceKind::af_packet, "the name of a kernel interface", kAfPacketOptions},
    KindRule{"af_xdp", DeviceKind::af_xdp, "the name of a kernel interface", kAfXdpOptions},
    KindRule{"tap", DeviceKind::tap, "the name of the kernel interface to make", kTapOptions},
    KindRule{"memif", DeviceKind::memif, "the path of a socket, or @ and the name of an abstract one", kMemifOptions},
    KindRule{"virtio_user", DeviceKind::virtio_user, "the path of a vhost-user socket or of /dev/vhost-net", kVirtioUserOptions},
    KindRule{"vhost", DeviceKind::vhost, "the path of the vhost-user socket to make", kVhostOptions},
    KindRule{"ring", DeviceKind::ring, "a name of up to 16 letters, digits, - and _", {}},
    KindRule{"pcap", DeviceKind::pcap, "the path of a capture file to receive from", kPcapOptions},
};

std::unexpected<SetupError> refuse_device(std::string_view text, std::string_view why) { return std::unexpected{SetupError{fmt::format("device \"{}\": {}", text, why)}}; }

/// Characters that DPDK's devargs parser takes for syntax cannot be quoted there.
bool has_plain_characters(std::string_view word) {
    return std::ranges::none_of(word, [](unsigned char c) { return std::isgraph(c) == 0 || std::string_view{",\"'[]\\"}.contains(static_cast<char>(c)); });
}

bool is_interface_name(std::string_view name) {
    return name.size() < 16 && name != "." && name != ".." && !name.contains('/') && !name.contains(':');
}

bool is_ring_name(std::string_view name) {
    return name.size() <= 16 && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

bool is_name_of(DeviceKind kind, std::string_view name) {
    if (name.empty() || !has_plain_characters(name)) return false;
    switch (kind) {
    case DeviceKind::af_packet:
    case DeviceKind::af_xdp:
    case DeviceKind::tap: return is_interface_name(name);
    case DeviceKind::ring: return is_ring_name(name);
    case DeviceKind::memif: return name != "@";
    case DeviceKind::pci:
    case DeviceKind::virtio_user:
    case DeviceKind::vhost:
    case DeviceKind::pcap: return true;
    }
    return false;
}

template <class Number>
bool read_number(std::string_view digits, int base, Number& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    return error == std::errc{} && end == digits.data() + digits.size();
}

/// Why `value` does not fit; empty when it does.
std::string_view wrong_value(ValueType type, std::string_view value) {
    std::uint32_t number = 0;
    switch (type) {
    case ValueType::number: return read_number(value, 10, number) ? "" : "a decimal number";
    case ValueType::bit: return value == "0" || value == "1" ? "" : "0 or 1";
    case ValueType::yes_no: return value == "yes" || value == "no" ? "" : "yes or no";
    case ValueType::role: return value == "server" || value == "client" ? "" : "server or client";
    case ValueType::mac: return MacAddress::parse(value) ? "" : "a MAC address such as 02:00:00:00:00:01";
    case ValueType::text: return has_plain_characters(value) ? "" : "text without spaces, quotes, brackets and backslashes";
    }
    return "";
}

std::string accepted_options(std::span<const OptionRule> rules) {
    if (rules.empty()) return "this kind has no options";
    std::string list = "accepted are ";
    for (std::size_t i = 0; i < rules.size(); ++i) list += fmt::format("{}{}", i == 0 ? "" : ", ", rules[i].key);
    return list;
}

/// `rules`: nothing where the driver's options are not known here (PCI).
std::expected<DeviceString::Options, SetupError> parse_options(std::string_view text, std::string_view list, std::optional<std::span<const OptionRule>> rules) {
    DeviceString::Options options;
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto option = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
        const auto equals = option.find('=');
        if (equals == std::string_view::npos || equals == 0 || equals + 1 == option.size())
            return refuse_device(text, fmt::format("\"{}\" is not an option; write KEY=VALUE", option));
        const auto key = option.substr(0, equals), value = option.substr(equals + 1);
        if (std::ranges::any_of(options, [&](const auto& earlier) { return earlier.first == key; })) return refuse_device(text, fmt::format("option {} stands twice", key));
        ValueType type = ValueType::text;
        if (rules) {
            const auto rule = std::ranges::find(*rules, key, &OptionRule::key);
            if (rule == rules->end()) return refuse_device(text, fmt::format("unknown option {}; {}", key, accepted_options(*rules)));
            type = rule->type;
        }
        if (const auto wanted = wrong_value(type, value); !wanted.empty()) return refuse_device(text, fmt::format("option {} is \"{}\" but must be {}", key, value, wanted));
        options.emplace_back(key, value);
    }
    return options;
}

/// A PCI address with its domain, in the form that DPDK names devices by; nothing if `text` is none.
std::optional<std::string> pci_address(std::string_view text) {
    std::uint32_t domain = 0, bus = 0, slot = 0, function = 0;
    const auto dot = text.rfind('.');
    if (dot == std::string_view::npos || !read_number(text.substr(dot + 1), 16, function)) return std::nullopt;
    auto rest = text.substr(0, dot);
    const auto slot_colon = rest.rfind(':');
    if (slot_colon == std::string_view::npos || !read_number(rest.substr(slot_colon + 1), 16, slot)) return std::nullopt;
    rest = rest.substr(0, slot_colon);
    const auto bus_colon = rest.rfind(':');
    if (bus_colon != std::string_view::npos && !read_number(rest.substr(0, bus_colon), 16, domain)) return std::nullopt;
    if (!read_number(bus_colon == std::string_view::npos ? rest : rest.substr(bus_colon + 1), 16, bus)) return std::nullopt;
    if (bus > 0xff || slot > 0x1f || function > 7) return std::nullopt;
    return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, slot, function);
}

void append(std::string& arguments, std::string_view key, std::string_view value) { arguments += fmt::format("{}{}={}", arguments.empty() ? "" : ",", key, value); }

/// What the name after the colon means to the driver.
void append_name(std::string& arguments, const DeviceString& device) {
    switch (device.kind) {
    case DeviceKind::af_packet:
    case DeviceKind::af_xdp:
    case DeviceKind::tap:
    case DeviceKind::vhost: return append(arguments, "iface", device.name);
    case DeviceKind::virtio_user: return append(arguments, "path", device.name);
    case DeviceKind::pcap: return append(arguments, "rx_pcap", device.name);
    case DeviceKind::memif:
        // The driver's default is an abstract socket, whose name would have to be told apart from a path by eye.
        append(arguments, "socket", device.name.starts_with('@') ? std::string_view{device.name}.substr(1) : device.name);
        return append(arguments, "socket-abstract", device.name.starts_with('@') ? "yes" : "no");
    case DeviceKind::pci:
    case DeviceKind::ring: return;
    }
}

/// Settings of ours for what the string leaves open.
void append_defaults(std::string& arguments, const DeviceString& device, const DeviceShape& shape) {
    // The driver wants a control queue, and does not make one by itself, when there are several pairs.
    if (device.kind == DeviceKind::virtio_user && device.option("queues").value_or("1") != "1") append(arguments, "cq", "1");
    if (device.kind == DeviceKind::af_xdp) append(arguments, "queue_count", std::to_string(shape.queues));
    if (device.kind != DeviceKind::af_packet) return;
    const auto unless_given = [&](std::string_view key, std::size_t value) {
        if (!device.option(key)) append(arguments, key, std::to_string(value));
    };
    // A worker that shares its core may not run for some milliseconds: the kernel's ring must hold what arrives meanwhile.
    constexpr std::size_t kRingBytes = std::size_t{4} << 20;
    const std::size_t frame = frame_bytes(shape.mtu);
    append(arguments, "qpairs", std::to_string(shape.queues));
    unless_given("framesz", frame);
    unless_given("blocksz", std::max<std::size_t>(frame, 4096));
    unless_given("framecnt", kRingBytes / frame);
}

}  // namespace

std::optional<std::string_view> DeviceString::option(std::string_view key) const {
    const auto found = std::ranges::find(options, key, [](const auto& option) { return std::string_view{option.first}; });
    if (found == options.end()) return std::nullopt;
    return found->second;
}

std::expected<DeviceString, SetupError> parse_device_string(std::string_view text) {
    if (text.empty()) return refuse_device(text, fmt::format("it is empty; accepted is {}", kForms));
    const auto comma = text.find(',');
    const auto subject = text.substr(0, comma);
    const auto list = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    if (comma != std::string_view::npos && (list.empty() || list.ends_with(','))) return refuse_device(text, "it ends in a comma");

    if (const auto address = pci_address(subject)) {
        auto options = parse_options(text, list, std::nullopt);
        if (!options) return std::unexpected{options.error()};
        return DeviceString{DeviceKind::pci, *address, std::move(*options)};
    }
    const auto colon = subject.find(':');
    if (colon == std::string_view::npos) return refuse_device(text, fmt::format("a kind is missing; for a kernel interface write af_packet:{}; accepted is {}", subject, kForms));
    const auto word = subject.substr(0, colon);
    const auto rule = std::ranges::find(kKinds, word, &KindRule::word);
    if (rule == kKinds.end()) return refuse_device(text, fmt::format("unknown kind \"{}\"; accepted is {}", word, kForms));
    const auto name = subject.substr(colon + 1);
    if (!is_name_of(rule->kind, name)) return refuse_device(text, fmt::format("\"{}\" is not {}", name, rule->names));
    auto options = parse_options(text, list, rule->options);
    if (!options) return std::unexpected{options.error()};
    return DeviceString{rule->kind, std::string{name}, std::move(*options)};
}

std::string to_string(const DeviceString& device) {
    const auto rule = std::ranges::find(kKinds, device.kind, &KindRule::kind);
    std::string text = rule == kKinds.end() ? device.name : fmt::format("{}:{}", rule->word, device.name);
    for (const auto& [key, value] : device.options) text += fmt::format(",{}={}", key, key == "secret" ? "(hidden)" : value);
    return text;
}

DeviceArguments device_arguments(const DeviceString& device, const DeviceShape& shape) {
    DeviceArguments result{.bus = "vdev", .device = {}, .arguments = {}};
    if (device.kind == DeviceKind::pci) {
        result.bus = "pci";
        result.device = device.name;
    } else if (device.kind == DeviceKind::ring) {
        result.device = fmt::format("net_ring_{}", device.name);
    } else {
        const auto rule = std::ranges::find(kKinds, device.kind, &KindRule::kind);
        result.device = fmt::format("net_{}{}", rule->word, shape.index);
    }
    append_name(result.arguments, device);
    append_defaults(result.arguments, device, shape);
    for (const auto& [key, value] : device.options) append(result.arguments, key, value);
    return result;
}

}  // namespace nave::dataplane
