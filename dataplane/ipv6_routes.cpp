// rte_hash of prefixes under rte_rcu_qsbr.
#include "dataplane/ipv6_routes.hpp"

#include "dataplane/log_capture.hpp"

#include <bit>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>
#include <stdexcept>

namespace nave::dataplane {

namespace {

/// A prefix as the hash knows it. Its size is one that rte_hash compares without a call.
struct Key {
    Ipv6Words address;
    std::uint16_t table = 0;
    std::uint8_t length = 0;
    std::array<std::uint8_t, 13> zeros{};
};
static_assert(sizeof(Key) == 32);

Key key_of(TableId table, const Prefix& prefix) { return {Ipv6Words{prefix.address.v6_bytes()}, table.value, prefix.length}; }

/// A next hop is stored in the pointer's place.
void* stored(std::uint32_t next_hop) { return reinterpret_cast<void*>(std::uintptr_t{next_hop}); }
std::uint32_t loaded(void* data) { return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data)); }

/// A bucket that is full refuses a key; with a quarter of the places empty that does not happen.
std::uint32_t places(const Ipv6Routes::Sizes& sizes) { return static_cast<std::uint32_t>(std::uint64_t{sizes.tables} * sizes.routes * 5 / 4); }

}  // namespace

/// Destinations that still look for their route; the mask grows shorter from length to length.
struct Ipv6Routes::Questions {
    std::array<Key, Burst::kCapacity> keys;
    std::array<std::uint8_t, Burst::kCapacity> places;  // in the answer
    std::size_t size = 0;

    void push(TableId table, const Ipv6Bytes& destination, std::size_t place) {
        keys[size] = {Ipv6Words{destination}, table.value, 0};
        places[size++] = static_cast<std::uint8_t>(place);
    }
};

Ipv6Routes::Ipv6Routes(const std::string& name, const Sizes& sizes, rte_rcu_qsbr* readers) : tables_(sizes.tables), routes_max_{sizes.routes}, readers_{readers} {
    LogCapture log;
    rte_hash_parameters parameters{};
    parameters.name = name.c_str();
    parameters.entries = places(sizes);
    parameters.key_len = sizeof(Key);
    parameters.hash_func = rte_jhash;
    parameters.hash_func_init_val = static_cast<std::uint32_t>(rte_rand());
    parameters.socket_id = sizes.socket;
    parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF;
    hash_ = rte_hash_create(&parameters);
    rte_hash_rcu_config grace{};
    grace.v = readers_;
    grace.mode = RTE_HASH_QSBR_MODE_DQ;
    if (hash_ && rte_hash_rcu_qsbr_add(hash_, &grace) == 0) return;
    const std::string reason = rte_strerror(rte_errno);
    rte_hash_free(hash_);
    throw std::runtime_error{fmt::format("no memory for the IPv6 routes ({}; {}): {} in each of {} tables take {} MiB of the dataplane's memory; "
                                         "give it more, or lower routes_max",
                                         reason, log.text(), sizes.routes, sizes.tables, memory(sizes) >> 20)};
}

Ipv6Routes::~Ipv6Routes() { rte_hash_free(hash_); }

std::uint64_t Ipv6Routes::memory(const Sizes& sizes) {
    // As rte_hash reckons: an entry with its key, a place in a bucket of eight, one in the ring of free entries, and one in the queue of removed ones.
    constexpr std::uint64_t kEntry = 48, kInBucket = 8, kInRing = 4, kInQueue = 16;
    const std::uint64_t entries = places(sizes);
    return entries * kEntry + std::bit_ceil(entries) * (kInBucket + kInRing + kInQueue);
}

