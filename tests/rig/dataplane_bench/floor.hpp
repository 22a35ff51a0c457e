// The floor: what ipsec-mb alone takes for the same bytes under as many keys. No gateway can be below it.
#pragma once

#include "common/plane_messages.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace nave::rig {

/// One packet for the bare cipher.
struct FloorPacket {
    std::uint32_t peer = 0;
    std::uint32_t length = 0;  // bytes to encrypt: GRE header, inner packet, ESP padding and trailer
};

/// Bytes that ESP encrypts of an inner packet in transport mode (RFC 4303 §2.4).
std::uint32_t esp_text_length(std::uint16_t inner, bool gre_key, EspAlgorithm algorithm);

/// Keys and buffers for the bare calls, in place: with 8 bytes of associated data and a tag of 16, or as CBC and HMAC have it, with ESP
/// header and IV under the HMAC. One thread.
class Floor {
public:
    static constexpr std::size_t kPacketsMax = 1024;

    /// Throws std::runtime_error when ipsec-mb cannot run or memory is short.
    Floor(EspAlgorithm algorithm, std::uint32_t peers);
    ~Floor();
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;

    /// Ways to call the library; the floor of a cell is the best of them.
    std::size_t ways() const;
    /// Seals or opens the packets, packet i in buffer i, `direction` outbound or inbound; answers TSC cycles.
    std::uint64_t run(std::size_t way, Direction direction, std::span<const FloorPacket> packets);

private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

}  // namespace nave::rig
