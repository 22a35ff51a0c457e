// The routes of IPv6: what is found is what was set, under any order of changes, and while another thread makes them.
#include "tests/unit/dataplane/lab.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <random>
#include <rte_malloc.h>
#include <thread>

using namespace nave;
using namespace nave::test;
using Outcome = RouteTables::Outcome;

namespace {

constexpr TableId kTable{0}, kOtherTable{1};
constexpr std::uint32_t kRoutesMax = 2048;

struct Bench {
    LeakCheck eal_is_up;
    RouteTables routes;
    explicit Bench(std::uint32_t routes_max = kRoutesMax) : routes{"bench", {.tables = 2, .routes = routes_max, .groups = 8, .workers = 2, .socket = SOCKET_ID_ANY}} {}

    Outcome set(std::string_view prefix, std::uint32_t peer, TableId table = kTable) { return routes.set(table, Prefix::parse(prefix).value(), {RouteTarget::Kind::peer, peer}); }
    Outcome remove(std::string_view prefix, TableId table = kTable) { return routes.remove(table, Prefix::parse(prefix).value()); }
    std::optional<std::uint32_t> peer(std::string_view destination, TableId table = kTable) const {
        const std::uint32_t hop = routes.lookup(table, ipv6_address(destination));
        return hop == next_hop::kNoRoute ? std::nullopt : std::optional{next_hop::decode(hop).index};
    }
};

std::uint64_t used_memory() {
    rte_malloc_socket_stats stats{};
    rte_malloc_get_socket_stats(0, &stats);
    return stats.heap_allocsz_bytes;
}

Prefix nth_site(std::uint32_t n) { return Prefix::parse(fmt::format("2001:db8:{:x}:{:x}::/64", n >> 8, n & 0xff)).value(); }

}  // namespace

TEST_CASE("the longest IPv6 prefix decides, from the default route to a host") {
    Bench bench;
    CHECK_FALSE(bench.peer("2001:db8::1"));
    const char* prefixes[] = {"::/0", "2000::/3", "2001:db8::/32", "2001:db8:0:1::/64", "2001:db8:0:1::/65", "2001:db8:0:1::1/128"};
    for (std::uint32_t i = 0; i < std::size(prefixes); ++i) REQUIRE(bench.set(prefixes[i], i) == Outcome::done);
    const char* addresses[] = {"fd00::1", "2a00::1", "2001:db8:1::1", "2001:db8:0:1:8000::1", "2001:db8:0:1::2", "2001:db8:0:1::1"};
    for (std::uint32_t i = 0; i < std::size(addresses); ++i) CHECK(bench.peer(addresses[i]) == i);
    for (std::uint32_t i = std::size(prefixes); i-- > 1;) {
        REQUIRE(bench.remove(prefixes[i]) == Outcome::done);
        CHECK(bench.peer("2001:db8:0:1::1") == i - 1);
    }
    REQUIRE(bench.set("::/0", 77) == Outcome::done);
    CHECK(bench.peer("2001:db8:0:1::1") == 77);
    REQUIRE(bench.remove("::/0") == Outcome::done);
    CHECK_FALSE(bench.peer("2001:db8:0:1::1"));
    CHECK(bench.remove("::/0") == Outcome::refused);
}

TEST_CASE("equal prefixes of two tables, and of the two IP versions, do not meet") {
    Bench bench;
    REQUIRE(bench.set("2001:db8::/32", 1) == Outcome::done);
    REQUIRE(bench.set("2001:db8::/32", 2, kOtherTable) == Outcome::done);
    REQUIRE(bench.set("0.0.0.0/0", 3) == Outcome::done);
    CHECK(bench.peer("2001:db8::1") == 1);
    CHECK(bench.peer("2001:db8::1", kOtherTable) == 2);
    CHECK_FALSE(bench.peer("2001:db9::1"));
    REQUIRE(bench.remove("2001:db8::/32") == Outcome::done);
    CHECK_FALSE(bench.peer("2001:db8::1"));
    CHECK(bench.peer("2001:db8::1", kOtherTable) == 2);
    CHECK(bench.set("2001:db8::/32", 1, TableId{2}) == Outcome::refused);
    CHECK_FALSE(bench.peer("2001:db8::1", TableId{2}));
}

