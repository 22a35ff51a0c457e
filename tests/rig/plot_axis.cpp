// Ticks at round numbers, or at the values themselves.
#include "tests/rig/plot_axis.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace nave::rig {

namespace {

constexpr double kIntervals = 5;          // wanted between linear ticks
constexpr std::size_t kMarkedValues = 12;  // more values than this make no ticks of their own
constexpr double kTickFont = 11;

/// The smallest of 1, 2 or 5 times a power of ten that is not below `step`.
double round_up(double step) {
    const double power = std::pow(10, std::floor(std::log10(step)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * power >= step * (1 - 1e-9)) return factor * power;
    return 10 * power;
}

}  // namespace

double text_width(std::string_view text, double font_size) {
    const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; };  // UTF-8
    return 0.58 * font_size * static_cast<double>(text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues)));
}

Axis::Axis(std::span<const double> values, const AxisWish& wish) : logarithmic_{wish.logarithmic} {
    if (logarithmic_) fit_logarithmic(values);
    else fit_linear(values, wish);
    if (wish.marks_values) mark_values(values, wish.length);
}

double Axis::position(double value) const {
    if (logarithmic_) return std::log(value / low_) / std::log(high_ / low_);
    return (value - low_) / (high_ - low_);
}

void Axis::fit_linear(std::span<const double> values, const AxisWish& wish) {
    if (!values.empty()) {
        const auto [least, most] = std::ranges::minmax(values);
        low_ = wish.from_zero ? std::min(0.0, least) : least;
        high_ = wish.from_zero ? std::max(0.0, most) : most;
    }
    if (high_ <= low_) high_ = low_ + std::max(1.0, std::abs(low_) / 10);
    const double step = round_up((high_ - low_) / kIntervals);
    low_ = std::floor(low_ / step + 1e-9) * step;
    high_ = std::ceil(high_ / step - 1e-9) * step;
    const auto count = std::lround((high_ - low_) / step);
    for (long i = 0; i <= count; ++i) {
        // Through the integers, so that zero is zero and 0.3 is not 0.30000000000000004.
        const double value = std::round(low_ / step + static_cast<double>(i)) * step;
        ticks_.push_back({value, label(value)});
    }
}

void Axis::fit_logarithmic(std::span<const double> values) {
    low_ = 1;
    high_ = 10;
    if (!values.empty()) {
        const auto [least, most] = std::ranges::minmax(values);
        low_ = least;
        high_ = most > least ? most : least * 10;
    }
    // Over few decades the ends lie at 1, 2 or 5 of a decade and each of those is a tick, over many only the decades.
    const bool fine = high_ / low_ <= 1000;
    std::vector<double> marks;
    for (double power = std::floor(std::log10(low_) - 1e-9); power <= std::ceil(std::log10(high_)) + 0.5; ++power)
        for (const double factor : {1.0, 2.0, 5.0})
            if (fine || factor == 1.0) marks.push_back(factor * std::pow(10, power));
    const auto first = std::ranges::find_if(marks, [&](double mark) { return mark > low_ * (1 + 1e-9); }) - 1;
    const auto last = std::ranges::find_if(marks, [&](double mark) { return mark >= high_ * (1 - 1e-9); });
    low_ = *first;
    high_ = *last;
    for (auto mark = first; mark <= last; ++mark) ticks_.push_back({*mark, label(*mark)});
}

void Axis::mark_values(std::span<const double> values, double length) {
    std::vector<double> own(values.begin(), values.end());
    std::ranges::sort(own);
    own.erase(std::ranges::unique(own).begin(), own.end());
    if (own.empty() || own.size() > kMarkedValues) return;
    std::vector<Tick> ticks;
    for (const double value : own) ticks.push_back({value, label(value)});
    for (std::size_t i = 1; i < ticks.size(); ++i) {
        const double room = (position(ticks[i].value) - position(ticks[i - 1].value)) * length;
        if (room < (text_width(ticks[i].label, kTickFont) + text_width(ticks[i - 1].label, kTickFont)) / 2 + 4) return;
    }
    ticks_ = std::move(ticks);
}

std::string Axis::label(double value) const {
    struct Unit {
        double size;
        std::string_view suffix;
    };
    constexpr std::array units{Unit{1e9, "G"}, Unit{1e6, "M"}, Unit{1e3, "k"}};
    // Frame sizes and the like stay plain numbers; an axis that goes further shortens all its thousands alike.
    if (std::max(std::abs(low_), std::abs(high_)) >= 10'000)
        for (const auto& unit : units)
            if (std::abs(value) >= unit.size) return fmt::format("{:.4g}{}", value / unit.size, unit.suffix);
    return fmt::format("{:.6g}", value);
}

}  // namespace nave::rig