void Ipv6Routes::answer(TableId id, Questions& questions, std::span<std::uint64_t> found) const {
    const Table& table = tables_[id.value];
    for (std::size_t word = table.lengths.size(); word-- > 0;) {
        for (std::uint64_t lengths = table.lengths[word]; lengths != 0 && questions.size > 0;) {
            const auto bit = static_cast<unsigned>(std::bit_width(lengths) - 1);
            lengths &= ~(std::uint64_t{1} << bit);
            const auto length = static_cast<std::uint8_t>(word * 64 + bit);
            const Ipv6Words mask = Ipv6Words::mask(length);
            std::array<const void*, Burst::kCapacity> keys;
            std::array<void*, Burst::kCapacity> data;
            for (std::size_t i = 0; i < questions.size; ++i) {
                Key& key = questions.keys[i];
                key.address = key.address & mask, key.length = length;
                keys[i] = &key;
            }
            std::array<std::uint64_t, Burst::kCapacity / RTE_HASH_LOOKUP_BULK_MAX> hits{};
            for (std::size_t begin = 0; begin < questions.size; begin += RTE_HASH_LOOKUP_BULK_MAX) {
                const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(questions.size - begin, RTE_HASH_LOOKUP_BULK_MAX));
                rte_hash_lookup_bulk_data(hash_, &keys[begin], count, &hits[begin / RTE_HASH_LOOKUP_BULK_MAX], &data[begin]);
            }
            std::size_t open = 0;
            for (std::size_t i = 0; i < questions.size; ++i) {
                if (hits[i / 64] >> (i % 64) & 1) {
                    found[questions.places[i]] = loaded(data[i]);
                    continue;
                }
                questions.keys[open] = questions.keys[i];
                questions.places[open++] = questions.places[i];
            }
            questions.size = open;
        }
    }
    for (std::size_t i = 0; i < questions.size; ++i) found[questions.places[i]] = next_hop::kNoRoute;
}

void Ipv6Routes::lookup(TableId table, std::span<Packet* const> packets, std::span<std::uint64_t> found) const {
    Questions questions;
    for (std::size_t i = 0; i < packets.size(); ++i)
        if (packets[i]->is_ipv6()) questions.push(table, packets[i]->header<Ipv6Header>()->destination, i);
    answer(table, questions, found);
}

std::uint32_t Ipv6Routes::lookup(TableId table, const Ipv6Bytes& destination) const {
    Questions questions;
    questions.push(table, destination, 0);
    std::uint64_t found = next_hop::kNoRoute;
    answer(table, questions, {&found, 1});
    return static_cast<std::uint32_t>(found);
}

RouteOutcome Ipv6Routes::set(TableId id, const Prefix& prefix, std::uint32_t next_hop) {
    Table& table = tables_[id.value];
    const Key key = key_of(id, prefix);
    const bool is_there = rte_hash_lookup(hash_, &key) >= 0;
    if (!is_there && table.routes == routes_max_) return RouteOutcome::refused;
    if (rte_hash_add_key_data(hash_, &key, stored(next_hop)) != 0) {
        // Every place that is not taken may be one that a reader still looks at; those that none does any more a second try takes.
        if (rte_rcu_qsbr_check(readers_, removal_token_, false) != 1) return RouteOutcome::wait;
        if (rte_hash_add_key_data(hash_, &key, stored(next_hop)) != 0) return RouteOutcome::refused;
    }
    if (is_there) return RouteOutcome::done;
    ++table.routes;
    if (table.count[prefix.length]++ == 0) table.lengths[prefix.length / 64] |= std::uint64_t{1} << (prefix.length % 64);
    return RouteOutcome::done;
}

RouteOutcome Ipv6Routes::remove(TableId id, const Prefix& prefix) {
    Table& table = tables_[id.value];
    const Key key = key_of(id, prefix);
    if (rte_hash_del_key(hash_, &key) < 0) return RouteOutcome::refused;
    removal_token_ = rte_rcu_qsbr_start(readers_);
    --table.routes;
    if (--table.count[prefix.length] == 0) table.lengths[prefix.length / 64] &= ~(std::uint64_t{1} << (prefix.length % 64));
    return RouteOutcome::done;
}

}  // namespace nave::dataplane
