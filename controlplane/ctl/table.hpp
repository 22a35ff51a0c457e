// Aligned tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::ctl {

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
};

/// Rows of texts under titles, two spaces between columns. Every row has as many cells as there are columns.
class Table {
public:
    static constexpr std::size_t kWidth = 120;  // characters

    explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.empty(); }
    /// With line ends. The last column, when it is a sentence, goes on below itself instead of beyond kWidth.
    std::string to_string() const;

private:
    std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// 1234567 as "1.23M"; numbers below 100000 in full.
std::string short_count(std::uint64_t count);
/// 1234567 as "1.23MB".
std::string short_bytes(std::uint64_t bytes);
/// Seconds as "59s", "12m05s", "3h12m" or "4d07h".
std::string short_time(std::uint64_t seconds);

}  // namespace nave::ctl
