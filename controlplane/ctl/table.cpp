// Widths, wrapping, and numbers that are short enough to compare at a glance.
#include "controlplane/ctl/table.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nave::ctl {
namespace {

constexpr std::size_t kGap = 2;            // spaces between columns
constexpr std::size_t kSentenceMin = 40;   // columns that a wrapped sentence gets at least

/// Characters, not bytes: continuation bytes of UTF-8 do not count.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Breaks at spaces into lines of at most `width` characters; a longer word stands alone.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
    std::vector<std::string> lines(1);
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find(' ', start), text.size());
        const std::string word = text.substr(start, end - start);
        if (!lines.back().empty() && width_of(lines.back()) + 1 + width_of(word) > width) lines.emplace_back();
        if (!lines.back().empty()) lines.back() += ' ';
        lines.back() += word;
        start = end + 1;
    }
    return lines;
}

std::string scaled(std::uint64_t value, std::string_view unit) {
    static constexpr std::array<std::string_view, 6> kPrefixes{"k", "M", "G", "T", "P", "E"};
    double rest = static_cast<double>(value) / 1000;
    std::size_t prefix = 0;
    while (rest >= 999.5 && prefix + 1 < kPrefixes.size()) rest /= 1000, ++prefix;
    const int decimals = rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f}{}{}", rest, decimals, kPrefixes[prefix], unit);
}

}  // namespace

std::string Table::line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string padding(widths[i] - std::min(widths[i], width_of(cells[i])), ' ');
        line += columns_[i].align == Align::right ? padding + cells[i] : cells[i] + padding;
        line.append(kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

std::string Table::to_string() const {
    std::vector<std::string> titles;
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        titles.push_back(columns_[i].title);
        widths.push_back(width_of(columns_[i].title));
        for (const auto& row : rows_) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::size_t before_last = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + kGap;
    const std::size_t last_width = std::max(kSentenceMin, kWidth - std::min(kWidth, before_last));
    std::string text = line_of(titles, widths);
    for (const auto& row : rows_) {
        auto cells = row;
        for (const std::string& part : wrap(row.back(), last_width)) {
            cells.back() = part;
            text += line_of(cells, widths);
            cells.assign(row.size(), "");
        }
    }
    return text;
}

std::string short_count(std::uint64_t count) { return count < 100'000 ? fmt::format("{}", count) : scaled(count, ""); }

std::string short_bytes(std::uint64_t bytes) { return bytes < 1000 ? fmt::format("{}B", bytes) : scaled(bytes, "B"); }

std::string short_time(std::uint64_t seconds) {
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

}  // namespace nave::ctl
