// Distinguished names (RFC 5280 §4.1.2.4) as attributes, as text, and as patterns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nave::ike {

struct NameAttribute {
    std::string type;      // "CN", "O" ...; an OID in dots where there is no short name
    std::string value;     // UTF-8
    bool joined = false;   // in one RDN with the attribute before it
    bool any = false;      // of patterns: whatever the value is
    bool operator==(const NameAttribute&) const = default;
};

/// Attributes in the order of the certificate, as `openssl x509 -subject` prints them too.
using DistinguishedName = std::vector<NameAttribute>;

/// From text such as "C=DE, O=Example, CN=spoke1": "+" joins attributes of one RDN, "\" takes the next character, or two hexadecimal
/// digits, literally (RFC 4514 §2.4), a bare "*" is any value. Nothing if it is not of that form or names an unknown type.
std::optional<DistinguishedName> parse_name(std::string_view text);
/// The inverse; printable ASCII, with escapes for all else.
std::string to_string(const DistinguishedName& name);
/// RDN by RDN in the same number and order; values compare without regard to case and to repeated spaces (RFC 5280 §7.1).
bool matches(const DistinguishedName& pattern, const DistinguishedName& name);

}  // namespace nave::ike
