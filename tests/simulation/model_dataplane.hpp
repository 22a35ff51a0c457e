// A model of the dataplane: executes every command, seals, opens, checks and routes as the real one, and watches the order.
#pragma once

#include "common/counters.hpp"
#include "common/plane_messages.hpp"
#include "controlplane/overlay/actions.hpp"
#include "tests/simulation/packets.hpp"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace nave::simulation {

/// What the dataplane did with a packet or a command, for whoever runs it to carry on.
struct Transmit { UnderlayPacket packet; };
struct Punted { PeerId peer; Bytes nhrp; };
struct Redirected { PeerId peer; Bytes head; };
struct Delivered { Data data; };
struct Raised { Event event; };
/// The route writer has one more command in its ring; write_route() is due a little later.
struct RouteQueued {};
using Effect = std::variant<Transmit, Punted, Redirected, Delivered, Raised, RouteQueued>;
using Effects = std::vector<Effect>;

/// Every sealed key in the whole simulation: no key may ever be installed twice for sending, or its numbers would repeat.
using SealingKeys = std::set<Bytes>;

class ModelDataplane {
public:
    ModelDataplane(std::uint32_t sa_slots, std::size_t station, SealingKeys& sealing_keys);

    void execute(const Command& command, Effects& effects);
    /// The route writer, a thread of its own, carries out its next command.
    void write_route(Effects& effects);
    void reach(const overlay::ReachPeer& path);
    void forget(PeerId peer);
    void send_nhrp(PeerId peer, const Bytes& bytes, Effects& effects);
    /// From a host behind this gateway.
    void send(Data data, TimePoint now, Effects& effects);
    void receive(const UnderlayPacket& packet, std::size_t sender, TimePoint now, Effects& effects);

    const Counters& counters() const { return counters_; }
    std::size_t inbound_count() const { return inbound_.size(); }
    std::size_t outbound_count() const { return outbound_.size(); }
    std::size_t peer_count() const { return peers_.size(); }
    std::uint64_t drops(const std::string& reason) const;
    /// What must never happen, in words.
    const std::vector<std::string>& violations() const { return violations_; }
    bool holds(Spi spi) const { return inbound_.contains(spi); }

private:
    struct Inbound {
        InstallInboundSa sa;
        bool used = false;
        std::uint64_t highest = 0;
        std::set<std::uint64_t> seen;
        std::optional<std::size_t> sender;
    };
    struct Outbound { InstallOutboundSa sa; std::uint64_t sequence = 0; };
    struct PeerEntry {
        SetPeer set;
        std::optional<overlay::ReachPeer> path;
        std::optional<SaSlot> outbound;
        std::optional<std::size_t> station;  // who speaks as this peer
        std::uint64_t life = 0;              // differs from those of earlier peers with this number
    };
    /// What the writer was told, and whom a peer's number meant then.
    struct RouteWrite { RouteCommand command; std::uint64_t life; };
    struct Route { RouteTarget target; std::uint64_t life; };
    void apply(const SetPeer& set, Effects& effects);
    void apply(const RemovePeer& remove, Effects& effects);
    void apply(const InstallInboundSa& install, Effects& effects);
    void apply(const InstallOutboundSa& install, Effects& effects);
    void apply(const RemoveInboundSa& remove, Effects& effects);
    void apply(const RemoveOutboundSa& remove, Effects& effects);
    void apply(const SetTunnel& set, Effects&) { redirect_ = set.redirect; }
    template <class Other>
    void apply(const Other&, Effects&) {}
    void queue_route(const RouteCommand& command, Effects& effects);
    void write(const SetRoute& set, std::uint64_t life, Effects& effects);
    void write(const RemoveRoute& remove, std::uint64_t life, Effects& effects);
    void write(const RemovePeer& remove, std::uint64_t life, Effects& effects);
    template <class Other>
    void write(const Other&, std::uint64_t, Effects&) {}

    void expect(bool holds, const std::string& otherwise);
    void drop(const std::string& reason) { ++drops_[reason]; }
    const Route* lookup(const IpAddress& destination) const;
    void forward(Data data, std::optional<PeerId> from, TimePoint now, Effects& effects);
    void seal(PeerId peer, std::variant<NhrpPacket, Data> inner, std::uint64_t bytes, Effects& effects);
    bool is_fresh(Inbound& inbound, std::uint64_t sequence) const;

    std::size_t station_;
    SealingKeys& sealing_keys_;
    Counters counters_;
    bool redirect_ = false;
    std::unordered_map<Spi, Inbound> inbound_;
    std::unordered_map<SaSlot, Outbound> outbound_;
    std::map<PeerId, PeerEntry> peers_;
    std::uint64_t last_life_ = 0;
    std::unordered_map<Prefix, RouteTarget> wanted_routes_;  // as the commands say
    std::deque<RouteWrite> route_ring_;
    std::unordered_map<Prefix, Route> routes_;               // as the writer has written them
    std::array<std::uint32_t, 129> lengths_{};
    std::map<std::pair<IpAddress, IpAddress>, TimePoint> redirected_;
    std::map<std::string, std::uint64_t> drops_;
    std::vector<std::string> violations_;
};

}  // namespace nave::simulation
