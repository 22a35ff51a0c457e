// What one worker knows of ports, tunnels, peers, neighbours and SAs; changed by commands between bursts, by its owner only.
#pragma once

#include "dataplane/gateway.hpp"
#include "dataplane/known_addresses.hpp"
#include "dataplane/local_addresses.hpp"
#include "dataplane/peer.hpp"
#include "dataplane/route_tables.hpp"
#include "dataplane/security_association.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace nave::dataplane {

/// A port as commands describe it. Down (mtu 0) until the first SetPort.
struct PortState {
    PortRole role{};
    TableId table{};
    std::optional<std::uint16_t> vlan;
    MacAddress mac;
    std::uint16_t mtu = 0;  // IP bytes
    LocalAddresses addresses;

    bool is_up() const { return mtu != 0; }
    /// An IPv4 address in host order, or the bytes of an IPv6 address.
    bool owns(const auto& address) const { return addresses.contains(address); }
};

struct Tunnel {
    bool valid = false;
    SetTunnel settings{};
    LocalAddresses addresses;
    std::vector<PeerId> members;  // whom multicast goes to

    std::optional<std::uint32_t> key() const { return settings.has_key ? std::optional{settings.gre_key} : std::nullopt; }
};

struct Adjacency {
    bool valid = false;
    PortId port{};
    EthernetHeader header{};  // of frames to the neighbour but for the type; as one piece, which is copied faster than two addresses
};

/// One worker's tables. Sizes are fixed at start; `update` answers false when a command names something beyond them.
class Tables {
public:
    /// `associations` belongs to all workers and outlives the tables.
    Tables(WorkerId worker, const GatewayConfig& config, AssociationStore& associations);

    // ---- commands ----
    [[nodiscard]] bool update(const SetPort& command);
    [[nodiscard]] bool update(const AddLocalAddress& command);
    [[nodiscard]] bool update(const RemoveLocalAddress& command);
    [[nodiscard]] bool update(const SetTunnel& command);
    [[nodiscard]] bool update(const AddTunnelAddress& command);
    [[nodiscard]] bool update(const RemoveTunnelAddress& command);
    [[nodiscard]] bool update(const SetPeer& command);
    [[nodiscard]] bool update(const SetPeerRate& command);
    [[nodiscard]] bool update(const SetPeerPath& command);
    [[nodiscard]] bool update(const ClearPeerPath& command);
    [[nodiscard]] bool update(const RemovePeer& command);
    [[nodiscard]] bool update(const InstallInboundSa& command, EspCrypto& crypto);
    [[nodiscard]] bool update(const InstallOutboundSa& command, EspCrypto& crypto);
    /// True if the SA was here.
    [[nodiscard]] bool update(const RemoveInboundSa& command);
    /// The SPI of the SA if it was here; every worker learns that the peer has none now.
    std::optional<Spi> update(const RemoveOutboundSa& command);
    [[nodiscard]] bool update(const SetAdjacency& command);
    [[nodiscard]] bool update(const RemoveAdjacency& command);

    // ---- lookups; nullptr when there is no such thing ----
    const PortState* port(PortId id) const { return at(ports_, id.value); }
    const Tunnel* tunnel(TunnelId id) const {
        const Tunnel* tunnel = at(tunnels_, id.value);
        return tunnel && tunnel->valid ? tunnel : nullptr;
    }
    const Peer* peer(PeerId id) const { return id.value < peers_.size() && peers_[id.value].valid ? &peers_[id.value] : nullptr; }
    const Adjacency* adjacency(AdjacencyId id) const { return id.value < adjacencies_.size() && adjacencies_[id.value].valid ? &adjacencies_[id.value] : nullptr; }
    /// Compares the whole SPI: slot, worker and generation.
    InboundSa* inbound(Spi spi) {
        const std::size_t slot = spi_layout::slot(spi).value;
        InboundSa* sa = slot < associations_.inbound.size() ? &associations_.inbound[slot] : nullptr;
        return sa && sa->spi == spi && spi != Spi{} ? sa : nullptr;
    }
    OutboundSa* outbound(SaSlot slot) {
        OutboundSa* sa = slot.value < associations_.outbound.size() ? &associations_.outbound[slot.value] : nullptr;
        return sa && sa->valid ? sa : nullptr;
    }
    /// The 32 bits that stand for an underlay address in this worker: of IPv4 itself in host order, of IPv6 a digest.
    std::uint32_t tag_of(const Ipv6Bytes& address) const { return peer_addresses_.digest(address); }
    std::uint32_t tag_of(const IpAddress& address) const { return address.is_v4() ? address.v4_host() : tag_of(address.v6_bytes()); }
    /// False if no peer's path leads to the underlay address of that tag; seldom true without one.
    bool may_be_of_peer(std::uint32_t address) const { return peer_addresses_.may_contain(address); }
    std::span<const Tunnel> tunnels() const { return tunnels_; }
    /// Outer IP bytes that the path of a peer that has one carries, as far as is known.
    std::uint16_t path_mtu(const Peer& peer) const;
    /// Fetches what a packet on its way to this target will need.
    void prefetch(std::uint32_t next_hop) const {
        const RouteTarget target = next_hop::decode(next_hop);
        if (target.kind == RouteTarget::Kind::peer && target.index < peers_.size()) peers_[target.index].prefetch();
    }
    /// Fetches what describes an SA that is looked up soon: its first line, and the salt. Any SPI, any slot.
    void prefetch(Spi inbound) const { prefetch(associations_.inbound, spi_layout::slot(inbound).value); }
    void prefetch(SaSlot outbound) const { prefetch(associations_.outbound, outbound.value); }
    void prefetch(PeerId peer) const {
        if (peer.value < peers_.size()) rte_prefetch0(&peers_[peer.value]);
    }
    /// True if the address (IPv4 in host order, or the bytes of IPv6) is one of ours in that table: a tunnel's or an inside port's.
    bool is_local(TableId table, const auto& address) const {
        const auto* ours = at(local_, table.value);
        return ours && ours->contains(address);
    }

private:
    /// Compares addresses, because a vector's size costs a division.
    template <class Element>
    static const Element* at(const std::vector<Element>& list, std::size_t index) {
        const Element* element = list.data() + index;
        return element < list.data() + list.size() ? element : nullptr;
    }
    template <class Sa>
    static void prefetch(const LazyArray<Sa>& all, std::size_t slot) {
        if (slot >= all.size()) return;
        rte_prefetch0(&all[slot]);
        rte_prefetch0(&all[slot].key.salt);
    }
    void refresh_mtu(Peer& peer);
    void refresh_local(TableId table);
    void leave_tunnel(PeerId id, const Peer& peer);
    void leave_path(Peer& peer);
    Peer* find(PeerId id) { return id.value < peers_.size() && peers_[id.value].valid ? &peers_[id.value] : nullptr; }

    WorkerId worker_;
    std::vector<PortState> ports_;
    std::vector<Tunnel> tunnels_;
    LazyArray<Peer> peers_;
    KnownAddresses peer_addresses_;
    std::size_t peers_end_ = 0;  // one behind the highest slot that ever held a peer
    LazyArray<Adjacency> adjacencies_;
    AssociationStore& associations_;
    std::vector<WorkerId> outbound_owner_;  // of the last installation in the slot: who acknowledges its removal, also a repeated one
    std::vector<LocalAddresses> local_;  // by TableId
};

}  // namespace nave::dataplane
