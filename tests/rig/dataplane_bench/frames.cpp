// Buffers' way out and home.
#include "tests/rig/dataplane_bench/frames.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <rte_mbuf.h>
#include <stdexcept>

namespace nave::rig {

Frames::Frames(Cables& cables, WorkerId worker, std::size_t burst) : cables_{&cables}, worker_{worker}, burst_{burst}, buffers_(Cables::kBuffers) {
    if (rte_pktmbuf_alloc_bulk(cables.store(worker), buffers_.data(), static_cast<unsigned>(buffers_.size())) != 0)
        throw std::runtime_error{"the generator misses buffers: packets leaked"};
    std::ranges::sort(buffers_);
    renew();
}

Frames::~Frames() {
    for (rte_mbuf* buffer : buffers_) rte_pktmbuf_free(buffer);
}

std::span<rte_mbuf*> Frames::renew() {
    for (; buffers_.size() > burst_; buffers_.pop_back()) rte_pktmbuf_free(buffers_.back());
    for (rte_mbuf* buffer : buffers_) rte_pktmbuf_reset(buffer);
    while (buffers_.size() < burst_) {
        rte_mbuf* buffer = rte_pktmbuf_alloc(cables_->store(worker_));
        if (!buffer) throw std::runtime_error{"the generator has no buffers left: packets leaked"};
        buffers_.push_back(buffer);
    }
    return buffers_;
}

void Frames::send(PortId port) {
    cables_->put(worker_, port, buffers_);
    buffers_.clear();
}

void Frames::receive(PortId port, std::size_t count) {
    buffers_.resize(count + 1);
    std::size_t taken = 0;
    while (taken < buffers_.size()) {
        const std::size_t more = cables_->take(worker_, port, std::span{buffers_}.subspan(taken));
        if (more == 0) break;
        taken += more;
    }
    buffers_.resize(taken);
    if (taken != count) throw std::runtime_error{fmt::format("{} packets were sent, {} came out, and no drop was counted", count, taken)};
}

}  // namespace nave::rig
