// One tunnel of this gateway: its routes, rules, NHRP node, hubs and shortcuts, and what the node asks of them.
#pragma once

#include "common/headers.hpp"
#include "controlplane/nhrp/directory.hpp"
#include "controlplane/nhrp/node.hpp"
#include "controlplane/overlay/access.hpp"
#include "controlplane/overlay/backoff.hpp"
#include "controlplane/overlay/hub_link.hpp"
#include "controlplane/overlay/peers.hpp"
#include "controlplane/overlay/rib.hpp"
#include "controlplane/overlay/settings.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace nave::overlay {

/// What NHRP resolved, from then on until it is forgotten.
struct Shortcut {
    enum class State : std::uint8_t {
        waiting,  // for an SA with the next hop, and until it knows us; traffic goes through the hub
        active,   // routed to the peer
        failed    // traffic stays on the hub until the attempt's pause is over
    };
    State state = State::waiting;
    TunnelAddress next_hop;
    NbmaAddress nbma, claimed;
    NbmaEndpoint contact;        // whom IKE is started with
    std::optional<PeerId> peer;  // active
};
std::string_view name(Shortcut::State state);

/// Where a peer is met on demand: at IKE's own port, or both ends being behind NATs, at the port where a hub sees it.
inline NbmaEndpoint contact_of(const NbmaAddress& nbma, const std::optional<NbmaEndpoint>& rendezvous) { return rendezvous.value_or(NbmaEndpoint{nbma, kUdpPortIke}); }
inline bool is_rendezvous(const NbmaEndpoint& contact) { return contact.port != kUdpPortIke; }

/// On-demand IKE towards one underlay endpoint.
struct Attempt {
    std::optional<TimePoint> start_at;     // scheduled
    std::optional<ike::SaId> sa;           // under way
    std::uint64_t token = 0;
    std::optional<TimePoint> forbidden_until{};  // after a failure
    TimePoint failed_at;
    bool unanswered = false;               // the last one failed in silence
    TunnelAddress holder;                  // who is wanted there
    TimePoint used_at;
    Backoff backoff{std::chrono::seconds{20}, std::chrono::seconds{600}};
};

/// Before traffic takes a shortcut, its peer must know who we are and what lies behind us, because it checks the inner
/// source of each packet: we register with it as with a hub, over the direct SA. One that does not do the same with us
/// within kPatience is no nave, and checks nothing. Who answered the IKE_AUTH request begins when the initiator is heard on
/// the new SA, or after kSilence: what it says sooner may overtake its own answer.
struct Introduction {
    static constexpr Duration kPatience = std::chrono::seconds{10};
    static constexpr Duration kSilence = std::chrono::seconds{1};
    nhrp::NhsId nhs;
    TimePoint since;
    std::optional<TimePoint> begin_at;  // absent once begun
    bool patience_over = false;
    bool registered = false;
    std::set<Prefix> accepted;     // of our local prefixes
};

/// The inside of one table, which all its tunnels share.
struct Inside {
    explicit Inside(TableId table) : rib{table} {}

    Rib rib;
    Claims claims;
    /// What the kernel was told of the routes to hubs: the tunnel, and the hub in it.
    std::map<Prefix, Rib::Gateway> kernel_routes{};
};

class TunnelState final : public nhrp::Directory {
public:
    /// `inside` and `peers` outlive it.
    TunnelState(const Tunnel& tunnel, Inside& inside, Random& random, const Peers& peers);

    const Tunnel& tunnel;
    Inside& inside;
    Rib& rib;
    Access access;
    nhrp::Node node;
    std::vector<HubLink> hubs;                  // in the order of tunnel.hubs
    const HubLink* best_hub = nullptr;          // of those that are registered
    std::map<std::string, HubName> names;       // of them
    std::set<Prefix> local_prefixes;
    std::map<Prefix, Shortcut> shortcuts;
    std::map<NbmaEndpoint, Attempt> attempts;
    std::map<PeerId, Introduction> introductions;
    std::map<Prefix, std::vector<nhrp::BehindHub>> behind_hubs;  // hub: what other hubs reach for us; the newest word first
    std::optional<TimePoint> review_at;         // when shortcuts that wait are looked at again

    TunnelId id() const { return tunnel.id; }
    bool is_spoke() const { return tunnel.is_spoke(); }
    Prefix network() const { return Prefix::of(tunnel.address.value, tunnel.address_length); }
    Family family() const { return tunnel.address.value.family(); }
    /// Where else whoever holds this tunnel address is reached (link_local.hpp).
    std::optional<TunnelAddress> link_local_of(const TunnelAddress& address) const;
    /// A peer holds this tunnel address (or no longer does).
    void bind(const TunnelAddress& address, PeerId peer, Outbox& out);
    void unbind(const TunnelAddress& address, Outbox& out);
    /// Shortcuts that are routed to the peer.
    std::size_t active_through(PeerId peer) const;

    const Association* association_with(PeerId peer) const;
    /// What the rules say against the peer's holding the prefix. Who came first decides at a hub only; a spoke takes the hub's word for it.
    std::optional<nhrp::CieCode> objection(const Peer& peer, const Prefix& prefix) const;

    struct Refusal { PeerId peer; Prefix prefix; nhrp::CieCode code; std::string holder; };  // the spoke behind a hub; empty: the peer itself
    /// Registrations that were refused since the last call.
    std::vector<Refusal> take_refusals() { return std::exchange(refusals_, {}); }

    nhrp::Route route(const IpAddress& destination) const override;
    nhrp::Route way_to_ask(const IpAddress& destination) const override;
    bool is_server(PeerId peer) const override;
    bool is_station(PeerId peer, const IpAddress& address) const override;
    std::optional<nhrp::CieCode> registration_refusal(PeerId peer, const Prefix& prefix) const override;
    std::optional<nhrp::CieCode> refusal_behind_hub(PeerId hub, std::string_view holder, const Prefix& prefix) const override;
    bool may_answer(PeerId peer, const Prefix& prefix) const override;
    bool same_identity(PeerId a, PeerId b) const override;
    NbmaAddress local_nbma(PeerId peer) const override;
    bool is_behind_nat(PeerId peer) const override;
    NbmaAddress observed_nbma(PeerId peer) const override;
    std::optional<NbmaEndpoint> observed_behind_nat(PeerId peer) const override;

private:
    std::optional<nhrp::CieCode> why_not(const Peer& peer, const Prefix& prefix) const;
    void note_refusal(PeerId peer, const Prefix& prefix, std::optional<nhrp::CieCode> code, std::string_view holder) const;

    const Peers& peers_;
    mutable std::vector<Refusal> refusals_;
};

}  // namespace nave::overlay
