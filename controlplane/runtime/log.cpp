// Formatting and writing of log lines.
#include "controlplane/runtime/log.hpp"

#include <chrono>
#include <cstdlib>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nave::runtime {

namespace {

std::string_view name(ike::Severity severity) {
    switch (severity) {
    case ike::Severity::info: return "info";
    case ike::Severity::notice: return "notice";
    case ike::Severity::warning: return "warning";
    case ike::Severity::error: return "error";
    }
    return "error";
}

/// syslog(3) priorities, as journald takes them in front of a line (sd-daemon(3)).
int priority(ike::Severity severity) {
    switch (severity) {
    case ike::Severity::info: return 6;
    case ike::Severity::notice: return 5;
    case ike::Severity::warning: return 4;
    case ike::Severity::error: return 3;
    }
    return 3;
}

/// $JOURNAL_STREAM names the device and inode of the stream that journald gave us (systemd.exec(5)).
bool is_journal(int descriptor) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (!stream || fstat(descriptor, &status) != 0) return false;
    return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += character;
        }
    }
    return out;
}

Log::Options Log::for_standard_error(std::string gateway, ike::Severity least) {
    return {.gateway = std::move(gateway), .least = least, .journal = is_journal(STDERR_FILENO), .descriptor = STDERR_FILENO};
}

void Log::write(ike::Severity severity, std::string_view key, std::string_view text, TimePoint now) {
    if (severity < options_.least) return;
    on_deadline(now);
    // What a peer does all the time must not hide why it fails.
    auto limited = fmt::format("{} {}", name(severity), key);
    if (limiter_.may_write(limited, now)) {
        emit(severity, text);
        return;
    }
    ++left_out_;
    last_left_out_.insert_or_assign(std::move(limited), Last{severity, std::string{text}});
}

void Log::on_deadline(TimePoint now) {
    for (const auto& [key, count] : limiter_.summaries(now)) {
        const auto last = last_left_out_.find(key);
        if (last == last_left_out_.end()) {
            emit(ike::Severity::notice, fmt::format("{} ({} more)", key, count));
            continue;
        }
        emit(last->second.severity, count == 1 ? last->second.text : fmt::format("{} ({} more)", last->second.text, count - 1));
        last_left_out_.erase(last);
    }
    if (!limiter_.next_deadline()) last_left_out_.clear();
}

void Log::emit(ike::Severity severity, std::string_view text) const {
    std::string line;
    if (options_.journal) {
        line = fmt::format("<{}>{}: {}\n", priority(severity), options_.gateway, printable(text));
    } else {
        const auto now = std::chrono::system_clock::now();
        const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
        line = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {}: {}\n", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds,
                           name(severity), options_.gateway, printable(text));
    }
    // A reader of the log that went away is no reason to stop.
    [[maybe_unused]] const auto written = ::write(options_.descriptor, line.data(), line.size());
}

}  // namespace nave::runtime
