// Windows of log lines by key.
#include "controlplane/runtime/log_limiter.hpp"

namespace nave::runtime {

void LogLimiter::open(std::string_view key, Window& window, TimePoint now) {
    window = {.ends = now + kWindow};
    ends_.emplace_back(window.ends, key);
}

bool LogLimiter::may_write(std::string_view key, TimePoint now) {
    auto found = windows_.find(key);
    if (found == windows_.end() && windows_.size() >= kKeysMax) {
        key = "other";
        found = windows_.find(key);
    }
    if (found == windows_.end()) {
        found = windows_.emplace(std::string{key}, Window{}).first;
        open(key, found->second, now);
    }
    Window& window = found->second;
    // A window that has something left out ends by its summary.
    if (window.ends <= now && window.left_out == 0) open(key, window, now);
    if (window.written < kLines) {
        ++window.written;
        return true;
    }
    if (window.left_out++ == 0) ++with_left_out_;
    return false;
}

std::vector<std::pair<std::string, std::uint64_t>> LogLimiter::summaries(TimePoint now) {
    std::vector<std::pair<std::string, std::uint64_t>> over;
    for (; !ends_.empty() && ends_.front().first <= now; ends_.pop_front()) {
        const auto& [ends, key] = ends_.front();
        const auto found = windows_.find(key);
        if (found == windows_.end() || found->second.ends != ends) continue;
        if (found->second.left_out > 0) {
            over.emplace_back(key, found->second.left_out);
            --with_left_out_;
        }
        windows_.erase(found);
    }
    return over;
}

std::optional<TimePoint> LogLimiter::next_deadline() const {
    return with_left_out_ == 0 ? std::nullopt : std::optional{ends_.front().first};
}

}  // namespace nave::runtime
