// Where the ticks of an axis lie and what they say.
#include "tests/rig/plot_axis.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace nave::rig {
namespace {

std::string labels(const Axis& axis) {
    std::string out;
    for (const auto& tick : axis.ticks()) out += (out.empty() ? "" : " ") + tick.label;
    return out;
}

std::string labels(const std::vector<double>& values, const AxisWish& wish) { return labels(Axis{values, wish}); }

TEST_CASE("linear ticks are round and hold all values") {
    CHECK(labels({3, 97}, {.from_zero = true}) == "0 20 40 60 80 100");
    CHECK(labels({0.3}, {.from_zero = true}) == "0 0.1 0.2 0.3");
    CHECK(labels({190, 215}, {}) == "190 195 200 205 210 215");
    CHECK(labels({-7, 7}, {}) == "-10 -5 0 5 10");
}

TEST_CASE("an axis far from one shortens its thousands") {
    CHECK(labels({790'000}, {.from_zero = true}) == "0 200k 400k 600k 800k");
    CHECK(labels({1'900'000}, {.from_zero = true}) == "0 500k 1M 1.5M 2M");
    CHECK(labels({4000}, {.from_zero = true}) == "0 1000 2000 3000 4000");
}

TEST_CASE("logarithmic ticks are decades, or 1, 2 and 5 over a short range") {
    CHECK(labels({1, 100'000}, {.logarithmic = true}) == "1 10 100 1k 10k 100k");
    CHECK(labels({30, 900}, {.logarithmic = true}) == "20 50 100 200 500 1000");
    CHECK(labels({1000, 2000}, {.logarithmic = true}) == "1000 2000");
}

TEST_CASE("few values are ticks themselves while their labels have room") {
    const std::vector<double> sizes{64, 512, 1518, 512};
    CHECK(labels(sizes, {.logarithmic = true, .marks_values = true}) == "64 512 1518");
    CHECK(labels({64, 66, 1518}, {.marks_values = true}) == "0 500 1000 1500 2000");
}

TEST_CASE("a value's position runs from the low end to the high end") {
    const Axis linear{std::vector<double>{50, 100}, {.from_zero = true}};
    CHECK(linear.position(0) == Approx(0));
    CHECK(linear.position(100) == Approx(1));
    const Axis decades{std::vector<double>{1, 10'000}, {.logarithmic = true}};
    CHECK(decades.position(100) == Approx(0.5));
}

TEST_CASE("an axis without values, or with one, still has a range") {
    CHECK(labels({}, {}) == "0 0.2 0.4 0.6 0.8 1");
    CHECK(labels({}, {.logarithmic = true}) == "1 2 5 10");
    CHECK(Axis{std::vector<double>{7}, {}}.ticks().size() > 1);
    CHECK(Axis{std::vector<double>{0}, {.from_zero = true}}.ticks().size() > 1);
}

}  // namespace
}  // namespace nave::rig
