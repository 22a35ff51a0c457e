// The gateway's inside: the parts and the functions that pass on what one part says to the others.
#pragma once

#include "controlplane/ike/endpoint.hpp"
#include "controlplane/overlay/gateway.hpp"
#include "controlplane/overlay/peers.hpp"
#include "controlplane/overlay/spi_allocator.hpp"
#include "controlplane/overlay/tunnel_state.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace nave::overlay {

/// An answer of one part is handled before the function that caused it returns, so the state is whole between inputs.
struct Gateway::Impl {
    Impl(Settings settings, Random& random);

    // ike_actions.cpp: what IKE says
    void run_ike(ike::Outbox actions, TimePoint now, Outbox& out);
    void handle(ike::SendDatagram& send, TimePoint now, Outbox& out);
    void handle(const ike::SaUp& up, TimePoint now, Outbox& out);
    void handle(const ike::SaDown& down, TimePoint now, Outbox& out);
    void handle(const ike::InstallInbound& install, TimePoint now, Outbox& out);
    void handle(const ike::InstallOutbound& install, TimePoint now, Outbox& out);
    void handle(const ike::RemoveInbound& remove, TimePoint now, Outbox& out);
    void handle(const ike::RemoveOutbound& remove, TimePoint now, Outbox& out);
    void handle(const ike::PeerEndpointChanged& changed, TimePoint now, Outbox& out);
    void handle(const ike::PeerSilent& peer, TimePoint now, Outbox& out);
    void handle(ike::Log& log, TimePoint now, Outbox& out);
    void handle(ike::KeyLog& keys, TimePoint now, Outbox& out);
    void handle(ike::Trace& trace, TimePoint now, Outbox& out);
    void handle(ike::Compute& compute, TimePoint now, Outbox& out);
    void handle(ike::FetchRevocation& fetch, TimePoint now, Outbox& out);
    void close(ike::SaId sa, ike::DownReason reason, bool at_once, TimePoint now, Outbox& out);
    TunnelState* tunnel_of(const ike::SaUp& up);
    std::optional<Admission> admit(TunnelState& tunnel, const ike::SaUp& up, Outbox& out);
    /// The peer has a new outbound SA with which traffic can start, or start anew.
    void peer_ready(Peer& peer, TimePoint now, Outbox& out);
    void peer_gone(Peer& peer, std::string_view reason, TimePoint now, Outbox& out);
    void after_sa_changes(TimePoint now, Outbox& out);

    // nhrp_actions.cpp: what NHRP says
    void run_nhrp(TunnelState& tunnel, nhrp::Outbox actions, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, nhrp::Send& send, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::BindingAdded& added, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::BindingRemoved& removed, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::BehindHub& said, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::GroupNamed& named, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::Registered& registered, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::RegistrationLost& lost, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::RegistrationRefused& refused, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::PrefixRegistered& registered, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::Resolved& resolved, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::ShortcutGone& gone, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::ResolutionFailed& failed, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, const nhrp::Answered& answered, TimePoint now, Outbox& out);
    void handle(TunnelState& tunnel, nhrp::Log& log, TimePoint now, Outbox& out);
    void report_refusals(TunnelState& tunnel, Outbox& out);
    /// The kernel's route to a prefix that spokes register follows the one that counts of those that hold it in several tunnels.
    static void tell_kernel_of_registration(const TunnelState& tunnel, const Prefix& prefix, const TunnelAddress& next_hop, Outbox& out);
    /// What the peer may send from follows its bindings, shortcuts and the kernel's routes through it.
    void update_sources(TunnelState& tunnel, Peer& peer, Outbox& out);
    /// Whether they may become others by a route through the peer that came or went. Nearly none of tens of thousands does.
    bool changes_sources(const TunnelState& tunnel, const Peer& peer, const Prefix& prefix, bool present) const;

