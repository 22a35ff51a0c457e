// The way to other gateways across the underlay: next hop and its MAC for each peer, and for each datagram of IKE. Pure.
#pragma once

#include "common/bytes.hpp"
#include "common/plane_messages.hpp"
#include "common/time.hpp"
#include "controlplane/kernel/packet_too_big.hpp"
#include "controlplane/kernel/underlay_view.hpp"
#include "controlplane/overlay/gateway.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

namespace nave::kernel {

/// A whole Ethernet frame to be injected.
struct SendFrame { PortId port; Bytes frame; };
/// The kernel shall find out, or confirm, the MAC of this neighbour.
struct ResolveNeighbour { PortId port; IpAddress address; };
/// A datagram got nowhere: no route leads to `remote`, or the next hop there does not answer. An operator would take it for a silent peer.
struct Unreachable {
    PortId port;
    IpAddress remote;
    std::optional<IpAddress> next_hop;  // nothing: no route
};
using UnderlayAction = std::variant<Command, SendFrame, ResolveNeighbour, Unreachable>;
using UnderlayOutbox = std::vector<UnderlayAction>;

/// The next hop of a remote address by longest prefix: the gateway, or the address itself when it is on the link.
class RouteChoice {
public:
    RouteChoice() = default;
    explicit RouteChoice(const std::map<Prefix, std::optional<IpAddress>>& routes);
    std::optional<IpAddress> next_hop(const IpAddress& remote) const;

private:
    std::unordered_map<Prefix, std::optional<IpAddress>> gateways_;
    std::set<std::uint8_t, std::greater<>> lengths_;  // that occur, longest first
};

/// Every input is (what happened, now, outbox).
class Underlay {
public:
    static constexpr std::size_t kWaitingPerNextHop = 64, kWaitingMax = 1024;  // datagrams; IKE repeats what is lost
    static constexpr Duration kAskAgain = std::chrono::seconds{1};
    static constexpr Duration kConfirm = std::chrono::seconds{30};             // the kernel does not see ESP use the neighbour
    static constexpr Duration kWaitAtMost = std::chrono::seconds{5};
    static constexpr Duration kTellAgain = std::chrono::minutes{1};            // that a next hop, or a remote without one, is out of reach
    static constexpr std::size_t kToldMax = 64;                                // strangers choose the remotes
    static constexpr Duration kTryLarger = std::chrono::minutes{10};           // RFC 8201 §4

    void update(const UnderlayView& view, TimePoint now, UnderlayOutbox& out);
    void reach(const overlay::ReachPeer& wish, TimePoint now, UnderlayOutbox& out);
    /// The dataplane forgets the path with the peer.
    void forget(PeerId peer);
    void send(const overlay::SendDatagram& datagram, TimePoint now, UnderlayOutbox& out);
    /// The way to a peer carries less than the port does: IPv6 routers do not fragment. A message of less than every IPv6 link carries is
    /// not heard (RFC 8201 §4); what one said is forgotten after kTryLarger.
    void too_big(const PacketTooBig& message, TimePoint now, UnderlayOutbox& out);
    void on_deadline(TimePoint now, UnderlayOutbox& out);
    std::optional<TimePoint> next_deadline() const;

    struct Counters {
        std::uint64_t no_route = 0;         // datagrams without a route to their receiver
        std::uint64_t unresolved = 0;       // datagrams whose next hop did not answer
        std::uint64_t waiting_full = 0;     // datagrams that found no room to wait
        std::uint64_t unsupported = 0;      // datagrams of a family that cannot be sent
    };
    const Counters& counters() const { return counters_; }

private:
    using NextHopKey = std::pair<PortId, IpAddress>;
    struct Waiting {
        overlay::SendDatagram datagram;
        TimePoint since;
    };
    struct NextHop {
        std::optional<MacAddress> mac;  // the last known; a kernel that merely forgot it does not stop traffic
        TimePoint ask_at;
        TimePoint wanted_until;         // by datagrams; peers want it as long as they use it
        std::set<PeerId> peers;
        std::deque<Waiting> waiting;
    };
    struct Peer {
        overlay::ReachPeer wish;
        std::optional<NextHopKey> next_hop;
        std::optional<SetPeerPath> path;  // as the dataplane has it
        std::uint16_t mtu = 0;            // of the path, IP bytes; 0: as the port
    };

    std::optional<IpAddress> choose(PortId port, const IpAddress& remote) const;
    NextHop& want(const NextHopKey& key, TimePoint now, UnderlayOutbox& out);
    void route_peer(Peer& peer, TimePoint now, UnderlayOutbox& out);
    void path_peer(Peer& peer, UnderlayOutbox& out);
    void learn(const NextHopKey& key, NextHop& hop, const UnderlayNeighbour& neighbour, TimePoint now, UnderlayOutbox& out);
    void transmit(const overlay::SendDatagram& datagram, const MacAddress& destination, UnderlayOutbox& out);
    void tell(const Unreachable& unreachable, TimePoint now, UnderlayOutbox& out);
    void forget_remote(Peer& peer);
    void try_larger(TimePoint now, UnderlayOutbox& out);
    void leave(const std::optional<NextHopKey>& key, PeerId peer);

    UnderlayView view_;
    std::map<PortId, RouteChoice> routes_;
    std::unordered_map<PeerId, Peer> peers_;
    std::map<NextHopKey, NextHop> next_hops_;
    std::multimap<IpAddress, PeerId> by_remote_;
    struct Lowered { TimePoint until; PeerId peer; };
    std::deque<Lowered> lowered_;  // oldest first; a peer once
    std::map<NextHopKey, TimePoint> told_;  // when they may be told again
    std::size_t waiting_ = 0;
    std::uint32_t identification_ = 0;
    Counters counters_;
};

}  // namespace nave::kernel
