// IKE identities (RFC 7296 §3.5) and the patterns by which configuration speaks of many of them.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "controlplane/ike/distinguished_name.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nave::ike {

/// An identification payload's content. `data` is as on the wire: 4 or 16 address bytes, or characters without a final zero.
struct Identity {
    enum class Type : std::uint8_t { ipv4_address = 1, fqdn = 2, rfc822_address = 3, ipv6_address = 5, der_distinguished_name = 9, key_id = 11 };
    Type type = Type::fqdn;
    Bytes data;

    /// From text: an IP address, "user@host", "@#hex" (a key id), a distinguished name such as "O=Example, CN=spoke1", or a domain name.
    /// Nothing for empty or unprintable text.
    static std::optional<Identity> parse(std::string_view text);
    static Identity of(const IpAddress& address);
    /// The inverse of parse; whatever parse cannot express gets a prefix such as "fqdn:" and escapes, so that a log line stays one
    /// line and two identities never share a text, but for two encodings of one distinguished name.
    std::string to_string() const;
    auto operator<=>(const Identity&) const = default;
};

/// Whether both name the same one: domain names and distinguished names compare without regard to case and encoding.
bool same_identity(const Identity& a, const Identity& b);

/// "*" for everybody, "*.spokes.example" or "*@example" for a suffix, "10.0.0.0/8" for address identities, "O=Example, CN=*" for
/// distinguished names with these attributes, otherwise exact.
class IdentityPattern {
public:
    static std::optional<IdentityPattern> parse(std::string_view text);
    /// Domain names compare without regard to case (RFC 7296 §3.5 gives FQDNs as DNS names).
    bool matches(const Identity& identity) const;
    /// Higher is more specific: exact, then longer suffix or prefix, then "*".
    int specificity() const;
    const std::string& text() const { return text_; }
    /// The one identity that it names; nothing if it names many.
    std::optional<Identity> exact() const { return kind_ == Kind::exact ? std::optional{exact_} : std::nullopt; }

private:
    enum class Kind : std::uint8_t { anybody, domain_suffix, mail_domain, addresses, name, exact };
    Kind kind_ = Kind::anybody;
    std::string text_ = "*";
    Identity exact_;
    Prefix addresses_;
    DistinguishedName name_;
};

}  // namespace nave::ike
