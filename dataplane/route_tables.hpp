// The inside route tables: one shared copy, written by one thread, read by all workers without locks.
#pragma once

#include "dataplane/ipv6_routes.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

struct rte_fib;
struct rte_rcu_qsbr;

namespace nave::dataplane {

/// Tables of both IP versions by TableId. Those of IPv6 are Ipv6Routes; those of IPv4 are DIR24_8 tables (`rte_fib`, 64 MB each), made safe for
/// readers that are in the middle of a lookup.
///
/// A /24 block with longer prefixes in it has a *group* of 256 entries, and a lookup there takes two loads: the block's entry,
/// which names the group, and the group's. `rte_fib` of DPDK 22.11 knows nothing of readers between the two:
/// - A group whose entries become equal is freed: the block's entry gets their value, then the group is filled with zeros. A
///   reader that sees such a zero looks again and finds the block's new entry. No route is stored as zero.
/// - A freed group is taken by the next block that needs one, and a late reader would follow a route of another block. So after
///   a group was freed none is taken before every worker has passed a quiescent state (they all do once a turn); until then
///   set() answers `wait` for such a change, and only for such a one.
/// - Any change could free one group and take another, between which nobody can wait. That is ruled out by marks in the stored
///   value, which say from what kind of prefix an entry comes: one up to /24, a longer one in the lower half of its block, or one
///   in the upper half. So a group's entries are equal only if none is from a longer prefix, and groups come with the first
///   longer prefix of a block and go with the last, whatever the routes' targets are.
///
/// The default route of IPv4 is a value beside the table: in it, it would be 64 MB to write at each change.
class RouteTables {
public:
    struct Sizes {
        std::uint16_t tables = 1;
        std::uint32_t routes = 65536;  // per table, of each IP version
        std::uint32_t groups = 1024;   // per table: /24 blocks that hold longer prefixes
        std::uint8_t workers = 1;
        int socket = 0;
    };
    using Outcome = RouteOutcome;

    /// `name` makes the tables' names unique in the process. Throws std::runtime_error when memory is short. Main thread.
    RouteTables(const std::string& name, const Sizes& sizes);
    ~RouteTables();
    RouteTables(const RouteTables&) = delete;
    RouteTables& operator=(const RouteTables&) = delete;

    /// What tables of these sizes take of DPDK's memory, in bytes, up to a few percent.
    static std::uint64_t memory(const Sizes& sizes);

    /// Where each packet of a burst goes, in its order. Packets have their IP header in the first segment, at its start. True if any is IPv6.
    /// Any worker.
    using NextHops = std::array<std::uint64_t, Burst::kCapacity>;
    bool lookup(const Burst& burst, NextHops& found) const;
    std::uint32_t lookup(TableId table, std::uint32_t destination) const;
    std::uint32_t lookup(TableId table, const Ipv6Bytes& destination) const;

    /// The writer, one thread.
    [[nodiscard]] Outcome set(TableId table, const Prefix& prefix, const RouteTarget& target);
    [[nodiscard]] Outcome remove(TableId table, const Prefix& prefix);

    /// A worker holds no next hop now; once a turn.
    void quiescent(WorkerId worker);
    /// Around a rest: a worker that sleeps must not hold up the writer.
    void offline(WorkerId worker);
    void online(WorkerId worker);

private:
    struct Table {
        rte_fib* fib = nullptr;
        std::atomic<std::uint32_t> fallback{next_hop::kNoRoute};  // the default route
        // The writer's own, apart from what readers load.
        alignas(64) std::uint32_t groups_used = 0;
        std::uint64_t grace_token = 0;  // of the last group that was freed
        bool grace_pending = false;
    };
    Table* table_for(TableId id, const Prefix& prefix);
    bool readers_have_moved_on(Table& table);
    void release();

    std::vector<Table> tables_;
    std::uint32_t groups_max_;
    rte_rcu_qsbr* readers_ = nullptr;
    std::unique_ptr<Ipv6Routes> ipv6_;
};

}  // namespace nave::dataplane
