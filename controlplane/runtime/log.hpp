// The log: one line for each event on standard error, limited by key, readable by people and by journald.
#pragma once

#include "common/time.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/runtime/log_limiter.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace nave::runtime {

/// The text with line breaks and other control characters escaped: an identity from the wire cannot forge a line.
std::string printable(std::string_view text);

/// Control thread only.
class Log {
public:
    struct Options {
        std::string gateway;                            // name that each line carries
        ike::Severity least = ike::Severity::info;      // lines below it are not written
        bool journal = false;                           // standard error is journald's: a priority in front, no time
        int descriptor = 2;
    };
    explicit Log(Options options) : options_{std::move(options)} {}
    /// Options for this process's standard error.
    static Options for_standard_error(std::string gateway, ike::Severity least);

    /// `key` groups lines of one severity for rate limiting. The text is made printable.
    void write(ike::Severity severity, std::string_view key, std::string_view text, TimePoint now);
    /// Tells how many lines were left out.
    void on_deadline(TimePoint now);
    std::optional<TimePoint> next_deadline() const { return limiter_.next_deadline(); }
    std::uint64_t left_out() const { return left_out_; }

private:
    struct Last {
        ike::Severity severity;
        std::string text;
    };
    void emit(ike::Severity severity, std::string_view text) const;

    Options options_;
    LogLimiter limiter_;
    std::map<std::string, Last, std::less<>> last_left_out_;  // of each severity and key that has some
    std::uint64_t left_out_ = 0;
};

}  // namespace nave::runtime
