// Both planes' real parts together: a number of a peer that goes to another peer never takes the old one's packets with it.
#include "controlplane/overlay/peers.hpp"
#include "controlplane/runtime/command_dispatcher.hpp"
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>
#include <utility>

using namespace nave;
using namespace nave::test;
using namespace std::chrono_literals;

namespace {

/// A gateway with room for one peer: whoever comes next gets the number of who left.
struct Planes {
    LeakCheck leaks;
    Box box{{.workers = 2}};
    overlay::SpiAllocator spis{64, 2};
    overlay::Peers peers{1, 16, 2, spis};
    runtime::CommandDispatcher commands{box.rings(), box.route_rings()};
    overlay::Outbox out;
    TimePoint now{1h};

    ~Planes() {
        box.hold_route_writer(false);
        commands.send(RemoveRoute{box.table(), kBehind});
        settle();
    }
    /// Carries commands down and events up until nothing moves any more.
    void settle() {
        for (int i = 0; i < 10; ++i) {
            for (const overlay::Action& action : std::exchange(out, {})) perform(action);
            commands.flush();
            box.turn(2);
            for (const Event& event : box.events()) {
                if (const auto* sa = std::get_if<SaRemoved>(&event)) peers.on_removed(*sa, now, out);
                if (const auto* peer = std::get_if<PeerRemoved>(&event)) peers.on_removed(*peer);
            }
        }
    }
    void perform(const overlay::Action& action) {
        if (const auto* dataplane = std::get_if<overlay::Dataplane>(&action)) commands.send(dataplane->command);
        if (const auto* reach = std::get_if<overlay::ReachPeer>(&action))
            commands.send(SetPeerPath{reach->peer, kUnderlay, kBoxMac, kNeighbourMac, reach->local, reach->remote, 0, 0});
    }
    /// A peer with SAs; nullptr while there is no number for it.
    overlay::Peer* come(std::uint64_t number) {
        const ike::SaId sa{number};
        ike::SaUp up{};
        up.sa = sa, up.remote_identity = *ike::Identity::parse("peer" + std::to_string(number) + ".example");
        up.local_endpoint = {{IpAddress::v4(0xc0000201)}, 500}, up.remote_endpoint = {{IpAddress::v4(0xc0000210)}, 500};
        overlay::Peer* peer = peers.admit({kTunnel, kUnderlay, overlay::Role::spoke, GroupId{}}, up, now, out);
        if (!peer) return nullptr;
        Bytes key = pattern(20);
        key[0] = static_cast<std::uint8_t>(number);
        peers.install_inbound({sa, ike::ChildId{1}, *spis.allocate(), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {}, EspKeymat{key}}, 64, now, out);
        REQUIRE(peers.install_outbound({sa, ike::ChildId{1}, outbound(number), EspAlgorithm::aes_gcm_128, EspMode::transport, false, {}, EspKeymat{key}}, now, out));
        return peer;
    }
    void go(std::uint64_t number) {
        overlay::Peer& peer = *peers.find(ike::SaId{number});
        out.push_back(overlay::Dataplane{RemoveRoute{box.table(), kBehind}});
        peers.detach(ike::SaId{number}, now, out);
        peers.leave(peer, now, out);
    }
    void route_to(const overlay::Peer& peer) { out.push_back(overlay::Dataplane{SetRoute{box.table(), kBehind, {RouteTarget::Kind::peer, peer.id.value}}}); }
    /// The SPIs under which packets for behind the first peer leave, one from each worker.
    std::vector<Spi> sent() {
        for (const std::uint8_t worker : {std::uint8_t{0}, std::uint8_t{1}}) box.from_host(ipv4({.source = "10.1.0.9", .destination = "10.66.0.9"}, pattern(40)), worker);
        box.turn(3);
        std::vector<Spi> spis_sent;
        for (const Bytes& frame : box.sent(kUnderlay)) spis_sent.push_back(Spi{reinterpret_cast<const be32*>(frame.data() + 34)->host()});
        return spis_sent;
    }
    static Spi outbound(std::uint64_t number) { return Spi{static_cast<std::uint32_t>(0x5000 + number)}; }

    static inline const Prefix kBehind = Prefix::parse("10.66.0.0/16").value();
};

}  // namespace

TEST_CASE("a new peer gets no packet for the one that had its number, even when the routes are changed much later than the peers") {
    Planes planes;
    overlay::Peer* old = planes.come(1);
    REQUIRE(old);
    planes.route_to(*old);
    planes.settle();
    REQUIRE(planes.sent() == std::vector<Spi>(2, Planes::outbound(1)));

    planes.box.hold_route_writer(true);
    planes.go(1);
    planes.settle();
    // Both workers have forgotten the peer, the route is still there: a counted drop, and the number is not free.
    CHECK(planes.sent().empty());
    CHECK(planes.box.drops(Drop::peer_unknown) == 2);
    CHECK(planes.come(2) == nullptr);
    planes.settle();
    CHECK(planes.sent().empty());

    planes.box.hold_route_writer(false);
    planes.settle();
    overlay::Peer* fresh = planes.come(2);
    REQUIRE(fresh);
    CHECK(fresh->id == PeerId{0});
    planes.settle();
    CHECK(planes.sent().empty());
    CHECK(planes.box.drops(Drop::no_route) == 2);
    planes.route_to(*fresh);
    planes.settle();
    CHECK(planes.sent() == std::vector<Spi>(2, Planes::outbound(2)));
}

TEST_CASE("a route that is there before its peer is a counted drop, and leads there as soon as the peer is") {
    Planes planes;
    planes.commands.send(SetRoute{planes.box.table(), Planes::kBehind, {RouteTarget::Kind::peer, 0}});
    planes.settle();
    CHECK(planes.sent().empty());
    CHECK(planes.box.drops(Drop::peer_unknown) == 2);
    REQUIRE(planes.come(1));
    planes.settle();
    CHECK(planes.sent() == std::vector<Spi>(2, Planes::outbound(1)));
}
