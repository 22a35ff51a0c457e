// What one worker knows of ports, tunnels, peers, neighbours and SAs; changed by commands between bursts, by its owner only.
#pragma once

#include "dataplane/gateway.hpp"
#include "dataplane/known_addresses.hpp"
#include "dataplane/peer.hpp"
#include "dataplane/security_association.hpp"

#include <algorithm>
#include <memory>
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
    std::vector<std::uint32_t> addresses;  // host order; a handful

    bool is_up() const { return mtu != 0; }
    bool owns(std::uint32_t address) const { return std::find(addresses.begin(), addresses.end(), address) != addresses.end(); }
};

struct Tunnel {
    bool valid = false;
    SetTunnel settings{};
    std::vector<std::uint32_t> addresses;  // host order
    std::vector<PeerId> members;           // whom multicast goes to

    std::optional<std::uint32_t> key() const { return settings.has_key ? std::optional{settings.gre_key} : std::nullopt; }
};

struct Adjacency {
    bool valid = false;
    PortId port{};
    MacAddress source, destination;
};

/// One worker's tables. Sizes are fixed at start; `update` answers false when a command names something beyond them.
class Tables {
public:
    Tables(WorkerId worker, const GatewayConfig& config);

    // ---- commands ----
    [[nodiscard]] bool update(const SetPort& command);
    [[nodiscard]] bool update(const AddLocalAddress& command);
    [[nodiscard]] bool update(const RemoveLocalAddress& command);
    [[nodiscard]] bool update(const SetTunnel& command);
    [[nodiscard]] bool update(const AddTunnelAddress& command);
    [[nodiscard]] bool update(const RemoveTunnelAddress& command);
    [[nodiscard]] bool update(const SetPeer& command);
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
    const PortState* port(PortId id) const { return id.value < ports_.size() ? &ports_[id.value] : nullptr; }
    const Tunnel* tunnel(TunnelId id) const { return id.value < tunnels_.size() && tunnels_[id.value].valid ? &tunnels_[id.value] : nullptr; }
    const Peer* peer(PeerId id) const { return id.value < peers_.size() && peers_[id.value].valid ? &peers_[id.value] : nullptr; }
    const Adjacency* adjacency(AdjacencyId id) const { return id.value < adjacencies_.size() && adjacencies_[id.value].valid ? &adjacencies_[id.value] : nullptr; }
    /// Compares the whole SPI: slot, worker and generation.
    InboundSa* inbound(Spi spi) {
        const std::size_t slot = spi_layout::slot(spi).value;
        InboundSa* sa = slot < inbound_.size() ? inbound_[slot].get() : nullptr;
        return sa && sa->spi == spi ? sa : nullptr;
    }
    OutboundSa* outbound(SaSlot slot) { return slot.value < outbound_.size() ? outbound_[slot.value].get() : nullptr; }
    /// False if no peer's path leads to that underlay address (host order); seldom true without one.
    bool may_be_of_peer(std::uint32_t address) const { return peer_addresses_.may_contain(address); }
    std::span<const Tunnel> tunnels() const { return tunnels_; }
    /// True if the address is one of ours in that table: a tunnel's or an inside port's.
    bool is_local(TableId table, std::uint32_t address) const;

private:
    void refresh_mtu(Peer& peer);
    void refresh_local(TableId table);
    void leave_tunnel(PeerId id, const Peer& peer);
    void leave_path(Peer& peer);
    Peer* find(PeerId id) { return id.value < peers_.size() && peers_[id.value].valid ? &peers_[id.value] : nullptr; }

    WorkerId worker_;
    std::vector<PortState> ports_;
    std::vector<Tunnel> tunnels_;
    std::vector<Peer> peers_;
    KnownAddresses peer_addresses_;
    std::vector<Adjacency> adjacencies_;
    std::vector<std::unique_ptr<InboundSa>> inbound_;
    std::vector<std::unique_ptr<OutboundSa>> outbound_;
    std::vector<WorkerId> outbound_owner_;  // of the last installation in the slot: who acknowledges its removal, also a repeated one
    std::vector<std::vector<std::uint32_t>> local_;  // by TableId
};

}  // namespace nave::dataplane
