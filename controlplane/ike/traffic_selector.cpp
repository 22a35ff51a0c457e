// Traffic selectors: the wire format, containment and narrowing.
#include "controlplane/ike/traffic_selector.hpp"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>

namespace nave::ike {

namespace {

constexpr std::uint8_t kIpv4Range = 7, kIpv6Range = 8;
constexpr std::size_t kSelectorHeader = 8;

}  // namespace

bool TrafficSelector::contains(const TrafficSelector& other) const { return intersect(*this, other) == other; }

std::string TrafficSelector::to_string() const {
    std::string text = first.to_string();
    if (!is_host()) text += "-" + last.to_string();
    text += fmt::format("[{}", protocol);
    if (is_opaque()) text += "/opaque";
    else if (!has_all_ports()) text += first_port == last_port ? fmt::format("/{}", first_port) : fmt::format("/{}-{}", first_port, last_port);
    return text + "]";
}

std::optional<TrafficSelector> intersect(const TrafficSelector& a, const TrafficSelector& b) {
    if (a.first.family() != b.first.family()) return std::nullopt;
    if (a.protocol != 0 && b.protocol != 0 && a.protocol != b.protocol) return std::nullopt;

    TrafficSelector both;
    both.protocol = std::max(a.protocol, b.protocol);  // they are equal, or one is 0: any
    both.first = std::max(a.first, b.first);
    both.last = std::min(a.last, b.last);
    if (both.first > both.last) return std::nullopt;

    // RFC 4301 §4.4.1.1: ANY includes OPAQUE; a range of real ports does not.
    if (a.is_opaque() || b.is_opaque()) {
        const TrafficSelector& ports = a.is_opaque() ? b : a;
        if (!ports.is_opaque() && !ports.has_all_ports()) return std::nullopt;
        both.first_port = 65535;
        both.last_port = 0;
        return both;
    }
    both.first_port = std::max(a.first_port, b.first_port);
    both.last_port = std::min(a.last_port, b.last_port);
    if (both.first_port > both.last_port) return std::nullopt;
    return both;
}

std::optional<TrafficSelector> narrow(std::span<const TrafficSelector> offered, const TrafficSelector& acceptable) {
    std::optional<TrafficSelector> part;
    for (const TrafficSelector& selector : offered) {
        const auto both = intersect(selector, acceptable);
        if (both == acceptable) return both;
        if (!part) part = both;
    }
    return part;
}

namespace {

std::expected<TrafficSelector, Malformed> decode_range(ByteReader& in, std::uint8_t protocol, std::size_t address_size) {
    TrafficSelector selector;
    selector.protocol = protocol;
    selector.first_port = in.u16();
    selector.last_port = in.u16();
    const auto first = IpAddress::from_bytes(in.take(address_size));
    const auto last = IpAddress::from_bytes(in.take(address_size));
    if (in.failed() || !in.at_end() || !first || !last) return std::unexpected{Malformed::substructure_length};
    selector.first = *first;
    selector.last = *last;
    if (*first > *last || (selector.first_port > selector.last_port && !selector.is_opaque())) return std::unexpected{Malformed::selector_range};
    return selector;
}

}  // namespace

std::expected<TrafficSelectors, Malformed> decode_traffic_selectors(ByteView body, Role role) {
    TrafficSelectors payload{role, {}};
    ByteReader in{body};
    const std::size_t count = in.u8();
    in.skip(3);
    if (in.failed()) return std::unexpected{Malformed::truncated};
    if (count > TrafficSelectors::kSelectorsMax) return std::unexpected{Malformed::too_many_selectors};
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t type = in.u8();
        const std::uint8_t protocol = in.u8();
        const std::uint16_t length = in.u16();
        if (in.failed() || length < 4) return std::unexpected{Malformed::substructure_length};
        ByteReader rest{in.take(length - 4u)};
        if (in.failed()) return std::unexpected{Malformed::substructure_length};
        if (type != kIpv4Range && type != kIpv6Range) continue;
        const auto selector = decode_range(rest, protocol, type == kIpv4Range ? 4 : 16);
        if (!selector) return std::unexpected{selector.error()};
        payload.selectors.push_back(*selector);
    }
    if (!in.at_end()) return std::unexpected{Malformed::trailing_bytes};
    return payload;
}

void encode_traffic_selectors(const TrafficSelectors& payload, ByteWriter& out) {
    assert(payload.selectors.size() <= TrafficSelectors::kSelectorsMax);
    out.u8(static_cast<std::uint8_t>(payload.selectors.size()));
    out.zeros(3);
    for (const TrafficSelector& selector : payload.selectors) {
        out.u8(selector.first.is_v4() ? kIpv4Range : kIpv6Range);
        out.u8(selector.protocol);
        out.u16(static_cast<std::uint16_t>(kSelectorHeader + 2 * selector.first.byte_count()));
        out.u16(selector.first_port);
        out.u16(selector.last_port);
        out.bytes(selector.first.bytes());
        out.bytes(selector.last.bytes());
    }
}

}  // namespace nave::ike
