// The route writer: order, acknowledgements, and its wait for the workers.
#include "tests/unit/dataplane/lab.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

SetRoute set(const Box& box, std::string_view prefix, std::uint32_t peer) { return {box.table(), Prefix::parse(prefix).value(), {RouteTarget::Kind::peer, peer}}; }
RemoveRoute remove(const Box& box, std::string_view prefix) { return {box.table(), Prefix::parse(prefix).value()}; }

template <class T>
std::vector<T> of(const std::vector<Event>& events, WorkerId by) {
    std::vector<T> found;
    for (const Event& event : events)
        if (const auto* it = std::get_if<T>(&event); it && it->by == by) found.push_back(*it);
    return found;
}

}  // namespace

TEST_CASE("many route changes in one go are all carried out, in order") {
    LeakCheck leaks;
    Box box;
    box.hold_route_writer(true);
    for (std::uint32_t i = 0; i < 2000; ++i) box.command(set(box, "10.70.0.0/24", i));
    box.hold_route_writer(false);
    box.turn(1);
    CHECK(next_hop::decode(box.routes().lookup(box.table(), address("10.70.0.1"))).index == 1999);
    box.command(remove(box, "10.70.0.0/24"));
    CHECK(box.routes().lookup(box.table(), address("10.70.0.1")) == next_hop::kNoRoute);
    CHECK(box.counters().routes.refused.read() == 0);
    CHECK(box.counters().routes.changes.read() == 2002);  // with the box's own
}

TEST_CASE("a change that has to wait for the workers is made after their turn, and what follows it comes after it") {
    LeakCheck leaks;
    Box box{{.workers = 2}};
    box.turn(1);
    RouteWriter writer{box.routes(), box.route_rings(), box.counters().routes};
    box.hold_route_writer(true);
    for (const RouteCommand& command : {RouteCommand{set(box, "10.60.1.1/32", 1)}, RouteCommand{remove(box, "10.60.1.1/32")},
                                        RouteCommand{set(box, "10.60.2.1/32", 2)}, RouteCommand{RemovePeer{PeerId{9}, 5}}}) {
        REQUIRE(box.route_rings().commands.push(command));
    }
    CHECK(writer.work() == RouteWriter::Round::waiting);
    CHECK(writer.work() == RouteWriter::Round::waiting);
    CHECK(of<PeerRemoved>(box.events(), kRouteWriter).empty());
    box.turn(1);
    CHECK(writer.work() == RouteWriter::Round::idle);
    CHECK(next_hop::decode(box.routes().lookup(box.table(), address("10.60.2.1"))).index == 2);
    CHECK(of<PeerRemoved>(box.events(), kRouteWriter).size() == 1);
    CHECK(box.counters().routes.grace_waits.read() == 1);
    box.hold_route_writer(false);
    box.command(remove(box, "10.60.2.1/32"));
}

TEST_CASE("a removal is acknowledged by every worker and by the route writer, each with its number") {
    LeakCheck leaks;
    Box box{{.workers = 2}};
    box.command(RemovePeer{PeerId{3}, 17});
    box.command(RemoveAdjacency{AdjacencyId{4}, 18});
    const auto events = box.events();
    for (const WorkerId by : {WorkerId{0}, WorkerId{1}, kRouteWriter}) {
        REQUIRE(of<PeerRemoved>(events, by).size() == 1);
        CHECK(of<PeerRemoved>(events, by)[0].removal == 17);
        REQUIRE(of<AdjacencyRemoved>(events, by).size() == 1);
        CHECK(of<AdjacencyRemoved>(events, by)[0].adjacency == AdjacencyId{4});
        CHECK(of<AdjacencyRemoved>(events, by)[0].removal == 18);
    }
}

TEST_CASE("acknowledgements that find no room are counted, and the changes go on") {
    LeakCheck leaks;
    Box box;
    for (std::uint32_t i = 0; i < RouteRings::kEvents + 10; ++i) {
        REQUIRE(box.route_rings().commands.push(RemovePeer{PeerId{1}, i}));
    }
    box.command(set(box, "10.70.0.0/24", 1));
    box.turn(1);
    CHECK(box.counters().routes.events_lost.read() == 10);
    CHECK(next_hop::decode(box.routes().lookup(box.table(), address("10.70.0.1"))).index == 1);
    box.command(remove(box, "10.70.0.0/24"));
}
