// Key material: it wipes itself, cannot be formatted, and compares in constant time.
#pragma once

#include "common/bytes.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace nave {

/// Overwrites memory in a way that the compiler may not leave out.
inline void wipe(std::span<std::uint8_t> memory) {
    if (memory.empty()) return;  // its pointer may be null
    std::memset(memory.data(), 0, memory.size());
    asm volatile("" : : "r"(memory.data()) : "memory");
}

/// True if both hold the same bytes; takes time by length only.
inline bool equal_in_constant_time(ByteView a, ByteView b) {
    if (a.size() != b.size()) return false;
    std::uint64_t difference = 0;
    std::size_t i = 0;
    for (; i + sizeof(std::uint64_t) <= a.size(); i += sizeof(std::uint64_t)) {
        std::uint64_t left, right;
        std::memcpy(&left, a.data() + i, sizeof left);
        std::memcpy(&right, b.data() + i, sizeof right);
        difference |= left ^ right;
    }
    for (; i < a.size(); ++i) difference |= a[i] ^ b[i];
    return difference == 0;
}

/// Secret bytes of any length on the heap, for the control plane.
class Secret {
public:
    Secret() = default;
    explicit Secret(ByteView bytes) : bytes_{bytes.begin(), bytes.end()} {}
    explicit Secret(std::size_t size) : bytes_(size) {}
    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept : bytes_{std::exchange(other.bytes_, {})} {}
    Secret& operator=(Secret other) noexcept {
        bytes_.swap(other.bytes_);
        return *this;
    }
    ~Secret() { wipe(bytes_); }

    ByteView view() const { return bytes_; }
    std::span<std::uint8_t> writable() { return bytes_; }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }
    bool operator==(const Secret& other) const { return equal_in_constant_time(bytes_, other.bytes_); }

private:
    Bytes bytes_;
};

/// Up to N secret bytes in place, for messages between the planes.
template <std::size_t N>
class SecretArray {
public:
    SecretArray() = default;
    /// Keeps the first N bytes; callers pass no more.
    explicit SecretArray(ByteView bytes) : size_{static_cast<std::uint8_t>(bytes.size() < N ? bytes.size() : N)} {
        if (size_ != 0) std::memcpy(bytes_.data(), bytes.data(), size_);
    }
    SecretArray(const SecretArray&) = default;
    SecretArray& operator=(const SecretArray&) = default;
    ~SecretArray() { wipe(bytes_); }

    ByteView view() const { return {bytes_.data(), size_}; }

private:
    static_assert(N < 256);
    std::array<std::uint8_t, N> bytes_{};
    std::uint8_t size_ = 0;
};

}  // namespace nave
