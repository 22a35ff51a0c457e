// Datagrams whose handling waits for the crypto pool, and those of the same sender that came behind them.
#pragma once

#include "controlplane/ike/association.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace nave::ike {

/// What a handler throws when the result of this job is not there (Context::ask), or the answer about a certificate. The handling is begun anew when it is.
struct Postponed {
    std::variant<CryptoJob, FetchId> awaited;
};

/// Whoever asks for an association that does not exist yet.
struct Stranger {
    std::uint64_t initiator_spi;
    NbmaAddress address;
    auto operator<=>(const Stranger&) const = default;
};
/// Whose datagrams are handled in the order in which they came.
using Sender = std::variant<SaId, Stranger>;

/// Every sender has at most one datagram that waits for a job, and a few behind it.
class WaitingRoom {
public:
    static constexpr std::size_t kBehindMax = 8;

    struct Visit {
        Sender sender;
        Datagram datagram;
        std::vector<CryptoJob> computed;  // what its handling has asked for until now
        std::vector<Datagram> behind{};
    };

    bool holds(const Sender& sender) const { return jobs_.contains(sender); }
    /// The sender holds one already. False if too many came behind it.
    bool queue(const Sender& sender, Datagram datagram);
    /// The sender holds none yet.
    void wait_for(JobId job, Visit visit);
    /// Ends the wait; nothing for a job that nobody waits for.
    std::optional<Visit> leave(JobId job);

private:
    std::map<Sender, JobId> jobs_;
    std::map<JobId, Visit> visits_;
};

}  // namespace nave::ike
