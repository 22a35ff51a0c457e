// Decides which log lines are written: lines of one key come through in small numbers, the others are counted. Pure.
#pragma once

#include "common/time.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::runtime {

class LogLimiter {
public:
    static constexpr std::uint32_t kLines = 5;                       // of one key in one window
    static constexpr Duration kWindow = std::chrono::seconds{10};
    static constexpr std::size_t kKeysMax = 4096;                    // strangers make keys; beyond, all others share one

    /// True when a line of this key may be written now.
    bool may_write(std::string_view key, TimePoint now);
    /// Keys whose window is over and of which lines were left out, with their numbers. Call at next_deadline().
    std::vector<std::pair<std::string, std::uint64_t>> summaries(TimePoint now);
    /// No later than the end of a window of which lines were left out.
    std::optional<TimePoint> next_deadline() const;

private:
    struct Window {
        TimePoint ends;
        std::uint32_t written = 0;
        std::uint64_t left_out = 0;
    };
    void open(std::string_view key, Window& window, TimePoint now);

    std::map<std::string, Window, std::less<>> windows_;
    std::deque<std::pair<TimePoint, std::string>> ends_;  // of all windows, which are equally long; some have been opened again since
    std::size_t with_left_out_ = 0;
};

}  // namespace nave::runtime
