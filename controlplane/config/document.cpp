// The tree of values, made by toml++: the only file that knows that library.
#include "controlplane/config/document.hpp"

#include "common/secret.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <toml++/toml.h>
#include <tuple>

namespace nave::config {
namespace {

constexpr std::size_t kQuotedMax = 48;  // characters of a text that an error shows
constexpr int kDepthMax = 16;           // deeper lies nothing that is known, so what it hangs from is refused

Place place_of(const toml::source_region& region) { return {region.begin.line, region.begin.column}; }

bool is_bare(std::string_view key) {
    return !key.empty() && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

void wipe_text(std::string& text) { wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

Value convert(toml::node& node, const std::string& path, int depth);

void convert_members(toml::table& table, Value& value, int depth) {
    value.kind = Value::Kind::table;
    if (depth > kDepthMax) return;
    for (auto&& [key, node] : table) {
        const std::string name = is_bare(key.str()) ? std::string{key.str()} : quote(key.str());
        Value member = convert(node, value.path.empty() ? name : value.path + "." + name, depth + 1);
        member.name = key.str();
        member.key_place = place_of(key.source());
        if (member.place.line == 0) member.place = member.key_place;
        value.children.push_back(std::move(member));
    }
    // The library orders members by name; ports and tunnels are numbered as the operator wrote them.
    std::ranges::sort(value.children, {}, [](const Value& member) { return std::tuple{member.key_place.line, member.key_place.column, std::string_view{member.name}}; });
}

void convert_elements(toml::array& array, Value& value, int depth) {
    value.kind = Value::Kind::array;
    if (depth > kDepthMax) return;
    for (std::size_t i = 0; i < array.size(); ++i) {
        Value element = convert(array[i], fmt::format("{}[{}]", value.path, i), depth + 1);
        if (element.place.line == 0) element.place = value.place;
        value.children.push_back(std::move(element));
    }
}

Value convert(toml::node& node, const std::string& path, int depth) {
    Value value;
    value.path = path;
    value.place = place_of(node.source());
    if (auto* table = node.as_table()) {
        convert_members(*table, value, depth);
    } else if (auto* array = node.as_array()) {
        convert_elements(*array, value, depth);
    } else if (auto* text = node.as_string()) {
        value.kind = Value::Kind::text;
        value.text = text->get();
        wipe_text(text->get());
    } else if (const auto* integer = node.as_integer()) {
        value.kind = Value::Kind::integer;
        value.integer = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
        value.kind = Value::Kind::real;
        value.real = real->get();
    } else if (const auto* truth = node.as_boolean()) {
        value.kind = Value::Kind::truth;
        value.truth = truth->get();
    }
    return value;
}

}  // namespace

Value::~Value() { wipe_text(text); }

const Value* Value::member(std::string_view key) const {
    const auto found_member = std::ranges::find(children, key, &Value::name);
    return found_member == children.end() ? nullptr : &*found_member;
}

std::string Value::found() const {
    switch (kind) {
    case Kind::truth: return truth ? "true" : "false";
    case Kind::integer: return fmt::format("{}", integer);
    case Kind::real: return fmt::format("{}", real);
    case Kind::text: return text.size() <= kQuotedMax ? quote(text) : quote(text.substr(0, kQuotedMax)) + "...";
    case Kind::array: return children.empty() ? "an empty array" : "an array";
    case Kind::table: return "a table";
    case Kind::other: break;
    }
    return "a date or time";
}

std::expected<Value, Problem> parse_document(std::string_view text, const std::string& file) {
    try {
        toml::table root = toml::parse(text, file);
        Value value;
        value.place = {1, 1};
        convert_members(root, value, 0);
        return value;
    } catch (const toml::parse_error& error) {
        const Place place = place_of(error.source());
        return std::unexpected{Problem{file, place.line, place.column, fmt::format("not TOML: {}", error.description())}};
    }
}

std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += fmt::format("\\{}", c);
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
        else quoted += c;
    }
    return quoted + "\"";
}

}  // namespace nave::config
