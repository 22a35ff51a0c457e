// rte_fib under rte_rcu_qsbr.
#include "dataplane/route_tables.hpp"

#include "common/headers.hpp"

#include <array>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <stdexcept>

namespace nave::dataplane {

RouteTables::RouteTables(const std::string& name, const Sizes& sizes) {
    for (std::uint16_t i = 0; i < sizes.tables; ++i) {
        rte_fib_conf conf{};
        conf.type = RTE_FIB_DIR24_8;
        conf.default_nh = next_hop::kNoRoute;
        conf.max_routes = static_cast<int>(sizes.routes);
        conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
        conf.dir24_8.num_tbl8 = sizes.groups;
        rte_fib* fib = rte_fib_create(fmt::format("{}_{}", name, i).c_str(), sizes.socket, &conf);
        if (!fib) {
            release();
            throw std::runtime_error{fmt::format("no memory for route table {} of {} ({}): each needs about 70 MB, give the dataplane more memory", i + 1,
                                                 sizes.tables, rte_strerror(rte_errno))};
        }
        // Measured: the scalar lookup beats the AVX-512 one on the machines we know.
        rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO);
        tables_.push_back(fib);
    }
    readers_ = static_cast<rte_rcu_qsbr*>(rte_zmalloc_socket(nullptr, rte_rcu_qsbr_get_memsize(sizes.workers), RTE_CACHE_LINE_SIZE, sizes.socket));
    if (!readers_) {
        release();
        throw std::runtime_error{"no memory for the route tables' readers"};
    }
    rte_rcu_qsbr_init(readers_, sizes.workers);
    for (unsigned i = 0; i < sizes.workers; ++i) rte_rcu_qsbr_thread_register(readers_, i);
}

RouteTables::~RouteTables() { release(); }

void RouteTables::release() {
    for (rte_fib* fib : tables_) rte_fib_free(fib);
    rte_free(readers_);
}

void RouteTables::lookup(const Burst& burst, NextHops& found) const {
    std::array<std::uint32_t, Burst::kCapacity> destinations;
    for (std::size_t begin = 0; begin < burst.size;) {
        // One bulk lookup for each run of packets of the same table; nearly always the whole burst.
        const TableId table = burst.packets[begin]->meta().table;
        std::size_t end = begin;
        for (; end < burst.size && burst.packets[end]->meta().table == table; ++end)
            destinations[end] = burst.packets[end]->header<Ipv4Header>()->destination.host();
        const auto count = static_cast<unsigned>(end - begin);
        if (table.value < tables_.size()) rte_fib_lookup_bulk(tables_[table.value], &destinations[begin], &found[begin], static_cast<int>(count));
        else std::fill_n(&found[begin], count, std::uint64_t{next_hop::kNoRoute});
        begin = end;
    }
}

std::uint32_t RouteTables::lookup(TableId table, std::uint32_t destination) const {
    std::uint64_t found = next_hop::kNoRoute;
    if (table.value < tables_.size()) rte_fib_lookup_bulk(tables_[table.value], &destination, &found, 1);
    return static_cast<std::uint32_t>(found);
}

bool RouteTables::may_change() {
    if (!grace_pending_) return true;
    // The writer is a reader too, and between bursts it holds nothing.
    rte_rcu_qsbr_quiescent(readers_, 0);
    if (rte_rcu_qsbr_check(readers_, grace_token_, false) != 1) return false;
    grace_pending_ = false;
    return true;
}

bool RouteTables::set(TableId table, const Prefix& prefix, const RouteTarget& target) {
    if (!applies(table, prefix)) return false;
    const int error = rte_fib_add(tables_[table.value], prefix.address.v4_host(), prefix.length, next_hop::encode(target));
    grace_token_ = rte_rcu_qsbr_start(readers_);
    grace_pending_ = true;
    return error == 0;
}

bool RouteTables::remove(TableId table, const Prefix& prefix) {
    if (!applies(table, prefix)) return false;
    const int error = rte_fib_delete(tables_[table.value], prefix.address.v4_host(), prefix.length);
    grace_token_ = rte_rcu_qsbr_start(readers_);
    grace_pending_ = true;
    return error == 0;
}

void RouteTables::quiescent(WorkerId worker) { rte_rcu_qsbr_quiescent(readers_, worker.value); }
void RouteTables::offline(WorkerId worker) { rte_rcu_qsbr_thread_offline(readers_, worker.value); }
void RouteTables::online(WorkerId worker) { rte_rcu_qsbr_thread_online(readers_, worker.value); }

}  // namespace nave::dataplane
