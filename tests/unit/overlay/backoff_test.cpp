// Tests of the pauses between attempts.
#include "controlplane/overlay/backoff.hpp"
#include "tests/simulation/seeded_random.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace std::chrono_literals;

TEST_CASE("pauses double from one second to a minute, each at least half and at most all of it") {
    simulation::SeededRandom random{1};
    overlay::Backoff backoff{1s, 60s};
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
        const Duration pause = backoff.next(random);
        CHECK(pause >= expected / 2);
        CHECK(pause <= expected);
    }
}

TEST_CASE("after a success pauses start small again") {
    simulation::SeededRandom random{2};
    overlay::Backoff backoff{1s, 60s};
    for (int i = 0; i < 8; ++i) (void)backoff.next(random);
    backoff.reset();
    CHECK(backoff.next(random) <= 1s);
}

TEST_CASE("two spokes that lost their hub at once do not come back at once") {
    simulation::SeededRandom one{3}, other{4};
    overlay::Backoff a{8s, 60s}, b{8s, 60s};
    CHECK(a.next(one) != b.next(other));
}
