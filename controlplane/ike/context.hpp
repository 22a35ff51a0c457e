// What every handler of one event works with: the settings, the sources, the tables, the time and the outbox.
#pragma once

#include "controlplane/ike/endpoint.hpp"
#include "controlplane/ike/message.hpp"
#include "controlplane/ike/sa_table.hpp"
#include "controlplane/ike/waiting_room.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike {

class RevocationDesk;

using CounterMap = std::map<std::string, std::uint64_t, std::less<>>;

/// A datagram that came in, without marker; `header` is decoded, nothing of it is trusted.
struct Arrival {
    NbmaEndpoint local, remote;
    ByteView message;
    Header header;
};
Datagram copy_of(const Arrival& arrival);

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
    TicketBook& tickets;
    CounterMap& counters;
    StrangerLog& stranger_log;
    RevocationDesk& desk;
    TimePoint now;
    Outbox& out;
    std::vector<SaId> touched{};                // to be settled when the event is handled
    std::vector<ConnectRequest> reconnects{};   // joined attempts that came to nothing: own ones start instead
    std::vector<CryptoJob> computed{};          // what the handling of this datagram asked for before
    bool has_waiting = false;                   // a datagram for this association waits for a result
    bool postpones = false;                     // what it asks for besides is done by the crypto pool
    std::vector<std::uint64_t*> counted{};      // to be taken back when it is postponed

    const Profile& profile_of(const Association& association) const { return settings.profiles[association.profile.value]; }
    void count(std::string_view name);
    void take_back_counts();
    /// Of what is done only once, though its datagram may be handled anew.
    void count_for_good(std::string_view name);
    /// The result of a costly operation. With a crypto pool the handling ends here by an exception and begins anew when the result is there:
    /// a handler asks for all that it needs before it changes anything.
    template <class Job>
    typename Job::Result ask(Job job) const {
        for (const CryptoJob& each : computed)
            if (const auto* done = std::get_if<Job>(&each); done && done->asks_the_same(job)) return *done->result;
        if (postpones) throw Postponed{CryptoJob{std::move(job)}};
        job.compute();
        return *std::move(job.result);
    }
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
