// The keys that seal tickets of session resumption (RFC 5723): kept in a file, so that a restarted gateway opens what it sealed before.
#pragma once

#include "common/random.hpp"
#include "common/secret.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace nave::runtime {

/// The current key and the one before. The current one is renewed once a day, so that a ticket, which is good for a day at most, opens as long
/// as it is good. Gateways that share the file take each other's tickets; when two of them renew it in the same moment, the later one's keys
/// stay, and tickets of the other one's lead to a full exchange. Control thread only.
class TicketKeys {
public:
    static constexpr std::chrono::hours kRenewal{24};

    /// Reads the file, or makes it (mode 0600) where there is none; with an empty path the keys live as long as the process. The error says in
    /// words what is wrong: a file that others may read is refused.
    static std::expected<TicketKeys, std::string> open(std::string path, Random& random, std::chrono::sys_seconds now);
    /// The current one first.
    const std::vector<Secret>& keys() const { return keys_; }
    /// Renews the keys when it is time, and reads them when another gateway did. True if keys() changed; an error leaves them as they were.
    std::expected<bool, std::string> look(Random& random, std::chrono::sys_seconds now);

private:
    /// What a file that was not touched since has.
    struct Stamp {
        std::int64_t nanoseconds = 0;
        std::uint64_t file = 0;
        bool operator==(const Stamp&) const = default;
    };
    explicit TicketKeys(std::string path) : path_{std::move(path)} {}
    static Stamp stamp_of(const std::string& path);
    std::expected<bool, std::string> renew(Random& random, std::chrono::sys_seconds now);
    std::expected<bool, std::string> read();

    std::string path_;
    std::vector<Secret> keys_;
    std::chrono::sys_seconds made_at_{};
    Stamp stamp_;
};

}  // namespace nave::runtime
