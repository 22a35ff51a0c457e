// Tests of the table of peers: the order of commands, acknowledgements, and several associations of one peer.
#include "controlplane/overlay/peers.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::overlay;
using namespace std::chrono_literals;

namespace {

const NbmaEndpoint kUs{{IpAddress::v4(0xc0000201)}, 500}, kThere{{IpAddress::v4(0xc0000202)}, 500}, kElsewhere{{IpAddress::v4(0xc0000203)}, 500};

struct Table {
    SpiAllocator spis{16, 2};
    Peers peers{4, 16, 2, spis};
    TimePoint now{1h};
    Outbox out;

    Peer& up(std::uint64_t sa, const char* identity = "a.example", bool initiator = false, const NbmaEndpoint& remote = kThere) {
        ike::SaUp up{};
        up.sa = {sa}, up.remote_identity = *ike::Identity::parse(identity), up.local_endpoint = kUs, up.remote_endpoint = remote, up.initiator = initiator;
        return *peers.admit({TunnelId{0}, PortId{0}, Role::spoke, GroupId{1}}, up, now, out);
    }
    Spi install(std::uint64_t sa, std::uint64_t child, std::optional<ike::ResourceId> resource = {}) {
        const Spi spi = resource ? *spis.allocate_for(*resource) : *spis.allocate();
        peers.install_inbound({ike::SaId{sa}, ike::ChildId{child}, spi, EspAlgorithm::aes_gcm_128, EspMode::transport, true, {}, {}, resource}, 1024, now, out);
        REQUIRE(peers.install_outbound({ike::SaId{sa}, ike::ChildId{child}, Spi{static_cast<std::uint32_t>(1000 + child)},
                                        EspAlgorithm::aes_gcm_128, EspMode::transport, true, {}, {}, resource}, now, out));
        return spi;
    }
    template <class T>
    std::vector<T> said() const {
        std::vector<T> found;
        for (const Action& action : out)
            if (const auto* dataplane = std::get_if<Dataplane>(&action))
                if (const auto* command = std::get_if<T>(&dataplane->command)) found.push_back(*command);
        return found;
    }
    template <class T>
    std::vector<T> actions() const {
        std::vector<T> found;
        for (const Action& action : out)
            if (const auto* it = std::get_if<T>(&action)) found.push_back(*it);
        return found;
    }
    /// Position of the first command of a kind.
    template <class T>
    std::ptrdiff_t position() const {
        return std::ranges::find_if(out, [](const Action& action) {
                   const auto* dataplane = std::get_if<Dataplane>(&action);
                   return dataplane && std::holds_alternative<T>(dataplane->command);
               }) - out.begin();
    }
    void acknowledge_all() {
        const auto inbound = said<RemoveInboundSa>();
        const auto outbound = said<RemoveOutboundSa>();
        for (const auto& each : inbound) peers.on_removed(SaRemoved{Direction::inbound, spi_layout::slot(each.spi), each.spi}, now, out);
        for (const auto& each : outbound) peers.on_removed(SaRemoved{Direction::outbound, each.slot, Spi{}}, now, out);
    }
};

}  // namespace

TEST_CASE("a peer's rates follow SetPeer, are said once, and again when the rule of its next association says otherwise") {
    Table t;
    ike::SaUp up{};
    up.sa = {1}, up.remote_identity = *ike::Identity::parse("a.example"), up.local_endpoint = kUs, up.remote_endpoint = kThere;
    const auto admit = [&](std::uint64_t sa, const RateLimits& rates) {
        up.sa = {sa};
        t.peers.admit({TunnelId{0}, PortId{0}, Role::spoke, GroupId{1}, rates}, up, t.now, t.out);
        return t.said<SetPeerRate>();
    };
    const auto first = admit(1, {20'000'000, std::nullopt});
    REQUIRE(first.size() == 1);
    CHECK((first[0].to == 20'000'000 && first[0].from == 0));
    CHECK(t.position<SetPeer>() < t.position<SetPeerRate>());
    CHECK(admit(2, {20'000'000, std::nullopt}).size() == 1);
    CHECK(admit(3, {}).back().to == 0);
}

TEST_CASE("a new peer is set before its path and its SAs, the inbound SA before the outbound one") {
    Table t;
    t.up(1);
    t.install(1, 1);
    CHECK(t.position<SetPeer>() < t.position<InstallInboundSa>());
    CHECK(t.position<InstallInboundSa>() < t.position<InstallOutboundSa>());
    CHECK(t.actions<ReachPeer>().size() == 1);
}

