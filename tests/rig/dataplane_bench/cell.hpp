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

/// `gre` is encap without the stage that encrypts: nave sends no GRE in clear, so what plain GRE costs is the rest of that.
enum class Case : std::uint8_t { forward, gre, encap, decap, relay, loop };
inline constexpr std::array kCases = {Case::forward, Case::gre, Case::encap, Case::decap, Case::relay, Case::loop};
constexpr std::string_view name(Case which) {
    switch (which) {
    case Case::forward: return "forward";
    case Case::gre: return "gre";
    case Case::encap: return "encap";
    case Case::decap: return "decap";
    case Case::relay: return "relay";
    case Case::loop: return "loop";
    }
    return "unknown";
}

/// Every algorithm of ESP that encrypts; those of a run that names none come first.
inline constexpr std::array kAlgorithms = {EspAlgorithm::aes_gcm_128,        EspAlgorithm::aes_gcm_256,        EspAlgorithm::chacha20_poly1305,
                                           EspAlgorithm::aes_cbc_128_sha256, EspAlgorithm::aes_cbc_128_sha384, EspAlgorithm::aes_cbc_128_sha512,
                                           EspAlgorithm::aes_cbc_256_sha256, EspAlgorithm::aes_cbc_256_sha384, EspAlgorithm::aes_cbc_256_sha512};
inline constexpr std::size_t kUsualAlgorithms = 4;
constexpr std::string_view name(EspAlgorithm algorithm) {
    switch (algorithm) {
    case EspAlgorithm::aes_gcm_128: return "aes-128-gcm";
    case EspAlgorithm::aes_gcm_256: return "aes-256-gcm";
    case EspAlgorithm::chacha20_poly1305: return "chacha20-poly1305";
    case EspAlgorithm::aes_cbc_128_sha256: return "aes-128-cbc-hmac-sha256";
    case EspAlgorithm::aes_cbc_128_sha384: return "aes-128-cbc-hmac-sha384";
    case EspAlgorithm::aes_cbc_128_sha512: return "aes-128-cbc-hmac-sha512";
    case EspAlgorithm::aes_cbc_256_sha256: return "aes-256-cbc-hmac-sha256";
    case EspAlgorithm::aes_cbc_256_sha384: return "aes-256-cbc-hmac-sha384";
    case EspAlgorithm::aes_cbc_256_sha512: return "aes-256-cbc-hmac-sha512";
    case EspAlgorithm::null_sha256:
    case EspAlgorithm::null_sha384:
    case EspAlgorithm::null_sha512:
    case EspAlgorithm::aes_gmac_128:
    case EspAlgorithm::aes_gmac_256: break;
    }
    return "unknown";
}

/// How traffic is spread over the peers: one after the other as they were installed, one after the other in an order of chance, or
/// as a Zipf law with exponent 1 gives it.
enum class Distribution : std::uint8_t { round_robin, shuffled, zipf };
inline constexpr std::array kDistributions = {Distribution::round_robin, Distribution::shuffled, Distribution::zipf};
constexpr std::string_view name(Distribution distribution) {
    switch (distribution) {
    case Distribution::round_robin: return "round-robin";
    case Distribution::shuffled: return "shuffled";
    case Distribution::zipf: return "zipf";
    }
    return "unknown";
}

/// Where packets arrive when there are several workers: at the one that owns their SA, or half of them at another.
enum class Arrival : std::uint8_t { owner, half_elsewhere };
constexpr std::string_view name(Arrival arrival) { return arrival == Arrival::owner ? "owner" : "half-elsewhere"; }

/// Who owns the SAs of a peer, and where its packets arrive.
constexpr std::uint32_t owner_of(std::uint32_t peer, std::uint32_t workers) { return peer % workers; }
constexpr std::uint32_t arrival_of(std::uint32_t peer, std::uint32_t workers, Arrival arrival) {
    const bool elsewhere = arrival == Arrival::half_elsewhere && peer / workers % 2 == 1;
    return (peer + elsewhere) % workers;
}

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
    bool shaped = false;  // the hub's peers have a rate, of more than a worker sends
    auto operator<=>(const TunnelShape&) const = default;
};

/// What a hub and its spokes are made for.
struct WorldShape {
    TunnelShape tunnel;
    std::uint32_t peers = 1;
    std::uint8_t workers = 1;
    Arrival arrival = Arrival::owner;
    bool adaptive = false;  // the workers' mode
    auto operator<=>(const WorldShape&) const = default;
};

/// Partners talk to each other, so every gateway has an even number of peers.
constexpr std::uint32_t even(std::uint32_t peers) { return peers + peers % 2; }

/// One figure.
struct Cell {
    Case which = Case::encap;
    WorldShape world;
    SizeMix size;
    Distribution distribution = Distribution::round_robin;
    std::size_t burst = 128;  // packets that the port of each worker holds when the worker begins
};

}  // namespace nave::rig
