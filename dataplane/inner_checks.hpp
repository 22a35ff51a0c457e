// Checks of untrusted IPv4 and GRE headers as pure functions over bytes; the stages and the fuzz target share them. Inline,
// because each of them runs for every packet.
#pragma once

#include "common/bytes.hpp"
#include "common/checksum.hpp"
#include "common/drop.hpp"
#include "common/headers.hpp"
#include "dataplane/found.hpp"
#include "dataplane/ipv6_checks.hpp"

#include <optional>

namespace nave::dataplane {

enum class ChecksumCheck : std::uint8_t { verify, done_by_device };

/// What check_ipv4 found: both lengths in bytes, both within the bytes given.
struct Ipv4Extent {
    std::uint16_t header_length = 0, total_length = 0;
};

/// False if the options are malformed or hold a source route (RFC 791 §3.1: loose 131, strict 137).
bool options_are_harmless(ByteView options);

/// Version, lengths, header checksum (RFC 1812 §5.2.2) and source-route options, which we never follow (RFC 1812 §5.3.13.4
/// lets a router refuse them). Bytes behind total_length are link padding, for the caller to cut.
inline Found<Ipv4Extent> check_ipv4(ByteView bytes, ChecksumCheck checksum = ChecksumCheck::verify) {
    if (bytes.size() < sizeof(Ipv4Header)) return Drop::ip_runt;
    const auto* ip = reinterpret_cast<const Ipv4Header*>(bytes.data());
    if (ip->version() != 4) return Drop::ip_bad_version;
    const std::size_t header_length = ip->header_length();
    if (header_length < sizeof(Ipv4Header) || header_length > bytes.size()) return Drop::ip_bad_header_length;
    const std::uint16_t total_length = ip->total_length.host();
    if (total_length < header_length || total_length > bytes.size()) return Drop::ip_bad_total_length;
    if (checksum == ChecksumCheck::verify) {
        // The usual length by its constant, which the compiler unrolls.
        const bool usual = header_length == sizeof(Ipv4Header);
        const std::uint16_t sum = usual ? internet_checksum(bytes.first<sizeof(Ipv4Header)>()) : internet_checksum(bytes.first(header_length));
        if (sum != 0) return Drop::ip_bad_checksum;
    }
    if (header_length > sizeof(Ipv4Header) && !options_are_harmless(bytes.subspan(sizeof(Ipv4Header), header_length - sizeof(Ipv4Header))))
        return Drop::ip_options;
    return Ipv4Extent{static_cast<std::uint16_t>(header_length), total_length};
}

constexpr bool is_multicast(std::uint32_t address) { return address >> 28 == 0xe; }
/// 224.0.0.0/24, which no router forwards (RFC 5771 §4).
constexpr bool is_link_local_multicast(std::uint32_t address) { return address >> 8 == 0xe00000; }
constexpr bool is_limited_broadcast(std::uint32_t address) { return address == 0xffffffff; }
/// False for every address of one host: what most packets need to be asked.
constexpr bool may_be_for_many(std::uint32_t address) { return address >> 29 == 7; }

/// Addresses that no packet on its way through a router may have (RFC 1812 §5.3.7). Drop::none if all is well.
constexpr Drop check_ipv4_addresses(std::uint32_t source, std::uint32_t destination) {
    // Zero net, loopback, and 240.0.0.0/4, which is reserved (RFC 1112 §4) and ends with the limited broadcast: a destination, but
    // never a source.
    const auto is_martian = [](std::uint32_t address) { return address >> 24 == 0 || address >> 24 == 127 || address >> 28 == 0xf; };
    if (is_martian(source) || is_multicast(source)) return Drop::ip_bad_source;
    if (is_martian(destination) && !is_limited_broadcast(destination)) return Drop::ip_bad_destination;
    return Drop::none;
}

/// What check_gre found.
struct GreExtent {
    std::uint16_t protocol = 0;
    std::uint16_t header_length = 0;
};

/// RFC 2784 §2 and RFC 2890 §2: version, routing bits, the key that the tunnel expects (nothing = no key), the checksum when
/// present. Sequence numbers are tolerated and ignored. The protocol is one that we carry: IPv4, IPv6
/// (RFC 7676) or NHRP.
inline Found<GreExtent> check_gre(ByteView bytes, std::optional<std::uint32_t> expected_key) {
    if (bytes.size() < sizeof(GreHeader)) return Drop::gre_runt;
    const auto* gre = reinterpret_cast<const GreHeader*>(bytes.data());
    if (gre->version() != 0) return Drop::gre_version;
    // Routing (bit 1) and strict source route, recursion (bits 4 and 5) of RFC 1701: RFC 2784 §2.3 says discard.
    if (gre->has_routing() || (gre->flags.host() & 0x0c00) != 0) return Drop::gre_routing_present;
    const std::size_t size = gre->size();
    if (size > bytes.size()) return Drop::gre_runt;
    if (gre->has_key() != expected_key.has_value()) return Drop::gre_wrong_key;
    if (expected_key) {
        be32 key;
        std::memcpy(&key, bytes.data() + sizeof(GreHeader) + (gre->has_checksum() ? 4 : 0), sizeof key);
        if (key.host() != *expected_key) return Drop::gre_wrong_key;
    }
    if (gre->has_checksum() && internet_checksum(bytes) != 0) return Drop::gre_bad_checksum;
    const std::uint16_t protocol = gre->protocol.host();
    if (protocol != kEtherTypeIpv4 && protocol != kEtherTypeIpv6 && protocol != kEtherTypeNhrp) return Drop::gre_unknown_protocol;
    return GreExtent{protocol, static_cast<std::uint16_t>(size)};
}

/// What an inner packet is, once everything behind ESP was checked; the way in for the fuzz target.
struct InnerExtent {
    GreExtent gre;
    std::uint32_t ip_length = 0;  // of the IP packet behind it, header included; 0 for NHRP
};

/// GRE header, then the header and addresses of IPv4 or IPv6 when GRE carries that.
inline Found<InnerExtent> check_inner(ByteView bytes, std::optional<std::uint32_t> expected_key) {
    const auto gre = check_gre(bytes, expected_key);
    if (!gre) return gre.error();
    if (gre->protocol == kEtherTypeNhrp) return InnerExtent{*gre, 0};
    const ByteView inner = bytes.subspan(gre->header_length);
    if (gre->protocol == kEtherTypeIpv6) {
        const auto length = check_ipv6(inner);
        if (!length) return length.error();
        const auto* ip = reinterpret_cast<const Ipv6Header*>(inner.data());
        if (const Drop reason = check_ipv6_addresses(ip->source, ip->destination); reason != Drop::none) return reason;
        return InnerExtent{*gre, *length};
    }
    const auto ipv4 = check_ipv4(inner);
    if (!ipv4) return ipv4.error();
    const auto* ip = reinterpret_cast<const Ipv4Header*>(inner.data());
    if (const Drop reason = check_ipv4_addresses(ip->source.host(), ip->destination.host()); reason != Drop::none) return reason;
    return InnerExtent{*gre, ipv4->total_length};
}

/// Length of an ESP payload without its trailer, and the next header (RFC 4303 §2.4 to §2.6).
struct EspPayload {
    std::uint16_t length = 0;
    std::uint8_t next_header = 0;
};

/// Checks the padding 1, 2, 3, … of decrypted ESP bytes (RFC 4303 §2.4).
inline Found<EspPayload> check_esp_trailer(ByteView decrypted) {
    if (decrypted.size() < 2) return Drop::esp_runt;
    const std::uint8_t next_header = decrypted[decrypted.size() - 1];
    const std::size_t pad_length = decrypted[decrypted.size() - 2];
    if (pad_length + 2 > decrypted.size()) return Drop::esp_bad_padding;
    const std::size_t length = decrypted.size() - 2 - pad_length;
    for (std::size_t i = 0; i < pad_length; ++i)
        if (decrypted[length + i] != i + 1) return Drop::esp_bad_padding;
    return EspPayload{static_cast<std::uint16_t>(length), next_header};
}

}  // namespace nave::dataplane
