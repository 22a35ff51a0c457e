// A peer: the other end of our IKE SAs with one identity in one tunnel, and everything that hangs on it.
#pragma once

#include "common/addresses.hpp"
#include "common/plane_messages.hpp"
#include "common/time.hpp"
#include "common/traffic_class.hpp"
#include "controlplane/ike/endpoint.hpp"
#include "controlplane/overlay/settings.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nave::overlay {

enum class Role : std::uint8_t { hub, spoke };

/// Packets and inner bytes since some beginning.
struct Traffic {
    std::uint64_t packets = 0, bytes = 0;
    Traffic& operator+=(const Traffic& other) {
        packets += other.packets, bytes += other.bytes;
        return *this;
    }
};

/// What the dataplane did to keep a peer within its rates: bytes of outer packets that went at its rate, and packets that were lost.
struct RateCounts {
    std::uint64_t shaped_bytes = 0, policed = 0;
    std::array<std::uint64_t, kTrafficClasses> shaper_drops{};
};

/// One pair of ESP SAs as the dataplane holds it.
struct Child {
    ike::ChildId id;
    std::optional<Spi> inbound;
    std::optional<SaSlot> outbound;
    Spi outbound_spi;
    EspAlgorithm algorithm{};
    EspMode mode{};
    bool esn = false;
    bool for_one_worker = false;  // the others use the peer's pair for all
    TimePoint since;
    Traffic in, out;  // as last read
};

/// One IKE SA of a peer. A peer that came back, or whose attempt crossed ours, has two for a while.
struct Association {
    ike::SaId sa;
    bool initiator = false, local_behind_nat = false, remote_behind_nat = false, encapsulated = false;
    NbmaEndpoint local, remote;
    TimePoint since;
    std::vector<Child> children;
    std::optional<InstallOutboundSa> standby;  // agreed upon but not used yet: its crossing twin carries the traffic
    ike::ChildId standby_child;
    TimePoint heard_at, sent_at, probed_at;    // as the counters showed
    bool replaced = false;                     // a newer one took over; it is deleted when nothing can be on its way any more
};

/// Owned by Peers; one per identity and tunnel.
struct Peer {
    PeerId id;
    TunnelId tunnel;
    PortId port;
    ike::Identity identity;
    Role role = Role::spoke;
    GroupId group;
    std::optional<ike::Identity> subject;      // of the certificate that it proved itself by last
    std::string nhrp_group;                    // what it calls itself; empty: nothing
    RateLimits rates;
    RateCounts rate_counts;
    std::vector<Association> associations;
    std::optional<ike::SaId> active;           // whose outbound SA and endpoint the traffic uses
    std::optional<ike::ChildId> active_child;
    std::vector<Prefix> bindings;              // what it registered with us
    std::vector<Prefix> sources;               // inner sources that it may send from, unless it is a hub
    std::vector<TunnelAddress> tunnel_addresses;
    bool multicast = false;
    bool leaving = false;                      // has no IKE SA any more; waits for the dataplane's acknowledgements
    std::size_t acknowledgements_due = 0;
    TimePoint since;
    Traffic in, out;                           // all its SAs that ever were
    std::uint64_t nhrp_in = 0, nhrp_out = 0;   // packets of NHRP among them
    std::uint64_t data_in_seen = 0, data_out_seen = 0;  // highest packet counts without NHRP
    TimePoint last_data_in, last_data_out;
    TimePoint path_followed_at;                // when PeerMoved last changed its path

    Association* association(ike::SaId sa) {
        for (Association& each : associations)
            if (each.sa == sa) return &each;
        return nullptr;
    }
    const Association* association(ike::SaId sa) const { return const_cast<Peer*>(this)->association(sa); }
    /// The association that carries the traffic, else the newest; nullptr when there is none.
    const Association* best_association() const {
        if (active)
            if (const Association* found = association(*active)) return found;
        return associations.empty() ? nullptr : &associations.back();
    }
    bool carries_traffic() const { return active_child.has_value(); }
    bool holds(const TunnelAddress& address) const {
        for (const TunnelAddress& each : tunnel_addresses)
            if (each == address) return true;
        return false;
    }
};

}  // namespace nave::overlay
