// The search against devices whose capacity is known.
#include "tests/rig/throughput/search.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

namespace nave::rig::throughput {
namespace {

/// The loss ratio of a device at an offered rate.
using Device = std::function<double(double)>;

/// Loses all that is beyond its capacity.
Device capacity(double packets_per_second) {
    return [=](double offered) { return std::max(0.0, 1 - packets_per_second / offered); };
}

/// Runs the search to its end and gives the rates that it tried.
std::vector<double> play(RateSearch& search, const Device& device, double generator_max = 1e12) {
    std::vector<double> tried;
    while (const auto rate = search.next()) {
        REQUIRE(tried.size() < 1000);
        tried.push_back(*rate);
        const double offered = std::min(*rate, generator_max);
        search.record({offered, offered, device(offered)});
    }
    return tried;
}

TEST_CASE("NDR and PDR converge to the device's capacity within the resolution") {
    const double share = GENERATE(0.9999, 0.7, 0.31, 0.05, 0.004);
    const SearchSettings settings{.rate_max = 1e6, .rate_min = 100, .resolution = 0.005};
    RateSearch search{settings};
    play(search, capacity(share * 1e6));
    const auto ndr = search.found(0), pdr = search.found(1);
    CHECK(ndr.converged);
    CHECK(pdr.converged);
    CHECK(ndr.loss == 0);
    CHECK(ndr.rate <= share * 1e6);
    CHECK(ndr.rate >= share * 1e6 * 0.995 - 1);
    CHECK(pdr.rate <= share * 1e6 / 0.995);
    CHECK(pdr.rate >= share * 1e6 / 0.995 * 0.995 - 1);
    CHECK(pdr.loss <= 0.005);
}

TEST_CASE("the goals share their trials") {
    SearchSettings settings{.rate_max = 1e6, .resolution = 0.01};
    RateSearch both{settings};
    const auto shared = play(both, capacity(432'100));
    std::size_t apart = 0;
    for (const double goal : {0.0, 0.005}) {
        settings.goals = {goal};
        RateSearch alone{settings};
        apart += play(alone, capacity(432'100)).size();
    }
    CHECK(shared.size() <= 12);
    CHECK(shared.size() < apart);
}

TEST_CASE("the second trial is what came through of the first") {
    RateSearch search{{.rate_max = 1e6}};
    const auto tried = play(search, capacity(600'000));
    CHECK(tried.at(0) == Approx(1e6));
    CHECK(tried.at(1) == Approx(600'000));
}

TEST_CASE("a device faster than the rig is one trial, and the rig is said to be the limit") {
    RateSearch search{{.rate_max = 1e6}};
    CHECK(play(search, capacity(5e6), 800'000).size() == 1);
    for (const std::size_t goal : {0u, 1u}) {
        CHECK(search.found(goal).rate == 800'000);
        CHECK(search.found(goal).converged);
        CHECK_FALSE(search.found(goal).missed_at);
    }
}

TEST_CASE("a rig that is slower than asked still finds a device that is slower yet") {
    RateSearch search{{.rate_max = 4e6}};
    play(search, capacity(500'000), 800'000);
    CHECK(search.found(0).rate == Approx(500'000).epsilon(0.01));
    CHECK(search.found(0).missed_at);
}

TEST_CASE("constant loss between the goals leaves a PDR and no NDR") {
    RateSearch search{{.rate_max = 1e6, .rate_min = 1000}};
    const auto tried = play(search, [](double) { return 0.003; });
    CHECK(search.found(0).rate == 0);
    CHECK(search.found(0).converged);
    CHECK(search.found(0).missed_at == Approx(1000));
    CHECK(search.found(1).rate == 1e6);
    CHECK(tried.size() < 15);
}

TEST_CASE("a device that passes nothing ends at the lowest rate") {
    RateSearch search{{.rate_max = 1e6, .rate_min = 1000}};
    play(search, [](double) { return 1.0; });
    CHECK(search.found(0).rate == 0);
    CHECK(search.found(1).rate == 0);
    CHECK(search.found(0).loss == 1);
}

TEST_CASE("a generator that is a little off the wanted rate ends at the lowest one too") {
    RateSearch search{{.rate_max = 1e6, .rate_min = 1000, .trials_max = 1000}};
    while (const auto rate = search.next()) search.record({.pace = *rate * 1.0004, .offered = *rate * 0.9, .loss = 1});
    CHECK(search.found(0).converged);
    CHECK(search.trials() < 15);
}

TEST_CASE("with repetitions stray losses do not move the result") {
    const unsigned seed = GENERATE(range(1u, 21u));
    INFO("seed " << seed);
    std::mt19937 random{seed};
    std::uniform_real_distribution<double> share;
    const auto clean = capacity(640'000);
    RateSearch search{{.rate_max = 1e6, .resolution = 0.01, .repeat = 5, .trials_max = 200}};
    play(search, [&](double offered) { return std::max(clean(offered), share(random) < 0.05 ? 0.02 * share(random) : 0.0); });
    const auto ndr = search.found(0), pdr = search.found(1);
    CHECK(ndr.converged);
    CHECK(ndr.rate <= pdr.rate);
    CHECK(ndr.rate == Approx(640'000).epsilon(0.011));
    CHECK(ndr.loss == 0);
}

TEST_CASE("a generator that is held up now and then still finds the device's capacity, and claims only what it offered") {
    const unsigned seed = GENERATE(range(1u, 51u));
    INFO("seed " << seed);
    std::mt19937 random{seed};
    std::uniform_real_distribution<double> running{0.6, 1};
    const auto device = capacity(640'000);
    RateSearch search{{.rate_max = 1e6, .resolution = 0.01, .trials_max = 40}};
    while (const auto rate = search.next()) search.record({.pace = *rate, .offered = *rate * running(random), .loss = device(*rate)});
    const auto ndr = search.found(0), pdr = search.found(1);
    CHECK(ndr.converged);
    CHECK(pdr.converged);
    CHECK(ndr.missed_at.value_or(0) == Approx(640'000).epsilon(0.011));
    CHECK(ndr.rate <= 640'000);
    CHECK(ndr.rate > 0.6 * 640'000 * 0.99);
    CHECK(ndr.rate <= pdr.rate);
}

TEST_CASE("NDR is never above PDR, however the device behaves") {
    const unsigned seed = GENERATE(range(1u, 101u));
    INFO("seed " << seed);
    std::mt19937 random{seed};
    std::uniform_real_distribution<double> share;
    const auto clean = capacity(300'000 + 600'000 * share(random));
    RateSearch search{{.rate_max = 1e6, .repeat = 1 + seed % 4, .trials_max = 40}};
    const auto tried = play(search, [&](double offered) { return std::max(clean(offered), share(random) < 0.3 ? 0.01 * share(random) : 0.0); });
    CHECK(tried.size() <= 40);
    CHECK(search.found(0).rate <= search.found(1).rate);
    CHECK(search.found(0).loss <= (search.found(0).rate > 0 ? 0.0 : 1.0));
}

TEST_CASE("trials end as soon as most of a rate's repetitions agree") {
    RateSearch search{{.rate_max = 1e6, .repeat = 3}};
    search.record({1e6, 1e6, 0});
    CHECK(search.next() == 1e6);
    search.record({1e6, 1e6, 0});
    CHECK_FALSE(search.next());
    CHECK(search.trials() == 2);
}

TEST_CASE("the bound on trials holds, and what was found so far is told as not converged") {
    RateSearch search{{.rate_max = 1e6, .resolution = 1e-6, .trials_max = 5}};
    CHECK(play(search, capacity(123'456)).size() == 5);
    CHECK_FALSE(search.found(0).converged);
}

}  // namespace
}  // namespace nave::rig::throughput
