// How a worker rests: the plan under counted turns, and the doorbell and descriptors that wake it.
#include "dataplane/pause.hpp"

#include "dataplane/gateway.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

using namespace nave;
using namespace nave::dataplane;
using namespace std::chrono_literals;
using Kind = PausePlan::Step::Kind;

namespace {

/// Empty turns until the plan arms; the arming turn included.
std::uint32_t turns_until_armed(PausePlan& plan) {
    for (std::uint32_t turn = 1; turn < 10000; ++turn)
        if (plan.after_turn(false).kind == Kind::arm) return turn;
    return 0;
}

/// Empty turns until after_turn wants a rest; its length.
Duration next_rest(Pause& pause) {
    for (int turn = 0; turn < 10000; ++turn)
        if (const auto longest = pause.after_turn(false); longest > Duration::zero()) return longest;
    return {};
}

template <class Action>
std::chrono::nanoseconds time_of(Action&& action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    return std::chrono::steady_clock::now() - start;
}

}  // namespace

TEST_CASE("in poll mode a worker never rests") {
    PausePlan plan{RunMode::poll, true};
    for (int turn = 0; turn < 100000; ++turn) REQUIRE(plan.after_turn(false).kind == Kind::go_on);
}

TEST_CASE("an adaptive worker that is busy never rests") {
    PausePlan plan{RunMode::adaptive, false};
    for (int turn = 0; turn < 100000; ++turn) REQUIRE(plan.after_turn(true).kind == Kind::go_on);
}

TEST_CASE("an adaptive worker spins for some turns before it arms its wakers") {
    PausePlan plan{RunMode::adaptive, true};
    CHECK(turns_until_armed(plan) == PausePlan::kSpinTurns);
}

TEST_CASE("one packet now and then keeps a worker spinning") {
    PausePlan plan{RunMode::adaptive, true};
    for (std::uint32_t turn = 0; turn < 100000; ++turn) REQUIRE(plan.after_turn(turn % (PausePlan::kSpinTurns / 2) == 0).kind == Kind::go_on);
}

TEST_CASE("between arming and rest lies one more look at the queues") {
    PausePlan plan{RunMode::adaptive, true};
    turns_until_armed(plan);
    CHECK(plan.after_turn(false) == PausePlan::Step{Kind::rest, PausePlan::kWokenPause});
}

TEST_CASE("work that is found in the last look cancels the rest") {
    PausePlan plan{RunMode::adaptive, true};
    turns_until_armed(plan);
    CHECK(plan.after_turn(true).kind == Kind::go_on);
    CHECK(turns_until_armed(plan) == PausePlan::kSpinTurns);
}

TEST_CASE("pauses without a wake-up grow from microseconds to a millisecond and no further") {
    PausePlan plan{RunMode::adaptive, false};
    std::vector<Duration> pauses;
    for (int turn = 0; turn < 200; ++turn)
        if (const auto step = plan.after_turn(false); step.kind == Kind::rest) pauses.push_back(step.longest);
    REQUIRE(pauses.size() > 10);
    CHECK(pauses[0] == 16us);
    CHECK(pauses[1] == 32us);
    CHECK(pauses.back() == 1ms);
    CHECK(std::ranges::is_sorted(pauses));
}

TEST_CASE("a worker that stays idle does not spin again between its pauses") {
    PausePlan plan{RunMode::adaptive, false};
    turns_until_armed(plan);
    plan.after_turn(false);
    CHECK(plan.after_turn(false).kind == Kind::arm);
    CHECK(plan.after_turn(false).kind == Kind::rest);
}

TEST_CASE("an idle hour without wake-ups takes about a thousand pauses a second") {
    PausePlan plan{RunMode::adaptive, false};
    Duration now{};
    std::uint64_t turns = 0;
    for (; now < 1h; ++turns) now += plan.after_turn(false).longest;
    CHECK(turns < 2 * 3600 * 1001);
}

