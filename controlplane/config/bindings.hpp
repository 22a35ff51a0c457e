// The kinds of settings there are: each maker ties a key to the field that `get` gives, for reading and for showing.
#pragma once

#include "controlplane/config/quantities.hpp"
#include "controlplane/config/reader.hpp"

#include <concepts>
#include <cstdint>
#include <expected>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace nave::config {

/// What a parser of one text gives: the value, or a hint such as `did you mean "10.0.0.0/8"?` (may be empty).
template <class X>
using Parsed = std::expected<X, std::string>;

/// The name of a port or tunnel, which is looked up once the whole file was read.
inline Parsed<std::string> parse_reference(std::string_view text) { return std::string{text}; }

/// Turns a parser without hints into one that has none to give.
template <class X>
Parsed<X> without_hint(std::optional<X> value) {
    if (!value) return std::unexpected{std::string{}};
    return std::move(*value);
}

namespace detail {
template <class X> struct Unwrapped { using Type = X; };
template <class X> struct Unwrapped<std::optional<X>> { using Type = X; };
}  // namespace detail

/// The way from an object to a field in it, member by member: via(&TunnelDraft::tunnel, &overlay::Tunnel::mtu).
template <class... Members>
auto via(Members... members) {
    return [=](auto& object) -> auto& { return (object.* ... .* members); };
}

/// True for a field that holds something; only an optional may hold nothing.
template <class X> bool holds(const X&) { return true; }
template <class X> bool holds(const std::optional<X>& field) { return field.has_value(); }
template <class X> const X& held(const X& field) { return field; }
template <class X> const X& held(const std::optional<X>& field) { return *field; }

/// A whole number within bounds, for integer fields and optional ones.
template <class T, class Get>
Binding<T> number(std::string_view name, std::uint64_t lowest, std::uint64_t highest, Get get) {
    std::string accepts = fmt::format("a whole number from {} to {}", lowest, highest);
    auto read = [=](Reader& reader, const Value& value, T& out) {
        const auto given = static_cast<std::uint64_t>(value.integer);
        if (value.kind != Value::Kind::integer || value.integer < 0 || given < lowest || given > highest) return reader.refuse(value, accepts);
        using Field = typename detail::Unwrapped<std::remove_cvref_t<decltype(get(out))>>::Type;
        get(out) = static_cast<Field>(given);
    };
    auto show = [get](const T& object) { return holds(get(object)) ? fmt::format("{}", held(get(object))) : std::string{}; };
    return {name, accepts, read, show};
}

template <class T, class Get>
Binding<T> truth(std::string_view name, Get get) {
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::truth) return reader.refuse(value, "true or false");
        get(out) = value.truth;
    };
    return {name, "true or false", read, [get](const T& object) { return std::string{get(object) ? "true" : "false"}; }};
}

/// A time within bounds; a bare whole number counts seconds.
template <class T, class Get>
Binding<T> duration(std::string_view name, Duration shortest, Duration longest, Get get) {
    std::string accepts = fmt::format("a time from \"{}\" to \"{}\", such as \"90s\", \"10m\" or \"8h\"; a bare number counts seconds",
                                      to_text(shortest), to_text(longest));
    auto read = [=](Reader& reader, const Value& value, T& out) {
        std::optional<Duration> given;
        if (value.kind == Value::Kind::text) given = parse_duration(value.text);
        if (value.kind == Value::Kind::integer && value.integer >= 0) given = parse_duration(fmt::format("{}s", value.integer));
        if (!given || *given < shortest || *given > longest) return reader.refuse(value, accepts);
        get(out) = *given;
    };
    return {name, accepts, read, [get](const T& object) { return quote(to_text(get(object))); }};
}

/// A size in steps of `unit` bytes, kept in that unit; a bare whole number counts bytes.
template <class T, class Get>
Binding<T> size(std::string_view name, std::uint64_t smallest, std::uint64_t largest, std::uint64_t unit, Get get, std::string_view note = "") {
    std::string accepts = fmt::format("a size from \"{}\" to \"{}\", such as \"512MiB\" or \"4GB\"; a bare number counts bytes{}",
                                      size_to_text(smallest), size_to_text(largest), note);
    auto read = [=](Reader& reader, const Value& value, T& out) {
        std::optional<std::uint64_t> given;
        if (value.kind == Value::Kind::text) given = parse_size(value.text);
        if (value.kind == Value::Kind::integer && value.integer >= 0) given = static_cast<std::uint64_t>(value.integer);
        const bool off = !note.empty() && given == 0u;
        if (!given || (!off && (*given < smallest || *given > largest))) return reader.refuse(value, accepts);
        get(out) = static_cast<std::remove_cvref_t<decltype(get(out))>>(*given / unit);
    };
    return {name, accepts, read, [=](const T& object) {
        const std::uint64_t bytes = get(object) * unit;
        return bytes == 0 ? std::string{"0"} : quote(size_to_text(bytes));
    }};
}