TEST_CASE("a table takes as many IPv6 routes as it is made for, whatever the other holds, and refuses the next") {
    Bench bench;
    for (std::uint32_t i = 0; i < kRoutesMax; ++i)
        for (const TableId table : {kTable, kOtherTable}) REQUIRE(bench.routes.set(table, nth_site(i), {RouteTarget::Kind::peer, i}) == Outcome::done);
    CHECK(bench.set("fd00::/16", 1) == Outcome::refused);
    CHECK(bench.set("2001:db8::/64", 9) == Outcome::done);  // is there
    for (std::uint32_t i = 1; i < kRoutesMax; ++i) REQUIRE(bench.routes.lookup(kTable, nth_site(i).address.v6_bytes()) == next_hop::encode({RouteTarget::Kind::peer, i}));
    REQUIRE(bench.remove("2001:db8::/64") == Outcome::done);
    CHECK(bench.set("fd00::/16", 1) == Outcome::done);
}

TEST_CASE("room that removed IPv6 routes leave is used again when the workers have moved on, and waited for until then") {
    Bench bench{64};
    bench.routes.online(WorkerId{0});
    Outcome outcome = Outcome::done;
    int changes = 0;
    // A worker that never ends its turn: every removed prefix still holds its place.
    for (std::uint32_t i = 0; i < 1000 && outcome == Outcome::done; ++i, ++changes) {
        outcome = bench.routes.set(kTable, nth_site(i), {RouteTarget::Kind::peer, i});
        if (outcome == Outcome::done) REQUIRE(bench.routes.remove(kTable, nth_site(i)) == Outcome::done);
    }
    CHECK(outcome == Outcome::wait);
    CHECK(changes > 64);
    SECTION("by the end of its turn") { bench.routes.quiescent(WorkerId{0}); }
    SECTION("by its sleep") { bench.routes.offline(WorkerId{0}); }
    CHECK(bench.set("2001:db8:ffff::/64", 5) == Outcome::done);
    CHECK(bench.peer("2001:db8:ffff::1") == 5);
    bench.routes.offline(WorkerId{0});
}

TEST_CASE("after any order of changes every IPv6 lookup is the longest match") {
    const auto seed = GENERATE(1u, 2u, 3u);
    Bench bench;
    std::mt19937 random{seed};
    const auto below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    const auto random_address = [&] {
        Ipv6Bytes bytes = ipv6_address("2001:db8::");
        for (const std::size_t at : {5u, 7u, 15u}) bytes[at] = static_cast<std::uint8_t>(below(4) << 6 | below(2));
        return IpAddress::v6(bytes);
    };
    std::map<Prefix, std::uint32_t> model;
    for (int round = 0; round < 40; ++round) {
        for (int change = 0; change < 60; ++change) {
            const Prefix prefix = Prefix::of(random_address(), static_cast<std::uint8_t>(below(4) == 0 ? below(129) : 16 * below(9)));
            const std::uint32_t target = below(5);
            if (below(3) == 0) CHECK((bench.routes.remove(kTable, prefix) == Outcome::done) == (model.erase(prefix) == 1));
            else {
                REQUIRE(bench.routes.set(kTable, prefix, {RouteTarget::Kind::peer, target}) == Outcome::done);
                model[prefix] = target;
            }
        }
        for (int i = 0; i < 300; ++i) {
            const IpAddress at = random_address();
            std::uint32_t expected = next_hop::kNoRoute;
            for (int length = 128; length >= 0 && expected == next_hop::kNoRoute; --length) {
                const auto found = model.find(Prefix::of(at, static_cast<std::uint8_t>(length)));
                if (found != model.end()) expected = next_hop::encode({RouteTarget::Kind::peer, found->second});
            }
            if (bench.routes.lookup(kTable, at.v6_bytes()) != expected) FAIL(fmt::format("seed {}, round {}, {}", seed, round, at.to_string()));
        }
    }
}

