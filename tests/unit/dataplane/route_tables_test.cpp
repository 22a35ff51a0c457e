// The route tables: what is found is what was set, under any order of changes, and while another thread makes them.
#include "tests/unit/dataplane/lab.hpp"

#include <array>
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

constexpr TableId kTable{0};
constexpr WorkerId kFirst{0}, kSecondWorker{1};

/// Tables of a test's own, small, with two workers as readers. EAL is up when it is made.
struct Bench {
    LeakCheck eal_is_up;
    RouteTables routes{"bench", {.tables = 1, .routes = 2048, .groups = 8, .workers = 2, .socket = SOCKET_ID_ANY}};

    Outcome set(std::string_view prefix, std::uint32_t peer) { return routes.set(kTable, Prefix::parse(prefix).value(), {RouteTarget::Kind::peer, peer}); }
    Outcome remove(std::string_view prefix) { return routes.remove(kTable, Prefix::parse(prefix).value()); }
    /// The peer that packets for this address go to.
    std::optional<std::uint32_t> peer(std::string_view destination) const {
        const std::uint32_t hop = routes.lookup(kTable, address(destination));
        return hop == next_hop::kNoRoute ? std::nullopt : std::optional{next_hop::decode(hop).index};
    }
    void all_move_on() {
        routes.quiescent(kFirst);
        routes.quiescent(kSecondWorker);
    }
};

}  // namespace

