// Addresses, prefixes, identities and names out of texts.
#include "controlplane/config/texts.hpp"

#include "controlplane/nhrp/group.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace nave::config {
namespace {

constexpr std::size_t kNameMax = 32;           // characters; a socket's path must hold it
constexpr std::size_t kInterfaceNameMax = 15;  // IFNAMSIZ without its final zero

std::unexpected<std::string> hint(std::string text) { return std::unexpected{std::move(text)}; }

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// Address and length as written, host bits and all; nothing when it is not of that form.
std::optional<InterfaceAddress> split(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = IpAddress::parse(text.substr(0, slash));
    const auto digits = text.substr(slash + 1);
    std::uint8_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (!address || error != std::errc{} || end != digits.data() + digits.size() || length > address->bit_count()) return std::nullopt;
    return InterfaceAddress{*address, length};
}

bool is_loopback(const IpAddress& address) {
    return address.is_v4() ? address.v4_host() >> 24 == 127 : address == IpAddress::parse("::1");
}

/// ::ffff:0:0/96, which is never on the wire (RFC 4291 §2.5.5.2).
bool is_mapped(const IpAddress& address) {
    constexpr std::array<std::uint8_t, 12> kFront{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return !address.is_v4() && std::ranges::equal(address.bytes().first(kFront.size()), kFront);
}

bool is_broadcast(const InterfaceAddress& address) {
    return address.address.is_v4() && (address.address.v4_host() | ~std::uint32_t{0} << (32 - address.length)) == ~std::uint32_t{0};
}

}  // namespace

Parsed<IpAddress> parse_host(std::string_view text) {
    const auto address = IpAddress::parse(text);
    if (!address) return hint("");
    if (address->is_unspecified()) return hint(fmt::format("{} is no host", address->to_string()));
    if (is_loopback(*address)) return hint("a loopback address is reachable by nobody else");
    if (address->is_multicast() || (address->is_v4() && address->v4_host() >> 28 == 0xf)) return hint("a multicast, reserved or broadcast address is no host");
    if (address->is_link_local()) return hint("a link-local address means another host on each link");
    if (is_mapped(*address)) return hint("an IPv4 address is written without \"::ffff:\"");
    return *address;
}

Parsed<IpAddress> parse_gateway(std::string_view text) {
    const auto address = IpAddress::parse(text);
    return address && address->is_link_local() ? *address : parse_host(text);
}

Parsed<NbmaAddress> parse_nbma(std::string_view text) {
    const auto address = parse_host(text);
    if (!address) return std::unexpected{address.error()};
    return NbmaAddress{*address};
}

Parsed<InterfaceAddress> parse_interface_address(std::string_view text) {
    const auto parts = split(text);
    if (!parts) return hint(IpAddress::parse(text) ? "the length is missing" : "");
    if (const auto host = parse_host(text.substr(0, text.find('/'))); !host) return hint(host.error());
    if (parts->length == 0) return hint("a network of length 0 is everything");
    const bool is_single = parts->length + 1 >= parts->address.bit_count();  // RFC 3021, RFC 6164: nothing but hosts
    if (!is_single && parts->network().address == parts->address) return hint("this is the network itself");
    if (!is_single && is_broadcast(*parts)) return hint("this is the network's broadcast address");
    return *parts;
}

Parsed<Prefix> parse_prefix(std::string_view text) {
    if (const auto prefix = Prefix::parse(text)) {
        if (is_mapped(prefix->address) && prefix->length > 0) return hint("an IPv4 prefix is written without \"::ffff:\"");
        return *prefix;
    }
    const auto parts = split(text);
    if (!parts) return hint("");
    return hint(fmt::format("host bits are set, did you mean \"{}\"?", parts->network().to_string()));
}

Parsed<ike::IdentityPattern> parse_pattern(std::string_view text) { return without_hint(ike::IdentityPattern::parse(text)); }

Parsed<std::string> parse_interface_name(std::string_view text) {
    if (!is_name(text)) return hint("");
    if (text.size() > kInterfaceNameMax) return hint(fmt::format("this has {} characters", text.size()));
    return std::string{text};
}

Parsed<std::string> parse_nhrp_group(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (text.size() < nhrp::kGroupMin || text.size() > nhrp::kGroupMax || !printable) return hint("");
    return std::string{text};
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameMax && text[0] != '.' && text[0] != '-' && std::ranges::all_of(text, is_name_character);
}

std::string print_host(const IpAddress& address) { return address.to_string(); }
std::string print_nbma(const NbmaAddress& address) { return address.value.to_string(); }
std::string print_prefix(const Prefix& prefix) { return prefix.to_string(); }

std::string print_interface_address(const InterfaceAddress& address) { return fmt::format("{}/{}", address.address.to_string(), address.length); }

std::string print_pattern(const ike::IdentityPattern& pattern) { return pattern.text(); }

std::string print_text(const std::string& text) { return text; }

}  // namespace nave::config
