// What is counted of the packets of one direction of one trial: arrivals, reordering, duplicates, latency. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace nave::rig::throughput {

/// Latencies in clock cycles, kept in buckets that are at most 1/128 wide of their value, so that memory is fixed.
class LatencyHistogram {
public:
    void add(std::uint64_t cycles) {
        ++buckets_[index(cycles)];
        ++count_;
        sum_ += cycles;
        least_ = cycles < least_ ? cycles : least_;
        most_ = cycles > most_ ? cycles : most_;
    }
    void add(const LatencyHistogram& other);

    std::uint64_t count() const { return count_; }
    std::uint64_t least() const { return count_ ? least_ : 0; }
    std::uint64_t most() const { return most_; }
    double mean() const { return count_ ? static_cast<double>(sum_) / static_cast<double>(count_) : 0; }
    /// The latency that `share` (0 to 1) of the packets did not exceed, at most 1/128 too much; 0 without packets.
    std::uint64_t percentile(double share) const;

private:
    static constexpr unsigned kFineBits = 7, kOctaves = 64 - kFineBits;
    /// Values below 2^8 have a bucket each; above, every doubling has 2^7.
    static constexpr std::size_t index(std::uint64_t value) {
        const unsigned width = 64u - static_cast<unsigned>(__builtin_clzll(value | 1));
        if (width <= kFineBits + 1) return value;
        const unsigned shift = width - kFineBits - 1;
        return (std::size_t{shift} << kFineBits) + (value >> shift);
    }
    /// The largest value of a bucket.
    static constexpr std::uint64_t upper(std::size_t index) {
        if (index < 2u << kFineBits) return index;
        const unsigned shift = static_cast<unsigned>(index >> kFineBits) - 1;
        return (((index & ((1u << kFineBits) - 1)) + (1u << kFineBits) + 1) << shift) - 1;
    }

    std::array<std::uint64_t, (kOctaves + 1) << kFineBits> buckets_{};
    std::uint64_t count_ = 0, sum_ = 0, most_ = 0, least_ = std::numeric_limits<std::uint64_t>::max();
};

/// Which of the packets that were sent have arrived. A packet is known by its stream and its number within the stream; the
/// generator takes the streams in turn, so packet `n` of a trial is number n / streams of stream n % streams.
class Reception {
public:
    enum class Arrival : std::uint8_t { in_order, reordered, duplicate, unknown };

    /// Room for that many packets; later ones count as unknown.
    Reception(std::uint64_t packets_max, std::uint16_t streams);

    /// Counts an arrival. Reordered is what RFC 4737 §3 calls so: the number is below one of its stream that came before.
    Arrival note(std::uint16_t stream, std::uint32_t sequence);

    std::uint64_t received() const { return received_; }  // each packet once
    std::uint64_t reordered() const { return reordered_; }
    std::uint64_t duplicates() const { return duplicates_; }
    /// How many streams something has arrived of.
    std::uint16_t streams_seen() const { return streams_seen_; }

private:
    std::uint64_t packets_max_;
    std::vector<std::uint64_t> arrived_;        // a bit for each packet
    std::vector<std::uint32_t> next_expected_;  // by stream: one above the highest number that came
    std::uint64_t received_ = 0, reordered_ = 0, duplicates_ = 0;
    std::uint16_t streams_seen_ = 0;
};

}  // namespace nave::rig::throughput
