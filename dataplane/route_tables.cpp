// rte_fib under rte_rcu_qsbr.
#include "dataplane/route_tables.hpp"

#include "common/headers.hpp"
#include "dataplane/log_capture.hpp"

#include <array>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_rib.h>
#include <stdexcept>

namespace nave::dataplane {

namespace {

constexpr std::uint8_t kBlockLength = 24;

/// What stands in the table's entries: a next hop in the lower bits, marked in the upper two of 31 bits.
namespace entry {
constexpr std::uint32_t kRecycled = 0;  // a group was freed between two loads of a lookup
constexpr std::uint32_t kMiss = 1;      // no prefix but perhaps the default route; every RouteTarget is encoded as a larger number
constexpr std::uint32_t kLowerHalf = 1u << 29, kUpperHalf = 2u << 29, kTarget = kLowerHalf - 1;

constexpr std::uint32_t of(const Prefix& prefix, std::uint32_t next_hop) {
    if (prefix.length <= kBlockLength) return next_hop;
    return next_hop | (prefix.address.v4_host() & 0x80 ? kUpperHalf : kLowerHalf);
}
}  // namespace entry

std::uint32_t read(rte_fib* fib, std::uint32_t destination) {
    std::uint64_t found = 0;
    rte_fib_lookup_bulk(fib, &destination, &found, 1);
    return static_cast<std::uint32_t>(found);
}

/// The next hop that an entry means.
std::uint32_t settle(std::uint32_t value, rte_fib* fib, std::uint32_t destination, std::uint32_t fallback) {
    if (value > entry::kMiss) return value & entry::kTarget;  // one look for nearly all packets
    // Looking again once is enough: the block has no group now, and gets none before this worker has passed a quiescent state.
    if (value == entry::kRecycled) value = read(fib, destination);
    return value == entry::kMiss ? fallback : value & entry::kTarget;
}

/// The same for a run of packets; nearly always none of them needs a second look, and then it is one operation each.
void settle_all(std::span<std::uint64_t> values, rte_fib* fib, const std::uint32_t* destinations, std::uint32_t fallback) {
    bool any = false;
    for (const std::uint64_t value : values) any |= static_cast<std::uint32_t>(value) <= entry::kMiss;
    if (any) [[unlikely]] {
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = settle(static_cast<std::uint32_t>(values[i]), fib, destinations[i], fallback);
        return;
    }
    for (std::uint64_t& value : values) value &= entry::kTarget;
}

/// True if the /24 block of this address holds prefixes longer than /24.
bool block_has_group(rte_fib* fib, std::uint32_t address) {
    rte_rib* rib = rte_fib_get_rib(fib);
    rte_rib_node* node = nullptr;
    while ((node = rte_rib_get_nxt(rib, address & ~0xffu, kBlockLength, node, RTE_RIB_GET_NXT_COVER)) != nullptr) {
        std::uint8_t length = 0;
        rte_rib_get_depth(node, &length);
        if (length > kBlockLength) return true;
    }
    return false;
}

Ipv6Routes::Sizes ipv6_sizes(const RouteTables::Sizes& sizes) { return {.tables = sizes.tables, .routes = sizes.routes, .socket = sizes.socket}; }

constexpr std::uint32_t kSpareGroups = 1;  // adding a prefix asks for two free groups in some cases where it takes one
constexpr std::uint32_t kNodesPerRoute = 2;  // rte_fib's own reckoning: each route may need a fork above it

rte_fib* make_table(const std::string& name, const RouteTables::Sizes& sizes) {
    rte_fib_conf conf{};
    conf.type = RTE_FIB_DIR24_8;
    conf.default_nh = entry::kMiss;
    conf.max_routes = static_cast<int>(sizes.routes);
    conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    conf.dir24_8.num_tbl8 = sizes.groups + kSpareGroups;
    rte_fib* fib = rte_fib_create(name.c_str(), sizes.socket, &conf);
    // Measured: the scalar lookup beats the AVX-512 one on the machines we know.
    if (fib) rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO);
    return fib;
}

}  // namespace

RouteTables::RouteTables(const std::string& name, const Sizes& sizes) : tables_(sizes.tables), groups_max_{sizes.groups} {
    const auto give_up = [&](const std::string& text) {
        release();
        throw std::runtime_error{text};
    };
    LogCapture log;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        tables_[i].fib = make_table(fmt::format("{}_{}", name, i), sizes);
        if (tables_[i].fib) continue;
        const std::string reason = rte_strerror(rte_errno);
        give_up(fmt::format("no memory for route table {} of {} ({}; {}): with {} routes and {} blocks of longer ones each, the tables take {} MiB of the dataplane's memory; "
                            "give it more, or lower routes_max or route_blocks_max",
                            i + 1, tables_.size(), reason, log.text(), sizes.routes, sizes.groups, memory(sizes) >> 20));
    }
    readers_ = static_cast<rte_rcu_qsbr*>(rte_zmalloc_socket(nullptr, rte_rcu_qsbr_get_memsize(sizes.workers), RTE_CACHE_LINE_SIZE, sizes.socket));
    if (!readers_) give_up("no memory for the route tables' readers");
    rte_rcu_qsbr_init(readers_, sizes.workers);
    for (unsigned i = 0; i < sizes.workers; ++i) rte_rcu_qsbr_thread_register(readers_, i);
    try {
        ipv6_ = std::make_unique<Ipv6Routes>(name + "_v6", ipv6_sizes(sizes), readers_);
    } catch (const std::runtime_error&) {
        release();
        throw;
    }
}

RouteTables::~RouteTables() { release(); }

