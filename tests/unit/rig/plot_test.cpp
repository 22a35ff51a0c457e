// What a page of charts holds, read back as XML.
#include "tests/rig/plot.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <catch2/catch.hpp>

namespace nave::rig {
namespace {

using Tree = boost::property_tree::ptree;

/// Throws where the page is not well-formed.
Tree parse(const std::string& page) {
    std::istringstream in{page};
    Tree tree;
    boost::property_tree::read_xml(in, tree);
    return tree.get_child("svg");
}

std::vector<std::string> texts(const Tree& svg) {
    std::vector<std::string> out;
    for (const auto& [name, element] : svg)
        if (name == "text") out.push_back(element.data());
    return out;
}

bool holds(const std::vector<std::string>& all, const std::string& one) { return std::ranges::find(all, one) != all.end(); }

std::size_t count(const Tree& svg, const std::string& name) { return svg.count(name); }

std::vector<Chart> two_charts() {
    return {{.title = "Rate", .x_label = "bytes", .y_label = "packets/s", .series = {{"NDR", {{64, 1e6}, {512, 9e5}}}, {"PDR", {{64, 2e6}, {512, 1e6}}, true}}},
            {.title = "Latency", .x_label = "peers", .y_label = "µs", .series = {{"50 %", {{1, 3}, {10, 4}, {100, 5}}}}, .x_logarithmic = true}};
}

TEST_CASE("a page is well-formed and names every chart, axis and series") {
    const auto svg = parse(draw("Two charts", two_charts()));
    const auto words = texts(svg);
    for (const auto* word : {"Two charts", "Rate", "bytes", "packets/s", "NDR", "PDR", "Latency", "peers", "µs", "50 %"}) CHECK(holds(words, word));
    CHECK(svg.get<std::string>("<xmlattr>.xmlns") == "http://www.w3.org/2000/svg");
}

TEST_CASE("a series is a line through all of its points") {
    const auto svg = parse(draw("", two_charts()));
    REQUIRE(count(svg, "polyline") == 3);
    std::vector<std::ptrdiff_t> points;
    for (const auto& [name, element] : svg)
        if (name == "polyline") points.push_back(std::ranges::count(element.get<std::string>("<xmlattr>.points"), ','));
    CHECK(points == std::vector<std::ptrdiff_t>{2, 2, 3});
}

TEST_CASE("only the dashed series is dashed") {
    const auto svg = parse(draw("", two_charts()));
    std::vector<bool> dashed;
    for (const auto& [name, element] : svg)
        if (name == "polyline") dashed.push_back(element.get_optional<std::string>("<xmlattr>.stroke-dasharray").has_value());
    CHECK(dashed == std::vector<bool>{false, true, false});
}

TEST_CASE("names with markup and control characters stay text") {
    const std::string name = R"(<b> & "q" 'a')";
    const auto svg = parse(draw(name, std::vector<Chart>{{.title = name, .x_label = name, .y_label = name, .series = {{name + "\x01", {{1, 1}}}}}}));
    const auto words = texts(svg);
    CHECK(std::ranges::count(words, name) == 4);
    CHECK(holds(words, name + " "));
    CHECK(count(svg, "b") == 0);
}

TEST_CASE("points that an axis cannot show are left out") {
    const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
    Chart chart{.title = "", .x_label = "", .y_label = "", .series = {{"a", {{0, 1}, {1, nan}, {infinity, 2}, {10, 3}, {100, 4}, {1000, 0}}}}};
    chart.x_logarithmic = chart.y_logarithmic = true;
    const auto page = draw("", std::vector{chart});
    const auto svg = parse(page);
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find("inf") == std::string::npos);
    CHECK(count(svg, "polyline") == 1);
    CHECK(std::ranges::count(svg.get<std::string>("polyline.<xmlattr>.points"), ',') == 2);
}

TEST_CASE("a page without charts, a chart without series and a single point are drawn") {
    CHECK(holds(texts(parse(draw("nothing", {}))), "nothing"));
    CHECK(holds(texts(parse(draw("", std::vector<Chart>{{.title = "empty", .x_label = "", .y_label = "", .series = {}}}))), "no data"));
    CHECK(count(parse(draw("", std::vector<Chart>{{.title = "", .x_label = "", .y_label = "", .series = {{"one", {{5, 5}}}}}})), "polyline") == 0);
}

TEST_CASE("every point lies on the page") {
    const auto svg = parse(draw("", two_charts()));
    const double width = svg.get<double>("<xmlattr>.width"), height = svg.get<double>("<xmlattr>.height");
    for (const auto& [name, element] : svg) {
        if (name != "circle") continue;
        CHECK((element.get<double>("<xmlattr>.cx") > 0 && element.get<double>("<xmlattr>.cx") < width));
        CHECK((element.get<double>("<xmlattr>.cy") > 0 && element.get<double>("<xmlattr>.cy") < height));
    }
}

}  // namespace
}  // namespace nave::rig
