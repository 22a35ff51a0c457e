// Checks of untrusted IPv4 and GRE headers as pure functions over bytes; the stages and the fuzz target share them.
#pragma once

#include "common/bytes.hpp"
#include "common/drop.hpp"
#include "common/headers.hpp"

#include <expected>
#include <optional>

namespace nave::dataplane {

enum class ChecksumCheck : std::uint8_t { verify, done_by_device };

/// What check_ipv4 found: both lengths in bytes, both within the bytes given.
struct Ipv4Extent {
    std::uint16_t header_length = 0, total_length = 0;
};

/// Version, lengths, header checksum (RFC 1812 §5.2.2) and source-route options, which we never follow (RFC 1812 §5.3.13.4
/// lets a router refuse them). Bytes behind total_length are link padding, for the caller to cut.
std::expected<Ipv4Extent, Drop> check_ipv4(ByteView bytes, ChecksumCheck checksum = ChecksumCheck::verify);

/// Addresses that no packet on its way through a router may have (RFC 1812 §5.3.7). Drop::none if all is well.
Drop check_ipv4_addresses(std::uint32_t source, std::uint32_t destination);

constexpr bool is_multicast(std::uint32_t address) { return address >> 28 == 0xe; }
/// 224.0.0.0/24, which no router forwards (RFC 5771 §4).
constexpr bool is_link_local_multicast(std::uint32_t address) { return address >> 8 == 0xe00000; }
constexpr bool is_limited_broadcast(std::uint32_t address) { return address == 0xffffffff; }

/// What check_gre found.
struct GreExtent {
    std::uint16_t protocol = 0;
    std::uint16_t header_length = 0;
};

/// RFC 2784 §2 and RFC 2890 §2: version, routing bits, the key that the tunnel expects (nothing = no key), the checksum when
/// present. Sequence numbers are tolerated and ignored. The protocol is one that we carry: IPv4 or NHRP.
std::expected<GreExtent, Drop> check_gre(ByteView bytes, std::optional<std::uint32_t> expected_key);

/// What an inner packet is, once everything behind ESP was checked; the way in for the fuzz target.
struct InnerExtent {
    GreExtent gre;
    std::optional<Ipv4Extent> ipv4;  // nothing for NHRP
};

/// GRE header, then the IPv4 header and addresses when GRE carries IPv4.
std::expected<InnerExtent, Drop> check_inner(ByteView bytes, std::optional<std::uint32_t> expected_key);

/// Length of an ESP payload without its trailer, and the next header (RFC 4303 §2.4 to §2.6).
struct EspPayload {
    std::uint16_t length = 0;
    std::uint8_t next_header = 0;
};

/// Checks the padding 1, 2, 3, … of decrypted ESP bytes (RFC 4303 §2.4).
std::expected<EspPayload, Drop> check_esp_trailer(ByteView decrypted);

}  // namespace nave::dataplane
