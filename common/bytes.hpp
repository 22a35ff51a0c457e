// Reading and writing wire formats: a reader that latches failure, a writer that grows.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace nave {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

/// Reads big-endian fields from a buffer that it does not own. A read past the end gives zeros and latches
/// failed(), so a decoder reads everything and asks once.
class ByteReader {
public:
    explicit ByteReader(ByteView bytes) : rest_{bytes} {}

    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    void skip(std::size_t count) { take(count); }
    /// The next `count` bytes as a view into the buffer; an empty view when there are fewer.
    ByteView take(std::size_t count) {
        if (failed_ || count > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        const ByteView taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    /// Everything that is left.
    ByteView take_rest() { return take(rest_.size()); }
    /// Latches failure, for a field whose value is out of its range.
    void fail() { failed_ = true; rest_ = {}; }

    bool failed() const { return failed_; }
    bool at_end() const { return rest_.empty(); }
    std::size_t remaining() const { return rest_.size(); }

private:
    std::uint64_t number(std::size_t width) {
        std::uint64_t value = 0;
        for (const std::uint8_t byte : take(width)) value = value << 8 | byte;
        return value;
    }
    ByteView rest_;
    bool failed_ = false;
};

/// Appends big-endian fields to a growing buffer; lengths that are known later are patched in place.
class ByteWriter {
public:
    void u8(std::uint8_t value) { bytes_.push_back(value); }
    void u16(std::uint16_t value) { number(value, 2); }
    void u32(std::uint32_t value) { number(value, 4); }
    void u64(std::uint64_t value) { number(value, 8); }
    void bytes(ByteView view) { bytes_.insert(bytes_.end(), view.begin(), view.end()); }
    void zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
    /// Overwrites two bytes at `offset`, which must have been written before.
    void patch_u8(std::size_t offset, std::uint8_t value) { bytes_.at(offset) = value; }
    void patch_u16(std::size_t offset, std::uint16_t value) {
        bytes_.at(offset) = static_cast<std::uint8_t>(value >> 8);
        bytes_.at(offset + 1) = static_cast<std::uint8_t>(value);
    }
    void patch_u32(std::size_t offset, std::uint32_t value) {
        patch_u16(offset, static_cast<std::uint16_t>(value >> 16));
        patch_u16(offset + 2, static_cast<std::uint16_t>(value));
    }

    std::size_t size() const { return bytes_.size(); }
    ByteView view() const { return bytes_; }
    Bytes take() { return std::move(bytes_); }

private:
    void number(std::uint64_t value, std::size_t width) {
        for (std::size_t i = width; i-- > 0;) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    Bytes bytes_;
};

}  // namespace nave
