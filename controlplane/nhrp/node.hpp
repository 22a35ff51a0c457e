// One tunnel's NHRP, server and client in one: takes inputs with the time, fills an outbox, keeps no clock and no socket.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/ids.hpp"
#include "common/random.hpp"
#include "common/time.hpp"
#include "controlplane/nhrp/actions.hpp"
#include "controlplane/nhrp/directory.hpp"
#include "controlplane/nhrp/settings.hpp"
#include "controlplane/nhrp/snapshot.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace nave::nhrp {

/// RFC 2332 with the practice of deployed DMVPN peers. Called from the control thread only. A peer is named by its
/// PeerId, that is by its SA, never by an address. Every input appends what it wants done to `out`.
class Node {
public:
    /// `random` and `directory` must outlive the node.
    Node(Settings settings, TunnelAddress own_address, std::uint8_t subnet_length, Random& random, const Directory& directory);
    ~Node();
    Node(Node&&) noexcept;
    Node& operator=(Node&&) = delete;

    /// Changed settings hold from the next packet on; tables stay.
    void set_settings(Settings settings);
    /// Our tunnel address and the length of the tunnel's subnet; a change registers again at once.
    void set_own_address(TunnelAddress address, std::uint8_t subnet_length, TimePoint now, Outbox& out);
    /// Spoke: LAN prefixes to register with every hub, each its own CIE in requests of their own, so that a hub that takes
    /// host bindings only still takes the main registration. A prefix that went away is purged from the hubs, and from
    /// the spokes that resolved it.
    void set_local_prefixes(std::vector<Prefix> prefixes, TimePoint now, Outbox& out);

    /// Relay: a spoke of that identity, which is registered here, holds the prefix, or (no identity) nobody does any more; the other hubs are to know.
    void tell_hubs(const Prefix& prefix, const std::optional<std::string>& holder, TimePoint now);

    /// The peer has an SA that carries traffic. Hubs among the peers are registered with at once.
    void peer_up(PeerId peer, TimePoint now, Outbox& out);
    /// The peer has none any more: its registrations end, and so do ours with it. Also before a PeerId is reused.
    void peer_down(PeerId peer, TimePoint now, Outbox& out);

    /// Registers with that hub as soon as its peer is up; the same `nhs` again moves it to another peer. `hub` is its
    /// tunnel address when configured; else it is learned from the first reply.
    void add_next_hop_server(NhsId nhs, PeerId peer, std::optional<TunnelAddress> hub, TimePoint now, Outbox& out);
    /// Purges our registration there and forgets the hub.
    void remove_next_hop_server(NhsId nhs, TimePoint now, Outbox& out);

    /// A GRE payload of protocol 0x2001 that came out of that peer's SA.
    void on_packet(PeerId from, ByteView bytes, TimePoint now, Outbox& out);

    /// Starts a resolution unless the destination is local, cached, pending, or known not to resolve.
    void resolve(const IpAddress& destination, TimePoint now, Outbox& out);
    /// Hub: relayed `packet` (head of an inner IP packet) from `from` back into this tunnel: tells that peer (traffic
    /// indication). Rates are limited by the dataplane.
    void relayed(PeerId from, ByteView packet, TimePoint now, Outbox& out);
    /// Traffic used the shortcut since the last call: it is renewed before it expires.
    void shortcut_used(const Prefix& prefix);
    /// Drops a shortcut that the overlay has removed (unused, or its SA died); says nothing back.
    void forget(const Prefix& prefix);
    /// Hub: an identity's rights changed: ends those of the peer's bindings that the directory refuses now.
    void recheck(PeerId peer, TimePoint now, Outbox& out);

    /// Graceful stop: purges our registrations from all hubs, and answers that we gave.
    void shut_down(TimePoint now, Outbox& out);

    /// To be called at next_deadline() or later; early calls do nothing.
    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;

    Snapshot snapshot() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace nave::nhrp
