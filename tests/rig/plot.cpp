// The page's layout and its SVG.
#include "tests/rig/plot.hpp"

#include "tests/rig/plot_axis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace nave::rig {

namespace {

// Okabe and Ito's palette, told apart with any kind of colour vision, without its yellow, which is faint on a light ground.
constexpr std::array<std::string_view, 7> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444"};
constexpr std::string_view kInk = "#222222", kFaint = "#666666", kGrid = "#e4e4e0", kGround = "#fdfdfb";
constexpr double kMargin = 24, kHeadline = 56, kGap = 28;
constexpr double kNarrow = 480, kWide = 760, kPlotHeight = 250;
constexpr double kLeft = 62, kRight = 14, kTop = 34, kBelow = 46, kLegendRow = 18, kLegendFont = 12;

struct Box {
    double x, y, width, height;
};

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') out += "&amp;";
        else if (c == '<') out += "&lt;";
        else if (c == '>') out += "&gt;";
        else if (c == '"') out += "&quot;";
        else if (static_cast<unsigned char>(c) >= 0x20) out += c;  // XML has no way to write the others
        else out += ' ';
    }
    return out;
}

class Page {
public:
    Page(double width, double height) {
        add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" height="{1:.0f}" )"
            R"(font-family="'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif">)", width, height);
        add(R"(<rect width="{:.0f}" height="{:.0f}" fill="{}"/>)", width, height, kGround);
    }

    template <class... Arguments>
    void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        fmt::format_to(std::back_inserter(svg_), format, std::forward<Arguments>(arguments)...);
        svg_ += '\n';
    }

    struct Style {
        double size = 12;
        std::string_view anchor = "start", colour = kInk, more = "";  // `more`: further attributes
    };

    void text(double x, double y, std::string_view words, const Style& style) {
        add(R"(<text x="{:.1f}" y="{:.1f}" font-size="{:.0f}" text-anchor="{}" fill="{}"{}>{}</text>)", x, y, style.size, style.anchor, style.colour,
            style.more, escape(words));
    }

    void line(double x1, double y1, double x2, double y2, std::string_view colour) {
        add(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>)", x1, y1, x2, y2, colour);
    }

    std::string finish() && { return std::move(svg_) + "</svg>\n"; }

private:
    std::string svg_;
};

/// Series differ in shape as well as in colour, so that a print in grey can be read.
void marker(Page& page, std::size_t series, double x, double y, std::string_view hint) {
    const auto colour = kColours[series % kColours.size()];
    const auto inside = hint.empty() ? std::string{} : fmt::format("<title>{}</title>", escape(hint));
    switch (series % 4) {
    case 0: return page.add(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.6" fill="{}">{}</circle>)", x, y, colour, inside);
    case 1: return page.add(R"(<rect x="{:.1f}" y="{:.1f}" width="6.6" height="6.6" fill="{}">{}</rect>)", x - 3.3, y - 3.3, colour, inside);
    case 2: return page.add(R"(<path d="M{:.1f} {:.1f}l4.3 7.4h-8.6z" fill="{}">{}</path>)", x, y - 4.6, colour, inside);
    default: return page.add(R"(<path d="M{:.1f} {:.1f}l4.4 4.4l-4.4 4.4l-4.4 -4.4z" fill="{}">{}</path>)", x, y - 4.4, colour, inside);
    }
}

std::string stroke(const Series& series, std::size_t number) {
    return fmt::format(R"(fill="none" stroke="{}" stroke-width="2" stroke-linejoin="round"{})", kColours[number % kColours.size()],
                       series.dashed ? R"( stroke-dasharray="6 4")" : "");
}

/// The points that the chart's axes can show.
std::vector<std::pair<double, double>> shown(const Chart& chart, const Series& series) {
    std::vector<std::pair<double, double>> points;
    std::ranges::copy_if(series.points, std::back_inserter(points), [&](const auto& point) {
        return std::isfinite(point.first) && std::isfinite(point.second) && (!chart.x_logarithmic || point.first > 0) &&
               (!chart.y_logarithmic || point.second > 0);
    });
    return points;
}

void draw_axes(Page& page, const Chart& chart, const Box& plot, const Axis& x, const Axis& y) {
    for (const auto& tick : y.ticks()) {
        const double at = plot.y + plot.height * (1 - y.position(tick.value));
        page.line(plot.x, at, plot.x + plot.width, at, kGrid);
        page.text(plot.x - 7, at + 4, tick.label, {.size = 11, .anchor = "end", .colour = kFaint});
    }
    for (const auto& tick : x.ticks()) {
        const double at = plot.x + plot.width * x.position(tick.value);
        page.line(at, plot.y, at, plot.y + plot.height, kGrid);
        page.text(at, plot.y + plot.height + 16, tick.label, {.size = 11, .anchor = "middle", .colour = kFaint});
    }
    page.line(plot.x, plot.y + plot.height, plot.x + plot.width, plot.y + plot.height, kFaint);
    page.line(plot.x, plot.y, plot.x, plot.y + plot.height, kFaint);
    page.text(plot.x + plot.width / 2, plot.y + plot.height + 36, chart.x_label, {.anchor = "middle"});
    const double middle = plot.y + plot.height / 2, left = plot.x - kLeft + 14;
    page.text(left, middle, chart.y_label, {.anchor = "middle", .more = fmt::format(R"-( transform="rotate(-90 {:.1f} {:.1f})")-", left, middle)});
}

