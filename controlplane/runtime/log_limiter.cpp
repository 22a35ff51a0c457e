// Windows of log lines by key.
#include "controlplane/runtime/log_limiter.hpp"

namespace nave::runtime {

bool LogLimiter::may_write(std::string_view key, TimePoint now) {
    auto found = windows_.find(key);
    if (found == windows_.end() && windows_.size() >= kKeysMax) {
        key = "other";
        found = windows_.find(key);
    }
    if (found == windows_.end()) found = windows_.emplace(std::string{key}, Window{.ends = now + kWindow}).first;
    Window& window = found->second;
    // A window that has something left out ends by its summary.
    if (window.ends <= now && window.left_out == 0) window = Window{.ends = now + kWindow};
    if (window.written < kLines) {
        ++window.written;
        return true;
    }
    ++window.left_out;
    return false;
}

std::vector<std::pair<std::string, std::uint64_t>> LogLimiter::summaries(TimePoint now) {
    std::vector<std::pair<std::string, std::uint64_t>> over;
    std::erase_if(windows_, [&](const auto& entry) {
        if (entry.second.ends > now) return false;
        if (entry.second.left_out > 0) over.emplace_back(entry.first, entry.second.left_out);
        return true;
    });
    return over;
}

std::optional<TimePoint> LogLimiter::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [key, window] : windows_) {
        if (window.left_out > 0) next = earlier(next, window.ends);
    }
    return next;
}

}  // namespace nave::runtime
