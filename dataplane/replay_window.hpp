// Anti-replay of ESP (RFC 4303 §3.4.3), extended sequence numbers (RFC 4303 appendix A), and the counter of the sending side.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

namespace nave::dataplane {

/// Which sequence numbers were seen. One owner, no locks.
class ReplayWindow {
public:
    static constexpr std::uint32_t kWidthMin = 64, kWidthUsual = 1024, kWidthMax = 8192;
    static constexpr std::size_t kHighestSize = sizeof(std::uint64_t);  // what stands in front and suffices for packets in order

    /// The narrowest.
    ReplayWindow() = default;
    /// `width` in packets; anything that is not a power of two in 64 to 8192 becomes the next one that is.
    explicit ReplayWindow(std::uint32_t width) : width_{std::bit_ceil(std::clamp(width, kWidthMin, kWidthMax))} {}

    std::uint32_t width() const { return width_; }
    /// Highest sequence number that was accepted; 0 before the first.
    std::uint64_t highest() const { return highest_; }

    /// True if the number looks fresh. Says nothing on whether the packet is genuine.
    bool may_accept(std::uint64_t sequence) const {
        if (sequence > highest_) return true;
        return sequence != 0 && highest_ - sequence < width_ && !seen(sequence);
    }

    /// Fetches what accept() will change. The width is not near yet, so the place of the bit is that of the usual one.
    void prefetch(std::uint64_t sequence) const {
        __builtin_prefetch(&width_, 1);
        __builtin_prefetch(&bits_[sequence % kWidthUsual / 64], 1);
    }
    /// Call only after the ICV verified. False: a twin in the same burst got here first.
    [[nodiscard]] bool accept(std::uint64_t sequence) {
        if (!may_accept(sequence)) return false;
        if (sequence > highest_) advance(sequence);
        word(sequence) |= bit(sequence);
        return true;
    }

    /// The 64-bit number that a 32-bit one on the wire stands for (RFC 4303 §A2.2). A wrong guess only fails the ICV.
    std::uint64_t infer(std::uint32_t low) const {
        const auto highest_low = static_cast<std::uint32_t>(highest_);
        const auto high = static_cast<std::uint32_t>(highest_ >> 32);
        const std::uint32_t bottom = highest_low - width_ + 1;  // wraps, as the RFC wants
        std::uint32_t guess = high;
        if (highest_low >= width_ - 1) guess = low >= bottom ? high : high + 1;
        else if (low >= bottom && high > 0) guess = high - 1;
        return std::uint64_t{guess} << 32 | low;
    }

private:
    bool seen(std::uint64_t sequence) const { return (bits_[sequence % width_ / 64] & bit(sequence)) != 0; }
    std::uint64_t& word(std::uint64_t sequence) { return bits_[sequence % width_ / 64]; }
    static constexpr std::uint64_t bit(std::uint64_t sequence) { return std::uint64_t{1} << (sequence % 64); }

    /// Forgets the numbers that share a bit with those above the old highest.
    void advance(std::uint64_t sequence) {
        if (sequence - highest_ >= width_) {
            std::fill_n(bits_.begin(), width_ / 64, std::uint64_t{0});
        } else {
            for (std::uint64_t from = highest_ + 1; from <= sequence;) {
                const std::uint64_t count = std::min<std::uint64_t>(64 - from % 64, sequence - from + 1);
                const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
                word(from) &= ~(ones << (from % 64));
                from += count;
            }
        }
        highest_ = sequence;
    }

    std::uint64_t highest_ = 0;
    std::uint32_t width_ = kWidthMin;
    std::array<std::uint64_t, kWidthMax / 64> bits_{};
};

/// Sequence numbers of an outbound SA: 1, 2, 3, … and never a number twice (RFC 4303 §3.3.3).
class SequenceCounter {
public:
    explicit SequenceCounter(std::uint64_t last = 0) : last_{last} {}
    /// Nothing when the numbers, 32 bits of them or 64 when `extended`, are used up; the SA must be replaced.
    [[nodiscard]] std::optional<std::uint64_t> next(bool extended) {
        if (last_ == (extended ? ~std::uint64_t{0} : 0xffffffffu)) return std::nullopt;
        return ++last_;
    }

private:
    std::uint64_t last_;
};

}  // namespace nave::dataplane