TEST_CASE("after work the pauses are short again") {
    PausePlan plan{RunMode::adaptive, false};
    for (int turn = 0; turn < 200; ++turn) plan.after_turn(false);
    plan.after_turn(true);
    turns_until_armed(plan);
    CHECK(plan.after_turn(false).longest == PausePlan::kFirstPause);
}

TEST_CASE("a worker that lost a queue's wake-up goes back to short pauses") {
    PausePlan plan{RunMode::adaptive, true};
    plan.lose_a_wake();
    turns_until_armed(plan);
    CHECK(plan.after_turn(false).longest == PausePlan::kFirstPause);
}

TEST_CASE("a rest without events lasts about as long as planned") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, false};
    next_rest(pause);
    const auto slept = time_of([&] { pause.rest(5ms); });
    CHECK(slept >= 5ms);
    CHECK(slept < 500ms);
}

TEST_CASE("the doorbell ends a rest at once") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, true};
    next_rest(pause);
    std::jthread ringer{[&] {
        std::this_thread::sleep_for(20ms);
        bell.ring();
    }};
    CHECK(time_of([&] { pause.rest(10s); }) < 5s);
}

TEST_CASE("a doorbell that rings between the last look and the rest is not slept over") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, true};
    next_rest(pause);
    bell.ring();
    CHECK(time_of([&] { pause.rest(10s); }) < 5s);
}

TEST_CASE("a ring that was heard does not end the next rest") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, true};
    next_rest(pause);
    bell.ring();
    pause.rest(10s);
    next_rest(pause);
    CHECK(time_of([&] { pause.rest(20ms); }) >= 20ms);
}

TEST_CASE("nobody pays for ringing a worker that is awake") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, true};
    bell.ring();
    pollfd look{.fd = bell.descriptor(), .events = POLLIN, .revents = 0};
    CHECK(poll(&look, 1, 0) == 0);
}

TEST_CASE("a receive interrupt ends a rest, and is cleared by it") {
    Doorbell bell;
    const int interrupt = eventfd(0, EFD_NONBLOCK);
    Pause pause{RunMode::adaptive, bell, {{.descriptor = interrupt, .is_counter = true}}, true};
    next_rest(pause);
    eventfd_write(interrupt, 1);
    CHECK(time_of([&] { pause.rest(10s); }) < 5s);
    next_rest(pause);
    CHECK(time_of([&] { pause.rest(20ms); }) >= 20ms);
    close(interrupt);
}

TEST_CASE("packets that wait in a kernel queue end the rest and stay there") {
    Doorbell bell;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    Pause pause{RunMode::adaptive, bell, {{.descriptor = ends[0]}}, true};
    next_rest(pause);
    REQUIRE(write(ends[1], "packet", 6) == 6);
    CHECK(time_of([&] { pause.rest(10s); }) < 5s);
    char bytes[8];
    CHECK(read(ends[0], bytes, sizeof bytes) == 6);
    close(ends[0]), close(ends[1]);
}

TEST_CASE("a device that goes away does not turn rests into spinning") {
    Doorbell bell;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    Pause pause{RunMode::adaptive, bell, {{.descriptor = ends[0]}}, true};
    close(ends[1]);
    next_rest(pause);
    pause.rest(10s);  // hung up
    CHECK(next_rest(pause) <= PausePlan::kLastPause);
    CHECK(time_of([&] { pause.rest(20ms); }) >= 20ms);
    close(ends[0]);
}

TEST_CASE("an idle worker whose queues cannot wake it uses little of a core") {
    Doorbell bell;
    Pause pause{RunMode::adaptive, bell, {}, false};
    rusage before{}, after{};
    getrusage(RUSAGE_THREAD, &before);
    const auto end = std::chrono::steady_clock::now() + 500ms;
    while (std::chrono::steady_clock::now() < end)
        if (const auto longest = pause.after_turn(false); longest > Duration::zero()) pause.rest(longest);
    getrusage(RUSAGE_THREAD, &after);
    const auto used = [](const rusage& r) { return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec + r.ru_stime.tv_usec; };
    CHECK(used(after) - used(before) < 500000 / 10);  // a tenth of a core, on machines with sanitizers and other load
}
