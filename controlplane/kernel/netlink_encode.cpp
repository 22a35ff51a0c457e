// Encoding of route netlink requests.
#include "controlplane/kernel/netlink_codec.hpp"

#include <array>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace nave::kernel {

namespace {

/// One message under construction; requests are small, so the room always suffices.
class Builder {
public:
    Builder(std::uint16_t type, std::uint16_t flags) : message_{mnl_nlmsg_put_header(room_.data())} {
        message_->nlmsg_type = type;
        message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    }
    /// The family's header; zeroed. Call once, first.
    template <class Header>
    Header& header() {
        return *static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
    }
    void put(std::uint16_t type, ByteView bytes) { mnl_attr_put(message_, type, bytes.size(), bytes.data()); }
    void put(std::uint16_t type, const IpAddress& address) { put(type, address.bytes()); }
    void put(std::uint16_t type, std::uint32_t number) { mnl_attr_put_u32(message_, type, number); }
    void put(std::uint16_t type, const std::string& text) { mnl_attr_put_strz(message_, type, text.c_str()); }
    void put_u8(std::uint16_t type, std::uint8_t number) { mnl_attr_put_u8(message_, type, number); }
    Request take() const { return {room_.data(), room_.data() + message_->nlmsg_len}; }

private:
    alignas(nlmsghdr) std::array<std::uint8_t, 512> room_{};
    nlmsghdr* message_;
};

std::uint8_t family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

/// The header's table field has one byte; larger tables stand in an attribute alone.
std::uint8_t small_table(TableNumber table) { return table < 256 ? static_cast<std::uint8_t>(table) : static_cast<std::uint8_t>(RT_TABLE_UNSPEC); }

Request route_request(std::uint16_t type, std::uint16_t flags, const RouteRequest& route) {
    Builder builder{type, flags};
    auto& header = builder.header<rtmsg>();
    header.rtm_family = family_of(route.prefix.address);
    header.rtm_dst_len = route.prefix.length;
    header.rtm_table = small_table(route.table);
    header.rtm_protocol = kOurProtocol;
    header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_type = RTN_UNICAST;
    header.rtm_flags = route.on_link ? static_cast<unsigned>(RTNH_F_ONLINK) : 0u;
    builder.put(RTA_DST, route.prefix.address);
    builder.put(RTA_TABLE, route.table);
    builder.put(RTA_OIF, static_cast<std::uint32_t>(route.index));
    if (route.gateway) builder.put(RTA_GATEWAY, *route.gateway);
    if (route.preferred_source) builder.put(RTA_PREFSRC, *route.preferred_source);
    return builder.take();
}

Request rule_request(std::uint16_t type, std::uint16_t flags, const Rule& rule) {
    Builder builder{type, flags};
    auto& header = builder.header<fib_rule_hdr>();
    header.family = rule.family == Family::v4 ? AF_INET : AF_INET6;
    header.table = small_table(rule.table);
    constexpr std::array<std::uint8_t, 3> actions{FR_ACT_TO_TBL, FR_ACT_UNREACHABLE, FR_ACT_BLACKHOLE};
    header.action = actions[static_cast<std::size_t>(rule.action)];
    builder.put(FRA_PRIORITY, rule.priority);
    builder.put(FRA_TABLE, rule.table);
    builder.put_u8(FRA_PROTOCOL, rule.protocol);
    if (!rule.incoming.empty()) builder.put(FRA_IIFNAME, rule.incoming);
    if (!rule.outgoing.empty()) builder.put(FRA_OIFNAME, rule.outgoing);
    if (rule.from) {
        header.src_len = rule.from->length;
        builder.put(FRA_SRC, rule.from->address);
    }
    if (rule.to) {
        header.dst_len = rule.to->length;
        builder.put(FRA_DST, rule.to->address);
    }
    return builder.take();
}

}  // namespace

Request change_link(InterfaceIndex index, std::optional<MacAddress> mac, std::uint32_t mtu, bool up) {
    Builder builder{RTM_NEWLINK, 0};
    auto& header = builder.header<ifinfomsg>();
    header.ifi_index = index;
    header.ifi_change = IFF_UP;
    header.ifi_flags = up ? static_cast<unsigned>(IFF_UP) : 0u;
    if (mac) builder.put(IFLA_ADDRESS, ByteView{mac->bytes});
    builder.put(IFLA_MTU, mtu);
    return builder.take();
}

Request add_address(const Address& address, bool prefix_route) {
    Builder builder{RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE};
    auto& header = builder.header<ifaddrmsg>();
    header.ifa_family = family_of(address.address);
    header.ifa_prefixlen = address.length;
    header.ifa_scope = address.global ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.ifa_index = static_cast<unsigned>(address.index);
    builder.put(IFA_LOCAL, address.address);
    builder.put(IFA_ADDRESS, address.address);
    // A link-local address is made of the port's own MAC, which nobody else on the link has, or nothing works there.
    const std::uint32_t flags = (prefix_route ? 0u : IFA_F_NOPREFIXROUTE) | (address.global ? 0u : IFA_F_NODAD);
    if (flags != 0) builder.put(IFA_FLAGS, flags);
    return builder.take();
}

Request add_route(const RouteRequest& route) {
    return route_request(RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | (route.append ? NLM_F_APPEND : NLM_F_REPLACE)), route);
}
Request remove_route(const RouteRequest& route) { return route_request(RTM_DELROUTE, 0, route); }
Request add_rule(const Rule& rule) { return rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule); }
Request remove_rule(const Rule& rule) { return rule_request(RTM_DELRULE, 0, rule); }

Request use_neighbour(InterfaceIndex index, const IpAddress& address) {
    Builder builder{RTM_NEWNEIGH, NLM_F_CREATE};
    auto& header = builder.header<ndmsg>();
    header.ndm_family = family_of(address);
    header.ndm_ifindex = index;
    header.ndm_flags = NTF_USE;
    builder.put(NDA_DST, address);
    return builder.take();
}

Request dump(Kind kind) {
    constexpr std::array<std::uint16_t, 5> types{RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH, RTM_GETROUTE, RTM_GETRULE};
    Builder builder{types[static_cast<std::size_t>(kind)], NLM_F_DUMP};
    // All five headers begin with the family, and the kernel takes this one for each of them.
    builder.header<rtgenmsg>().rtgen_family = AF_UNSPEC;
    return builder.take();
}

}  // namespace nave::kernel
