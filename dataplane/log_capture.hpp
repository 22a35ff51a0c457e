// Catches what DPDK logs while it is asked for something, so that an error can carry it.
#pragma once

#include <cstdio>
#include <string>

namespace nave::dataplane {

/// While it lives, DPDK's log lines go here. Main thread, one at a time.
class LogCapture {
public:
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    /// The lines so far joined by "; ", cut at a length that fits an error message.
    std::string text();

private:
    char* buffer_ = nullptr;
    std::size_t size_ = 0;
    std::FILE* stream_;
    std::FILE* before_;
};

}  // namespace nave::dataplane
