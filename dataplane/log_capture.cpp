// DPDK's log stream, redirected to memory.
#include "dataplane/log_capture.hpp"

#include <cstdlib>
#include <rte_log.h>
#include <string_view>

namespace nave::dataplane {

LogCapture::LogCapture() : stream_{open_memstream(&buffer_, &size_)}, before_{rte_log_get_stream()} {
    if (stream_ != nullptr) rte_openlog_stream(stream_);
}

LogCapture::~LogCapture() {
    // Never back to DPDK's default, which would write to the system log as well.
    rte_openlog_stream(before_ == nullptr ? stderr : before_);
    if (stream_ != nullptr) std::fclose(stream_);
    std::free(buffer_);
}

std::string LogCapture::text() {
    constexpr std::size_t kLongest = 400;
    if (stream_ == nullptr || std::fflush(stream_) != 0) return {};
    std::string joined;
    std::string_view rest{buffer_, size_};
    while (!rest.empty() && joined.size() < kLongest) {
        const auto end = rest.find('\n');
        const auto line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (line.empty()) continue;
        if (!joined.empty()) joined += "; ";
        joined += line;
    }
    if (joined.size() > kLongest) joined.resize(kLongest);
    return joined;
}

}  // namespace nave::dataplane