TEST_CASE("a target survives being stored") {
    for (const auto kind : {RouteTarget::Kind::peer, RouteTarget::Kind::adjacency, RouteTarget::Kind::twin, RouteTarget::Kind::reject}) {
        for (const std::uint32_t index : {0u, 1u, 999'999u, (1u << next_hop::kIndexBits) - 1}) {
            const RouteTarget target{kind, index};
            CHECK(next_hop::decode(next_hop::encode(target)) == target);
            CHECK(next_hop::encode(target) != next_hop::kNoRoute);
        }
    }
}

TEST_CASE("an index that cannot be stored is refused, not cut short") {
    Bench bench;
    CHECK(bench.set("10.0.0.0/8", 1u << next_hop::kIndexBits) == Outcome::refused);
    CHECK_FALSE(bench.peer("10.0.0.1"));
}

TEST_CASE("the default route is found where nothing longer is, and goes and changes by itself") {
    Bench bench;
    CHECK(bench.remove("0.0.0.0/0") == Outcome::refused);
    REQUIRE(bench.set("0.0.0.0/0", 1) == Outcome::done);
    REQUIRE(bench.set("10.0.0.0/8", 2) == Outcome::done);
    REQUIRE(bench.set("192.0.2.1/32", 3) == Outcome::done);
    CHECK(bench.peer("10.9.9.9") == 2);
    CHECK(bench.peer("192.0.2.1") == 3);
    CHECK(bench.peer("192.0.2.2") == 1);
    CHECK(bench.peer("255.255.255.255") == 1);
    REQUIRE(bench.set("0.0.0.0/0", 4) == Outcome::done);
    CHECK(bench.peer("192.0.2.2") == 4);
    REQUIRE(bench.remove("10.0.0.0/8") == Outcome::done);
    CHECK(bench.peer("10.9.9.9") == 4);
    REQUIRE(bench.remove("0.0.0.0/0") == Outcome::done);
    CHECK_FALSE(bench.peer("10.9.9.9"));
    CHECK(bench.peer("192.0.2.1") == 3);
}

TEST_CASE("a block takes room for longer prefixes with its first and gives it back with its last, whatever their targets are") {
    Bench bench;
    REQUIRE(bench.set("10.0.0.0/8", 7) == Outcome::done);
    for (int i = 0; i < 8; ++i) REQUIRE(bench.set(fmt::format("10.0.{}.128/25", i), 7) == Outcome::done);
    // As equal as entries can be: both halves and what covers them lead to one peer.
    REQUIRE(bench.set("10.0.0.0/25", 7) == Outcome::done);
    REQUIRE(bench.set("10.0.0.0/24", 7) == Outcome::done);
    CHECK(bench.set("10.0.8.1/32", 9) == Outcome::refused);
    REQUIRE(bench.set("10.0.0.0/8", 8) == Outcome::done);
    CHECK(bench.peer("10.0.1.1") == 8);
    CHECK(bench.peer("10.0.1.129") == 7);
    REQUIRE(bench.remove("10.0.0.0/25") == Outcome::done);
    CHECK(bench.set("10.0.8.1/32", 9) == Outcome::refused);
    REQUIRE(bench.remove("10.0.0.128/25") == Outcome::done);
    CHECK(bench.peer("10.0.0.200") == 7);  // by the /24
    bench.all_move_on();
    CHECK(bench.set("10.0.8.1/32", 9) == Outcome::done);
    CHECK(bench.peer("10.0.8.1") == 9);
}

TEST_CASE("only a change that would use a freed group waits for the workers, all others go on") {
    Bench bench;
    bench.routes.online(kFirst);
    bench.routes.online(kSecondWorker);
    REQUIRE(bench.set("10.1.0.1/32", 1) == Outcome::done);
    REQUIRE(bench.set("10.2.0.1/32", 2) == Outcome::done);
    REQUIRE(bench.remove("10.1.0.1/32") == Outcome::done);
    CHECK(bench.set("10.3.0.1/32", 3) == Outcome::wait);
    CHECK_FALSE(bench.peer("10.3.0.1"));
    CHECK(bench.set("10.2.0.2/32", 4) == Outcome::done);  // its block has a group
    CHECK(bench.set("10.0.0.0/8", 5) == Outcome::done);
    CHECK(bench.set("0.0.0.0/0", 6) == Outcome::done);
    CHECK(bench.remove("10.2.0.2/32") == Outcome::done);
    bench.routes.quiescent(kFirst);
    CHECK(bench.set("10.3.0.1/32", 3) == Outcome::wait);
    SECTION("a worker that ended its turn has moved on") { bench.routes.quiescent(kSecondWorker); }
    SECTION("a worker that sleeps holds nothing") { bench.routes.offline(kSecondWorker); }
    CHECK(bench.set("10.3.0.1/32", 3) == Outcome::done);
    CHECK(bench.peer("10.3.0.1") == 3);
}

TEST_CASE("after any order of changes every lookup is the longest match") {
    const auto seed = GENERATE(1u, 2u, 3u);
    Bench bench;
    std::mt19937 random{seed};
    const auto below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    std::map<Prefix, std::uint32_t> model;
    for (int round = 0; round < 60; ++round) {
        for (int change = 0; change < 60; ++change) {
            // Short and long ones around 10.0.0.0/20, which fight for eight groups; few targets, so that neighbours are often equal.
            const auto length = static_cast<std::uint8_t>(below(3) == 0 ? below(21) : 20 + below(13));
            const Prefix prefix = Prefix::of(IpAddress::v4(0x0a000000 + below(1u << 12)), length);
            const bool is_removal = below(3) == 0;
            const std::uint32_t target = below(3);
            bench.all_move_on();
            const Outcome outcome = is_removal ? bench.routes.remove(kTable, prefix) : bench.routes.set(kTable, prefix, {RouteTarget::Kind::peer, target});
            REQUIRE(outcome != Outcome::wait);
            if (is_removal) CHECK((outcome == Outcome::done) == (model.erase(prefix) == 1));
            else if (outcome == Outcome::done) model[prefix] = target;
            else CHECK(prefix.length > 24);
        }
        for (std::uint32_t at = 0x0a000000; at < 0x0a001000; at += 1 + below(7)) {
            std::uint32_t expected = next_hop::kNoRoute;
            for (int length = 32; length >= 0 && expected == next_hop::kNoRoute; --length) {
                const auto found = model.find(Prefix::of(IpAddress::v4(at), static_cast<std::uint8_t>(length)));
                if (found != model.end()) expected = next_hop::encode({RouteTarget::Kind::peer, found->second});
            }
            if (bench.routes.lookup(kTable, at) != expected) FAIL(fmt::format("seed {}, round {}, {}", seed, round, IpAddress::v4(at).to_string()));
        }
    }
    // No group got lost on the way.
    for (const auto& [prefix, target] : model) REQUIRE(bench.routes.remove(kTable, prefix) == Outcome::done);
    bench.all_move_on();
    for (int i = 0; i < 8; ++i) CHECK(bench.set(fmt::format("10.9.{}.1/32", i), 1) == Outcome::done);
}

namespace {

/// Looks up addresses in a thread of its own, as a worker would, and counts what must not be.
class Reader {
public:
    struct Watched {
        std::uint32_t destination;
        std::vector<std::uint32_t> possible;  // peers
    };
    Reader(RouteTables& routes, std::vector<Watched> watched) : routes_{routes}, watched_{std::move(watched)}, thread_{[this] { run(); }} {}
    ~Reader() { end(); }
    /// How often something else was found.
    std::uint64_t end() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        return wrong_;
    }
    std::uint64_t lookups() const { return lookups_; }

private:
    void run() {
        routes_.online(kFirst);
        while (!stop_) {
            for (const Watched& each : watched_) {
                const std::uint32_t hop = routes_.lookup(kTable, each.destination);
                const bool known = hop != next_hop::kNoRoute && std::ranges::count(each.possible, next_hop::decode(hop).index) == 1;
                if (!known) wrong_ = wrong_ + 1;
            }
            lookups_ = lookups_ + watched_.size();
            routes_.quiescent(kFirst);
        }
        routes_.offline(kFirst);
    }
    RouteTables& routes_;
    std::vector<Watched> watched_;
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> wrong_ = 0, lookups_ = 0;
    std::thread thread_;
};

/// Repeats a change as a writer does until it is made.
template <class Change>
void make(Change&& change) {
    for (int tries = 0; tries < 100'000; ++tries) {
        const Outcome outcome = change();
        if (outcome == Outcome::done) return;
        REQUIRE(outcome == Outcome::wait);
        std::this_thread::yield();
    }
    FAIL("the reader does not move on");
}

constexpr auto kStorm = std::chrono::milliseconds{1500};

}  // namespace

