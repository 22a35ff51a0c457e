// What the tests of IKE share: bytes from hexadecimal text, a seeded source of random bytes, and short ways to say addresses.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "common/random.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace nave::ike {

/// From hexadecimal digits; blanks between bytes are skipped.
inline Bytes hex(std::string_view text) {
    Bytes bytes;
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == ' ') {
            ++i;
            continue;
        }
        if (i + 1 == text.size()) throw std::invalid_argument{"half a byte"};
        bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
        i += 2;
    }
    return bytes;
}

inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline Bytes to_bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// splitmix64: the same bytes for the same seed on every machine.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_{seed} {}
    void fill(std::span<std::uint8_t> bytes) override {
        for (std::uint8_t& byte : bytes) {
            std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
            z = (z ^ z >> 27) * 0x94d049bb133111ebu;
            byte = static_cast<std::uint8_t>(z >> 56);
        }
    }

private:
    std::uint64_t state_;
};

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline NbmaEndpoint endpoint(std::string_view address, std::uint16_t port) { return {NbmaAddress{ip(address)}, port}; }

}  // namespace nave::ike
