// Counting, limited logging and jitter.
#include "controlplane/ike/context.hpp"

#include "controlplane/ike/retransmission.hpp"

namespace nave::ike {

bool StrangerLog::admit(TimePoint now) {
    if (now - window_ >= std::chrono::seconds{1}) window_ = now, lines_ = 0;
    return lines_++ < kLinesPerSecond;
}

Datagram copy_of(const Arrival& arrival) { return {arrival.local, arrival.remote, Bytes{arrival.message.begin(), arrival.message.end()}}; }

void Context::count(std::string_view name) {
    auto found = counters.find(name);
    if (found == counters.end()) found = counters.emplace(name, 0).first;
    ++found->second;
    counted.push_back(&found->second);
}

void Context::count_for_good(std::string_view name) {
    count(name);
    counted.pop_back();
}

void Context::take_back_counts() {
    for (std::uint64_t* each : std::exchange(counted, {})) --*each;
}

void Context::log_stranger(Severity severity, std::string text) {
    if (stranger_log.admit(now)) log(severity, std::move(text));
    else count("log-lines-suppressed");
}

Duration Context::between(Duration low, Duration high) {
    constexpr std::uint32_t kSteps = 1u << 16;
    return low + (high - low) / kSteps * random.below(kSteps + 1);
}

Duration Context::peer_patience() const { return patience(settings.retransmit_first, settings.retransmit_tries); }

}  // namespace nave::ike
