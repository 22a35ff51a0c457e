// Traffic selectors (RFC 7296 §3.13): which packets a child SA carries, and how two ends' wishes meet.
#pragma once

#include "common/addresses.hpp"
#include "common/bytes.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nave::ike {

/// A range of addresses of one family, one IP protocol (0: any) and a range of ports.
/// Ports 65535 down to 0 mean OPAQUE: packets whose ports cannot be seen (RFC 4301 §4.4.1.1).
struct TrafficSelector {
    std::uint8_t protocol = 0;
    std::uint16_t first_port = 0, last_port = 65535;
    IpAddress first{}, last{};

    /// All ports of one protocol on one host.
    static TrafficSelector host(const IpAddress& address, std::uint8_t protocol) { return {protocol, 0, 65535, address, address}; }
    /// The same protocol and ports on one host; for the address that a NAT made of the peer's (RFC 7296 §2.23.1).
    TrafficSelector moved_to(const IpAddress& address) const { return {protocol, first_port, last_port, address, address}; }

    bool is_host() const { return first == last; }
    bool is_opaque() const { return first_port == 65535 && last_port == 0; }
    bool has_all_ports() const { return first_port == 0 && last_port == 65535; }
    /// Every packet that `other` describes is described by this one too. All ports include OPAQUE.
    bool contains(const TrafficSelector& other) const;
    /// "192.0.2.1[47]" or "10.0.0.0-10.0.0.255[6/80-443]".
    std::string to_string() const;
    bool operator==(const TrafficSelector&) const = default;
};

/// What both describe; nothing if they have no packet in common.
std::optional<TrafficSelector> intersect(const TrafficSelector& a, const TrafficSelector& b);

/// The part of `acceptable` that an offer covers, for the responder's answer (RFC 7296 §2.9): all of it when one offered selector
/// contains it, else the first part that is not empty; nothing means TS_UNACCEPTABLE.
std::optional<TrafficSelector> narrow(std::span<const TrafficSelector> offered, const TrafficSelector& acceptable);

/// A TSi or TSr payload. Selector types that we do not know are left out on decoding.
struct TrafficSelectors {
    static constexpr std::size_t kSelectorsMax = 64;
    Role role{};
    std::vector<TrafficSelector> selectors;
    bool operator==(const TrafficSelectors&) const = default;
};

/// The body behind the generic payload header.
std::expected<TrafficSelectors, Malformed> decode_traffic_selectors(ByteView body, Role role);
void encode_traffic_selectors(const TrafficSelectors& payload, ByteWriter& out);

}  // namespace nave::ike
