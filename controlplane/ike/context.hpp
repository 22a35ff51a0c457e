// What every handler of one event works with: the settings, the sources, the tables, the time and the outbox.
#pragma once

#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/sa_table.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike {

using CounterMap = std::map<std::string, std::uint64_t, std::less<>>;

/// A datagram that came in, without marker; `header` is decoded, nothing of it is trusted.
struct Arrival {
    NbmaEndpoint local, remote;
    ByteView message;
    Header header;
};

/// Bounds the log lines that anybody on the network can cause, so that a flood does not fill the operator's disk.
class StrangerLog {
public:
    static constexpr int kLinesPerSecond = 10;
    bool admit(TimePoint now);

private:
    TimePoint window_{};
    int lines_ = 0;
};

struct Context {
    const Settings& settings;
    Random& random;
    SpiSource& spis;
    SaTable& table;
    CounterMap& counters;
    StrangerLog& stranger_log;
    TimePoint now;
    Outbox& out;
    std::vector<SaId> touched{};                // to be settled when the event is handled
    std::vector<ConnectRequest> reconnects{};   // joined attempts that came to nothing: own ones start instead

    const Profile& profile_of(const Association& association) const { return settings.profiles[association.profile.value]; }
    void count(std::string_view name);
    void log(Severity severity, std::string text) { out.push_back(Log{severity, std::move(text)}); }
    /// About a peer that is not authenticated: rate-limited.
    void log_stranger(Severity severity, std::string text);
    void touch(const Association& association) { touched.push_back(association.id); }
    /// A random duration between the two.
    Duration between(Duration low, Duration high);
    /// When something that lives for `lifetime` from now is renewed: after 85 to 95 % of it.
    TimePoint rekey_time(Duration lifetime) { return now + between(lifetime / 100 * 85, lifetime / 100 * 95); }
    /// How long a whole schedule of retransmissions takes: for that long the peer may repeat a request.
    Duration peer_patience() const;
};

/// Retired and refused SAs answer repeated requests for so long.
inline constexpr Duration kLinger = std::chrono::seconds{10};

}  // namespace nave::ike
