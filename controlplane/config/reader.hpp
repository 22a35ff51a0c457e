// Reads tables by their known keys: a binding ties one key to one field, and everything that is wrong is collected.
#pragma once

#include "controlplane/config/document.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::config {

/// Collects what is wrong in one file.
class Reader {
public:
    Reader(std::string file, const KeyReader& read_key, const FileReader& read_file) : file_{std::move(file)}, read_key_{read_key}, read_file_{read_file} {}

    /// "PATH: found X; accepted: Y", at the value.
    void refuse(const Value& value, std::string_view accepts);
    /// "PATH: found X; accepted: Y; HINT", at the value.
    void refuse(const Value& value, std::string_view accepts, std::string_view hint);
    /// "PATH: TEXT", at the value.
    void problem(const Value& value, std::string_view text);
    void warning(const Value& value, std::string_view text);
    void unknown_key(const Value& member, const std::vector<std::string>& known);
    void missing_key(const Value& table, std::string_view key, std::string_view accepts);

    /// The key in a file that the value names, relative to the configuration's folder; empty when refused.
    Secret key_from_file(const Value& value);

    /// The content of a file that holds no secret; nothing when it was refused.
    std::optional<Bytes> file_content(const Value& value);
    /// The path that the value names, with the configuration's folder if it is relative.
    std::string path_of(const Value& value) const;

    Problems& problems() { return problems_; }
    Problems& warnings() { return warnings_; }
    const std::string& file() const { return file_; }

private:
    Problem at(Place place, const std::string& path, std::string_view text) const;

    std::string file_;
    const KeyReader& read_key_;
    const FileReader& read_file_;
    Problems problems_, warnings_;
};

/// Ties a key to a field of T.
template <class T>
struct Binding {
    std::string_view name;
    std::string accepts;                                          // "a whole number from 1 to 64"
    std::function<void(Reader&, const Value&, T&)> read;          // reports what it refuses
    std::function<std::string(const T&)> show;                    // a TOML literal; empty when unset; never a secret
    bool required = false;
};

template <class T>
using Bindings = std::vector<Binding<T>>;

template <class T>
Binding<T> required(Binding<T> binding) {
    binding.required = true;
    return binding;
}

template <class T>
std::vector<std::string> names(const Bindings<T>& bindings) {
    std::vector<std::string> all;
    for (const auto& binding : bindings) all.emplace_back(binding.name);
    return all;
}

/// Reads a table's members into `out`. Refuses what is no table, unknown keys, and required keys that are missing.
template <class T>
void read_table(Reader& reader, const Value& table, const Bindings<T>& bindings, T& out) {
    if (table.kind != Value::Kind::table) return reader.problem(table, "accepted: a table, \"[...]\" or { ... }");
    for (const Value& member : table.children) {
        const auto binding = std::ranges::find(bindings, member.name, &Binding<T>::name);
        if (binding == bindings.end()) reader.unknown_key(member, names(bindings));
        else binding->read(reader, member, out);
    }
    for (const auto& binding : bindings) {
        if (binding.required && table.member(binding.name) == nullptr) reader.missing_key(table, binding.name, binding.accepts);
    }
}

/// Appends what is in force, one setting for each key that has a value.
template <class T>
void show_table(const std::string& prefix, const T& object, const Bindings<T>& bindings, std::vector<Setting>& out) {
    for (const auto& binding : bindings) {
        std::string literal = binding.show(object);
        if (!literal.empty()) out.push_back({prefix + std::string{binding.name}, std::move(literal)});
    }
}

}  // namespace nave::config
