// An axis of a chart: its range, its ticks and where a value lies on it. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nave::rig {

/// A mark on an axis.
struct Tick {
    double value = 0;
    std::string label;
};

/// How an axis is wanted.
struct AxisWish {
    double length = 400;         // pixels
    bool logarithmic = false;
    bool from_zero = false;      // linear only: the range includes zero
    bool marks_values = false;   // ticks at the values themselves where these are few and their labels have room
};

class Axis {
public:
    /// An axis that holds all the values; any finite ones, on a logarithmic axis above zero. None at all: 0 to 1, or 1 to 10.
    Axis(std::span<const double> values, const AxisWish& wish);

    const std::vector<Tick>& ticks() const { return ticks_; }
    /// 0 at the low end, 1 at the high end.
    double position(double value) const;

private:
    void fit_linear(std::span<const double> values, const AxisWish& wish);
    void fit_logarithmic(std::span<const double> values);
    void mark_values(std::span<const double> values, double length);
    std::string label(double value) const;

    bool logarithmic_;
    double low_ = 0, high_ = 1;
    std::vector<Tick> ticks_;
};

/// How wide a text is in a sans-serif font of that size, roughly and rather too much.
double text_width(std::string_view text, double font_size);

}  // namespace nave::rig
