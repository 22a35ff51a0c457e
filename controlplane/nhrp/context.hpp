// What the parts of one node share: settings, who we are, counters, request ids, and the way out for packets.
#pragma once

#include "common/random.hpp"
#include "common/time.hpp"
#include "controlplane/nhrp/actions.hpp"
#include "controlplane/nhrp/counters.hpp"
#include "controlplane/nhrp/directory.hpp"
#include "controlplane/nhrp/packet.hpp"
#include "controlplane/nhrp/settings.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace nave::nhrp {

/// A packet that came in, with what its handlers need to know.
struct Received {
    PeerId from;
    ByteView bytes;  // as on the wire, for quoting in errors
    Packet packet;
};

class Context {
public:
    Context(Settings settings, TunnelAddress own, std::uint8_t subnet_length, Random& random, const Directory& directory);

    Settings settings;
    TunnelAddress own;
    std::uint8_t subnet_length;
    const Directory& directory;
    Counters counters;
    /// Addresses that a shortcut must never cover: hubs' tunnel addresses, kept by the registrar.
    std::set<IpAddress> hubs;

    Prefix own_subnet() const { return Prefix::of(own.value, subnet_length); }
    /// Whether an answer about the prefix may hold for all of it: nothing as wide as a default route is one site's. As FRR: /8 of IPv4;
    /// of IPv6 /16, because registries give a /19 to the largest providers, and no site comes near that (RFC 6177).
    static bool is_narrow(const Prefix& prefix) { return prefix.length >= (prefix.address.is_v4() ? 8 : 16); }
    /// Whether it may be a station's address, or a network's, beyond one link.
    static bool is_unicast(const IpAddress& address) { return !address.is_multicast() && !address.is_unspecified() && !address.is_link_local(); }
    bool is_own(const IpAddress& address) const { return address == own.value; }
    /// Drawn at random: whoever did not see the request cannot answer it. `is_taken` says which ones are outstanding.
    template <class IsTaken>
    std::uint32_t new_request_id(IsTaken&& is_taken) {
        std::uint32_t id = random_.u32();
        while (is_taken(id)) ++id;
        return id;
    }

    /// A packet from us to the station at `destination`, to be sent to `peer`; without extensions.
    Packet originate(PacketType type, PeerId peer, const IpAddress& destination) const;
    /// An entry that names us, as seen from `peer`, for a packet of that NBMA family: without NBMA address when ours is of the other.
    ClientInfo own_client(PeerId peer, Family nbma) const;
    /// The empty transit and responder extensions that requests carry, in the order of deployed peers (4, 5, 3).
    void add_request_extensions(Packet& packet) const;
    /// Puts our word into the authentication extension (it is hop by hop), or takes a foreign one out. Errors carry no extensions (RFC 2332 §5.2.7).
    void authenticate(Packet& packet) const;
    bool is_authentic(const Packet& packet) const;

    void send(PeerId peer, Packet packet, Outbox& out);
    /// An Error Indication to the peer that sent `original`, unless the rate is used up or it is an indication itself (RFC 2332 §5.2.7).
    void send_error(PeerId peer, ByteView original, ErrorCode code, std::uint16_t offset, TimePoint now, Outbox& out);

private:
    bool may_send_error(TimePoint now);

    Random& random_;
    TimePoint error_second_;  // start of the second in which errors_in_second_ were sent
    std::uint32_t errors_in_second_ = 0;
};

/// A log line; `key` bounds its rate.
void log(Outbox& out, Severity severity, std::string key, std::string text);

/// Counts and logs that the sender of an answer or purge may not speak for what it names.
void refuse_to_believe(Context& context, const Received& received, Outbox& out);

/// The NBMA address that a NAT extension gives for the station `protocol`; nothing when it gives none.
std::optional<NbmaAddress> nat_address(const Packet& packet, const IpAddress& protocol);
/// The entries of a transit list or other extension of entries; nothing when there is no such extension or it is malformed.
std::optional<std::vector<ClientInfo>> client_list(const Packet& packet, std::uint16_t type);
/// Whether the packet came straight from the station that made it: the transit list of its direction is there and empty.
bool is_first_hop(const Packet& packet);

}  // namespace nave::nhrp