    // hub_links.cpp: a spoke's hubs
    /// Whether we can send there: its address is known, and the underlay has one of that IP version.
    bool has_way(const TunnelState& tunnel, const HubLink& link) const;
    /// One identity has one peer, so of the addresses of its name one suffices, and which of them does not matter once it works.
    bool is_spare_address(const TunnelState& tunnel, const HubLink& link) const;
    /// Whether this hub is one of those that its cluster shall be connected to.
    bool is_wanted(const TunnelState& tunnel, const HubLink& link) const;
    void connect_hub(TunnelState& tunnel, std::size_t index, TimePoint now, Outbox& out);
    void retry_hub(TunnelState& tunnel, std::size_t index, Duration pause, TimePoint now);
    /// From the beginning, as if no hub had ever failed: our own address is another.
    void begin_with_hubs(TunnelState& tunnel, Family family, TimePoint now, Outbox& out);
    /// What is due: attempts, hubs that have settled, hubs that are one too many.
    void tend_hubs(TunnelState& tunnel, TimePoint now, Outbox& out);
    /// Connects those that are wanted, drops those that are not.
    void keep_hubs(TunnelState& tunnel, TimePoint now, Outbox& out);
    void set_state(TunnelState& tunnel, std::size_t index, HubLink::State state, std::string_view reason, TimePoint now, Outbox& out);
    void hub_attempt_failed(TunnelState& tunnel, std::size_t index, const ike::SaDown& down, TimePoint now, Outbox& out);
    void hub_peer_gone(TunnelState& tunnel, Peer& peer, TimePoint now, Outbox& out);
    /// It may be dead: traffic goes through another hub, if there is one, until it answers and has settled.
    void hub_silent(TunnelState& tunnel, std::size_t index, bool silent, TimePoint now, Outbox& out);
    /// Of the tunnel, and then of all tunnels of its IP version that share its inside.
    void choose_best_hub(TunnelState& tunnel, Outbox& out);
    void tell_kernel_of_hubs(Inside& inside, Outbox& out);

    // hub_names.cpp: hubs that the configuration names by domain name
    void ask_for_hubs(TunnelState& tunnel, TimePoint now, Outbox& out);
    /// A hub behind a name failed: the name may lead elsewhere by now.
    void doubt_hub_name(TunnelState& tunnel, const HubLink& link, TimePoint now);
    void hub_resolved(TunnelState& tunnel, const std::string& name, const std::expected<std::vector<NbmaAddress>, std::string>& addresses, TimePoint now, Outbox& out);
    void place_addresses(TunnelState& tunnel, const std::string& name, const std::vector<NbmaAddress>& addresses, Outbox& out);
    void pin_hubs(const TunnelState& tunnel);

    // shortcuts.cpp: direct paths between spokes
    void seek_peer(TunnelState& tunnel, const NbmaEndpoint& contact, const TunnelAddress& holder, TimePoint now);
    bool is_sought_in_vain(const TunnelState& tunnel, const NbmaEndpoint& contact, const TunnelAddress& holder) const;
    void start_attempt(TunnelState& tunnel, const NbmaEndpoint& contact, TimePoint now, Outbox& out);
    void cancel_attempt(TunnelState& tunnel, const NbmaEndpoint& contact, TimePoint now, Outbox& out);
    void attempt_failed(TunnelState& tunnel, const NbmaEndpoint& contact, std::string_view reason, TimePoint now, Outbox& out);
    /// The association with this endpoint ended: shortcuts that waited for it to become usable do not wait for ever.
    void give_up_waiting(TunnelState& tunnel, const NbmaEndpoint& remote, std::string_view reason, TimePoint now, Outbox& out);
    /// Activates every shortcut whose conditions hold now.
    void review(TunnelState& tunnel, TimePoint now, Outbox& out);
    void try_activate(TunnelState& tunnel, const Prefix& prefix, Shortcut& shortcut, TimePoint now, Outbox& out);
    Peer* holder_of(TunnelState& tunnel, const Shortcut& shortcut, TimePoint now);
    Peer* adopt_holder(TunnelState& tunnel, const Shortcut& shortcut, TimePoint now);
    void plan_review(TunnelState& tunnel);
    /// Takes the route away first, so that traffic is back on the hub before anything else goes.
    void unroute(TunnelState& tunnel, const Prefix& prefix, const Shortcut& shortcut, Outbox& out);
    void remove_shortcut(TunnelState& tunnel, const Prefix& prefix, bool forget, std::string_view reason, Outbox& out);
    void remove_shortcuts_through(TunnelState& tunnel, PeerId peer, std::string_view reason, Outbox& out);
    /// Associations of this tunnel's peers that are up.
    std::vector<Peer*> peers_of(const TunnelState& tunnel);

