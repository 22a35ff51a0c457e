// NHRP packets on the wire (RFC 2332 §5.1, §5.2).
#include "controlplane/nhrp/packet.hpp"

#include "common/checksum.hpp"

#include <algorithm>

namespace nave::nhrp {
namespace {

constexpr std::uint16_t kAddressFamilyIpv4 = 1;  // IANA address family numbers
constexpr std::uint16_t kAddressFamilyIpv6 = 2;
constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr std::uint8_t kVersion = 1;

// Offsets of the fixed header's fields, for patching and for error indications.
constexpr std::uint16_t kFamilyOffset = 0;
constexpr std::uint16_t kSizeOffset = 10;
constexpr std::uint16_t kChecksumOffset = 12;
constexpr std::uint16_t kExtensionOffset = 14;
constexpr std::uint16_t kVersionOffset = 16;
constexpr std::uint16_t kTypeOffset = 17;
constexpr std::uint16_t kLengthsOffset = 18;


std::unexpected<DecodeFailure> failure(DecodeError error, std::size_t offset) {
    return std::unexpected{DecodeFailure{error, static_cast<std::uint16_t>(offset)}};
}

/// The tail byte of an odd packet counts as the high half of a word (RFC 1071); older FRR and OpenNHRP count it as the low.
bool checksum_holds(ByteView packet) {
    if (internet_checksum(packet) == 0) return true;
    if (packet.size() % 2 == 0) return false;
    const auto even = packet.first(packet.size() - 1);
    return checksum_fold(checksum_add(0, even) + packet.back()) == 0xffff;
}

struct Fixed {
    Families families;
    std::uint8_t hop_count;
    std::uint16_t size, extension_offset;
    std::uint8_t version, type, nbma_length, subaddress_length;
};

std::optional<Fixed> decode_fixed(ByteReader& in) {
    Fixed fixed{};
    const std::uint16_t family = in.u16();
    const std::uint16_t protocol = in.u16();
    in.skip(5);  // SNAP; unused with an ethertype
    fixed.hop_count = in.u8();
    fixed.size = in.u16();
    in.skip(2);  // checksum
    fixed.extension_offset = in.u16();
    fixed.version = in.u8();
    fixed.type = in.u8();
    fixed.nbma_length = in.u8();
    fixed.subaddress_length = in.u8();
    if (family != kAddressFamilyIpv4 && family != kAddressFamilyIpv6) return std::nullopt;
    if (protocol != kEtherTypeIpv4 && protocol != kEtherTypeIpv6) return std::nullopt;
    fixed.families = {family == kAddressFamilyIpv4 ? Family::v4 : Family::v6, protocol == kEtherTypeIpv4 ? Family::v4 : Family::v6};
    return fixed;
}

bool is_known(std::uint8_t type) { return type >= 1 && type <= static_cast<std::uint8_t>(PacketType::traffic_indication); }

/// The part between the fixed header and the client information entries or the quoted packet.
bool decode_mandatory(ByteReader& in, const Fixed& fixed, Packet& packet) {
    const std::size_t source_length = in.u8();
    const std::size_t destination_length = in.u8();
    const std::size_t protocol_length = byte_count(fixed.families.protocol);
    if (source_length != protocol_length || destination_length != protocol_length || fixed.subaddress_length != 0) return false;
    if (fixed.nbma_length != 0 && fixed.nbma_length != byte_count(fixed.families.nbma)) return false;
    if (is_indication(packet.type)) {
        in.skip(2);
        packet.error_code = in.u16();
        packet.error_offset = in.u16();
    } else {
        packet.flags = in.u16();
        packet.request_id = in.u32();
    }
    if (const auto nbma = IpAddress::from_bytes(in.take(fixed.nbma_length))) packet.source_nbma = NbmaAddress{*nbma};
    const auto source = IpAddress::from_bytes(in.take(protocol_length));
    const auto destination = IpAddress::from_bytes(in.take(protocol_length));
    if (!source || !destination) return false;
    packet.source_protocol = *source;
    packet.destination_protocol = *destination;
    return true;
}

}  // namespace

std::expected<Packet, DecodeFailure> decode(ByteView bytes) {
    if (bytes.size() > kPacketBytesMax) return failure(DecodeError::too_long, kSizeOffset);
    if (bytes.size() < kFixedHeaderBytes) return failure(DecodeError::truncated, 0);
    ByteReader header{bytes.first(kFixedHeaderBytes)};
    const auto fixed = decode_fixed(header);
    if (!fixed) return failure(DecodeError::unknown_family, kFamilyOffset);
    if (fixed->size < kFixedHeaderBytes || fixed->size > bytes.size()) return failure(DecodeError::truncated, kSizeOffset);
    bytes = bytes.first(fixed->size);
    if (!checksum_holds(bytes)) return failure(DecodeError::bad_checksum, kChecksumOffset);
    if (fixed->version != kVersion) return failure(DecodeError::bad_version, kVersionOffset);
    if (!is_known(fixed->type)) return failure(DecodeError::unknown_type, kTypeOffset);

    Packet packet;
    packet.families = fixed->families;
    packet.hop_count = fixed->hop_count;
    packet.type = static_cast<PacketType>(fixed->type);
    ByteReader in{bytes.subspan(kFixedHeaderBytes)};
    if (!decode_mandatory(in, *fixed, packet)) return failure(in.failed() ? DecodeError::truncated : DecodeError::bad_address_length, kLengthsOffset);

    const std::size_t position = bytes.size() - in.remaining();
    const std::size_t end = fixed->extension_offset == 0 ? bytes.size() : fixed->extension_offset;
    if (end < position || end > bytes.size() || (fixed->extension_offset != 0 && end == bytes.size()))
        return failure(DecodeError::bad_extension_offset, kExtensionOffset);
    const ByteView body = in.take(end - position);
    if (is_indication(packet.type)) {
        packet.quoted.assign(body.begin(), body.end());
    } else {
        auto clients = decode_client_list(body, packet.families);
        if (!clients) return failure(DecodeError::bad_client_info, position);
        packet.clients = std::move(*clients);
    }
    if (fixed->extension_offset != 0) {
        auto extensions = decode_extensions(in, end);
        if (!extensions) return failure(DecodeError::bad_extensions, end);
        packet.extensions = std::move(*extensions);
    }
    return packet;
}

Bytes encode(const Packet& packet) {
    ByteWriter out;
    out.u16(packet.families.nbma == Family::v4 ? kAddressFamilyIpv4 : kAddressFamilyIpv6);
    out.u16(packet.families.protocol == Family::v4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
    out.zeros(5);
    out.u8(packet.hop_count);
    out.zeros(6);  // size, checksum, extension offset
    out.u8(kVersion);
    out.u8(static_cast<std::uint8_t>(packet.type));
    out.u8(packet.source_nbma ? static_cast<std::uint8_t>(packet.source_nbma->value.byte_count()) : 0);
    out.u8(0);
    out.u8(static_cast<std::uint8_t>(packet.source_protocol.byte_count()));
    out.u8(static_cast<std::uint8_t>(packet.destination_protocol.byte_count()));
    if (is_indication(packet.type)) {
        out.u16(0);
        out.u16(packet.error_code);
        out.u16(packet.error_offset);
    } else {
        out.u16(packet.flags);
        out.u32(packet.request_id);
    }
    if (packet.source_nbma) out.bytes(packet.source_nbma->value.bytes());
    out.bytes(packet.source_protocol.bytes());
    out.bytes(packet.destination_protocol.bytes());

    ByteWriter extensions;
    if (!packet.extensions.empty()) encode_extensions(packet.extensions, extensions);
    if (is_indication(packet.type)) {
        const std::size_t others = out.size() + extensions.size();
        std::size_t quoted = std::min(packet.quoted.size(), kPacketBytesMax - std::min(kPacketBytesMax, others));
        if ((others + quoted) % 2 != 0 && quoted != 0) --quoted;
        out.bytes(ByteView{packet.quoted}.first(quoted));
    } else {
        for (const auto& client : packet.clients) encode_client_info(client, out);
    }
    if (!packet.extensions.empty()) out.patch_u16(kExtensionOffset, static_cast<std::uint16_t>(out.size()));
    out.bytes(extensions.view());
    out.patch_u16(kSizeOffset, static_cast<std::uint16_t>(out.size()));
    out.patch_u16(kChecksumOffset, internet_checksum(out.view()));
    return out.take();
}

std::optional<Outline> outline(ByteView bytes) {
    ByteReader in{bytes};
    const auto fixed = decode_fixed(in);
    if (in.failed() || !fixed || !is_known(fixed->type)) return std::nullopt;
    Packet packet;
    packet.type = static_cast<PacketType>(fixed->type);
    if (!decode_mandatory(in, *fixed, packet)) return std::nullopt;
    return Outline{fixed->families, packet.type, packet.request_id, packet.source_protocol, packet.destination_protocol};
}

std::optional<InnerAddresses> inner_addresses(ByteView packet) {
    if (packet.empty()) return std::nullopt;
    const bool v4 = packet[0] >> 4 == 4;
    if (!v4 && packet[0] >> 4 != 6) return std::nullopt;
    const std::size_t length = v4 ? 4 : 16;
    ByteReader in{packet};
    in.skip(v4 ? 12 : 8);
    const auto source = IpAddress::from_bytes(in.take(length));
    const auto destination = IpAddress::from_bytes(in.take(length));
    if (!source || !destination) return std::nullopt;
    return InnerAddresses{*source, *destination};
}

std::string_view name(DecodeError error) {
    switch (error) {
    case DecodeError::truncated: return "truncated";
    case DecodeError::too_long: return "too-long";
    case DecodeError::bad_checksum: return "bad-checksum";
    case DecodeError::bad_version: return "bad-version";
    case DecodeError::unknown_type: return "unknown-type";
    case DecodeError::unknown_family: return "unknown-family";
    case DecodeError::bad_address_length: return "bad-address-length";
    case DecodeError::bad_extension_offset: return "bad-extension-offset";
    case DecodeError::bad_client_info: return "bad-client-info";
    case DecodeError::bad_extensions: return "bad-extensions";
    case DecodeError::count: break;
    }
    return "unknown";
}

}  // namespace nave::nhrp
