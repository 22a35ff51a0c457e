// A TOML document as a tree of values that know their key's full name and their place: what errors are made of.
#pragma once

#include "controlplane/config/config.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace nave::config {

/// Where something stands in the file, from 1; 0 when it has no place of its own.
struct Place {
    std::uint32_t line = 0, column = 0;
};

/// One value of the document. Its text is wiped when it goes, because it may be a key.
struct Value {
    enum class Kind : std::uint8_t { truth, integer, real, text, array, table, other };

    Kind kind = Kind::other;
    std::string name;             // its key in the table around it, if it is a member
    std::string path;             // full name: "tunnel.nave0.hub[0].address"
    Place key_place, place;       // of the key, and of the value
    bool truth = false;
    std::int64_t integer = 0;
    double real = 0;
    std::string text;
    std::vector<Value> children;  // elements of an array, members of a table in the order of the file

    Value() = default;
    Value(Value&&) noexcept = default;
    Value& operator=(Value&&) noexcept = default;
    Value(const Value&) = delete;
    Value& operator=(const Value&) = delete;
    ~Value();

    /// The member of that key, or nullptr.
    const Value* member(std::string_view key) const;
    /// As an error quotes it: `"abc"`, `42`, `true`, `an array`; long texts are cut, control characters escaped.
    std::string found() const;
};

/// Parses text into its root table; the one error of a document that is not TOML has its place.
std::expected<Value, Problem> parse_document(std::string_view text, const std::string& file);

/// A text as a TOML literal with its quotes.
std::string quote(std::string_view text);

}  // namespace nave::config
