// Arrivals, latency percentiles and the pacing of packets.
#include "tests/rig/throughput/pacer.hpp"
#include "tests/rig/throughput/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace nave::rig::throughput {
namespace {

using Arrival = Reception::Arrival;

Reception receive(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& packets, std::uint16_t streams = 1) {
    Reception reception{1000, streams};
    for (const auto& [stream, sequence] : packets) reception.note(stream, sequence);
    return reception;
}

TEST_CASE("a gap is loss, not reordering") {
    const auto reception = receive({{0, 0}, {0, 1}, {0, 5}, {0, 6}});
    CHECK(reception.received() == 4);
    CHECK(reception.reordered() == 0);
}

TEST_CASE("a packet behind a higher one of its stream is reordered (RFC 4737 section 3.3)") {
    // The example of RFC 4737 section 3.5 in short: 4 arrives late, behind 5 and 6.
    CHECK(receive({{0, 1}, {0, 2}, {0, 3}, {0, 5}, {0, 6}, {0, 4}, {0, 7}}).reordered() == 1);
    CHECK(receive({{0, 3}, {0, 2}, {0, 1}}).reordered() == 2);
}

TEST_CASE("streams overtake each other freely") {
    CHECK(receive({{0, 5}, {1, 0}, {2, 3}, {1, 1}, {2, 4}}, 3).reordered() == 0);
    CHECK(receive({{0, 5}, {1, 7}, {0, 4}, {1, 8}}, 2).reordered() == 1);
}

TEST_CASE("a second copy is a duplicate, however late, and counts as nothing else") {
    Reception reception{1000, 2};
    CHECK(reception.note(0, 0) == Arrival::in_order);
    CHECK(reception.note(0, 400) == Arrival::in_order);
    CHECK(reception.note(0, 0) == Arrival::duplicate);
    CHECK(reception.note(0, 400) == Arrival::duplicate);
    CHECK(reception.note(1, 0) == Arrival::in_order);
    CHECK(reception.received() == 3);
    CHECK(reception.duplicates() == 2);
    CHECK(reception.reordered() == 0);
    CHECK(reception.streams_seen() == 2);
}

TEST_CASE("packets that were never sent do not count") {
    Reception reception{1000, 2};
    CHECK(reception.note(2, 0) == Arrival::unknown);
    CHECK(reception.note(0, 500) == Arrival::unknown);
    CHECK(reception.note(1, 0xffff'ffff) == Arrival::unknown);
    CHECK(reception.note(1, 499) == Arrival::in_order);
    CHECK(reception.received() == 1);
}

TEST_CASE("percentiles lie within a hundredth of the exact ones, and never below") {
    std::mt19937 random{11};
    std::lognormal_distribution<double> latency{9, 1.5};
    LatencyHistogram histogram;
    std::vector<std::uint64_t> all;
    for (int i = 0; i < 20'000; ++i) {
        all.push_back(static_cast<std::uint64_t>(latency(random)));
        histogram.add(all.back());
    }
    std::ranges::sort(all);
    for (const double share : {0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto exact = all[static_cast<std::size_t>(std::ceil(share * 20'000)) - 1];
        CHECK(histogram.percentile(share) >= exact);
        CHECK(static_cast<double>(histogram.percentile(share)) <= static_cast<double>(exact) * 1.01 + 1);
    }
    CHECK(histogram.least() == all.front());
    CHECK(histogram.most() == all.back());
    CHECK(histogram.percentile(1) == all.back());
}

TEST_CASE("a histogram holds the shortest and the longest of times") {
    LatencyHistogram histogram;
    CHECK(histogram.percentile(0.5) == 0);
    CHECK(histogram.least() == 0);
    histogram.add(0);
    CHECK(histogram.percentile(0.5) == 0);
    histogram.add(~std::uint64_t{0});
    CHECK(histogram.percentile(0.5) == 0);
    CHECK(histogram.percentile(0.9) == ~std::uint64_t{0});
}

TEST_CASE("histograms add up") {
    LatencyHistogram one, other;
    one.add(10), other.add(30), other.add(1000);
    one.add(other);
    CHECK(one.count() == 3);
    CHECK(one.least() == 10);
    CHECK(one.percentile(0.5) == 30);
    CHECK(one.most() == 1000);
    CHECK(one.mean() == Approx(1040.0 / 3));
}

TEST_CASE("the pacer hands out what the rate says") {
    Pacer pacer{1000, 1e6, 1e9, 100};  // a packet each 1000 cycles
    CHECK(pacer.due(0) == 0);
    CHECK(pacer.due(1999) == 0);
    CHECK(pacer.due(2000) == 1);
    CHECK(pacer.due(6500) == 5);
    pacer.take(3);
    CHECK(pacer.due(6500) == 2);
    CHECK(pacer.taken() == 3);
}

TEST_CASE("after a stall the pacer catches up a little and forgives the rest") {
    Pacer pacer{0, 1e6, 1e9, 100};
    CHECK(pacer.due(5'000'000) == 100);
    pacer.take(100);
    CHECK(pacer.due(5'000'000) == 0);
    CHECK(pacer.due(5'010'000) == 10);
}

}  // namespace
}  // namespace nave::rig::throughput
