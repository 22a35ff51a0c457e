// What an operator can set for one tunnel's NHRP, with the defaults.
#pragma once

#include "common/plane_messages.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace nave::nhrp {

/// Bounds of every table. Reaching one is counted by name, and what came is refused.
struct Limits {
    std::size_t bindings = 20'000;        // hub: registrations of all peers
    std::size_t bindings_per_peer = SetPeer::kSourcesMax;  // hub: registrations of one peer, its tunnel address among them
    std::size_t shortcuts = 4'096;        // resolved destinations
    std::size_t pending = 256;            // resolutions under way
    std::size_t confirmations = 64;       // of those, what hubs are asked only about other spokes' registrations
    std::size_t negative = 1'024;         // destinations known not to resolve
    std::size_t answers = 65'536;         // who resolved what, to purge it
    std::size_t vouchers = 8'192;         // what hubs said of who is where
    std::size_t purges = 4'096;           // purge requests under way
    std::uint32_t errors_per_second = 10; // Error Indications that we originate
};

struct Settings {
    std::chrono::seconds holding_time{600};  // what we register and answer with; 1 to 65535
    std::chrono::seconds negative_time{60};  // how long a failed resolution is not tried again
    bool server = false;    // hub: accepts registrations, forwards requests and replies
    bool relay = false;     // hub: other hubs tell it of their spokes, and it tells them of its own
    bool introductions = false;  // spoke: accepts registrations of spokes with a direct SA, on a hub's word
    bool redirect = false;  // hub: tells senders of relayed traffic about the shorter way
    bool shortcut = true;   // acts on traffic indications
    bool unique = false;    // spoke: registers with the U bit; locks us out after an address change (RFC 2332 §5.2.3)
    /// Hub: an address that another identity holds is refused while that one lives; else the newest registration wins,
    /// unless the older one has the U bit.
    bool enforce_unique = true;
    /// Clear-text word of the authentication extension, 1 to 8 characters. Of odd length it makes packets whose checksum
    /// FRR before June 2026 and OpenNHRP compute wrongly. It is no protection: trust comes from IKE.
    std::optional<std::string> authentication;
    /// Spoke: the group that we name in our registrations; kGroupMin to kGroupMax printable characters without blanks.
    std::optional<std::string> group;
    Limits limits;
};

}  // namespace nave::nhrp
