// Tests of the log: what is written, what is left out and told later, and that nobody forges a line.
#include "controlplane/runtime/log.hpp"

#include <array>
#include <algorithm>
#include <catch2/catch.hpp>
#include <unistd.h>

using namespace nave;
using namespace nave::runtime;
using namespace std::chrono_literals;

namespace {

/// A log whose lines the test reads.
struct Bench {
    std::array<int, 2> pipe{};
    std::optional<Log> log;
    TimePoint now{1000s};

    explicit Bench(bool journal = false, ike::Severity least = ike::Severity::info) {
        REQUIRE(::pipe(pipe.data()) == 0);
        log.emplace(Log::Options{.gateway = "hub1", .least = least, .journal = journal, .descriptor = pipe[1]});
    }
    ~Bench() {
        close(pipe[0]);
        if (pipe[1] >= 0) close(pipe[1]);
    }
    std::string written() {
        close(std::exchange(pipe[1], -1));
        std::string text;
        std::array<char, 4096> room;
        for (ssize_t size; (size = read(pipe[0], room.data(), room.size())) > 0;) text.append(room.data(), static_cast<std::size_t>(size));
        return text;
    }
};

std::size_t lines(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("a log line has time, severity, gateway and text") {
    Bench bench;
    bench.log->write(ike::Severity::warning, "peer", "spoke1: up -> down, timed out", bench.now);
    const std::string text = bench.written();
    CHECK(lines(text) == 1);
    CHECK(text.ends_with("Z warning hub1: spoke1: up -> down, timed out\n"));
    CHECK(text.starts_with("20"));
}

TEST_CASE("under journald a line has its priority in front and no time of its own") {
    Bench bench{true};
    bench.log->write(ike::Severity::error, "peer", "gone", bench.now);
    CHECK(bench.written() == "<3>hub1: gone\n");
}

TEST_CASE("lines below the configured severity are not written") {
    Bench bench{false, ike::Severity::warning};
    bench.log->write(ike::Severity::notice, "peer", "up", bench.now);
    CHECK(bench.written().empty());
}

TEST_CASE("lines of one key beyond the limit are left out, and their number is told when the window ends") {
    Bench bench;
    for (int i = 0; i < 25; ++i) bench.log->write(ike::Severity::warning, "auth", "wrong key of 192.0.2.9", bench.now);
    CHECK(bench.log->left_out() == 20);
    REQUIRE(bench.log->next_deadline() == bench.now + LogLimiter::kWindow);
    bench.log->on_deadline(bench.now + LogLimiter::kWindow);
    CHECK_FALSE(bench.log->next_deadline());
    const std::string text = bench.written();
    CHECK(lines(text) == LogLimiter::kLines + 1);
    CHECK(text.find("wrong key of 192.0.2.9 (19 more)") != std::string::npos);
}

TEST_CASE("a noisy key does not silence another") {
    Bench bench;
    for (int i = 0; i < 100; ++i) bench.log->write(ike::Severity::info, "noise", "x", bench.now);
    bench.log->write(ike::Severity::info, "other", "heard", bench.now);
    CHECK(bench.written().find("heard") != std::string::npos);
}

TEST_CASE("what a peer does all the time does not hide why it fails") {
    Bench bench;
    for (int i = 0; i < 100; ++i) bench.log->write(ike::Severity::info, "ike 192.0.2.9", "half-open", bench.now);
    bench.log->write(ike::Severity::warning, "ike 192.0.2.9", "no proposal chosen", bench.now);
    CHECK(bench.written().find("no proposal chosen") != std::string::npos);
}

TEST_CASE("a key may write again in the next window") {
    LogLimiter limiter;
    const TimePoint start{5s};
    for (std::uint32_t i = 0; i < LogLimiter::kLines; ++i) CHECK(limiter.may_write("a", start));
    CHECK_FALSE(limiter.may_write("a", start));
    CHECK(limiter.summaries(start + LogLimiter::kWindow) == std::vector<std::pair<std::string, std::uint64_t>>{{"a", 1}});
    CHECK(limiter.may_write("a", start + LogLimiter::kWindow));
}

TEST_CASE("strangers cannot make the log's memory grow without end") {
    LogLimiter limiter;
    const TimePoint start{5s};
    std::size_t written = 0;
    for (std::size_t i = 0; i < 3 * LogLimiter::kKeysMax; ++i) written += limiter.may_write("key " + std::to_string(i), start);
    CHECK(written <= LogLimiter::kKeysMax + LogLimiter::kLines);
    CHECK(limiter.summaries(start + LogLimiter::kWindow).size() == 1);
}

TEST_CASE("an identity with line breaks and escapes cannot forge a line") {
    Bench bench;
    bench.log->write(ike::Severity::info, "id", "identity evil\n2026-01-01 error hub1: forged\x1b[2J\r\x7f", bench.now);
    const std::string text = bench.written();
    CHECK(lines(text) == 1);
    CHECK(text.find("evil\\x0a2026") != std::string::npos);
    CHECK(text.find("\\x1b[2J\\x0d\\x7f") != std::string::npos);
}