TEST_CASE("while longer prefixes come and go, a reader sees their block's route or theirs, and never one of another block or none") {
    Bench bench;
    REQUIRE(bench.set("10.0.0.0/16", 1) == Outcome::done);
    // The blocks take turns with one group: at every moment one of them has just lost it to the next.
    constexpr std::uint32_t kBlocks = 4;
    std::vector<Reader::Watched> watched;
    std::vector<Prefix> hosts, quarters;
    for (std::uint32_t block = 0; block < kBlocks; ++block) {
        const std::uint32_t base = 0x0a000000 + (block << 8);
        watched.push_back({base + 1, {1, 10 + block}});
        watched.push_back({base + 77, {1}});
        watched.push_back({base + 200, {1, 20 + block}});
        hosts.push_back(Prefix::of(IpAddress::v4(base + 1), 32));
        quarters.push_back(Prefix::of(IpAddress::v4(base + 192), 26));
    }
    Reader reader{bench.routes, watched};
    const auto end = std::chrono::steady_clock::now() + kStorm;
    for (std::uint32_t i = 0; std::chrono::steady_clock::now() < end; ++i) {
        const std::uint32_t block = i % kBlocks;
        make([&] { return bench.routes.set(kTable, hosts[block], {RouteTarget::Kind::peer, 10 + block}); });
        make([&] { return bench.routes.set(kTable, quarters[block], {RouteTarget::Kind::peer, 20 + block}); });
        make([&] { return bench.routes.remove(kTable, hosts[block]); });
        make([&] { return bench.routes.remove(kTable, quarters[block]); });
    }
    CHECK(reader.end() == 0);
    CHECK(reader.lookups() > 1000);
}

TEST_CASE("a change of a short prefix that makes entries equal and unequal never shows a longer prefix another target") {
    Bench bench;
    // When the /16 leads to 1, the first block's entries are all equal; when it leads to 2, the second's.
    REQUIRE(bench.set("10.0.0.0/16", 1) == Outcome::done);
    REQUIRE(bench.set("10.0.1.1/32", 1) == Outcome::done);
    REQUIRE(bench.set("10.0.2.1/32", 2) == Outcome::done);
    Reader reader{bench.routes, {{0x0a000101, {1}}, {0x0a000201, {2}}, {0x0a000102, {1, 2}}, {0x0a000202, {1, 2}}, {0x0a000301, {1, 2}}}};
    const auto end = std::chrono::steady_clock::now() + kStorm;
    const Prefix covering = Prefix::parse("10.0.0.0/16").value();
    for (std::uint32_t i = 0; std::chrono::steady_clock::now() < end; ++i)
        make([&] { return bench.routes.set(kTable, covering, {RouteTarget::Kind::peer, 1 + i % 2}); });
    CHECK(reader.end() == 0);
    CHECK(reader.lookups() > 1000);
}

TEST_CASE("what tables take of memory is known before they are made") {
    LeakCheck eal_is_up;
    const auto used = [] {
        rte_malloc_socket_stats stats{};
        rte_malloc_get_socket_stats(0, &stats);
        return stats.heap_allocsz_bytes;
    };
    const RouteTables::Sizes sizes{.tables = 1, .routes = 100'000, .groups = 5000, .workers = 1, .socket = SOCKET_ID_ANY};
    const auto before = used();
    const RouteTables routes{"sized", sizes};
    const auto taken = static_cast<double>(used() - before), told = static_cast<double>(RouteTables::memory(sizes));
    CHECK(taken / told == Approx(1).epsilon(0.05));
}

TEST_CASE("tables that are too large say what they need and what to change") {
    LeakCheck eal_is_up;
    const RouteTables::Sizes sizes{.tables = 2, .routes = 5'000'000, .groups = 100'000, .workers = 1, .socket = SOCKET_ID_ANY};
    std::string refusal;
    try {
        const RouteTables routes{"large", sizes};
    } catch (const std::runtime_error& error) {
        refusal = error.what();
    }
    CHECK(refusal.find(std::to_string(RouteTables::memory(sizes) >> 20) + " MiB") != std::string::npos);
    CHECK(refusal.find("routes_max") != std::string::npos);
    CHECK(refusal.find("memory") != std::string::npos);
}
