// The texts that several keys hold: addresses, prefixes, identities, names.
#pragma once

#include "controlplane/config/bindings.hpp"

#include <string>
#include <string_view>

namespace nave::config {

inline constexpr std::string_view kAcceptsAddress = "an IP address such as \"192.0.2.1\" or \"2001:db8::1\"";
inline constexpr std::string_view kAcceptsInterfaceAddress = "a host address with the length of its network, such as \"10.255.0.1/24\" or \"fd00:255::1/64\"";
inline constexpr std::string_view kAcceptsPrefix = "a prefix such as \"172.16.0.0/12\" or \"fd00:16::/32\"";
inline constexpr std::string_view kAcceptsIdentity =
    "who we are: a domain name, \"user@host\", an IP address, a name such as \"O=Example, CN=spoke1\", or \"@#hex\" for a key id";
inline constexpr std::string_view kAcceptsPattern = "an identity, or a pattern: \"*\", \"*.example\", \"*@example\", \"10.0.0.0/8\", \"O=Example, CN=*\"";
inline constexpr std::string_view kAcceptsNhrpGroup = "a word of 2 to 32 printable characters";
inline constexpr std::string_view kAcceptsName = "a name of up to 32 letters, digits, \"_\", \"-\" and \".\", with a letter or digit first";

/// A unicast host address: not unspecified, loopback, multicast, broadcast, link-local of IPv6, or IPv4 mapped into it.
Parsed<IpAddress> parse_host(std::string_view text);
/// The same, or link-local: routers of IPv6 announce themselves so (RFC 4861 §4.2).
Parsed<IpAddress> parse_gateway(std::string_view text);
/// The same on the underlay.
Parsed<NbmaAddress> parse_nbma(std::string_view text);
/// An address that is neither the network's own nor its broadcast address.
Parsed<InterfaceAddress> parse_interface_address(std::string_view text);
/// Hints at the prefix without the host bits when some are set.
Parsed<Prefix> parse_prefix(std::string_view text);
Parsed<ike::IdentityPattern> parse_pattern(std::string_view text);
/// The name of an NHRP group.
Parsed<std::string> parse_nhrp_group(std::string_view text);
/// A kernel interface name: up to 15 characters, none of which the kernel or a shell would trip over.
Parsed<std::string> parse_interface_name(std::string_view text);
bool is_name(std::string_view text);

std::string print_host(const IpAddress& address);
std::string print_nbma(const NbmaAddress& address);
std::string print_prefix(const Prefix& prefix);
std::string print_interface_address(const InterfaceAddress& address);
std::string print_pattern(const ike::IdentityPattern& pattern);
std::string print_text(const std::string& text);

}  // namespace nave::config
