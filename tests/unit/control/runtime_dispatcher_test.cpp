// Tests of the way of commands to the workers and the route writer: who gets which, in which order, and that a full ring loses none.
#include "controlplane/runtime/command_dispatcher.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <sys/eventfd.h>

using namespace nave;
using namespace nave::runtime;

namespace {

struct Bench {
    Doorbell bell;
    std::vector<std::unique_ptr<PlaneRings>> rings;
    std::vector<PlaneRings*> pointers;
    std::unique_ptr<RouteRings> routes = std::make_unique<RouteRings>(bell);
    std::optional<CommandDispatcher> dispatcher;

    explicit Bench(std::size_t workers) {
        for (std::size_t i = 0; i < workers; ++i) rings.push_back(std::make_unique<PlaneRings>(bell));
        for (const auto& ring : rings) pointers.push_back(ring.get());
        dispatcher.emplace(pointers, *routes);
    }
    std::vector<Command> taken_by(std::size_t worker) {
        std::vector<Command> commands;
        rings[worker]->commands.consume_all([&](const Command& command) { commands.push_back(command); });
        return commands;
    }
    std::vector<RouteCommand> taken_by_route_writer() {
        std::vector<RouteCommand> commands;
        routes->commands.consume_all([&](const RouteCommand& command) { commands.push_back(command); });
        return commands;
    }
};

RemovePeer remove_peer(std::uint32_t number) { return {.peer = PeerId{number}}; }

}  // namespace

TEST_CASE("an inbound SA goes to the worker that its SPI names, and to no other") {
    Bench bench{3};
    bench.dispatcher->send(InstallInboundSa{.spi = spi_layout::make(SaSlot{7}, WorkerId{2}, 1), .peer = {}, .algorithm = {}, .mode = {}, .esn = true,
                                            .replay_window = 64, .limits = {}, .keymat = {}});
    bench.dispatcher->send(RemoveInboundSa{spi_layout::make(SaSlot{8}, WorkerId{1}, 1)});
    CHECK(bench.taken_by(0).empty());
    CHECK(bench.taken_by(1).size() == 1);
    CHECK(bench.taken_by(2).size() == 1);
}

TEST_CASE("routes go to the route writer alone, removals of peers and neighbours to it too, everything else to all workers") {
    Bench bench{2};
    bench.dispatcher->send(SetRoute{});
    bench.dispatcher->send(RemoveRoute{});
    bench.dispatcher->send(SetPort{});
    bench.dispatcher->send(RemoveOutboundSa{});
    bench.dispatcher->send(RemovePeer{PeerId{4}, 1});
    bench.dispatcher->send(RemoveAdjacency{AdjacencyId{5}, 2});
    CHECK(bench.taken_by(0).size() == 4);
    CHECK(bench.taken_by(1).size() == 4);
    const auto routes = bench.taken_by_route_writer();
    REQUIRE(routes.size() == 4);
    CHECK(std::holds_alternative<SetRoute>(routes[0]));
    CHECK(std::holds_alternative<RemoveRoute>(routes[1]));
    CHECK(std::get<RemovePeer>(routes[2]).removal == 1);
    CHECK(std::get<RemoveAdjacency>(routes[3]).adjacency == AdjacencyId{5});
}

TEST_CASE("commands that do not fit into a ring wait, and arrive all and in order") {
    Bench bench{1};
    constexpr std::uint32_t total = 3 * PlaneRings::kCommands;
    for (std::uint32_t i = 0; i < total; ++i) bench.dispatcher->send(remove_peer(i));
    CHECK(bench.dispatcher->waiting() > 0);
    CHECK(bench.dispatcher->delayed() == bench.dispatcher->waiting());
    std::vector<Command> all;
    while (all.size() < total) {
        const auto some = bench.taken_by(0);
        REQUIRE_FALSE(some.empty());
        all.insert(all.end(), some.begin(), some.end());
        bench.dispatcher->flush();
    }
    for (std::uint32_t i = 0; i < total; ++i) REQUIRE(std::get<RemovePeer>(all[i]).peer == PeerId{i});
    CHECK(bench.dispatcher->waiting() == 0);
}

TEST_CASE("a command never overtakes one that waits, even when there is room again") {
    Bench bench{1};
    for (std::uint32_t i = 0; i <= PlaneRings::kCommands; ++i) bench.dispatcher->send(remove_peer(i));
    const auto first = bench.taken_by(0);
    bench.dispatcher->send(remove_peer(999'999));
    CHECK(bench.taken_by(0).empty());
    bench.dispatcher->flush();
    const auto rest = bench.taken_by(0);
    CHECK(std::get<RemovePeer>(rest.back()).peer == PeerId{999'999});
    CHECK(first.size() + rest.size() == PlaneRings::kCommands + 2);
}

TEST_CASE("whoever has a full ring does not hold up the others") {
    Bench bench{2};
    for (std::uint32_t i = 0; i < RouteRings::kCommands + 50; ++i) bench.dispatcher->send(SetRoute{TableId{}, Prefix{}, {RouteTarget::Kind::peer, i}});
    CHECK(bench.dispatcher->waiting() == 50);
    bench.dispatcher->send(remove_peer(5));
    CHECK(bench.taken_by(0).size() == 1);
    CHECK(bench.taken_by(1).size() == 1);
    auto routes = bench.taken_by_route_writer();
    bench.dispatcher->flush();
    for (const auto& command : bench.taken_by_route_writer()) routes.push_back(command);
    REQUIRE(routes.size() == RouteRings::kCommands + 51);
    for (std::uint32_t i = 0; i < RouteRings::kCommands + 50; ++i) REQUIRE(std::get<SetRoute>(routes[i]).target.index == i);
    CHECK(std::get<RemovePeer>(routes.back()).peer == PeerId{5});  // behind the routes that were sent before it
}

TEST_CASE("the route writer is woken when it sleeps and has got something") {
    Bench bench{1};
    bench.routes->writer_bell.announce_sleep();
    bench.dispatcher->send(SetRoute{});
    bench.dispatcher->flush();
    eventfd_t rung = 0;
    CHECK(eventfd_read(bench.routes->writer_bell.descriptor(), &rung) == 0);
}
