// The rarer checks of IPv6: addresses, extension headers.
#include "dataplane/ipv6_checks.hpp"

#include <algorithm>

namespace nave::dataplane {

namespace {

constexpr int kExtensionsMax = 6;  // hop-by-hop, destination options twice, routing, fragment (RFC 8200 §4.1), and one to spare

bool is_ipv4_mapped(const Ipv6Bytes& address) {
    Ipv6Bytes front{};
    front[10] = front[11] = 0xff;
    return std::equal(front.begin(), front.begin() + 12, address.begin());
}

bool is_martian(const Ipv6Bytes& address) { return is_unspecified(address) || is_loopback(address) || is_ipv4_mapped(address); }

}  // namespace

Drop check_ipv6_addresses(const Ipv6Bytes& source, const Ipv6Bytes& destination) {
    if (is_martian(source) || is_multicast(source)) return Drop::ip_bad_source;
    if (is_martian(destination) || (is_multicast(destination) && (destination[1] & 0x0f) < 2)) return Drop::ip_bad_destination;
    return Drop::none;
}

std::optional<UpperLayer> find_upper_layer(ByteView ip_packet) {
    UpperLayer found{reinterpret_cast<const Ipv6Header*>(ip_packet.data())->next_header, sizeof(Ipv6Header)};
    for (int headers = 0; headers <= kExtensionsMax; ++headers) {
        const bool is_fragment = found.protocol == kProtocolFragment;
        const bool is_extension = is_fragment || found.protocol == kProtocolHopByHop || found.protocol == kProtocolRouting || found.protocol == kProtocolDestinationOptions;
        if (!is_extension) return found;
        constexpr std::uint32_t kUnit = 8;  // bytes; what every extension header has, and in which its length counts what follows
        if (ip_packet.size() - found.offset < kUnit) return std::nullopt;
        const std::uint8_t* header = ip_packet.data() + found.offset;
        const std::uint32_t size = is_fragment ? kUnit : (header[1] + 1) * kUnit;
        if (ip_packet.size() - found.offset < size) return std::nullopt;
        if (is_fragment) {
            const auto* fragment = reinterpret_cast<const Ipv6FragmentHeader*>(header);
            found.is_first_fragment = (fragment->fragment.host() & Ipv6FragmentHeader::kOffsetMask) == 0;
        }
        found.protocol = header[0];
        found.offset += size;
        if (!found.is_first_fragment) return found;
    }
    return std::nullopt;
}

}  // namespace nave::dataplane
