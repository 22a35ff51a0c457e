// The packets that are sent through the device under test: UDP with a signature, a number and a time in the payload. Pure.
#pragma once

#include "common/bytes.hpp"
#include "common/headers.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace nave::rig::throughput {

/// Frame sizes are those of RFC 2544 §9: with the 4 bytes of the frame check sequence, which a port adds by itself.
inline constexpr std::size_t kFrameCheckBytes = 4, kFrameMin = 64, kFrameMax = 9216;
/// Bytes that a frame of that size has in a buffer.
constexpr std::size_t buffer_bytes(std::size_t frame_size) { return frame_size - kFrameCheckBytes; }

/// What the payload says.
struct TestPacket {
    std::uint16_t trial = 0;      // stragglers of an earlier trial are known by it
    std::uint16_t stream = 0;
    std::uint32_t sequence = 0;   // within the stream
    std::uint64_t sent_at = 0;    // clock cycles; the low 48 bits travel

    bool operator==(const TestPacket&) const = default;
};

/// Cycles from `sent_at`, as it travelled, to `now`.
constexpr std::uint64_t elapsed(std::uint64_t sent_at, std::uint64_t now) { return (now - sent_at) & 0xffff'ffff'ffffu; }

/// Where the packets of one stream come from and go to.
struct Flow {
    MacAddress source_mac, destination_mac;
    std::uint32_t source = 0, destination = 0;  // IPv4, host order
    std::uint16_t source_port = 0, destination_port = 9;  // 9: discard (RFC 863), in case that a host gets it
};

/// Ethernet, IPv4 and UDP header, without UDP checksum, so that they are the same for all packets of a stream.
using FrameHead = std::array<std::uint8_t, sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(UdpHeader)>;
/// Follows the head; together they just fit into the smallest frame.
using Signature = std::array<std::uint8_t, 18>;
static_assert(std::tuple_size_v<FrameHead> + std::tuple_size_v<Signature> == buffer_bytes(kFrameMin));

/// The head of frames of that size, kFrameMin to kFrameMax. They must not be fragmented: a piece would not be known again.
FrameHead encode_head(const Flow& flow, std::size_t frame_size);
Signature encode(const TestPacket& packet);
/// What a received frame says; nothing when it is not a whole test packet of that size, which is then somebody else's.
std::optional<TestPacket> decode(ByteView frame, std::size_t frame_size);

/// The MTU that an ICMP "fragmentation needed" (RFC 1191 §4) asks for; nothing when the frame is none.
std::optional<std::uint16_t> fragmentation_needed(ByteView frame);

}  // namespace nave::rig::throughput
