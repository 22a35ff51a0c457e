// The numbers of NHRP: packet types, flags, CIE codes, error codes and extension types, each with the name people see.
#pragma once

#include <cstdint>
#include <string_view>

namespace nave::nhrp {

/// GRE protocol type that carries NHRP (the ethertype assigned to it).
inline constexpr std::uint16_t kGreProtocol = 0x2001;

/// RFC 2332 §5.2; 8 is Cisco's redirect (draft-detienne-dmvpn-01).
enum class PacketType : std::uint8_t {
    resolution_request = 1,
    resolution_reply = 2,
    registration_request = 3,
    registration_reply = 4,
    purge_request = 5,
    purge_reply = 6,
    error_indication = 7,
    traffic_indication = 8,
};

constexpr bool is_request(PacketType type) {
    return type == PacketType::resolution_request || type == PacketType::registration_request || type == PacketType::purge_request;
}
constexpr bool is_reply(PacketType type) {
    return type == PacketType::resolution_reply || type == PacketType::registration_reply || type == PacketType::purge_reply;
}
constexpr bool is_indication(PacketType type) { return !is_request(type) && !is_reply(type); }

/// Bits of the flags field (RFC 2332 §5.2.1, §5.2.3, §5.2.5). `nat` is Cisco's, in resolution and registration packets.
namespace flag {
inline constexpr std::uint16_t source_is_router = 0x8000;    // Q, resolution
inline constexpr std::uint16_t authoritative = 0x4000;       // A, resolution
inline constexpr std::uint16_t destination_stable = 0x2000;  // D, resolution reply
inline constexpr std::uint16_t resolution_unique = 0x1000;   // U, resolution
inline constexpr std::uint16_t source_stable = 0x0800;       // S, resolution
inline constexpr std::uint16_t registration_unique = 0x8000; // U, registration
inline constexpr std::uint16_t purge_no_reply = 0x8000;      // N, purge request
inline constexpr std::uint16_t nat = 0x0002;
}  // namespace flag

/// Code of a client information entry (RFC 2332 §5.2.0.1); other values may come from the wire.
enum class CieCode : std::uint8_t {
    success = 0,
    administratively_prohibited = 4,
    insufficient_resources = 5,
    no_binding = 12,
    not_unique = 13,
    already_registered = 14,
};

/// Error Indication codes (RFC 2332 §5.2.7); other values may come from the wire.
enum class ErrorCode : std::uint16_t {
    unrecognized_extension = 1,
    loop_detected = 3,
    protocol_address_unreachable = 6,
    protocol_error = 7,
    sdu_size_exceeded = 8,
    invalid_extension = 9,
    invalid_resolution_reply = 10,
    authentication_failure = 11,
    hop_count_exceeded = 15,
};

/// Extension types (RFC 2332 §5.3); 9 is Cisco's NAT address extension. Others are carried as they are.
namespace extension_type {
inline constexpr std::uint16_t end = 0;
inline constexpr std::uint16_t responder_address = 3;
inline constexpr std::uint16_t forward_transit = 4;
inline constexpr std::uint16_t reverse_transit = 5;
inline constexpr std::uint16_t authentication = 7;
inline constexpr std::uint16_t vendor_private = 8;
inline constexpr std::uint16_t nat_address = 9;
}  // namespace extension_type

/// Names for logs and tables; "unknown" for a value that no document names.
std::string_view name(PacketType type);
std::string_view name(CieCode code);
std::string_view name(ErrorCode code);

}  // namespace nave::nhrp
