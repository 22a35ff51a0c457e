// Numbers 0 to N-1 to be taken and given back; the one that rested longest is taken first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace nave::overlay {

class SlotPool {
public:
    explicit SlotPool(std::uint32_t count) : taken_(count, false) {
        for (std::uint32_t slot = 0; slot < count; ++slot) free_.push_back(slot);
    }
    /// Nothing when all are taken; that is counted.
    std::optional<std::uint32_t> take() {
        if (free_.empty()) {
            ++exhausted_;
            return std::nullopt;
        }
        const std::uint32_t slot = free_.front();
        free_.pop_front();
        taken_[slot] = true;
        return slot;
    }
    /// A number that is not taken is left alone, so that a repeated acknowledgement does no harm.
    void give_back(std::uint32_t slot) {
        if (slot >= taken_.size() || !taken_[slot]) return;
        taken_[slot] = false;
        free_.push_back(slot);
    }
    std::size_t in_use() const { return taken_.size() - free_.size(); }
    std::uint64_t exhausted() const { return exhausted_; }

private:
    std::deque<std::uint32_t> free_;
    std::vector<bool> taken_;
    std::uint64_t exhausted_ = 0;
};

}  // namespace nave::overlay