    // introductions.cpp: registering with each other before traffic goes straight
    /// A peer that comes with a new association may have forgotten us: what each knew of the other does not count.
    void forget_acquaintance(TunnelState& tunnel, Peer& peer, TimePoint now, Outbox& out);
    /// A peer does not let all of ours in any more: what led straight to it goes through the hub until it does.
    void acceptance_lost(TunnelState& tunnel, nhrp::NhsId nhs, std::optional<Prefix> prefix, TimePoint now, Outbox& out);
    void suspend_shortcuts(TunnelState& tunnel, Peer& peer, std::string_view reason, Outbox& out);
    void introduce(TunnelState& tunnel, Peer& peer, TimePoint now, Outbox& out);
    void begin_introduction(TunnelState& tunnel, PeerId peer, TimePoint now, Outbox& out);
    void end_introduction(TunnelState& tunnel, PeerId peer, TimePoint now, Outbox& out);
    bool knows_us(const TunnelState& tunnel, const Peer& peer, TimePoint now) const;

    // traffic.cpp: what the dataplane counts and reports
    void read_counters(Peer& peer, const Counters& counters, TimePoint now);
    void probe_if_deaf(Peer& peer, TimePoint now, Outbox& out);
    /// Asks whether it lives; an answer that does not come ends its SA.
    void probe(Peer& peer, TimePoint now, Outbox& out);
    void close_if_idle(Peer& peer, TimePoint now, Outbox& out);
    void tell_wrong_keys(const Counters& counters, Outbox& out);
    void handle(const SaNearLimit& near, TimePoint now, Outbox& out);
    void handle(const InboundSaUsed& used, TimePoint now, Outbox& out);
    void handle(const PeerMoved& moved, TimePoint now, Outbox& out);
    void handle(const SaRemoved& removed, TimePoint now, Outbox& out) { peers.on_removed(removed, now, out); }
    void handle(const PeerRemoved& removed, TimePoint, Outbox&) { peers.on_removed(removed); }
    void handle(const AdjacencyRemoved&, TimePoint, Outbox&) {}  // inside neighbours are the kernel side's

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;

    TunnelState& tunnel(TunnelId id);
    /// Tunnels that share this inside, in the order of the configuration.
    std::vector<TunnelState*> tunnels_of(const Inside& inside) const;
    const TunnelState& tunnel(TunnelId id) const { return const_cast<Impl*>(this)->tunnel(id); }
    std::optional<NbmaAddress> underlay(PortId port, Family family) const;
    void count(std::string_view name) { ++counts[std::string{name}]; }
    static void log(Outbox& out, ike::Severity severity, std::string key, std::string text) { out.push_back(Log{severity, std::move(key), std::move(text)}); }

    /// What a ConnectRequest's token stands for.
    struct HubAttempt { TunnelId tunnel; std::size_t index; };
    struct ShortcutAttempt { TunnelId tunnel; NbmaEndpoint contact; };
    using Purpose = std::variant<HubAttempt, ShortcutAttempt>;
    std::optional<Purpose> take_purpose(std::uint64_t token);

    Settings settings;
    Random& random;
    SpiAllocator spis;
    Peers peers;
    ike::Endpoint endpoint;
    std::map<TableId, Inside> insides;
    std::vector<std::unique_ptr<TunnelState>> tunnels;
    std::map<std::pair<PortId, Family>, NbmaAddress> underlays;
    std::unordered_map<std::uint64_t, Purpose> purposes;  // by token
    std::uint64_t last_token = 0, wrong_keys = 0;
    std::multimap<TimePoint, ike::SaId> closings;         // associations that were replaced
    SlotPool introduction_ids;
    std::map<std::string, std::uint64_t, std::less<>> counts;
};

}  // namespace nave::overlay
