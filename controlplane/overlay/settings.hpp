// What the operator decides about the overlay: tunnels, hubs, and who may hold which addresses.
#pragma once

#include "common/addresses.hpp"
#include "common/plane_messages.hpp"
#include "common/time.hpp"
#include "controlplane/ike/endpoint.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nave::overlay {

/// A hub that a spoke registers at; the lowest `priority` that is registered carries the traffic, of equal ones the first.
struct Hub {
    NbmaAddress address;                           // unspecified where there is a name
    std::optional<ike::IdentityPattern> identity;  // whom we expect there; anybody who has the key when absent
    std::uint8_t priority = 1;
    std::vector<Prefix> redirects{};               // where it may send us instead (RFC 5685)
    std::uint8_t cluster = 0;                      // Tunnel::hub_connections counts within one
    std::string name{};                            // domain name, in place of the address: all its addresses are tried
    std::string to_string() const { return name.empty() ? address.value.to_string() : name; }
};

/// Bits per second of outer IP packets, headers of GRE and ESP included, as the line of a small spoke carries them; nothing is no limit.
struct RateLimits {
    std::optional<std::uint64_t> to{}, from{};
    bool operator==(const RateLimits&) const = default;
};

/// What an authenticated identity may do; the first rule whose pattern matches decides, and no match refuses.
struct AccessRule {
    ike::IdentityPattern identity;
    /// Tunnel addresses that it may register: blocks that bound it. Within them an address belongs to whom came first, while alive.
    std::vector<Prefix> tunnel_addresses;
    /// Inside prefixes that it may register and answer for: blocks that bound it, first come first served within them.
    std::vector<Prefix> prefixes;
    GroupId group;
    bool hub = false;  // may relay: its packets may have any inner source, and it may answer for any prefix
    /// Only for peers that call themselves by this NHRP group, which anybody can: such a rule gives no right, it says how they are treated.
    std::optional<std::string> nhrp_group{};
    RateLimits rates{};
};

struct Tunnel {
    std::string name;
    TunnelId id;
    TableId table;                         // of its inside, which tunnels of one table share
    PortId underlay;
    std::string underlay_name{};           // for log lines
    ike::ProfileId profile;
    TunnelAddress address;
    std::uint8_t address_length = 24;      // bits of the tunnel's network
    bool link_local = true;                // an IPv6 tunnel: link-local addresses too; in a table their interface identifiers would meet those of another's
    std::optional<std::uint32_t> gre_key;
    std::uint16_t mtu = 1400;              // inner IP bytes
    bool mss_clamp = true;
    std::uint8_t ttl = 64;                 // of the outer header
    std::uint16_t replay_window = 1024;    // packets
    Duration holding_time = std::chrono::minutes{10};
    std::optional<std::string> nhrp_authentication;  // clear-text word, up to 8 characters: a label, not security
    std::optional<std::string> nhrp_group{};  // what we call ourselves at hubs
    bool redirect = true;                  // hub: send traffic indications
    bool shortcut = true;                  // spoke: follow them
    Duration shortcut_idle = std::chrono::minutes{2};
    bool unique = false;                   // ask hubs to lock our registration to this NBMA address
    std::vector<Hub> hubs;                 // empty on a hub, unless
    bool relay = false;                    // it is one of several that tell each other of their spokes
    std::uint8_t hub_connections = 0;      // so many hubs of each cluster at a time, the best that work; 0: all
    Duration hub_return = std::chrono::seconds{30};  // so long a hub that failed works before it carries traffic again
    std::vector<Prefix> routes;            // spoke: what lies behind the hubs
    std::vector<AccessRule> access;

    bool is_spoke() const { return !hubs.empty() && !relay; }
};

struct Settings {
    std::vector<Tunnel> tunnels;
    ike::Settings ike;                 // profiles are referred to by Tunnel::profile
    std::uint8_t workers = 1;
    std::uint32_t sa_slots = 4096;     // of each direction
    std::uint32_t peers_max = 1024;
};

}  // namespace nave::overlay