TEST_CASE("a new peer may send from nowhere") {
    Table t;
    t.up(1);
    REQUIRE(t.said<SetPeer>().size() == 1);
    CHECK(t.said<SetPeer>()[0].source_count == 0);
    CHECK_FALSE(t.said<SetPeer>()[0].any_source);
    CHECK(t.said<SetPeer>()[0].group == GroupId{1});
}

TEST_CASE("two associations of one identity are one peer") {
    Table t;
    Peer& first = t.up(1);
    Peer& second = t.up(2);
    CHECK(&first == &second);
    CHECK(t.peers.slots_in_use() == 1);
    CHECK(&t.up(3, "b.example") != &first);
}

TEST_CASE("a worker's own SAs are that worker's both ways, and change nothing for the others") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    const auto active = peer.active_child;
    for (const std::uint8_t worker : std::array<std::uint8_t, 2>{0, 1}) CHECK(spi_layout::worker(t.install(1, 2u + worker, ike::ResourceId{worker})) == WorkerId{worker});
    const auto outbound = t.said<InstallOutboundSa>();
    REQUIRE(outbound.size() == 3);
    CHECK_FALSE(outbound[0].for_owner_alone);
    for (const std::uint8_t worker : std::array<std::uint8_t, 2>{0, 1}) {
        CHECK(outbound[1u + worker].for_owner_alone);
        CHECK(outbound[1u + worker].owner == WorkerId{worker});
    }
    CHECK(peer.active_child == active);
    t.peers.remove_outbound(ike::SaId{1}, ike::ChildId{2}, t.now, t.out);
    CHECK(t.said<RemoveOutboundSa>().at(0).slot == outbound[1].slot);
    CHECK(peer.active_child == active);
}

TEST_CASE("a peer that lost its SA for all gets a new one by its pair for all, not by a worker's") {
    Table t;
    t.up(1);
    t.install(1, 2, ike::ResourceId{1});
    const Spi all = t.install(1, 1);
    t.peers.remove_outbound(ike::SaId{1}, ike::ChildId{1}, t.now, t.out);
    CHECK(t.peers.take_rekeys() == std::vector{std::pair{ike::SaId{1}, all}});
}

TEST_CASE("ports are told only for ESP in UDP") {
    Table t;
    t.up(1);
    CHECK(t.actions<ReachPeer>()[0].remote_udp_port == 0);
    ike::SaUp up{};
    up.sa = {2}, up.remote_identity = *ike::Identity::parse("b.example"), up.encapsulated = true;
    up.local_endpoint = {kUs.address, 4500}, up.remote_endpoint = {kThere.address, 30001};
    t.peers.admit({TunnelId{0}, PortId{0}, Role::spoke, GroupId{1}}, up, t.now, t.out);
    CHECK(t.actions<ReachPeer>()[1].remote_udp_port == 30001);
    CHECK(t.actions<ReachPeer>()[1].local_udp_port == 4500);
}

TEST_CASE("a peer that comes back from another address switches path and SA together, the old SA goes last") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    t.now += 1min;
    t.up(2, "a.example", false, kElsewhere);
    t.out.clear();
    t.install(2, 2);
    REQUIRE(t.actions<ReachPeer>().size() == 1);
    CHECK(t.actions<ReachPeer>()[0].remote == kElsewhere.address);
    CHECK(peer.active == ike::SaId{2});
    CHECK(t.said<RemoveOutboundSa>().empty());
    CHECK(t.peers.take_replaced() == std::vector{ike::SaId{1}});
}

TEST_CASE("the path stays while a second association has no SA to send with") {
    Table t;
    t.up(1);
    t.install(1, 1);
    t.out.clear();
    t.up(2, "a.example", false, kElsewhere);
    CHECK(t.actions<ReachPeer>().empty());
}

TEST_CASE("of two attempts that crossed, the second waits unused and takes over before the first is removed") {
    Table t;
    t.up(1, "a.example", true);
    t.install(1, 1);
    t.now += 100ms;
    Peer& peer = t.up(2, "a.example", false);
    t.out.clear();
    t.install(2, 2);
    CHECK(t.said<InstallOutboundSa>().empty());
    t.out.clear();
    t.peers.remove_outbound(ike::SaId{1}, ike::ChildId{1}, t.now, t.out);
    CHECK(peer.active == ike::SaId{2});
    REQUIRE(t.said<InstallOutboundSa>().size() == 1);
    CHECK(t.position<InstallOutboundSa>() < t.position<RemoveOutboundSa>());
}

TEST_CASE("a peer that starts anew from another address right after its first SA is not taken for a crossing attempt") {
    Table t;
    t.up(1, "a.example", false);
    t.install(1, 1);
    t.now += 1s;
    Peer& peer = t.up(2, "a.example", true, kElsewhere);
    t.install(2, 2);
    CHECK(peer.active == ike::SaId{2});
}

