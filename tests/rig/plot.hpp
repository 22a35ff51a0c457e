// Line charts as one standalone SVG page: what both of nave-bench's reports draw. Pure.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nave::rig {

/// One line of a chart. Points are drawn in the order given; those that are not finite, or not above zero on a logarithmic axis, are left out.
struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;  // x, y
    bool dashed = false;                            // for what the others are held against, such as a floor
};

/// One chart. A linear y axis begins at zero; labels name the unit.
struct Chart {
    std::string title, x_label, y_label;
    std::vector<Series> series;
    bool x_logarithmic = false;
    bool y_logarithmic = false;
};

/// The page: a headline, the charts two beside each other, each with its legend. Any UTF-8 text is safe in names and labels.
std::string draw(const std::string& title, std::span<const Chart> charts);

}  // namespace nave::rig