void draw_series(Page& page, const Chart& chart, const Box& plot, const Axis& x, const Axis& y) {
    for (std::size_t number = 0; number < chart.series.size(); ++number) {
        const auto& series = chart.series[number];
        const auto points = shown(chart, series);
        std::string path;
        const auto across = [&](double value) { return plot.x + plot.width * x.position(value); };
        const auto up = [&](double value) { return plot.y + plot.height * (1 - y.position(value)); };
        for (const auto& [at, value] : points) fmt::format_to(std::back_inserter(path), "{:.1f},{:.1f} ", across(at), up(value));
        if (points.size() > 1) page.add(R"(<polyline points="{}" {}/>)", path, stroke(series, number));
        for (const auto& [at, value] : points) marker(page, number, across(at), up(value), fmt::format("{}: {:.6g}, {:.6g}", series.name, at, value));
    }
}

/// How many entries stand beside each other below a plot.
std::size_t legend_columns(const Chart& chart, double width) {
    double widest = 0;
    for (const auto& series : chart.series) widest = std::max(widest, text_width(series.name, kLegendFont));
    return std::clamp<std::size_t>(static_cast<std::size_t>(width / (widest + 46)), 1, std::max<std::size_t>(1, chart.series.size()));
}

double legend_height(const Chart& chart, double width) {
    const auto columns = legend_columns(chart, width - kLeft - kRight);
    return kLegendRow * static_cast<double>((chart.series.size() + columns - 1) / columns);
}

void draw_legend(Page& page, const Chart& chart, const Box& plot) {
    const auto columns = legend_columns(chart, plot.width);
    for (std::size_t number = 0; number < chart.series.size(); ++number) {
        const double x = plot.x + plot.width / static_cast<double>(columns) * static_cast<double>(number % columns);
        const double y = plot.y + plot.height + kBelow + 12 + kLegendRow * static_cast<double>(number / columns);
        page.add(R"(<path d="M{:.1f} {:.1f}h28" {}/>)", x, y - 4, stroke(chart.series[number], number));
        marker(page, number, x + 14, y - 4, "");
        page.text(x + 34, y, chart.series[number].name, {.size = kLegendFont});
    }
}

void draw_chart(Page& page, const Chart& chart, double left, double top, double width) {
    const Box plot{left + kLeft, top + kTop, width - kLeft - kRight, kPlotHeight};
    std::vector<double> xs, ys;
    for (const auto& series : chart.series)
        for (const auto& [x, y] : shown(chart, series)) xs.push_back(x), ys.push_back(y);
    const Axis x{xs, {.length = plot.width, .logarithmic = chart.x_logarithmic, .marks_values = true}};
    const Axis y{ys, {.length = plot.height, .logarithmic = chart.y_logarithmic, .from_zero = true}};
    page.text(plot.x, top + 16, chart.title, {.size = 15, .more = R"( font-weight="600")"});
    draw_axes(page, chart, plot, x, y);
    if (xs.empty()) page.text(plot.x + plot.width / 2, plot.y + plot.height / 2, "no data", {.anchor = "middle", .colour = kFaint});
    draw_series(page, chart, plot, x, y);
    draw_legend(page, chart, plot);
}

}  // namespace

std::string draw(const std::string& title, std::span<const Chart> charts) {
    const std::size_t columns = charts.size() > 1 ? 2 : 1;
    const double width = columns > 1 ? kNarrow : kWide;
    std::vector<double> tops{kHeadline};  // of each row, and of what comes below the last
    for (std::size_t first = 0; first < charts.size(); first += columns) {
        double legend = 0;
        for (const auto& chart : charts.subspan(first, std::min(columns, charts.size() - first))) legend = std::max(legend, legend_height(chart, width));
        tops.push_back(tops.back() + kTop + kPlotHeight + kBelow + legend + kGap);
    }
    Page page{2 * kMargin + width * static_cast<double>(columns) + kGap * static_cast<double>(columns - 1), tops.back()};
    page.text(kMargin, 36, title, {.size = 20, .more = R"( font-weight="600")"});
    for (std::size_t i = 0; i < charts.size(); ++i)
        draw_chart(page, charts[i], kMargin + (width + kGap) * static_cast<double>(i % columns), tops[i / columns], width);
    return std::move(page).finish();
}

}  // namespace nave::rig
