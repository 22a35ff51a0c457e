// The overlay of one gateway: joins IKE, NHRP, access rules and routes into peers and shortcuts; a machine without I/O.
#pragma once

#include "common/addresses.hpp"
#include "common/counters.hpp"
#include "common/plane_messages.hpp"
#include "common/random.hpp"
#include "common/time.hpp"
#include "controlplane/overlay/actions.hpp"
#include "controlplane/overlay/settings.hpp"
#include "controlplane/overlay/views.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nave::overlay {

/// Every input is (what happened, now, outbox); all are called from the control thread.
class Gateway {
public:
    /// `random` outlives the gateway. Emits the commands that create its tunnels into `out`.
    Gateway(Settings settings, Random& random, TimePoint now, Outbox& out);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    // From the dataplane
    void on_datagram(PortId port, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload, TimePoint now, Outbox& out);
    void on_nhrp(PeerId peer, ByteView packet, TimePoint now, Outbox& out);
    /// Punt::redirect: `packet` is the head of an inner IP packet that was relayed from `peer` back into its tunnel.
    void on_redirect(PeerId peer, ByteView packet, TimePoint now, Outbox& out);
    void on_event(const Event& event, TimePoint now, Outbox& out);
    /// Called about once a second with the dataplane's counters: liveness, idle shortcuts.
    void on_counters(const Counters& counters, TimePoint now, Outbox& out);

    // From the kernel's mirror
    /// The underlay address of a port of that family, or nothing when it has none now (link down, lease lost).
    void set_underlay_address(PortId port, Family family, std::optional<NbmaAddress> address, TimePoint now, Outbox& out);
    /// A prefix that lies behind this gateway (connected on an inside port): registered at hubs and answered for.
    void set_local_prefix(TunnelId tunnel, const Prefix& prefix, bool present, TimePoint now, Outbox& out);
    /// A route of the tunnel's kernel table that leads into the tunnel; without gateway it leads to the best hub.
    void set_tunnel_route(TunnelId tunnel, const Prefix& prefix, std::optional<TunnelAddress> gateway, bool present, TimePoint now, Outbox& out);
    /// To be called after any number of set_tunnel_route: peers may send from what is routed to them, as far as their access rules go.
    void routes_followed(Outbox& out);
    /// A route of the tunnel's kernel table that leads out of an inside port: a neighbour, a gateway's adjacency, or the twin.
    void set_inside_route(TunnelId tunnel, const Prefix& prefix, RouteTarget target, bool present, TimePoint now, Outbox& out);

    // From the crypto pool
    void on_computed(ike::Compute job, TimePoint now, Outbox& out);
    /// What an ike::FetchRevocation brought, or in words why nothing.
    void on_fetched(ike::FetchId id, const std::expected<Bytes, std::string>& content, TimePoint now, Outbox& out);

    /// What a ResolveHub brought, the preferred address first, or in words why nothing.
    void on_resolved(const std::string& name, const std::expected<std::vector<NbmaAddress>, std::string>& addresses, TimePoint now, Outbox& out);

    void on_deadline(TimePoint now, Outbox& out);
    std::optional<TimePoint> next_deadline() const;

    /// Whether an SA of ours with this SPI leads there; counted if not, as somebody has made up a message about it.
    bool sends_under(Spi spi, const NbmaAddress& remote);

    // From the operator
    /// Closes every peer that the text names (identity, tunnel address, NBMA address or "all"); gives how many.
    std::size_t clear_peer(std::string_view text, TimePoint now, Outbox& out);
    /// New keys for tickets of session resumption, the one that seals first.
    void replace_ticket_keys(std::vector<Secret> keys);
    /// New revocation lists of a tunnel; peers that they concern are closed.
    void replace_revocations(TunnelId tunnel, std::vector<ike::RevocationList> lists, TimePoint now, Outbox& out);
    /// Says farewell to all peers (DELETE, Purge), without waiting for answers.
    void shut_down(TimePoint now, Outbox& out);

    std::vector<PeerView> peers(TimePoint now) const;
    std::vector<NhrpView> nhrp(TimePoint now) const;
    std::vector<IkeView> ike(TimePoint now) const;
    std::vector<SaView> sas(TimePoint now) const;
    std::vector<RouteView> routes() const;
    /// Counters of refusals and protocol events by name, "ike-…", "nhrp-…", "overlay-…".
    std::vector<std::pair<std::string, std::uint64_t>> counters() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace nave::overlay
