// The table's shape, and its changes.
#include "tests/bench/full_table.hpp"

#include <unordered_set>

namespace nave::bench {

namespace {

constexpr std::uint32_t kDefaultEvery = 1000;
constexpr std::uint32_t kFirstAddress = 1u << 24, kAddresses = 223u << 24;

struct Share { std::uint8_t length; std::uint32_t per_mille; };
constexpr std::array kShares{Share{12, 2}, Share{14, 3}, Share{16, 15}, Share{17, 10}, Share{18, 20}, Share{19, 30}, Share{20, 50}, Share{21, 50}, Share{22, 100},
                             Share{23, 70}, Share{24, 600}, Share{25, 5}, Share{26, 5}, Share{27, 6}, Share{28, 8}, Share{29, 8}, Share{30, 8}, Share{32, 10}};

}  // namespace

FullTable::FullTable(std::size_t count, std::uint64_t seed) : random_{seed} {
    routes_.reserve(count);
    by_prefix_.reserve(count);
    std::unordered_set<std::uint32_t> long_blocks;
    routes_.push_back({kHalf, some_target()});
    by_prefix_.emplace(kHalf, 0);
    while (routes_.size() < count) {
        const Prefix prefix = some_prefix();
        if (!by_prefix_.emplace(prefix, static_cast<std::uint32_t>(routes_.size())).second) continue;
        routes_.push_back({prefix, some_target()});
        if (prefix.length > 24) long_blocks.insert(prefix.address.v4_host() >> 8);
    }
    blocks_ = static_cast<std::uint32_t>(long_blocks.size());
    default_ = some_target();
}

Prefix FullTable::some_prefix() {
    std::uint32_t at = below(1000);
    const Share* share = kShares.data();
    while (at >= share->per_mille) at -= (share++)->per_mille;
    return Prefix::of(IpAddress::v4(kFirstAddress + below(kAddresses)), share->length);
}

RouteCommand FullTable::change() {
    if (++changes_ % kDefaultEvery == 0) {
        default_ = some_target();
        return initial_default();
    }
    Route& route = routes_[1 + below(static_cast<std::uint32_t>(routes_.size()) - 1)];
    if (!route.present || below(4) != 0) {
        route.present = true;
        route.target = some_target();
        return SetRoute{TableId{}, route.prefix, route.target};
    }
    route.present = false;
    return RemoveRoute{TableId{}, route.prefix};
}

RouteCommand FullTable::change_half() {
    routes_[0].target = some_target();
    return initial(0);
}

RouteCommand FullTable::change_lone() {
    // In addresses that no other prefix covers; the block changes each time, its group goes from one to the next.
    const std::uint64_t turn = lone_changes_++;
    const Prefix prefix = Prefix::of(IpAddress::v4(0xf0000001 + static_cast<std::uint32_t>(turn / 2 % 256 << 8)), 32);
    if (turn % 2 == 0) return SetRoute{TableId{}, prefix, some_target()};
    return RemoveRoute{TableId{}, prefix};
}

RouteTarget FullTable::expected(std::uint32_t destination) const {
    for (std::uint8_t length = 32; length > 0; --length) {
        const auto found = by_prefix_.find(Prefix::of(IpAddress::v4(destination), length));
        if (found != by_prefix_.end() && routes_[found->second].present) return routes_[found->second].target;
    }
    return default_;
}

std::uint32_t FullTable::some_destination() {
    for (;;) {
        const Prefix& prefix = routes_[below(static_cast<std::uint32_t>(routes_.size()))].prefix;
        const auto host_bits = static_cast<std::uint32_t>((std::uint64_t{1} << (32 - prefix.length)) - 1);
        const std::uint32_t address = below(16) == 0 ? kFirstAddress + below(kAddresses) : prefix.address.v4_host() | (static_cast<std::uint32_t>(random_()) & host_bits);
        const std::uint32_t first = address >> 24;
        if (first != 0 && first != 127) return address;  // the others are not forwarded
    }
}

}  // namespace nave::bench
