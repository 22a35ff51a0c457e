// A table like that of a router in the Internet's middle, the changes that it sees, and what a lookup in it must find.
#pragma once

#include "common/plane_messages.hpp"

#include <array>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

namespace nave::bench {

inline constexpr std::uint32_t kNeighbours = 1024;  // targets of routes are adjacencies 0 to 1023

class FullTable {
public:
    /// `count` prefixes: six in ten /24, most others /16 to /23, one in twenty longer than /24; and a default route.
    FullTable(std::size_t count, std::uint64_t seed);

    std::size_t size() const { return routes_.size(); }
    /// /24 blocks that hold longer prefixes.
    std::uint32_t blocks() const { return blocks_; }
    /// The i-th route of the start, as a command.
    RouteCommand initial(std::size_t i) const { return SetRoute{TableId{}, routes_[i].prefix, routes_[i].target}; }
    RouteCommand initial_default() const { return SetRoute{TableId{}, kDefault, default_}; }

    /// The next change: six in ten another next hop, the others a route that goes or comes back; one in a thousand is the default route's.
    RouteCommand change();
    /// Another next hop for 0.0.0.0/1, the largest change that there is.
    RouteCommand change_half();
    /// A prefix comes and goes that is alone in its block, the only change for which the writer waits for the workers.
    RouteCommand change_lone();
    static constexpr std::uint32_t kLoneBlocks = 1;
    /// Where a packet must go after all changes so far.
    RouteTarget expected(std::uint32_t destination) const;
    /// An address under one of the prefixes, or now and then any.
    std::uint32_t some_destination();

private:
    struct Route {
        Prefix prefix;
        RouteTarget target;
        bool present = true;
    };
    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
    RouteTarget some_target() { return {RouteTarget::Kind::adjacency, below(kNeighbours)}; }
    Prefix some_prefix();

    static inline const Prefix kDefault = Prefix::of(IpAddress::v4(0), 0), kHalf = Prefix::of(IpAddress::v4(0), 1);
    std::mt19937_64 random_;
    std::vector<Route> routes_;
    std::unordered_map<Prefix, std::uint32_t> by_prefix_;  // index in routes_
    RouteTarget default_;
    std::uint32_t blocks_ = 0;
    std::uint64_t changes_ = 0, lone_changes_ = 0;
};

}  // namespace nave::bench
