// Handover over rte_ring.
#include "dataplane/handover.hpp"

#include <bit>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <stdexcept>

namespace nave::dataplane {

HandoverRings::HandoverRings(const std::string& name, std::uint8_t workers, std::uint32_t capacity) : workers_{workers}, rings_(std::size_t{workers} * workers) {
    for (unsigned from = 0; from < workers; ++from) {
        for (unsigned to = 0; to < workers; ++to) {
            if (from == to) continue;
            rte_ring* ring = rte_ring_create(fmt::format("{}_{}_{}", name, from, to).c_str(), std::bit_ceil(std::max(64u, capacity)), SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
            if (!ring) {
                for (rte_ring* made : rings_) rte_ring_free(made);
                throw std::runtime_error{fmt::format("no memory for the rings between {} workers ({})", workers, rte_strerror(rte_errno))};
            }
            rings_[from * std::size_t{workers} + to] = ring;
        }
    }
}

HandoverRings::~HandoverRings() {
    for (rte_ring* ring : rings_) {
        void* packet = nullptr;
        while (ring && rte_ring_sc_dequeue(ring, &packet) == 0) static_cast<Packet*>(packet)->free();
        rte_ring_free(ring);
    }
}

std::size_t HandoverRings::give(WorkerId from, WorkerId to, std::span<Packet*> packets) {
    std::array<void*, Burst::kCapacity> pointers;
    for (std::size_t i = 0; i < packets.size(); ++i) pointers[i] = packets[i];
    return rte_ring_sp_enqueue_burst(between(from, to), pointers.data(), static_cast<unsigned>(packets.size()), nullptr);
}

std::size_t HandoverRings::waiting(WorkerId from, WorkerId to) const { return rte_ring_count(between(from, to)); }

void HandoverRings::take(WorkerId from, WorkerId to, Burst& burst) {
    std::array<void*, Burst::kCapacity> pointers;
    const unsigned taken = rte_ring_sc_dequeue_burst(between(from, to), pointers.data(), static_cast<unsigned>(Burst::kCapacity - burst.size), nullptr);
    for (unsigned i = 0; i < taken; ++i) burst.push(*static_cast<Packet*>(pointers[i]));
}

}  // namespace nave::dataplane
