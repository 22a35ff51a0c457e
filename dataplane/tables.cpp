// Commands become table entries.
#include "dataplane/tables.hpp"

#include <rte_random.h>

namespace nave::dataplane {

namespace {

/// Of the process, as a packet's tag is compared by another worker than the one that made it.
const auto& address_seeds() {
    static const std::array<std::uint64_t, 4> seeds{rte_rand(), rte_rand(), rte_rand(), rte_rand()};
    return seeds;
}

}  // namespace

Tables::Tables(WorkerId worker, const GatewayConfig& config, AssociationStore& associations)
    : worker_{worker}, tunnels_(config.limits.tunnels), peers_{config.limits.peers},
      peer_addresses_{address_seeds()}, adjacencies_{config.limits.adjacencies},
      associations_{associations}, outbound_owner_(associations.outbound.size()), local_(config.limits.tables) {
    for (const PortConfig& port : config.ports) {
        PortState state;
        state.role = port.role, state.table = port.table, state.vlan = port.vlan;
        ports_.push_back(std::move(state));
    }
}

bool Tables::update(const SetPort& command) {
    if (command.port.value >= ports_.size()) return false;
    PortState& port = ports_[command.port.value];
    port.mac = command.mac, port.mtu = command.mtu;
    for (std::size_t i = 0; i < peers_end_; ++i)
        if (Peer& peer = peers_[i]; peer.valid && peer.has_path && peer.port == command.port) refresh_mtu(peer);
    return true;
}

bool Tables::update(const AddLocalAddress& command) {
    if (command.port.value >= ports_.size()) return false;
    ports_[command.port.value].addresses.add(command.address);
    refresh_local(ports_[command.port.value].table);
    return true;
}

bool Tables::update(const RemoveLocalAddress& command) {
    if (command.port.value >= ports_.size()) return false;
    ports_[command.port.value].addresses.remove(command.address);
    refresh_local(ports_[command.port.value].table);
    return true;
}

bool Tables::update(const SetTunnel& command) {
    if (command.tunnel.value >= tunnels_.size() || command.table.value >= local_.size()) return false;
    Tunnel& tunnel = tunnels_[command.tunnel.value];
    const TableId before = tunnel.settings.table;
    tunnel.valid = true, tunnel.settings = command;
    refresh_local(before), refresh_local(command.table);
    for (std::size_t i = 0; i < peers_end_; ++i)
        if (Peer& peer = peers_[i]; peer.valid && peer.tunnel == command.tunnel) refresh_mtu(peer);
    return true;
}

bool Tables::update(const AddTunnelAddress& command) {
    if (command.tunnel.value >= tunnels_.size()) return false;
    tunnels_[command.tunnel.value].addresses.add(command.address.value);
    refresh_local(tunnels_[command.tunnel.value].settings.table);
    return true;
}

bool Tables::update(const RemoveTunnelAddress& command) {
    if (command.tunnel.value >= tunnels_.size()) return false;
    tunnels_[command.tunnel.value].addresses.remove(command.address.value);
    refresh_local(tunnels_[command.tunnel.value].settings.table);
    return true;
}

bool Tables::update(const SetPeer& command) {
    if (command.peer.value >= peers_.size() || command.tunnel.value >= tunnels_.size()) return false;
    Peer& peer = peers_[command.peer.value];
    if (peer.valid) leave_tunnel(command.peer, peer);
    peers_end_ = std::max(peers_end_, std::size_t{command.peer.value} + 1);
    peer.valid = true;
    peer.tunnel = command.tunnel;
    peer.multicast = command.multicast;
    peer.set_sources(command);
    if (command.multicast) tunnels_[command.tunnel.value].members.push_back(command.peer);
    refresh_mtu(peer);
    return true;
}

bool Tables::update(const SetPeerRate& command) {
    Peer* peer = find(command.peer);
    if (!peer) return false;
    peer->shaped = command.to != 0, peer->policed = command.from != 0;
    peer->choose_sa();
    refresh_mtu(*peer);
    return true;
}

bool Tables::update(const SetPeerPath& command) {
    Peer* peer = find(command.peer);
    if (!peer || command.port.value >= ports_.size() || command.remote.value.family() != command.local.value.family()) return false;
    leave_path(*peer);
    peer->has_path = true;
    peer->port = command.port;
    peer->nbma_remote = tag_of(command.remote.value);
    peer_addresses_.add(peer->nbma_remote);
    peer->path_mtu = command.mtu;
    peer->nbma_udp_port = command.remote_udp_port;
    peer->outer = OuterHeader{command, tunnels_[peer->tunnel.value].settings.ttl, ports_[command.port.value].vlan};
    refresh_mtu(*peer);
    return true;
}

bool Tables::update(const ClearPeerPath& command) {
    Peer* peer = find(command.peer);
    if (!peer) return false;
    leave_path(*peer);
    return true;
}

bool Tables::update(const RemovePeer& command) {
    Peer* peer = find(command.peer);
    if (!peer) return false;
    leave_tunnel(command.peer, *peer);
    leave_path(*peer);
    *peer = Peer{};
    return true;
}

bool Tables::update(const InstallInboundSa& command, EspCrypto& crypto) {
    const SaSlot slot = spi_layout::slot(command.spi);
    if (slot.value >= associations_.inbound.size() || spi_layout::worker(command.spi) != worker_) return false;
    InboundSa& sa = associations_.inbound[slot.value];
    sa.clear();
    if (!crypto.expand(command.algorithm, command.keymat.view(), sa.key)) return false;
    sa.install(command);
    return true;
}

bool Tables::update(const InstallOutboundSa& command, EspCrypto& crypto) {
    Peer* peer = find(command.peer);
    if (!peer || command.slot.value >= associations_.outbound.size()) return false;
    outbound_owner_[command.slot.value] = command.owner;
    if (command.owner == worker_) {
        OutboundSa& sa = associations_.outbound[command.slot.value];
        sa.clear();
        if (!crypto.expand(command.algorithm, command.keymat.view(), sa.key)) return false;
        sa.install(command);
    }
    const Peer::OutboundChoice choice{true, command.owner, command.mode, command.algorithm, command.slot};
    if (!command.for_owner_alone) peer->fallback = choice;
    else if (command.owner == worker_) peer->own = choice;
    peer->choose_sa();
    refresh_mtu(*peer);
    return true;
}

bool Tables::update(const RemoveInboundSa& command) {
    InboundSa* sa = inbound(command.spi);
    if (sa) sa->clear();
    return sa != nullptr;
}

std::optional<Spi> Tables::update(const RemoveOutboundSa& command) {
    if (Peer* peer = find(command.peer)) {
        for (Peer::OutboundChoice* choice : {&peer->own, &peer->fallback})
            if (choice->slot == command.slot) choice->valid = false;
        peer->choose_sa();
        refresh_mtu(*peer);
    }
    if (command.slot.value >= associations_.outbound.size() || outbound_owner_[command.slot.value] != worker_) return std::nullopt;
    OutboundSa* sa = outbound(command.slot);
    if (!sa) return Spi{};
    sa->clear();
    return sa->spi;
}

bool Tables::update(const SetAdjacency& command) {
    if (command.adjacency.value >= adjacencies_.size() || command.port.value >= ports_.size()) return false;
    adjacencies_[command.adjacency.value] = {true, command.port, {command.destination_mac, command.source_mac, be16()}};
    return true;
}

bool Tables::update(const RemoveAdjacency& command) {
    if (!adjacency(command.adjacency)) return false;
    adjacencies_[command.adjacency.value] = Adjacency{};
    return true;
}

std::uint16_t Tables::path_mtu(const Peer& peer) const {
    const std::uint16_t port_mtu = ports_[peer.port.value].mtu;
    return peer.path_mtu == 0 ? port_mtu : std::min(port_mtu, peer.path_mtu);
}

void Tables::refresh_mtu(Peer& peer) {
    if (!peer.has_path) return;
    const bool has_key = tunnels_[peer.tunnel.value].settings.has_key;
    const std::uint16_t mtu = path_mtu(peer);
    peer.outer.fit_to(mtu);
    peer.mtu = inner_mtu(mtu, {.algorithm = peer.algorithm, .mode = peer.mode, .ipv6 = peer.outer.is_ipv6(), .udp = peer.outer.has_udp(), .gre_key = has_key});
}

void Tables::refresh_local(TableId table) {
    if (table.value >= local_.size()) return;
    LocalAddresses& all = local_[table.value];
    all = {};
    for (const PortState& port : ports_)
        if (port.role == PortRole::inside && port.table == table) all.add(port.addresses);
    for (const Tunnel& tunnel : tunnels_)
        if (tunnel.valid && tunnel.settings.table == table) all.add(tunnel.addresses);
}

void Tables::leave_tunnel(PeerId id, const Peer& peer) { std::erase(tunnels_[peer.tunnel.value].members, id); }

void Tables::leave_path(Peer& peer) {
    if (peer.has_path) peer_addresses_.remove(peer.nbma_remote);
    peer.has_path = false;
}

}  // namespace nave::dataplane
