// The extensions part of a packet (RFC 2332 §5.3): an ordered list of type, compulsory bit and bytes.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/nhrp/codes.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nave::nhrp {

struct Extension {
    std::uint16_t type = 0;  // 14 bits
    bool compulsory = false;
    Bytes value;
    std::uint16_t offset = 0;  // where it stood in the packet it was decoded from, for error indications
    bool operator==(const Extension& other) const { return type == other.type && compulsory == other.compulsory && value == other.value; }
};

/// In wire order, without the End extension. A type may repeat (vendor private).
using Extensions = std::vector<Extension>;

inline constexpr std::size_t kExtensionsMax = 32;  // a longer chain is malformed

/// Reads up to and including the End extension; nothing when a length runs past the end, the End is missing, or the
/// chain is longer than kExtensionsMax. `offset`: where the extensions part starts in the packet.
std::optional<Extensions> decode_extensions(ByteReader& in, std::size_t offset);
/// Writes the list and the End extension, with its compulsory bit as deployed peers send it.
void encode_extensions(const Extensions& extensions, ByteWriter& out);

/// The first extension of that type; null when there is none.
Extension* find(Extensions& extensions, std::uint16_t type);
const Extension* find(const Extensions& extensions, std::uint16_t type);

/// Whether the extension is a vendor's own (§5.3.5) and begins with the label: the OUI, and what the vendor tells its kinds apart by.
bool is_private(const Extension& extension, ByteView label);

/// Whether this implementation knows what the type asks of a receiver.
bool is_understood(std::uint16_t type);

/// The word inside an authentication extension (§5.3.4, clear-text type 1, as Cisco sends it: without padding).
std::optional<std::string_view> decode_authentication(ByteView value);
Bytes encode_authentication(std::string_view word);

}  // namespace nave::nhrp
