// A node's tables as plain values, for `navectl show nhrp`.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "common/time.hpp"
#include "controlplane/nhrp/actions.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::nhrp {

enum class CacheKind : std::uint8_t { registered, behind_hub, shortcut, negative };
enum class RegistrationState : std::uint8_t { waiting_for_peer, registering, registered, refused };

struct CacheEntry {
    CacheKind kind;
    Prefix prefix;
    std::optional<TunnelAddress> next_hop;  // not of negative entries
    std::optional<NbmaAddress> nbma{};      // to contact; nothing of entries behind a hub
    std::optional<NbmaAddress> claimed{};   // the other end's own view of it
    std::optional<PeerId> peer;             // of registered entries; the hub of those behind it
    bool unique = false;
    bool used = false;                      // a shortcut that traffic used since it was last renewed
    TimePoint expires;
    std::string group{};                    // of registered entries: what the peer calls its kind
    std::string holder{};                   // of entries behind a hub: the spoke that is registered there; empty: the hub itself
};

struct RegistrationEntry {
    NhsId nhs;
    PeerId peer;
    RegistrationState state;
    std::optional<TunnelAddress> hub;
    std::optional<NbmaAddress> observed;  // our address behind NAT
    std::uint32_t unanswered = 0;         // requests since the last answer
    std::optional<TimePoint> next_request;
    std::vector<Prefix> prefixes;                          // LAN prefixes that the hub took
    std::vector<std::pair<Prefix, CieCode>> refused;       // what it did not take
};

struct PendingEntry {
    IpAddress destination;
    std::uint32_t request_id;
    std::uint32_t attempts;
    TimePoint next_request;
};

struct Snapshot {
    TunnelAddress own_address;
    std::vector<CacheEntry> cache;
    std::vector<RegistrationEntry> registrations;
    std::vector<PendingEntry> pending;
    std::size_t answers = 0;  // answers given or forwarded that would have to be purged
    std::size_t purges = 0;   // purge requests under way
    std::vector<std::pair<std::string_view, std::uint64_t>> counters;  // by name; those that are not zero
};

std::string_view name(CacheKind kind);
std::string_view name(RegistrationState state);

}  // namespace nave::nhrp
