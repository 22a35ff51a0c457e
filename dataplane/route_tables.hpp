// The inside route tables: one shared copy, written by worker 0, read by all workers without locks.
#pragma once

#include "common/plane_messages.hpp"
#include "dataplane/packet.hpp"

#include <memory>
#include <vector>

struct rte_fib;
struct rte_rcu_qsbr;

namespace nave::dataplane {

/// A route's target in the 31 bits that the table stores: kind in bits 28-30, index below. 0 = no route.
namespace next_hop {
inline constexpr std::uint32_t kNoRoute = 0, kIndexBits = 28;
constexpr std::uint32_t encode(const RouteTarget& target) {
    return (static_cast<std::uint32_t>(target.kind) + 1) << kIndexBits | (target.index & ((1u << kIndexBits) - 1));
}
/// Not for kNoRoute.
constexpr RouteTarget decode(std::uint32_t value) {
    return {static_cast<RouteTarget::Kind>((value >> kIndexBits) - 1), value & ((1u << kIndexBits) - 1)};
}
}  // namespace next_hop

/// DIR24_8 tables (`rte_fib`, 64 MB each) by TableId.
///
/// `rte_fib` of DPDK 22.11 knows nothing of its readers: a group of 256 long prefixes that a change frees may be filled anew
/// by the next change while a reader is between its two loads, and that reader would follow a route of someone else. So there
/// is one change per grace period: after a change the writer waits until every worker has passed a quiescent state (they all
/// do once a turn) before it makes the next. With one worker that costs nothing, with many it bounds the rate to one change
/// per longest turn, some ten thousand a second.
class RouteTables {
public:
    struct Sizes {
        std::uint16_t tables = 1;
        std::uint32_t routes = 65536, groups = 1024;  // per table
        std::uint8_t workers = 1;
        int socket = 0;
    };
    /// `name` makes the tables' names unique in the process. Throws std::runtime_error when memory is short. Main thread.
    RouteTables(const std::string& name, const Sizes& sizes);
    ~RouteTables();
    RouteTables(const RouteTables&) = delete;
    RouteTables& operator=(const RouteTables&) = delete;

    /// Where each packet of a burst goes, in its order. Packets are IPv4, header in the first segment, at its start. Any worker.
    using NextHops = std::array<std::uint64_t, Burst::kCapacity>;
    void lookup(const Burst& burst, NextHops& found) const;
    std::uint32_t lookup(TableId table, std::uint32_t destination) const;

    /// Writer: true if the next change may be made now; asked again in a later turn otherwise.
    [[nodiscard]] bool may_change();
    /// Writer, after may_change(): false if the table is full, absent, or the prefix is IPv6 (not yet).
    [[nodiscard]] bool set(TableId table, const Prefix& prefix, const RouteTarget& target);
    [[nodiscard]] bool remove(TableId table, const Prefix& prefix);

    /// A worker holds no next hop now; once a turn.
    void quiescent(WorkerId worker);
    /// Around a rest: a worker that sleeps must not hold up the writer.
    void offline(WorkerId worker);
    void online(WorkerId worker);

private:
    bool applies(TableId table, const Prefix& prefix) const { return table.value < tables_.size() && prefix.address.is_v4() && prefix.length <= 32; }
    void release();

    std::vector<rte_fib*> tables_;
    rte_rcu_qsbr* readers_ = nullptr;
    std::uint64_t grace_token_ = 0;  // of the last change
    bool grace_pending_ = false;
};

}  // namespace nave::dataplane