TEST_CASE("of two attempts that crossed, the loser that was never used frees its slot at once") {
    Table t;
    t.up(1, "a.example", true);
    t.install(1, 1);
    t.up(2, "a.example", false);
    t.install(2, 2);
    const std::size_t before = t.peers.outbound_in_use();
    t.peers.remove_outbound(ike::SaId{2}, ike::ChildId{2}, t.now, t.out);
    CHECK(t.peers.outbound_in_use() == before - 1);
    CHECK(t.said<RemoveOutboundSa>().empty());
}

TEST_CASE("an outbound SA that was in use is never taken up again; a rekey is asked for instead") {
    Table t;
    t.up(1);
    const Spi old_inbound = t.install(1, 1);
    t.now += 1min;
    t.up(2);
    t.install(2, 2);
    t.out.clear();
    t.peers.detach(ike::SaId{2}, t.now, t.out);
    CHECK(t.said<InstallOutboundSa>().empty());
    CHECK(t.peers.take_rekeys() == std::vector{std::pair{ike::SaId{1}, old_inbound}});
}

TEST_CASE("after a rekey the removal of the old child leaves the new one in use") {
    Table t;
    Peer& peer = t.up(1);
    const Spi old = t.install(1, 1);
    t.install(1, 2);
    t.peers.remove_outbound(ike::SaId{1}, ike::ChildId{1}, t.now, t.out);
    t.peers.remove_inbound(ike::SaId{1}, old, t.now, t.out);
    CHECK(peer.active_child == ike::ChildId{2});
    CHECK(peer.associations[0].children.size() == 1);
    CHECK(t.peers.take_rekeys().empty());
}

TEST_CASE("a peer is removed after the acknowledgements of its SAs, its number is free after those of all workers and of the route writer") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    t.peers.detach(ike::SaId{1}, t.now, t.out);
    t.peers.leave(peer, t.now, t.out);
    CHECK(t.said<RemovePeer>().empty());
    t.acknowledge_all();
    REQUIRE(t.said<RemovePeer>().size() == 1);
    const auto removal = t.said<RemovePeer>()[0].removal;
    for (const WorkerId by : {WorkerId{0}, WorkerId{1}}) {
        t.peers.on_removed(PeerRemoved{PeerId{0}, removal, by});
        CHECK(t.peers.slots_in_use() == 1);
    }
    t.peers.on_removed(PeerRemoved{PeerId{0}, removal, kRouteWriter});
    CHECK(t.peers.slots_in_use() == 0);
    CHECK(t.spis.in_use() == 0);
    CHECK(t.peers.outbound_in_use() == 0);
}

TEST_CASE("who acknowledges twice because it was asked again does not stand in for somebody else") {
    Table t;
    Peer& peer = t.up(1);
    t.peers.detach(ike::SaId{1}, t.now, t.out);
    t.peers.leave(peer, t.now, t.out);
    const auto removal = t.said<RemovePeer>().at(0).removal;
    t.peers.on_removed(PeerRemoved{PeerId{0}, removal, WorkerId{0}});
    t.now = t.peers.next_deadline().value();
    t.peers.on_deadline(t.now, t.out);
    REQUIRE(t.said<RemovePeer>().size() == 2);
    CHECK(t.said<RemovePeer>()[1].removal == removal);
    t.peers.on_removed(PeerRemoved{PeerId{0}, removal, WorkerId{0}});
    t.peers.on_removed(PeerRemoved{PeerId{0}, removal, WorkerId{1}});
    CHECK(t.peers.slots_in_use() == 1);
    t.peers.on_removed(PeerRemoved{PeerId{0}, removal, kRouteWriter});
    CHECK(t.peers.slots_in_use() == 0);
}

TEST_CASE("an acknowledgement of an earlier removal does not free the number of a peer that goes now") {
    Table t;
    const auto come_and_go = [&](std::uint64_t sa) {
        Peer& peer = t.up(sa);
        t.peers.detach(ike::SaId{sa}, t.now, t.out);
        t.peers.leave(peer, t.now, t.out);
        return t.said<RemovePeer>().back();
    };
    const auto acknowledge = [&](const RemovePeer& remove) {
        for (const WorkerId by : {WorkerId{0}, WorkerId{1}, kRouteWriter}) t.peers.on_removed(PeerRemoved{remove.peer, remove.removal, by});
    };
    const RemovePeer first = come_and_go(1);
    acknowledge(first);
    // Round the table, until the number is used again.
    RemovePeer again = come_and_go(2);
    for (std::uint64_t sa = 3; again.peer != first.peer; ++sa) {
        acknowledge(again);
        again = come_and_go(sa);
    }
    acknowledge(first);
    CHECK(t.peers.slots_in_use() == 1);
    acknowledge(again);
    CHECK(t.peers.slots_in_use() == 0);
}

