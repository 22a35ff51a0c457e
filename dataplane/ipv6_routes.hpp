// The routes of IPv6, of all tables in one: written by one thread, read by all workers without locks.
#pragma once

#include "dataplane/ipv6_words.hpp"
#include "dataplane/next_hop.hpp"
#include "dataplane/packet.hpp"

#include <array>
#include <atomic>
#include <span>
#include <string>
#include <vector>

struct rte_hash;
struct rte_rcu_qsbr;

namespace nave::dataplane {

/// Prefixes in a hash (`rte_hash`), which is asked once for each prefix length that the table holds, the longest first; there are few in
/// practice. It takes memory by the route, where DPDK's tries of 24 bits and more take 64 MiB before the first one, twice as much if changed safely
/// beside readers, and nearly all of it for nothing: the front of IPv6 addresses hardly differs.
///
/// `rte_hash` is made for readers beside one writer. A removed prefix leaves its slot to another only when all workers have passed a quiescent state.
/// Its hash has a secret seed, so that nobody announces prefixes which all fall into one bucket.
class Ipv6Routes {
public:
    struct Sizes {
        std::uint16_t tables = 1;
        std::uint32_t routes = 65536;  // per table
        int socket = 0;
    };
    /// `readers` outlive the routes. Throws std::runtime_error when memory is short. Main thread.
    Ipv6Routes(const std::string& name, const Sizes& sizes, rte_rcu_qsbr* readers);
    ~Ipv6Routes();
    Ipv6Routes(const Ipv6Routes&) = delete;
    Ipv6Routes& operator=(const Ipv6Routes&) = delete;

    /// What routes of these sizes take of DPDK's memory, in bytes, up to a few percent.
    static std::uint64_t memory(const Sizes& sizes);

    /// Where those of the packets go that are IPv6, header in the first segment, at its start; the others' places are left alone. At most as
    /// many as a burst has. Any worker.
    void lookup(TableId table, std::span<Packet* const> packets, std::span<std::uint64_t> found) const;
    std::uint32_t lookup(TableId table, const Ipv6Bytes& destination) const;

    /// The writer, one thread. Of IPv6 prefixes, whose host bits are clear, and tables that are there.
    [[nodiscard]] RouteOutcome set(TableId table, const Prefix& prefix, std::uint32_t next_hop);
    [[nodiscard]] RouteOutcome remove(TableId table, const Prefix& prefix);

private:
    static constexpr std::size_t kLengths = 129;
    struct Table {
        std::array<std::atomic<std::uint64_t>, (kLengths + 63) / 64> lengths{};  // bit set: there may be prefixes of that length
        // The writer's own.
        alignas(64) std::array<std::uint32_t, kLengths> count{};  // by prefix length
        std::uint32_t routes = 0;
    };
    struct Questions;
    void answer(TableId id, Questions& questions, std::span<std::uint64_t> found) const;

    std::vector<Table> tables_;
    std::uint32_t routes_max_;
    rte_hash* hash_ = nullptr;
    rte_rcu_qsbr* readers_;
    std::uint64_t removal_token_ = 0;  // of the last removal
};

}  // namespace nave::dataplane