/// A text that `parse` turns into the field's value, and `print` back.
template <class T, class Parse, class Print, class Get>
Binding<T> parsed(std::string_view name, std::string accepts, Parse parse, Print print, Get get) {
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::text) return reader.refuse(value, accepts);
        auto given = parse(value.text);
        if (!given) return reader.refuse(value, accepts, given.error());
        get(out) = std::move(*given);
    };
    return {name, accepts, read, [=](const T& object) {
        const std::string text = holds(get(object)) ? print(held(get(object))) : std::string{};
        return text.empty() ? text : quote(text);
    }};
}

struct Count {
    std::size_t fewest, most;
};

/// An array of texts, each turned into an element by `parse`; what is given replaces the field's default.
template <class T, class Parse, class Print, class Get>
Binding<T> list(std::string_view name, std::string accepts, Count count, Parse parse, Print print, Get get) {
    const std::string all = fmt::format("an array of {} to {} texts, each {}", count.fewest, count.most, accepts);
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::array || value.children.size() < count.fewest || value.children.size() > count.most) return reader.refuse(value, all);
        auto& field = get(out);
        field.clear();
        for (const Value& element : value.children) {
            if (element.kind != Value::Kind::text) {
                reader.refuse(element, accepts);
                continue;
            }
            auto given = parse(element.text);
            if (given) field.push_back(std::move(*given));
            else reader.refuse(element, accepts, given.error());
        }
    };
    auto show = [=](const T& object) {
        std::vector<std::string> literals;
        for (const auto& element : get(object)) literals.push_back(quote(print(element)));
        return fmt::format("[{}]", fmt::join(literals, ", "));
    };
    return {name, all, read, show};
}

/// One text, or an array of up to two that `parse` turns into elements of different families; `family` tells an element's.
template <class T, class Parse, class Print, class FamilyOf, class Get>
Binding<T> one_per_family(std::string_view name, std::string_view accepts_one, Parse parse, Print print, FamilyOf family, Get get) {
    std::string accepts = fmt::format("{}, or an array of two, one of IPv4 and one of IPv6", accepts_one);
    auto read_one = [=](Reader& reader, const Value& value, T& out) {
        auto given = value.kind == Value::Kind::text ? parse(value.text) : std::unexpected{std::string{}};
        if (!given) return reader.refuse(value, accepts, given.error());
        if (std::ranges::count(get(out), family(*given), family) > 0) return reader.refuse(value, accepts, "there is one of this family already");
        get(out).push_back(std::move(*given));
    };
    auto read = [=](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::array) return read_one(reader, value, out);
        if (value.children.empty()) return reader.refuse(value, accepts);
        for (const Value& element : value.children) read_one(reader, element, out);
    };
    return {name, accepts, read, [=](const T& object) {
        std::vector<std::string> literals;
        for (const auto& element : get(object)) literals.push_back(quote(print(element)));
        return literals.size() < 2 ? fmt::format("{}", fmt::join(literals, "")) : fmt::format("[{}]", fmt::join(literals, ", "));
    }};
}

/// One of a few words.
template <class T, class Choice, class Get>
Binding<T> choice(std::string_view name, std::vector<std::pair<std::string_view, Choice>> words, Get get) {
    std::string accepts = "one of";
    for (const auto& [word, ignored] : words) accepts += fmt::format(" {}", quote(word));
    auto read = [=](Reader& reader, const Value& value, T& out) {
        const auto word = std::ranges::find(words, value.text, &std::pair<std::string_view, Choice>::first);
        if (value.kind != Value::Kind::text || word == words.end()) return reader.refuse(value, accepts);
        get(out) = word->second;
    };
    return {name, accepts, read, [=](const T& object) {
        const auto word = std::ranges::find(words, get(object), &std::pair<std::string_view, Choice>::second);
        return quote(word->first);
    }};
}

/// An array of tables, each read by `bindings` into an element that keeps a pointer to its source. What is found instead is
/// never quoted: it may be a key that went astray.
template <class T, class Element, class Get>
Binding<T> tables(std::string_view name, std::string accepts, std::size_t most, const Bindings<Element>& bindings, Get get) {
    auto read = [=, &bindings](Reader& reader, const Value& value, T& out) {
        if (value.kind != Value::Kind::array) return reader.problem(value, fmt::format("accepted: {}", accepts));
        if (value.children.size() > most) return reader.problem(value, fmt::format("found {} entries; accepted: up to {}", value.children.size(), most));
        for (const Value& child : value.children) {
            Element element;
            element.source = &child;
            read_table(reader, child, bindings, element);
            get(out).push_back(std::move(element));
        }
    };
    auto show = [=, &bindings](const T& object) {
        std::vector<std::string> literals;
        for (const auto& element : get(object)) {
            std::vector<Setting> settings;
            show_table("", element, bindings, settings);
            std::vector<std::string> members;
            for (const auto& setting : settings) members.push_back(fmt::format("{} = {}", setting.key, setting.value));
            literals.push_back(fmt::format("{{ {} }}", fmt::join(members, ", ")));
        }
        return fmt::format("[{}]", fmt::join(literals, ", "));
    };
    return {name, accepts, read, show};
}

}  // namespace nave::config