TEST_CASE("an acknowledgement that got lost is asked for again") {
    Table t;
    t.up(1);
    const Spi spi = t.install(1, 1);
    t.peers.remove_inbound(ike::SaId{1}, spi, t.now, t.out);
    t.out.clear();
    REQUIRE(t.peers.next_deadline());
    t.now = *t.peers.next_deadline();
    t.peers.on_deadline(t.now, t.out);
    REQUIRE(t.said<RemoveInboundSa>().size() == 1);
    CHECK(t.said<RemoveInboundSa>()[0].spi == spi);
    t.peers.on_removed(SaRemoved{Direction::inbound, spi_layout::slot(spi), spi}, t.now, t.out);
    t.now += 1min;
    t.out.clear();
    t.peers.on_deadline(t.now, t.out);
    CHECK(t.out.empty());
    CHECK_FALSE(t.peers.next_deadline());
}

TEST_CASE("the inbound SA of an association that ends stays a little while another of the peer lives") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    t.up(2);
    t.install(2, 2);
    t.peers.detach(ike::SaId{1}, t.now, t.out);
    CHECK(t.said<RemoveInboundSa>().empty());
    t.now += Peers::kInboundLingers;
    t.peers.on_deadline(t.now, t.out);
    CHECK(t.said<RemoveInboundSa>().size() == 1);
    CHECK(peer.acknowledgements_due == 2);
}

TEST_CASE("when the last association of a peer ends, no inbound SA of it stays") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    t.up(2);
    t.install(2, 2);
    t.peers.detach(ike::SaId{1}, t.now, t.out);
    t.peers.detach(ike::SaId{2}, t.now, t.out);
    t.peers.leave(peer, t.now, t.out);
    CHECK(t.said<RemoveInboundSa>().size() == 2);
}

TEST_CASE("an identity that returns while its old peer is being removed is a new peer") {
    Table t;
    Peer& old = t.up(1);
    t.install(1, 1);
    t.peers.detach(ike::SaId{1}, t.now, t.out);
    t.peers.leave(old, t.now, t.out);
    Peer& again = t.up(2);
    CHECK(again.id != old.id);
    CHECK(t.peers.find(TunnelId{0}, again.identity) == &again);
}

TEST_CASE("when all peers are taken a newcomer gets none, and that is counted") {
    Table t;
    for (std::uint64_t i = 0; i < 4; ++i) t.up(i + 1, ("p" + std::to_string(i) + ".example").c_str());
    ike::SaUp up{};
    up.sa = {9}, up.remote_identity = *ike::Identity::parse("late.example");
    CHECK(t.peers.admit({TunnelId{0}, PortId{0}, Role::spoke, GroupId{0}}, up, t.now, t.out) == nullptr);
    CHECK(t.peers.exhausted() == 1);
}

TEST_CASE("an inbound SA of an association that is gone gives its SPI back") {
    Table t;
    const Spi spi = *t.spis.allocate();
    t.peers.install_inbound({ike::SaId{77}, ike::ChildId{1}, spi, EspAlgorithm::aes_gcm_128, EspMode::transport, true, {}, {}}, 1024, t.now, t.out);
    CHECK(t.spis.in_use() == 0);
    CHECK(t.out.empty());
}

TEST_CASE("only the active association's new endpoint changes the path") {
    Table t;
    Peer& peer = t.up(1);
    t.install(1, 1);
    t.up(2);
    t.out.clear();
    t.peers.move(peer, ike::SaId{2}, kUs, kElsewhere, t.out);
    CHECK(t.actions<ReachPeer>().empty());
    t.peers.move(peer, ike::SaId{1}, kUs, kElsewhere, t.out);
    REQUIRE(t.actions<ReachPeer>().size() == 1);
    CHECK(t.actions<ReachPeer>()[0].remote == kElsewhere.address);
    t.out.clear();
    t.peers.move(peer, ike::SaId{1}, kUs, kElsewhere, t.out);
    CHECK(t.out.empty());
}

TEST_CASE("owners of outbound SAs alternate over the workers") {
    Table t;
    t.up(1);
    t.install(1, 1);
    t.install(1, 2);
    const auto installed = t.said<InstallOutboundSa>();
    REQUIRE(installed.size() == 2);
    CHECK(installed[0].owner != installed[1].owner);
    CHECK(installed[0].slot != installed[1].slot);
}
