// What one figure of the benchmark is about: case, algorithm, sizes, peers and the shape of their tunnel.
#pragma once

#include "common/plane_messages.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nave::rig {

enum class Case : std::uint8_t { forward, encap, decap, relay, loop };
inline constexpr std::array kCases = {Case::forward, Case::encap, Case::decap, Case::relay, Case::loop};
constexpr std::string_view name(Case which) {
    switch (which) {
    case Case::forward: return "forward";
    case Case::encap: return "encap";
    case Case::decap: return "decap";
    case Case::relay: return "relay";
    case Case::loop: return "loop";
    }
    return "unknown";
}

/// Every algorithm that the benchmark knows, in the order of its tables.
inline constexpr std::array kAlgorithms = {EspAlgorithm::aes_gcm_128, EspAlgorithm::aes_gcm_256, EspAlgorithm::chacha20_poly1305};
constexpr std::string_view name(EspAlgorithm algorithm) {
    switch (algorithm) {
    case EspAlgorithm::aes_gcm_128: return "aes-128-gcm";
    case EspAlgorithm::aes_gcm_256: return "aes-256-gcm";
    case EspAlgorithm::chacha20_poly1305: return "chacha20-poly1305";
    }
    return "unknown";
}

/// How traffic is spread over the peers: one after the other, or as a Zipf law with exponent 1 gives it.
enum class Distribution : std::uint8_t { round_robin, zipf };
constexpr std::string_view name(Distribution distribution) { return distribution == Distribution::zipf ? "zipf" : "round-robin"; }

/// Sizes of inner IPv4 packets; packet k has size `sizes[k % sizes.size()]`.
struct SizeMix {
    std::string name;
    std::vector<std::uint16_t> sizes;

    double mean() const {
        double sum = 0;
        for (const std::uint16_t size : sizes) sum += size;
        return sum / static_cast<double>(sizes.size());
    }
    std::uint16_t of(std::uint64_t packet) const { return sizes[packet % sizes.size()]; }
    /// From "imix" (7:4:1 of 64, 576 and 1400 bytes) or a number of bytes from 64 to 1400; nothing otherwise.
    static std::optional<SizeMix> parse(std::string_view text);
};

/// The tunnel's shape; the default is what the targets of the project are stated for.
struct TunnelShape {
    EspAlgorithm algorithm = EspAlgorithm::aes_gcm_128;
    bool natt = false, esn = false, gre_key = true;
    auto operator<=>(const TunnelShape&) const = default;
};

/// One figure.
struct Cell {
    Case which = Case::encap;
    TunnelShape shape;
    SizeMix size;
    std::uint32_t peers = 1;
    Distribution distribution = Distribution::round_robin;
    std::uint8_t workers = 1;
};

}  // namespace nave::rig
