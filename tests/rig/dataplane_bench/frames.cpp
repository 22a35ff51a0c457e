// Buffers' way out and home.
#include "tests/rig/dataplane_bench/frames.hpp"

#include <fmt/format.h>
#include <rte_mbuf.h>
#include <stdexcept>

namespace nave::rig {

Frames::~Frames() {
    for (rte_mbuf* buffer : buffers_) rte_pktmbuf_free(buffer);
}

std::span<rte_mbuf*> Frames::renew(std::size_t count) {
    for (; buffers_.size() > count; buffers_.pop_back()) rte_pktmbuf_free(buffers_.back());
    for (rte_mbuf* buffer : buffers_) rte_pktmbuf_reset(buffer);
    while (buffers_.size() < count) {
        rte_mbuf* buffer = rte_pktmbuf_alloc(pools_->receive_pool());
        if (!buffer) throw std::runtime_error{"the generator has no buffers left: packets leaked"};
        buffers_.push_back(buffer);
    }
    return buffers_;
}

void Frames::send(Cables& cables, WorkerId worker, PortId port) {
    cables.put(worker, port, buffers_);
    buffers_.clear();
}

void Frames::receive(Cables& cables, WorkerId worker, PortId port, std::size_t count) {
    buffers_.resize(count + 1);
    std::size_t taken = 0;
    while (taken < buffers_.size()) {
        const std::size_t more = cables.take(worker, port, std::span{buffers_}.subspan(taken));
        if (more == 0) break;
        taken += more;
    }
    buffers_.resize(taken);
    if (taken != count) throw std::runtime_error{fmt::format("{} packets were sent, {} came out, and no drop was counted", count, taken)};
}

}  // namespace nave::rig
