// Decoding of route netlink messages; libmnl checks all lengths.
#include "controlplane/kernel/netlink_codec.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace nave::kernel {

namespace {

template <std::size_t N>
using Attributes = std::array<const nlattr*, N>;

/// The attributes of a message by type; unknown types are passed over.
template <std::size_t N>
Attributes<N> attributes(const nlmsghdr* message, std::size_t header) {
    Attributes<N> table{};
    mnl_attr_parse(message, static_cast<unsigned>(header), [](const nlattr* attribute, void* data) {
        const std::uint16_t type = mnl_attr_get_type(attribute);
        if (type < N) (*static_cast<Attributes<N>*>(data))[type] = attribute;
        return MNL_CB_OK;
    }, &table);
    return table;
}

ByteView payload(const nlattr* attribute) {
    return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)), mnl_attr_get_payload_len(attribute)};
}

std::optional<IpAddress> address_in(const nlattr* attribute) {
    if (!attribute) return std::nullopt;
    return IpAddress::from_bytes(payload(attribute));
}

std::optional<MacAddress> mac_in(const nlattr* attribute) {
    MacAddress mac;
    if (!attribute || payload(attribute).size() != mac.bytes.size()) return std::nullopt;
    std::memcpy(mac.bytes.data(), payload(attribute).data(), mac.bytes.size());
    return mac;
}

std::optional<std::uint32_t> number_in(const nlattr* attribute) {
    if (!attribute || payload(attribute).size() != sizeof(std::uint32_t)) return std::nullopt;
    return mnl_attr_get_u32(attribute);
}

std::string text_in(const nlattr* attribute) {
    if (!attribute) return {};
    const ByteView bytes = payload(attribute);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    return {text, strnlen(text, bytes.size())};
}

IpAddress unspecified(int family) { return family == AF_INET6 ? IpAddress::v6({}) : IpAddress{}; }

bool is_ip(int family) { return family == AF_INET || family == AF_INET6; }

std::optional<Object> decode_link(const nlmsghdr* message) {
    const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    if (header->ifi_family != AF_UNSPEC) return std::nullopt;  // a bridge's view of its port
    const auto table = attributes<IFLA_MAX + 1>(message, sizeof *header);
    return Link{.index = header->ifi_index, .name = text_in(table[IFLA_IFNAME]), .up = (header->ifi_flags & IFF_UP) != 0,
                .mtu = number_in(table[IFLA_MTU]).value_or(0), .mac = mac_in(table[IFLA_ADDRESS]).value_or(MacAddress{})};
}

