// The table of peers: keeps what the dataplane knows of each in the right order, from SetPeer to the last acknowledgement.
#pragma once

#include "common/plane_messages.hpp"
#include "controlplane/overlay/acknowledgements.hpp"
#include "controlplane/overlay/actions.hpp"
#include "controlplane/overlay/peer.hpp"
#include "controlplane/overlay/slot_pool.hpp"
#include "controlplane/overlay/spi_allocator.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nave::overlay {

/// What the overlay decided about an identity that came up in a tunnel.
struct Admission {
    TunnelId tunnel;
    PortId port;
    Role role = Role::spoke;
    GroupId group;
    RateLimits rates{};
};

/// Order that it keeps: SetPeer, then its path and SAs; inbound before outbound; all SAs acknowledged before RemovePeer;
/// that acknowledged by every worker and the route writer before its PeerId is used again: the worker knows the peer no more
/// then, and no route leads to its number. Acknowledgements are events, which may be lost: what is not acknowledged is asked for
/// again.
class Peers {
public:
    static constexpr Duration kAskAgainAfter = std::chrono::seconds{10};
    /// How long after its first SA an attempt of the other end counts as crossing ours and not as a new start.
    static constexpr Duration kCrossingWindow = std::chrono::seconds{10};
    /// How long a replaced association lives on, for what is still on its way; shorter than IKE takes to settle
    /// duplicates by itself, which knows nothing of paths and might keep the dead one.
    static constexpr Duration kReplacedLingers = std::chrono::seconds{1};
    /// How long an inbound SA stays when its association ends while another one of the peer lives: the peer may go on
    /// sending under it until it hears of the end.
    static constexpr Duration kInboundLingers = std::chrono::seconds{2};

    Peers(std::uint32_t peers_max, std::uint32_t sa_slots, std::uint8_t workers, SpiAllocator& spis);

    /// A new association: of a known peer, or of a new one. nullptr when the table is full (counted).
    Peer* admit(const Admission& admission, const ike::SaUp& up, TimePoint now, Outbox& out);
    void install_inbound(const ike::InstallInbound& install, std::uint16_t replay_window, TimePoint now, Outbox& out);
    /// False when no slot is left: the association is of no use then.
    [[nodiscard]] bool install_outbound(const ike::InstallOutbound& install, TimePoint now, Outbox& out);
    void remove_inbound(ike::SaId sa, Spi spi, TimePoint now, Outbox& out);
    void remove_outbound(ike::SaId sa, ike::ChildId child, TimePoint now, Outbox& out);
    /// The association is over; its SAs are removed. The peer stays until leave().
    void detach(ike::SaId sa, TimePoint now, Outbox& out);
    /// A peer without association goes; no route may lead to it any more.
    void leave(Peer& peer, TimePoint now, Outbox& out);

    /// Sends SetPeer again after a change of sources, group or multicast.
    void tell(const Peer& peer, Outbox& out) const;
    /// Sends SetPeerRate if the limits are others than they were.
    void limit(Peer& peer, const RateLimits& rates, Outbox& out) const;
    /// The association's endpoint changed; the path follows if it is the active one.
    void move(Peer& peer, ike::SaId sa, const NbmaEndpoint& local, const NbmaEndpoint& remote, Outbox& out);
    void on_removed(const SaRemoved& removed, TimePoint now, Outbox& out);
    void on_removed(const PeerRemoved& removed);
    /// Asks again for acknowledgements that did not come.
    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const { return sweep_at_; }

    Peer* find(PeerId id);
    const Peer* find(PeerId id) const { return const_cast<Peers*>(this)->find(id); }
    Peer* find(ike::SaId sa);
    Peer* find(TunnelId tunnel, const ike::Identity& identity);
    /// Every peer that has an association.
    std::vector<Peer*> live();
    std::vector<const Peer*> live() const;
    std::size_t slots_in_use() const { return ids_.in_use(); }
    std::size_t outbound_in_use() const { return outbound_.in_use(); }
    std::uint64_t exhausted() const { return ids_.exhausted() + outbound_.exhausted(); }
    /// Associations whose child has to be rekeyed to give its peer an outbound SA again, with the inbound SPI.
    std::vector<std::pair<ike::SaId, Spi>> take_rekeys() { return std::exchange(rekeys_, {}); }
    /// Associations that were replaced since the last call; to be closed after kReplacedLingers.
    std::vector<ike::SaId> take_replaced() { return std::exchange(replaced_, {}); }

private:
    struct Awaited {
        PeerId peer;
        TimePoint ask_at;
        bool asked = true;
    };
    Association* association(ike::SaId sa, Peer** peer);
    static Child& child(Association& association, ike::ChildId id, TimePoint now);
    void use(Peer& peer, Association& association, const InstallOutboundSa& command, ike::ChildId id, Outbox& out);
    void replace_active(Peer& peer, Outbox& out);
    void reach(const Peer& peer, const Association& association, Outbox& out) const;
    void drop_inbound(Peer& peer, Child& child, bool at_once, TimePoint now, Outbox& out);
    void drop_outbound(Peer& peer, Child& child, TimePoint now, Outbox& out);
    void acknowledged(PeerId id, TimePoint now, Outbox& out);
    void send_remove(Peer& peer, TimePoint now, Outbox& out);
    /// Notes that something is to be asked (again) then; gives it back.
    TimePoint plan(TimePoint when);

    SpiAllocator& spis_;
    SlotPool ids_, outbound_;
    std::uint8_t workers_;
    std::uint8_t next_owner_ = 0;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::map<std::pair<TunnelId, ike::Identity>, PeerId> by_identity_;
    std::unordered_map<ike::SaId, PeerId> by_sa_;
    std::map<Spi, Awaited> inbound_going_;
    std::map<SaSlot, Awaited> outbound_going_;
    struct PeerGoing { TimePoint ask_at; std::uint32_t removal; Acknowledgements due; };
    std::map<PeerId, PeerGoing> peers_going_;
    std::uint32_t removals_ = 0;
    std::optional<TimePoint> sweep_at_;  // set while anything is awaited
    std::vector<std::pair<ike::SaId, Spi>> rekeys_;
    std::vector<ike::SaId> replaced_;
};

}  // namespace nave::overlay
