// Header checks of the packet path; every guard names its drop.
#include "dataplane/inner_checks.hpp"

#include "common/checksum.hpp"

namespace nave::dataplane {

namespace {

template <class Header>
const Header* header_at(ByteView bytes) {
    return bytes.size() >= sizeof(Header) ? reinterpret_cast<const Header*>(bytes.data()) : nullptr;
}

/// False if the options are malformed or hold a source route (RFC 791 §3.1: loose 131, strict 137).
bool options_are_harmless(ByteView options) {
    ByteReader in{options};
    while (!in.at_end()) {
        const std::uint8_t kind = in.u8();
        if (kind == 0) return true;
        if (kind == 1) continue;
        if (kind == 131 || kind == 137) return false;
        const std::uint8_t length = in.u8();
        if (length < 2) return false;
        in.skip(length - 2u);
        if (in.failed()) return false;
    }
    return true;
}

}  // namespace

std::expected<Ipv4Extent, Drop> check_ipv4(ByteView bytes, ChecksumCheck checksum) {
    const auto* ip = header_at<Ipv4Header>(bytes);
    if (!ip) return std::unexpected{Drop::ip_runt};
    if (ip->version() != 4) return std::unexpected{Drop::ip_bad_version};
    const std::size_t header_length = ip->header_length();
    if (header_length < sizeof(Ipv4Header) || header_length > bytes.size()) return std::unexpected{Drop::ip_bad_header_length};
    const std::uint16_t total_length = ip->total_length.host();
    if (total_length < header_length || total_length > bytes.size()) return std::unexpected{Drop::ip_bad_total_length};
    if (checksum == ChecksumCheck::verify && internet_checksum(bytes.first(header_length)) != 0) return std::unexpected{Drop::ip_bad_checksum};
    if (header_length > sizeof(Ipv4Header) && !options_are_harmless(bytes.subspan(sizeof(Ipv4Header), header_length - sizeof(Ipv4Header))))
        return std::unexpected{Drop::ip_options};
    return Ipv4Extent{static_cast<std::uint16_t>(header_length), total_length};
}

Drop check_ipv4_addresses(std::uint32_t source, std::uint32_t destination) {
    const auto is_zero_net = [](std::uint32_t address) { return address >> 24 == 0; };
    const auto is_loopback = [](std::uint32_t address) { return address >> 24 == 127; };
    // 240.0.0.0/4 is reserved (RFC 1112 §4); it ends with the limited broadcast, which is a destination but never a source.
    const auto is_reserved = [](std::uint32_t address) { return address >> 28 == 0xf; };
    if (is_zero_net(source) || is_loopback(source) || is_multicast(source) || is_reserved(source)) return Drop::ip_bad_source;
    if (is_zero_net(destination) || is_loopback(destination)) return Drop::ip_bad_destination;
    if (is_reserved(destination) && !is_limited_broadcast(destination)) return Drop::ip_bad_destination;
    return Drop::none;
}

std::expected<GreExtent, Drop> check_gre(ByteView bytes, std::optional<std::uint32_t> expected_key) {
    const auto* gre = header_at<GreHeader>(bytes);
    if (!gre) return std::unexpected{Drop::gre_runt};
    if (gre->version() != 0) return std::unexpected{Drop::gre_version};
    // Routing (bit 1) and strict source route, recursion (bits 4 and 5) of RFC 1701: RFC 2784 §2.3 says discard.
    if (gre->has_routing() || (gre->flags.host() & 0x0c00) != 0) return std::unexpected{Drop::gre_routing_present};
    if (gre->size() > bytes.size()) return std::unexpected{Drop::gre_runt};
    ByteReader in{bytes.subspan(sizeof(GreHeader))};
    if (gre->has_checksum()) in.skip(4);
    if (gre->has_key() != expected_key.has_value()) return std::unexpected{Drop::gre_wrong_key};
    if (gre->has_key() && in.u32() != *expected_key) return std::unexpected{Drop::gre_wrong_key};
    if (gre->has_checksum() && internet_checksum(bytes) != 0) return std::unexpected{Drop::gre_bad_checksum};
    const std::uint16_t protocol = gre->protocol.host();
    if (protocol == kEtherTypeIpv6) return std::unexpected{Drop::ip_version_unsupported};
    if (protocol != kEtherTypeIpv4 && protocol != kEtherTypeNhrp) return std::unexpected{Drop::gre_unknown_protocol};
    return GreExtent{protocol, static_cast<std::uint16_t>(gre->size())};
}

std::expected<InnerExtent, Drop> check_inner(ByteView bytes, std::optional<std::uint32_t> expected_key) {
    const auto gre = check_gre(bytes, expected_key);
    if (!gre) return std::unexpected{gre.error()};
    if (gre->protocol == kEtherTypeNhrp) return InnerExtent{*gre, std::nullopt};
    const ByteView inner = bytes.subspan(gre->header_length);
    const auto ipv4 = check_ipv4(inner);
    if (!ipv4) return std::unexpected{ipv4.error()};
    const auto* ip = header_at<Ipv4Header>(inner);
    if (const Drop reason = check_ipv4_addresses(ip->source.host(), ip->destination.host()); reason != Drop::none) return std::unexpected{reason};
    return InnerExtent{*gre, *ipv4};
}

std::expected<EspPayload, Drop> check_esp_trailer(ByteView decrypted) {
    if (decrypted.size() < 2) return std::unexpected{Drop::esp_runt};
    const std::uint8_t next_header = decrypted[decrypted.size() - 1];
    const std::size_t pad_length = decrypted[decrypted.size() - 2];
    if (pad_length + 2 > decrypted.size()) return std::unexpected{Drop::esp_bad_padding};
    const std::size_t length = decrypted.size() - 2 - pad_length;
    for (std::size_t i = 0; i < pad_length; ++i)
        if (decrypted[length + i] != i + 1) return std::unexpected{Drop::esp_bad_padding};
    return EspPayload{static_cast<std::uint16_t>(length), next_header};
}

}  // namespace nave::dataplane
