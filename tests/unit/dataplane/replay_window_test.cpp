// The replay window of RFC 4303 §3.4.3, extended sequence numbers of its appendix A, and the sender's counter.
#include "dataplane/replay_window.hpp"

#include <catch2/catch.hpp>

using namespace nave::dataplane;

namespace {

ReplayWindow window_at(std::uint64_t highest, std::uint32_t width = 64) {
    ReplayWindow window{width};
    REQUIRE(window.accept(highest));
    return window;
}

}  // namespace

TEST_CASE("a sequence number is accepted once") {
    ReplayWindow window{64};
    CHECK(window.accept(1));
    CHECK_FALSE(window.may_accept(1));
    CHECK_FALSE(window.accept(1));
}

TEST_CASE("sequence number zero is never accepted") {
    ReplayWindow window{64};
    CHECK_FALSE(window.may_accept(0));
    CHECK_FALSE(window_at(10).accept(0));
}

TEST_CASE("the window's left edge is accepted and the number below is not") {
    const auto width = GENERATE(64u, 128u, 1024u, 8192u);
    ReplayWindow window = window_at(100'000, width);
    CHECK(window.may_accept(100'000 - width + 1));
    CHECK_FALSE(window.may_accept(100'000 - width));
}

TEST_CASE("numbers arrive in any order within the window, each once") {
    const auto width = GENERATE(64u, 256u, 8192u);
    ReplayWindow window = window_at(width * 3, width);
    for (std::uint64_t number = width * 3 - 1; number > width * 2; --number) CHECK(window.accept(number));
    for (std::uint64_t number = width * 2 + 1; number <= width * 3; ++number) CHECK_FALSE(window.may_accept(number));
}

TEST_CASE("numbers that share a bit of the bitmap with older ones are fresh again once the window moved") {
    ReplayWindow window{64};
    for (std::uint64_t number = 1; number <= 64; ++number) CHECK(window.accept(number));
    CHECK(window.accept(70));
    for (std::uint64_t number = 65; number < 70; ++number) CHECK(window.may_accept(number));
    for (std::uint64_t number = 7; number <= 64; ++number) CHECK_FALSE(window.may_accept(number));
}

TEST_CASE("a jump beyond the whole window forgets everything in it") {
    ReplayWindow window{128};
    for (std::uint64_t number = 1; number <= 128; ++number) CHECK(window.accept(number));
    CHECK(window.accept(1000));
    for (std::uint64_t number = 1000 - 127; number < 1000; ++number) CHECK(window.may_accept(number));
}

TEST_CASE("a jump by exactly the window's width forgets exactly what left it") {
    ReplayWindow window{64};
    for (std::uint64_t number = 1; number <= 64; ++number) CHECK(window.accept(number));
    CHECK(window.accept(128));
    for (std::uint64_t number = 65; number < 128; ++number) CHECK(window.may_accept(number));
    CHECK_FALSE(window.may_accept(64));
}

TEST_CASE("the bitmap agrees with a set over a long pseudo-random run") {
    ReplayWindow window{128};
    std::vector<std::uint64_t> seen;
    std::uint64_t state = 1, highest = 0;
    for (int i = 0; i < 20'000; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const std::uint64_t number = std::max<std::uint64_t>(1, highest + (state >> 33) % 220) - std::min<std::uint64_t>(highest, 180);
        const bool fresh = number > highest || (number != 0 && highest - number < 128 && std::find(seen.begin(), seen.end(), number) == seen.end());
        REQUIRE(window.accept(number) == fresh);
        if (fresh) seen.push_back(number);
        highest = std::max(highest, number);
        if (seen.size() > 1000) seen.erase(seen.begin(), seen.begin() + 500);
    }
}

TEST_CASE("a window of another width than a power of two becomes the next larger, within 64 and 8192") {
    CHECK(ReplayWindow{0}.width() == 64);
    CHECK(ReplayWindow{65}.width() == 128);
    CHECK(ReplayWindow{1000}.width() == 1024);
    CHECK(ReplayWindow{60'000}.width() == 8192);
}

TEST_CASE("the high half of an extended number is the one that puts it nearest the window (RFC 4303 A2.2)") {
    const std::uint64_t turn = std::uint64_t{1} << 32;
    CHECK(ReplayWindow{64}.infer(5) == 5);
    CHECK(window_at(1000).infer(1001) == 1001);
    CHECK(window_at(1000).infer(1000 - 63) == 1000 - 63);
    // Case A: a low number behind the window means that the low half wrapped.
    CHECK(window_at(1000).infer(900) == turn + 900);
    CHECK(window_at(turn - 1).infer(0) == turn);
    CHECK(window_at(turn - 1).infer(0xffffffff - 63) == turn - 64);
    // Case B: the window straddles the wrap.
    CHECK(window_at(turn + 10).infer(0xfffffff0) == turn - 16);
    CHECK(window_at(turn + 10).infer(11) == turn + 11);
    CHECK(window_at(turn + 10).infer(0xffffff00) == turn + 0xffffff00);
    CHECK(window_at(7 * turn + 63).infer(0) == 7 * turn);
}

TEST_CASE("before the first wrap there is no high half to go back to") {
    CHECK(window_at(10).infer(0xfffffff0) == 0xfffffff0);
}

TEST_CASE("sequence numbers start at one and end before they repeat") {
    SequenceCounter fresh;
    CHECK(fresh.next(false) == 1);
    CHECK(fresh.next(false) == 2);
    SequenceCounter last{0xfffffffe};
    CHECK(last.next(false) == 0xffffffff);
    CHECK_FALSE(last.next(false));
    CHECK_FALSE(last.next(false));
}

TEST_CASE("extended sequence numbers go on past 32 bits and end at 64") {
    SequenceCounter counter{0xffffffff};
    CHECK(counter.next(true) == std::uint64_t{1} << 32);
    SequenceCounter last{~std::uint64_t{0} - 1};
    CHECK(last.next(true) == ~std::uint64_t{0});
    CHECK_FALSE(last.next(true));
}
