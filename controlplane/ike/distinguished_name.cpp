// The text of distinguished names, and what a pattern of one means.
#include "controlplane/ike/distinguished_name.hpp"

#include "controlplane/ike/crypto_name.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace nave::ike {
namespace {

constexpr std::size_t kAttributesMax = 32;
constexpr std::string_view kEscaped = ",+=\"\\<>;#*";

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Reads the text of a name from left to right.
struct NameText {
    std::string_view rest;

    void skip_spaces() { rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size())); }

    std::optional<std::string> type() {
        const std::size_t end = rest.find('=');
        if (end == std::string_view::npos) return std::nullopt;
        std::string_view text = rest.substr(0, end);
        while (text.ends_with(' ')) text.remove_suffix(1);
        rest.remove_prefix(end + 1);
        return canonical_attribute_type(text);
    }

    /// One character of a value, with or without escape. Nothing if the escape leads nowhere.
    std::optional<char> character() {
        const char first = rest.front();
        rest.remove_prefix(1);
        if (first != '\\') return first;
        if (rest.empty()) return std::nullopt;
        const int high = hex_value(rest[0]), low = rest.size() > 1 ? hex_value(rest[1]) : -1;
        const bool is_hex = high >= 0 && low >= 0;
        const char literal = is_hex ? static_cast<char>(high << 4 | low) : rest[0];
        rest.remove_prefix(is_hex ? 2 : 1);
        return literal;
    }

    /// Up to the next "," or "+" or the end; spaces around it do not belong to it, unless they are escaped.
    bool value(NameAttribute& out) {
        skip_spaces();
        std::size_t solid = 0;  // bytes before trailing spaces
        bool has_escape = false;
        while (!rest.empty() && rest.front() != ',' && rest.front() != '+') {
            const bool is_escape = rest.front() == '\\';
            const bool is_space = rest.front() == ' ';
            const auto c = character();
            if (!c) return false;
            out.value += *c;
            has_escape = has_escape || is_escape;
            if (!is_space) solid = out.value.size();
        }
        out.value.resize(solid);
        out.any = out.value == "*" && !has_escape;
        return !out.value.empty();
    }
};

/// Lower case, one space for several, none at the ends. ASCII alone: other letters compare byte by byte.
std::string folded(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == ' ' && (text.empty() || text.back() == ' ')) continue;
        text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (text.ends_with(' ')) text.pop_back();
    return text;
}

/// An RDN is a set: its attributes have no order of their own.
DistinguishedName with_sorted_sets(DistinguishedName name) {
    for (auto first = name.begin(); first != name.end();) {
        const auto next = std::find_if(first + 1, name.end(), [](const NameAttribute& attribute) { return !attribute.joined; });
        std::sort(first, next, [](const NameAttribute& a, const NameAttribute& b) { return std::tie(a.type, a.value) < std::tie(b.type, b.value); });
        for (auto each = first; each != next; ++each) each->joined = each != first;
        first = next;
    }
    return name;
}

std::string escaped_value(std::string_view value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const bool is_outer_space = c == ' ' && (i == 0 || i + 1 == value.size());
        if (c < ' ' || c > '~' || is_outer_space) text += fmt::format("\\{:02x}", static_cast<unsigned char>(c));
        else if (kEscaped.contains(c)) text += {'\\', c};
        else text += c;
    }
    return text;
}

}  // namespace

std::optional<DistinguishedName> parse_name(std::string_view text) {
    DistinguishedName name;
    NameText in{text};
    bool joined = false;
    while (true) {
        in.skip_spaces();
        const auto type = in.type();
        NameAttribute attribute{.type = type.value_or(""), .value = {}, .joined = joined};
        if (!type || !in.value(attribute) || name.size() == kAttributesMax) return std::nullopt;
        name.push_back(std::move(attribute));
        if (in.rest.empty()) return name;
        joined = in.rest.front() == '+';
        in.rest.remove_prefix(1);
    }
}

std::string to_string(const DistinguishedName& name) {
    std::string text;
    for (const NameAttribute& attribute : name) {
        if (!text.empty()) text += attribute.joined ? "+" : ", ";
        text += attribute.type + "=" + (attribute.any ? "*" : escaped_value(attribute.value));
    }
    return text;
}

bool matches(const DistinguishedName& pattern, const DistinguishedName& name) {
    return std::ranges::equal(with_sorted_sets(pattern), with_sorted_sets(name), [](const NameAttribute& wanted, const NameAttribute& found) {
        return wanted.type == found.type && wanted.joined == found.joined && (wanted.any || folded(wanted.value) == folded(found.value));
    });
}

}  // namespace nave::ike
