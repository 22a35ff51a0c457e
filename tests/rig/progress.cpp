// The progress line.
#include "tests/rig/progress.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace nave::rig {

namespace {

constexpr std::chrono::milliseconds kOnTerminal{200}, kElsewhere{10'000};

}  // namespace

Progress::Progress(std::size_t steps) : steps_{steps}, terminal_{isatty(STDERR_FILENO) != 0}, begin_{std::chrono::steady_clock::now()}, shown_at_{begin_ - kOnTerminal} {}

Progress::~Progress() {
    if (terminal_) fmt::print(stderr, "\r\033[K");
}

void Progress::show(std::size_t done, const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_at_ < (terminal_ ? kOnTerminal : kElsewhere)) return;
    shown_at_ = now;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - begin_).count();
    const std::string line = fmt::format("{:3} % after {} s: {}", steps_ == 0 ? 100 : 100 * done / steps_, seconds, what);
    if (terminal_) fmt::print(stderr, "\r\033[K{}", line);
    else fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
}

}  // namespace nave::rig