TEST_CASE("while longer IPv6 prefixes come and go, a reader sees theirs or what covers them, never another's or none") {
    Bench bench{16};
    REQUIRE(bench.set("2001:db8::/32", 1) == Outcome::done);
    REQUIRE(bench.set("2001:db8:5::/48", 5) == Outcome::done);
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> wrong = 0, lookups = 0;
    std::thread reader{[&] {
        bench.routes.online(WorkerId{0});
        while (!stop) {
            for (std::uint32_t i = 0; i < 64; ++i) {
                const std::uint32_t hop = bench.routes.lookup(kTable, nth_site(i).address.v6_bytes());
                const std::uint32_t found = hop == next_hop::kNoRoute ? 0 : next_hop::decode(hop).index;
                if (found != 1 && found != 100 + i) wrong = wrong + 1;
            }
            if (bench.peer("2001:db8:5::1") != 5) wrong = wrong + 1;
            lookups = lookups + 65;
            bench.routes.quiescent(WorkerId{0});
        }
        bench.routes.offline(WorkerId{0});
    }};
    // Fewer places than prefixes, so that each place passes from prefix to prefix.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{1000};
    for (std::uint32_t i = 0; std::chrono::steady_clock::now() < end; ++i) {
        const Prefix site = nth_site(i % 64);
        for (Outcome outcome = Outcome::wait; outcome == Outcome::wait;) {
            outcome = bench.routes.set(kTable, site, {RouteTarget::Kind::peer, 100 + i % 64});
            if (outcome == Outcome::wait) std::this_thread::yield();
            else CHECK(outcome == Outcome::done);
        }
        CHECK(bench.routes.remove(kTable, site) == Outcome::done);
    }
    stop = true;
    reader.join();
    CHECK(wrong == 0);
    CHECK(lookups > 1000);
}

TEST_CASE("what IPv6 routes take of memory is known before they are made, and is little against IPv4's") {
    LeakCheck eal_is_up;
    const RouteTables::Sizes sizes{.tables = 1, .routes = 65536, .groups = 64, .workers = 1, .socket = SOCKET_ID_ANY};
    const auto before = used_memory();
    const RouteTables routes{"sized", sizes};
    const auto all = static_cast<double>(used_memory() - before);
    CHECK(all / static_cast<double>(RouteTables::memory(sizes)) == Approx(1).epsilon(0.05));
    CHECK(static_cast<double>(Ipv6Routes::memory({.tables = 1, .routes = 65536})) < all / 10);
}

TEST_CASE("a burst that mixes both IP versions finds each packet's own route") {
    Box box;
    box.route("10.77.0.0/16", {RouteTarget::Kind::reject, 4});
    box.route("2001:db8:77::/48", {RouteTarget::Kind::reject, 6});
    Burst burst;
    const Bytes four = ipv4({.source = "10.1.0.9", .destination = "10.77.0.1"}, pattern(8)), six = ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:77::1"}, pattern(8));
    const Bytes lost = ipv6({.source = "2001:db8:1::9", .destination = "2001:db8:78::1"}, pattern(8));
    for (std::size_t i = 0; i < Burst::kCapacity; ++i) {
        const Bytes& bytes = i % 3 == 0 ? four : i % 3 == 1 ? six : lost;
        Packet* packet = box.state().pools.allocate(bytes.size());
        REQUIRE(packet);
        std::copy(bytes.begin(), bytes.end(), packet->append(bytes.size()));
        packet->meta() = {};
        packet->meta().table = box.table();
        burst.push(*packet);
    }
    RouteTables::NextHops found;
    box.routes().lookup(burst, found);
    for (std::size_t i = 0; i < burst.size; ++i) {
        INFO(i);
        if (i % 3 == 2) CHECK(found[i] == next_hop::kNoRoute);
        else CHECK(next_hop::decode(static_cast<std::uint32_t>(found[i])).index == (i % 3 == 0 ? 4u : 6u));
        burst.packets[i]->free();
    }
}
