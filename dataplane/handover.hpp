// The way of a packet to the worker that owns its SA or its transmit queue: one ring for each ordered pair of workers.
#pragma once

#include "common/ids.hpp"
#include "dataplane/packet.hpp"

#include <cstdint>
#include <string>
#include <vector>

struct rte_ring;

namespace nave::dataplane {

/// All rings of a gateway. Each has one producer and one consumer.
class HandoverRings {
public:
    /// `capacity` is rounded up to a power of two. Throws std::runtime_error when memory is short. Main thread.
    HandoverRings(const std::string& name, std::uint8_t workers, std::uint32_t capacity);
    /// Frees the packets that nobody took.
    ~HandoverRings();
    HandoverRings(const HandoverRings&) = delete;
    HandoverRings& operator=(const HandoverRings&) = delete;

    std::uint8_t workers() const { return workers_; }
    /// Worker `from`: how many of the packets, from the front, found room; the others stay the caller's.
    std::size_t give(WorkerId from, WorkerId to, std::span<Packet*> packets);
    /// Worker `to`: packets that wait from `from`.
    std::size_t waiting(WorkerId from, WorkerId to) const;
    /// Worker `to`: appends packets that `from` gave to `burst`, as many as fit.
    void take(WorkerId from, WorkerId to, Burst& burst);

private:
    rte_ring* between(WorkerId from, WorkerId to) const { return rings_[from.value * std::size_t{workers_} + to.value]; }
    std::uint8_t workers_;
    std::vector<rte_ring*> rings_;  // nullptr from a worker to itself
};

}  // namespace nave::dataplane
