// Times, sizes and rates as an operator writes them: "10m", "8h", "1GiB", "20Mbit".
#pragma once

#include "common/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nave::config {

/// A whole number followed by ms, s, m, h or d, without a space; nothing for anything else or beyond 292 years.
std::optional<Duration> parse_duration(std::string_view text);
/// The inverse, in the largest unit that is exact; parts of a millisecond are cut.
std::string to_text(Duration duration);

/// A whole number followed by B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024); gives bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// The inverse, in the largest unit of 1024 that is exact.
std::string size_to_text(std::uint64_t bytes);

/// A whole number followed by kbit, Mbit or Gbit (powers of 1000); gives bits per second.
std::optional<std::uint64_t> parse_rate(std::string_view text);
/// The inverse, in the largest unit that is exact.
std::string rate_to_text(std::uint64_t bits_per_second);

}  // namespace nave::config