void RouteTables::release() {
    ipv6_.reset();
    for (Table& table : tables_) rte_fib_free(table.fib);
    rte_free(readers_);
}

std::uint64_t RouteTables::memory(const Sizes& sizes) {
    constexpr std::uint64_t kEntry = 4, kBlocks = 1ull << kBlockLength, kGroup = 256 * kEntry, kNodeBytes = 40;
    const std::uint64_t node = rte_mempool_calc_obj_size(kNodeBytes, 0, nullptr) + sizeof(void*);  // and its place in the pool's ring
    return sizes.tables * (kBlocks * kEntry + sizes.groups * kGroup + std::uint64_t{sizes.routes} * kNodesPerRoute * node) + Ipv6Routes::memory(ipv6_sizes(sizes));
}

bool RouteTables::lookup(const Burst& burst, NextHops& found) const {
    constexpr std::uint8_t kIpv6Bit = 0x20;  // of the first byte: version 6 has it, version 4 has not
    std::uint8_t seen = 0;
    std::array<std::uint32_t, Burst::kCapacity> destinations;
    for (std::size_t begin = 0; begin < burst.size;) {
        // One bulk lookup for each run of packets of the same table; nearly always the whole burst. Where IPv6 packets stand among them, it
        // asks for an address that is always at hand, and the answer is overwritten.
        const TableId id = burst.packets[begin]->meta().table;
        std::size_t end = begin;
        for (; end < burst.size && burst.packets[end]->meta().table == id; ++end) {
            const auto* ip = reinterpret_cast<const Ipv4Header*>(burst.packets[end]->data());
            seen |= ip->version_and_length;
            destinations[end] = ip->destination.host();
        }
        const bool any_ipv6 = (seen & kIpv6Bit) != 0;
        for (std::size_t i = begin; any_ipv6 && i < end; ++i)
            if (burst.packets[i]->is_ipv6()) destinations[i] = 0;
        if (id.value < tables_.size()) {
            const Table& table = tables_[id.value];
            const std::uint32_t fallback = table.fallback;
            rte_fib_lookup_bulk(table.fib, &destinations[begin], &found[begin], static_cast<int>(end - begin));
            settle_all(std::span{found}.subspan(begin, end - begin), table.fib, &destinations[begin], fallback);
            if (any_ipv6) ipv6_->lookup(id, {&burst.packets[begin], end - begin}, std::span{found}.subspan(begin, end - begin));
        } else {
            std::fill(&found[begin], &found[end], std::uint64_t{next_hop::kNoRoute});
        }
        begin = end;
    }
    return (seen & kIpv6Bit) != 0;
}

std::uint32_t RouteTables::lookup(TableId id, std::uint32_t destination) const {
    if (id.value >= tables_.size()) return next_hop::kNoRoute;
    const Table& table = tables_[id.value];
    return settle(read(table.fib, destination), table.fib, destination, table.fallback);
}

std::uint32_t RouteTables::lookup(TableId id, const Ipv6Bytes& destination) const {
    return id.value < tables_.size() ? ipv6_->lookup(id, destination) : next_hop::kNoRoute;
}

RouteTables::Table* RouteTables::table_for(TableId id, const Prefix& prefix) {
    return id.value < tables_.size() && prefix.length <= prefix.address.bit_count() ? &tables_[id.value] : nullptr;
}

bool RouteTables::readers_have_moved_on(Table& table) {
    if (table.grace_pending && rte_rcu_qsbr_check(readers_, table.grace_token, false) == 1) table.grace_pending = false;
    return !table.grace_pending;
}

RouteTables::Outcome RouteTables::set(TableId id, const Prefix& prefix, const RouteTarget& target) {
    Table* table = table_for(id, prefix);
    if (!table || target.index >> next_hop::kIndexBits != 0) return Outcome::refused;
    const std::uint32_t value = next_hop::encode(target);
    if (!prefix.address.is_v4()) return ipv6_->set(id, prefix, value);
    if (prefix.length == 0) {
        table->fallback = value;
        return Outcome::done;
    }
    const std::uint32_t address = prefix.address.v4_host();
    const bool takes_group = prefix.length > kBlockLength && !block_has_group(table->fib, address);
    if (takes_group && table->groups_used == groups_max_) return Outcome::refused;
    if (takes_group && !readers_have_moved_on(*table)) return Outcome::wait;
    if (rte_fib_add(table->fib, address, prefix.length, entry::of(prefix, value)) != 0) return Outcome::refused;
    if (takes_group) ++table->groups_used;
    return Outcome::done;
}

RouteTables::Outcome RouteTables::remove(TableId id, const Prefix& prefix) {
    Table* table = table_for(id, prefix);
    if (!table) return Outcome::refused;
    if (!prefix.address.is_v4()) return ipv6_->remove(id, prefix);
    if (prefix.length == 0) return table->fallback.exchange(next_hop::kNoRoute) == next_hop::kNoRoute ? Outcome::refused : Outcome::done;
    const std::uint32_t address = prefix.address.v4_host();
    if (rte_fib_delete(table->fib, address, prefix.length) != 0) return Outcome::refused;
    if (prefix.length > kBlockLength && !block_has_group(table->fib, address)) {
        --table->groups_used;
        table->grace_token = rte_rcu_qsbr_start(readers_);
        table->grace_pending = true;
    }
    return Outcome::done;
}

void RouteTables::quiescent(WorkerId worker) { rte_rcu_qsbr_quiescent(readers_, worker.value); }
void RouteTables::offline(WorkerId worker) { rte_rcu_qsbr_thread_offline(readers_, worker.value); }
void RouteTables::online(WorkerId worker) { rte_rcu_qsbr_thread_online(readers_, worker.value); }

}  // namespace nave::dataplane
