// Identities as text, and which of them a pattern means.
#include "controlplane/ike/identity.hpp"

#include "controlplane/ike/crypto_name.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace nave::ike {

namespace {

std::string_view text_of(const Bytes& data) { return {reinterpret_cast<const char*>(data.data()), data.size()}; }
Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

// The locale must not decide who a peer is, so <cctype> is not asked.
constexpr bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Letters, digits, "-", "_" and dots; not all digits behind the last dot, so that a mistyped address is no name.
bool is_domain_name(std::string_view text) {
    if (text.empty() || text.front() == '.') return false;
    const std::string_view last_label = text.substr(text.rfind('.') + 1);
    if (std::ranges::all_of(last_label, [](char c) { return c >= '0' && c <= '9'; })) return false;
    return std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

bool is_mailbox_name(std::string_view text) {
    constexpr std::string_view kRefused = "@:*\"\\";
    return !text.empty() && std::ranges::all_of(text, [&](char c) { return c > ' ' && c < 0x7f && !kRefused.contains(c); });
}

bool equal_domains(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

std::optional<Bytes> parse_hex(std::string_view text) {
    if (text.empty() || text.size() % 2 != 0) return std::nullopt;
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1; };
    Bytes bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return bytes;
}

std::string hex(const Bytes& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

std::string escaped(const Bytes& data) {
    std::string text;
    for (const std::uint8_t byte : data) {
        if (byte > ' ' && byte < 0x7f && byte != '\\') text += static_cast<char>(byte);
        else text += fmt::format("\\x{:02x}", byte);
    }
    return text;
}

struct Mailbox {
    std::string_view user, domain;
};
std::optional<Mailbox> split_mailbox(std::string_view text) {
    const std::size_t at = text.find('@');
    if (at == std::string_view::npos) return std::nullopt;
    const Mailbox mailbox{text.substr(0, at), text.substr(at + 1)};
    if (!is_mailbox_name(mailbox.user) || !is_domain_name(mailbox.domain)) return std::nullopt;
    return mailbox;
}

std::optional<IpAddress> address_of(const Identity& identity) {
    const auto address = IpAddress::from_bytes(identity.data);
    const bool fits = address && identity.type == (address->is_v4() ? Identity::Type::ipv4_address : Identity::Type::ipv6_address);
    return fits ? address : std::nullopt;
}

/// The text without a prefix; it may say something else than the identity is when the peer chose odd bytes.
std::string plain_text(const Identity& identity) {
    if (const auto address = address_of(identity)) return address->to_string();
    if (identity.type == Identity::Type::key_id) return "@#" + hex(identity.data);
    if (identity.type == Identity::Type::der_distinguished_name) return to_string(decode_name(identity.data).value_or(DistinguishedName{}));
    return std::string{text_of(identity.data)};
}

bool has_wildcard(const DistinguishedName& name) { return std::ranges::any_of(name, &NameAttribute::any); }

}  // namespace

std::optional<Identity> Identity::parse(std::string_view text) {
    if (const auto address = IpAddress::parse(text)) return of(*address);
    if (text.starts_with("@#")) {
        const auto key_id = parse_hex(text.substr(2));
        if (!key_id) return std::nullopt;
        return Identity{Type::key_id, *key_id};
    }
    if (const auto name = parse_name(text); name && !has_wildcard(*name)) {
        const auto der = encode_name(*name);
        if (!der) return std::nullopt;
        return Identity{Type::der_distinguished_name, *der};
    }
    if (split_mailbox(text)) return Identity{Type::rfc822_address, bytes_of(text)};
    if (is_domain_name(text)) return Identity{Type::fqdn, bytes_of(text)};
    return std::nullopt;
}

Identity Identity::of(const IpAddress& address) {
    const auto bytes = address.bytes();
    return {address.is_v4() ? Type::ipv4_address : Type::ipv6_address, Bytes{bytes.begin(), bytes.end()}};
}

std::string Identity::to_string() const {
    // A peer must not look like another one in logs or as a key: only what reads back as itself stands without a prefix.
    std::string plain = plain_text(*this);
    if (const auto again = parse(plain); again && same_identity(*again, *this)) return plain;
    switch (type) {
    case Type::ipv4_address:           return "ipv4:" + hex(data);
    case Type::ipv6_address:           return "ipv6:" + hex(data);
    case Type::fqdn:                   return "fqdn:" + escaped(data);
    case Type::rfc822_address:         return "rfc822:" + escaped(data);
    case Type::der_distinguished_name: return "dn:" + hex(data);
    case Type::key_id:                 return "@#" + hex(data);
    }
    return fmt::format("id-{}:{}", static_cast<unsigned>(type), hex(data));
}

std::optional<IdentityPattern> IdentityPattern::parse(std::string_view text) {
    IdentityPattern pattern;
    pattern.text_ = text;
    if (text == "*") return pattern;
    if (text.starts_with("*.")) {
        pattern.kind_ = Kind::domain_suffix;
        if (!is_domain_name(text.substr(2))) return std::nullopt;
        return pattern;
    }
    if (text.starts_with("*@")) {
        pattern.kind_ = Kind::mail_domain;
        if (!is_domain_name(text.substr(2))) return std::nullopt;
        return pattern;
    }
    if (text.contains('/') && !text.contains('=')) {
        const auto prefix = Prefix::parse(text);
        if (!prefix) return std::nullopt;
        pattern.kind_ = Kind::addresses;
        pattern.addresses_ = *prefix;
        return pattern;
    }
    if (auto name = parse_name(text); name && has_wildcard(*name)) {
        pattern.kind_ = Kind::name;
        pattern.name_ = std::move(*name);
        return pattern;
    }
    const auto identity = Identity::parse(text);
    if (!identity) return std::nullopt;
    pattern.kind_ = Kind::exact;
    pattern.exact_ = *identity;
    return pattern;
}

bool same_identity(const Identity& a, const Identity& b) {
    if (a.type != b.type) return false;
    if (a.type == Identity::Type::fqdn) return equal_domains(text_of(a.data), text_of(b.data));
    if (a.type == Identity::Type::rfc822_address) {
        const auto mailbox_a = split_mailbox(text_of(a.data)), mailbox_b = split_mailbox(text_of(b.data));
        return mailbox_a && mailbox_b && mailbox_a->user == mailbox_b->user && equal_domains(mailbox_a->domain, mailbox_b->domain);
    }
    if (a.type == Identity::Type::der_distinguished_name && a.data != b.data) {
        const auto name_a = decode_name(a.data), name_b = decode_name(b.data);
        return name_a && name_b && matches(*name_a, *name_b);
    }
    return a.data == b.data;
}

bool IdentityPattern::matches(const Identity& identity) const {
    switch (kind_) {
    case Kind::anybody: return true;
    case Kind::domain_suffix: {
        // Only a real domain name: bytes such as a zero inside could fool somebody who reads the text.
        const std::string_view name = text_of(identity.data), suffix = std::string_view{text_}.substr(1);
        return identity.type == Identity::Type::fqdn && is_domain_name(name) && name.size() > suffix.size() &&
               equal_domains(name.substr(name.size() - suffix.size()), suffix);
    }
    case Kind::mail_domain: {
        const auto mailbox = split_mailbox(text_of(identity.data));
        return identity.type == Identity::Type::rfc822_address && mailbox && equal_domains(mailbox->domain, std::string_view{text_}.substr(2));
    }
    case Kind::addresses: {
        const auto address = address_of(identity);
        return address && addresses_.contains(*address);
    }
    case Kind::name: {
        const auto name = identity.type == Identity::Type::der_distinguished_name ? decode_name(identity.data) : std::nullopt;
        return name && ike::matches(name_, *name);
    }
    case Kind::exact: return same_identity(exact_, identity);
    }
    return false;
}

int IdentityPattern::specificity() const {
    constexpr int kExact = 1 << 20;
    switch (kind_) {
    case Kind::anybody:       return 0;
    case Kind::addresses:     return 1 + addresses_.length;
    case Kind::domain_suffix:
    case Kind::mail_domain:   return 1 + static_cast<int>(text_.size());
    case Kind::name:          return 1 + static_cast<int>(std::min<std::size_t>(text_.size(), kExact / 2));
    case Kind::exact:         break;
    }
    return kExact;
}

}  // namespace nave::ike
