// The DER of distinguished names, by OpenSSL.
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/distinguished_name.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace nave::ike {

/// "CN" for "cn" or "commonName", "1.2.3" for an OID without a name; nothing for what is no attribute type.
std::optional<std::string> canonical_attribute_type(std::string_view text);
/// Nothing if the bytes are no Name, or hold a value that is no text.
std::optional<DistinguishedName> decode_name(ByteView der);
/// With UTF8String where the attribute does not ask for another type. Nothing if a value does not fit its attribute, such as a country
/// of three letters.
std::optional<Bytes> encode_name(const DistinguishedName& name);

}  // namespace nave::ike