std::optional<Object> decode_address(const nlmsghdr* message) {
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    const auto table = attributes<IFA_MAX + 1>(message, sizeof *header);
    // On point-to-point links IFA_ADDRESS is the other end's.
    const auto address = address_in(table[IFA_LOCAL] ? table[IFA_LOCAL] : table[IFA_ADDRESS]);
    if (!is_ip(header->ifa_family) || !address || header->ifa_prefixlen > address->bit_count()) return std::nullopt;
    return Address{.index = static_cast<InterfaceIndex>(header->ifa_index), .address = *address, .length = header->ifa_prefixlen,
                   .secondary = (header->ifa_flags & IFA_F_SECONDARY) != 0, .global = header->ifa_scope == RT_SCOPE_UNIVERSE,
                   .tentative = (header->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0, .deprecated = (header->ifa_flags & IFA_F_DEPRECATED) != 0};
}

std::optional<Object> decode_neighbour(const nlmsghdr* message) {
    const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
    const auto table = attributes<NDA_MAX + 1>(message, sizeof *header);
    const auto address = address_in(table[NDA_DST]);
    if (!is_ip(header->ndm_family) || !address || address->is_multicast()) return std::nullopt;
    constexpr int usable = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
    Neighbour neighbour{.index = header->ndm_ifindex, .address = *address, .mac = {}, .failed = (header->ndm_state & NUD_FAILED) != 0};
    if (header->ndm_state & usable) neighbour.mac = mac_in(table[NDA_LLADDR]);
    return neighbour;
}

std::optional<IpAddress> gateway_in(ByteView attributes_of_hop) {
    std::optional<IpAddress> gateway;
    mnl_attr_parse_payload(attributes_of_hop.data(), attributes_of_hop.size(), [](const nlattr* attribute, void* data) {
        if (mnl_attr_get_type(attribute) == RTA_GATEWAY) *static_cast<std::optional<IpAddress>*>(data) = address_in(attribute);
        return MNL_CB_OK;
    }, &gateway);
    return gateway;
}

std::vector<NextHop> next_hops_in(const nlattr* multipath) {
    std::vector<NextHop> hops;
    ByteView rest = payload(multipath);
    rtnexthop hop;
    while (rest.size() >= sizeof hop) {
        std::memcpy(&hop, rest.data(), sizeof hop);
        const std::size_t length = hop.rtnh_len;
        if (length < sizeof hop || length > rest.size()) break;
        if ((hop.rtnh_flags & RTNH_F_DEAD) == 0) {
            hops.push_back({.index = hop.rtnh_ifindex, .gateway = gateway_in(rest.subspan(sizeof hop, length - sizeof hop))});
        }
        const std::size_t aligned = MNL_ALIGN(length);
        rest = rest.subspan(std::min(aligned, rest.size()));
    }
    return hops;
}

Route::Kind kind_of(std::uint8_t type) {
    if (type == RTN_UNICAST) return Route::Kind::unicast;
    if (type == RTN_UNREACHABLE || type == RTN_BLACKHOLE || type == RTN_PROHIBIT) return Route::Kind::reject;
    return Route::Kind::other;
}

std::optional<Object> decode_route(const nlmsghdr* message) {
    const auto* header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    if (!is_ip(header->rtm_family) || (header->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
    const auto table = attributes<RTA_MAX + 1>(message, sizeof *header);
    const IpAddress destination = address_in(table[RTA_DST]).value_or(unspecified(header->rtm_family));
    if (header->rtm_dst_len > destination.bit_count()) return std::nullopt;
    Route route{.table = number_in(table[RTA_TABLE]).value_or(header->rtm_table), .prefix = Prefix::of(destination, header->rtm_dst_len),
                .metric = number_in(table[RTA_PRIORITY]).value_or(0), .protocol = header->rtm_protocol, .kind = kind_of(header->rtm_type),
                .next_hop_object = number_in(table[RTA_NH_ID]).value_or(0), .next_hops = {}};
    if (table[RTA_MULTIPATH]) {
        route.next_hops = next_hops_in(table[RTA_MULTIPATH]);
    } else if (const auto index = number_in(table[RTA_OIF]); index && (header->rtm_flags & RTNH_F_DEAD) == 0) {
        route.next_hops.push_back({.index = static_cast<InterfaceIndex>(*index), .gateway = address_in(table[RTA_GATEWAY])});
    }
    return route;
}

std::optional<Object> decode_next_hop_object(const nlmsghdr* message) {
    const auto id = number_in(attributes<NHA_MAX + 1>(message, sizeof(nhmsg))[NHA_ID]);
    return id ? std::optional<Object>{NextHopObject{*id}} : std::nullopt;
}

Rule::Action action_of(std::uint8_t action) {
    if (action == FR_ACT_UNREACHABLE) return Rule::Action::unreachable;
    return action == FR_ACT_BLACKHOLE ? Rule::Action::blackhole : Rule::Action::lookup;
}

std::optional<Object> decode_rule(const nlmsghdr* message) {
    const auto* header = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(message));
    if (!is_ip(header->family)) return std::nullopt;
    const auto table = attributes<FRA_MAX + 1>(message, sizeof *header);
    Rule rule{.priority = number_in(table[FRA_PRIORITY]).value_or(0),
              .action = action_of(header->action),
              .table = number_in(table[FRA_TABLE]).value_or(header->table), .incoming = text_in(table[FRA_IIFNAME]),
              .outgoing = text_in(table[FRA_OIFNAME]), .from = {}, .to = {}, .protocol = 0,
              .family = header->family == AF_INET6 ? Family::v6 : Family::v4};
    if (const auto from = address_in(table[FRA_SRC])) rule.from = Prefix::of(*from, header->src_len);
    if (const auto to = address_in(table[FRA_DST])) rule.to = Prefix::of(*to, header->dst_len);
    if (table[FRA_PROTOCOL] && !payload(table[FRA_PROTOCOL]).empty()) rule.protocol = mnl_attr_get_u8(table[FRA_PROTOCOL]);
    return rule;
}

template <class Header>
std::optional<Object> decode_with(std::optional<Object> (*decode)(const nlmsghdr*), const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(Header)) return std::nullopt;
    return decode(message);
}

}  // namespace

std::optional<ObjectChange> decode_message(ByteView bytes) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());
    // libmnl reads attributes up to the aligned end of the message.
    if (bytes.size() < sizeof *message || message->nlmsg_len < sizeof *message || message->nlmsg_len > bytes.size()) return std::nullopt;
    if (MNL_ALIGN(std::size_t{message->nlmsg_len}) > bytes.size()) return std::nullopt;
    std::optional<Object> object;
    bool present = true;
    switch (message->nlmsg_type) {
    case RTM_DELLINK: present = false; [[fallthrough]];
    case RTM_NEWLINK: object = decode_with<ifinfomsg>(decode_link, message); break;
    case RTM_DELADDR: present = false; [[fallthrough]];
    case RTM_NEWADDR: object = decode_with<ifaddrmsg>(decode_address, message); break;
    case RTM_DELNEIGH: present = false; [[fallthrough]];
    case RTM_NEWNEIGH: object = decode_with<ndmsg>(decode_neighbour, message); break;
    case RTM_DELROUTE: present = false; [[fallthrough]];
    case RTM_NEWROUTE: object = decode_with<rtmsg>(decode_route, message); break;
    case RTM_DELNEXTHOP: present = false; [[fallthrough]];
    case RTM_NEWNEXTHOP: object = decode_with<nhmsg>(decode_next_hop_object, message); break;
    case RTM_DELRULE: present = false; [[fallthrough]];
    case RTM_NEWRULE: object = decode_with<fib_rule_hdr>(decode_rule, message); break;
    default: break;
    }
    if (!object) return std::nullopt;
    return ObjectChange{std::move(*object), present};
}

}  // namespace nave::kernel
