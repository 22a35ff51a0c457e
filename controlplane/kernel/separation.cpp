// Rules and routes of front-door separation.
#include "controlplane/kernel/separation.hpp"

#include <algorithm>
#include <iterator>

namespace nave::kernel {

namespace {

constexpr std::uint32_t kIpv6Metric = 1024;  // what the kernel gives routes of IPv6 that ask for none (IP6_RT_PRIO_USER)

/// A lookup and what ends it, for one selector.
void add_pair(std::set<Rule>& rules, Says says, Rule selector, Rule::Action end = Rule::Action::unreachable) {
    selector.priority = lookup_priority(says);
    selector.action = Rule::Action::lookup;
    rules.insert(selector);
    selector.priority = lookup_priority(says) + 1;
    selector.action = end;
    rules.insert(std::move(selector));
}

void add_prefix(std::set<Rule>& rules, Says says, TableNumber table, std::optional<Prefix> from, std::optional<Prefix> to) {
    const Family family = (from ? from : to)->address.family();
    add_pair(rules, says, {.table = table, .from = from, .to = to, .family = family});
}

void add_interface(std::set<Rule>& rules, const std::string& name, TableNumber table) {
    for (const Family family : {Family::v4, Family::v6}) {
        // No setting makes an ICMPv6 error follow the way of its cause: it would take the quoted packet out of the underlay's default route.
        add_pair(rules, Says::interface, {.table = table, .incoming = name, .family = family}, family == Family::v4 ? Rule::Action::unreachable : Rule::Action::blackhole);
        add_pair(rules, Says::interface, {.table = table, .outgoing = name, .family = family});
    }
}

template <class Use>
void for_each_address(const Mirror& mirror, InterfaceIndex index, Use&& use) {
    for (const Address& address : mirror.addresses()) {
        if (address.index == index && address.global) use(address);
    }
}

}  // namespace

std::set<Rule> rules_for(const Mirror& mirror, const Plan& plan) {
    std::set<Rule> rules;
    for (const TunnelPlan& tunnel : plan.tunnels) {
        if (tunnel.index == 0) continue;
        add_interface(rules, tunnel.twin, tunnel.table);
        // What lies behind the hubs goes into the tunnel or nowhere, also for the gateway's own sockets.
        for (const Prefix& prefix : tunnel.routes)
            if (prefix.length > 0) add_prefix(rules, Says::network, tunnel.table, {}, prefix);
        for_each_address(mirror, tunnel.index, [&](const Address& address) {
            add_prefix(rules, Says::own_address, tunnel.table, Prefix::host(address.address), {});
            add_prefix(rules, Says::network, tunnel.table, {}, address.network());
        });
    }
    for (const PortPlan& port : plan.ports) {
        if (port.index == 0) continue;
        if (port.tunnel) {
            add_interface(rules, port.twin, port.table);
            for_each_address(mirror, port.index, [&](const Address& address) {
                add_prefix(rules, Says::own_address, port.table, Prefix::host(address.address), {});
                add_prefix(rules, Says::network, port.table, address.network(), {});
                add_prefix(rules, Says::network, port.table, {}, address.network());
            });
        } else if (port.table != kMainTable) {
            for (const Family family : {Family::v4, Family::v6}) add_pair(rules, Says::interface, {.table = port.table, .outgoing = port.twin, .family = family});
            for_each_address(mirror, port.index, [&](const Address& address) {
                add_prefix(rules, Says::own_address, port.table, Prefix::host(address.address), {});
            });
        }
    }
    // The kernel keeps what is on a link there, and looks among that link's alone.
    if (!rules.empty()) rules.insert({.priority = kLinkLocalPriority, .table = kMainTable, .to = Prefix::parse("fe80::/10"), .family = Family::v6});
    return rules;
}

OurRoutes routes_for(const Mirror& mirror, const Plan& plan) {
    OurRoutes routes;
    const auto add = [&](RouteRequest route) { routes.try_emplace({route.table, route.prefix}, route); };
    for (const PortPlan& port : plan.ports) {
        if (port.index == 0 || !mirror.is_up(port.index)) continue;
        const bool kernel_does_it = !port.tunnel && port.table == kMainTable;
        for_each_address(mirror, port.index, [&](const Address& address) {
            if (kernel_does_it || address.tentative) return;  // the kernel takes no tentative address as a source
            add({.table = port.table, .prefix = address.network(), .index = port.index, .preferred_source = address.address});
        });
        for (const IpAddress& gateway : port.gateways) {
            if (port.tunnel) break;
            add({.table = port.table, .prefix = Prefix::of(gateway, 0), .index = port.index, .gateway = gateway, .on_link = true, .append = kernel_does_it});
        }
    }
    for (const TunnelPlan& tunnel : plan.tunnels) {
        if (tunnel.index == 0 || !mirror.is_up(tunnel.index)) continue;
        for_each_address(mirror, tunnel.index, [&](const Address& address) {
            if (address.tentative) return;
            add({.table = tunnel.table, .prefix = address.network(), .index = tunnel.index, .preferred_source = address.address});
        });
        for (const Prefix& prefix : tunnel.routes) {
            add({.table = tunnel.table, .prefix = prefix, .index = tunnel.index});
        }
    }
    return routes;
}

RuleSteps steps_between(const std::set<Rule>& has, const std::set<Rule>& wanted) {
    RuleSteps steps;
    std::ranges::set_difference(wanted, has, std::back_inserter(steps.add));
    std::ranges::set_difference(has, wanted, std::back_inserter(steps.remove));
    return steps;
}

RouteSteps steps_between(const std::map<Mirror::RouteKey, Route>& has, const OurRoutes& wanted) {
    RouteSteps steps;
    for (const auto& [key, route] : has) {
        const auto& [table, prefix, metric] = key;
        if (table == kMainTable || wanted.contains({table, prefix})) continue;
        const NextHop hop = route.next_hops.empty() ? NextHop{} : route.next_hops.front();
        steps.remove.push_back({.table = table, .prefix = prefix, .index = hop.index, .gateway = hop.gateway});
    }
    for (const auto& [key, request] : wanted) {
        const auto there = has.find({key.first, key.second, key.second.address.is_v4() ? 0 : kIpv6Metric});
        const NextHop hop{.index = request.index, .gateway = request.gateway};
        if (there == has.end() || there->second.next_hops != std::vector{hop}) steps.add.push_back(request);
    }
    return steps;
}

}  // namespace nave::kernel
