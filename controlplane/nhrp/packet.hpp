// An NHRP packet as a value, and its two directions: decode what a peer sent, encode what we send (RFC 2332 §5).
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "controlplane/nhrp/client_info.hpp"
#include "controlplane/nhrp/codes.hpp"
#include "controlplane/nhrp/extensions.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

namespace nave::nhrp {

/// The largest packet that we read or write: what a punted packet can hold.
inline constexpr std::size_t kPacketBytesMax = 9216;
inline constexpr std::size_t kFixedHeaderBytes = 20;

struct Packet {
    Families families;
    std::uint8_t hop_count = 64;
    PacketType type = PacketType::resolution_request;
    std::optional<NbmaAddress> source_nbma;  // a length of zero is accepted as "absent"
    IpAddress source_protocol;
    IpAddress destination_protocol;

    // Requests and replies only.
    std::uint16_t flags = 0;
    std::uint32_t request_id = 0;
    std::vector<ClientInfo> clients;

    // Error and traffic indications only. A traffic indication's code is 0, its offset unused.
    std::uint16_t error_code = 0;
    std::uint16_t error_offset = 0;
    Bytes quoted;

    Extensions extensions;  // no extensions part at all when empty
    bool operator==(const Packet&) const = default;
};

enum class DecodeError : std::uint8_t {
    truncated,
    too_long,
    bad_checksum,
    bad_version,
    unknown_type,
    unknown_family,
    bad_address_length,
    bad_extension_offset,
    bad_client_info,
    bad_extensions,
    count
};
std::string_view name(DecodeError error);

struct DecodeFailure {
    DecodeError error;
    std::uint16_t offset;  // where in the packet, for error indications
};

/// Reads a whole packet; bytes beyond its own length are ignored. An odd-length packet is also accepted with the sum that
/// FRR before June 2026 and OpenNHRP compute for it.
std::expected<Packet, DecodeFailure> decode(ByteView bytes);

/// Writes a packet with its lengths and checksum. A quoted packet that would make the whole of odd length or longer than
/// kPacketBytesMax is cut.
Bytes encode(const Packet& packet);

/// What can be said of a packet that may be cut short or broken: its header and addresses, no checksum asked.
struct Outline {
    Families families;
    PacketType type;
    std::uint32_t request_id;
    IpAddress source_protocol;
    IpAddress destination_protocol;
};
std::optional<Outline> outline(ByteView bytes);

/// Source and destination of an inner IP packet of which at least the fixed header is there.
struct InnerAddresses {
    IpAddress source;
    IpAddress destination;
};
std::optional<InnerAddresses> inner_addresses(ByteView packet);

}  // namespace nave::nhrp
