// Times, sizes and rates: one number, one unit.
#include "controlplane/config/quantities.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace nave::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array kTimes{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array kSizes{Unit{"B", 1}, Unit{"kB", 1000}, Unit{"MB", 1000'000}, Unit{"GB", 1000'000'000}, Unit{"TB", 1000'000'000'000},
                            Unit{"KiB", 1ull << 10}, Unit{"MiB", 1ull << 20}, Unit{"GiB", 1ull << 30}, Unit{"TiB", 1ull << 40}};
constexpr std::array kExactSizes{kSizes[8], kSizes[7], kSizes[6], kSizes[5]};
constexpr std::array kRates{Unit{"kbit", 1000}, Unit{"Mbit", 1000'000}, Unit{"Gbit", 1000'000'000}};

template <std::size_t N>
std::optional<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units, std::uint64_t highest) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view name{end, text.data() + text.size()};
    for (const Unit& unit : units) {
        if (unit.name == name) return number <= highest / unit.factor ? std::optional{number * unit.factor} : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    constexpr std::uint64_t kHighest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 1000'000;
    const auto milliseconds = parse_quantity(text, kTimes, kHighest);
    if (!milliseconds) return std::nullopt;
    return std::chrono::milliseconds{static_cast<std::int64_t>(*milliseconds)};
}

std::string to_text(Duration duration) {
    const auto milliseconds = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    for (std::size_t i = kTimes.size(); i-- > 0;) {
        if (milliseconds != 0 && milliseconds % kTimes[i].factor == 0) return fmt::format("{}{}", milliseconds / kTimes[i].factor, kTimes[i].name);
    }
    return "0s";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    return parse_quantity(text, kSizes, std::numeric_limits<std::uint64_t>::max());
}

std::string size_to_text(std::uint64_t bytes) {
    for (const Unit& unit : kExactSizes) {
        if (bytes != 0 && bytes % unit.factor == 0) return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
    return fmt::format("{}B", bytes);
}

std::optional<std::uint64_t> parse_rate(std::string_view text) { return parse_quantity(text, kRates, std::numeric_limits<std::uint64_t>::max()); }

std::string rate_to_text(std::uint64_t bits_per_second) {
    for (std::size_t i = kRates.size(); i-- > 1;) {
        if (bits_per_second != 0 && bits_per_second % kRates[i].factor == 0) return fmt::format("{}{}", bits_per_second / kRates[i].factor, kRates[i].name);
    }
    return fmt::format("{}kbit", bits_per_second / kRates[0].factor);
}

}  // namespace nave::config
