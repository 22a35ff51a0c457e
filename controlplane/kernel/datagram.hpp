// UDP datagrams on the underlay: from a payload to Ethernet frames, and from a punted IP packet to its payload. Pure.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"

#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

namespace nave::kernel {

/// The layers below IP for one datagram.
struct FrameShape {
    MacAddress source, destination;
    std::uint16_t mtu = 1500;            // IP bytes; a longer datagram is fragmented (RFC 791 §3.2, RFC 8200 §4.5)
    std::uint32_t identification = 0;    // of the datagram among those between the same hosts; IPv4 has room for the lower half
};

/// The frames that carry a UDP payload, DF clear, with all checksums. None when the addresses are of two families, the payload exceeds a
/// datagram, or the MTU leaves no room.
std::vector<Bytes> datagram_frames(const FrameShape& shape, const NbmaEndpoint& local, const NbmaEndpoint& remote, ByteView payload);

enum class DatagramError : std::uint8_t {
    runt, bad_version, bad_header_length, bad_total_length, bad_ip_checksum, fragment, extension_header, not_udp, bad_udp_length, bad_udp_checksum,
};
std::string_view name(DatagramError error);

/// A received datagram; `payload` is a view into the packet.
struct Datagram {
    NbmaEndpoint local, remote;
    ByteView payload;
};
/// Checks and strips the IP and UDP headers of a punted packet. Bytes behind the packet (padding of Ethernet) are passed over; a UDP
/// checksum of zero is none with IPv4 (RFC 768) and a wrong one with IPv6 (RFC 8200 §8.1).
std::expected<Datagram, DatagramError> parse_datagram(ByteView packet);

}  // namespace nave::kernel
