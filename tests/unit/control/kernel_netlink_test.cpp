// Tests of the stream of changes against a real kernel, in a network namespace of its own. Need root; skipped otherwise.
#include "controlplane/kernel/netlink.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <unistd.h>

using namespace nave;
using namespace nave::kernel;

namespace {

constexpr TableNumber kTable = 1000;

Prefix block(std::uint32_t number) { return Prefix::of(IpAddress::v4(20u << 24 | number << 8), 24); }

bool tells(const Netlink::Changes& changes, const Prefix& prefix) {
    return std::ranges::any_of(changes.changes, [&](const ObjectChange& change) {
        const auto* route = std::get_if<Route>(&change.object);
        return route && change.present && route->prefix == prefix;
    });
}

}  // namespace

TEST_CASE("after an overflow of the event socket nothing that follows is missed") {
    if (unshare(CLONE_NEWNET) != 0) {
        WARN("skipped: making a network namespace needs root");
        return;
    }
    REQUIRE(std::system("ip link set lo up") == 0);
    auto listener = Netlink::open(), speaker = Netlink::open();
    REQUIRE(listener);
    REQUIRE(speaker);
    std::uint32_t number = 0;
    const auto add = [&] {
        REQUIRE(speaker->request(add_route({.table = kTable, .prefix = block(++number), .index = 1})));
        return block(number);
    };
    bool lost = false;
    for (int round = 0; round < 20 && !lost; ++round) {
        for (int i = 0; i < 10'000; ++i) add();
        // More is lost than one read could tell of: it says so as soon as it finds out.
        const auto changes = listener->read_changes();
        lost = changes.lost;
    }
    REQUIRE(lost);
    const Prefix next = add();
    CHECK(tells(listener->read_changes(), next));
}
