// The wording of what is wrong.
#include "controlplane/config/reader.hpp"

#include "controlplane/config/suggestion.hpp"

#include <filesystem>
#include <fmt/format.h>

namespace nave::config {

Problem Reader::at(Place place, const std::string& path, std::string_view text) const {
    return {file_, place.line, place.column, path.empty() ? std::string{text} : fmt::format("{}: {}", path, text)};
}

void Reader::refuse(const Value& value, std::string_view accepts) {
    problem(value, fmt::format("found {}; accepted: {}", value.found(), accepts));
}

void Reader::refuse(const Value& value, std::string_view accepts, std::string_view hint) {
    problem(value, fmt::format("found {}; accepted: {}{}{}", value.found(), accepts, hint.empty() ? "" : "; ", hint));
}

void Reader::problem(const Value& value, std::string_view text) { problems_.push_back(at(value.place, value.path, text)); }

void Reader::warning(const Value& value, std::string_view text) { warnings_.push_back(at(value.place, value.path, text)); }

void Reader::unknown_key(const Value& member, const std::vector<std::string>& known) {
    problems_.push_back(at(member.key_place, member.path, fmt::format("unknown key{}", suggestion(member.name, known))));
}

void Reader::missing_key(const Value& table, std::string_view key, std::string_view accepts) {
    problem(table, fmt::format("\"{}\" is missing; accepted: {}", key, accepts));
}

Secret Reader::key_from_file(const Value& value) {
    auto key = read_key_(path_of(value));
    if (key) return std::move(*key);
    problem(value, fmt::format("cannot use the key in {}: {}", path_of(value), key.error()));
    return {};
}

std::optional<Bytes> Reader::file_content(const Value& value) {
    auto content = read_file_(path_of(value));
    if (content) return std::move(*content);
    problem(value, fmt::format("cannot read {}: {}", path_of(value), content.error()));
    return std::nullopt;
}

std::string Reader::path_of(const Value& value) const {
    const std::filesystem::path named{value.text};
    return (named.is_absolute() ? named : std::filesystem::path{file_}.parent_path() / named).string();
}

}  // namespace nave::config
