// Rules and routes of front-door separation.
#include "controlplane/kernel/separation.hpp"

#include <algorithm>
#include <iterator>

namespace nave::kernel {

namespace {

/// A lookup and what ends it, for one selector.
void add_pair(std::set<Rule>& rules, Rule selector) {
    selector.priority = kLookupPriority;
    selector.action = Rule::Action::lookup;
    rules.insert(selector);
    selector.priority = kUnreachablePriority;
    selector.action = Rule::Action::unreachable;
    rules.insert(std::move(selector));
}

void add_interface(std::set<Rule>& rules, const std::string& name, TableNumber table) {
    add_pair(rules, {.table = table, .incoming = name});
    add_pair(rules, {.table = table, .outgoing = name});
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
            if (prefix.length > 0) add_pair(rules, {.table = tunnel.table, .to = prefix});
        for_each_address(mirror, tunnel.index, [&](const Address& address) {
            add_pair(rules, {.table = tunnel.table, .from = Prefix::host(address.address)});
            add_pair(rules, {.table = tunnel.table, .to = address.network()});
        });
    }
    for (const PortPlan& port : plan.ports) {
        if (port.index == 0) continue;
        if (port.tunnel) {
            add_interface(rules, port.twin, port.table);
            for_each_address(mirror, port.index, [&](const Address& address) {
                add_pair(rules, {.table = port.table, .from = address.network()});
                add_pair(rules, {.table = port.table, .to = address.network()});
            });
        } else if (port.table != kMainTable) {
            add_pair(rules, {.table = port.table, .outgoing = port.twin});
            for_each_address(mirror, port.index, [&](const Address& address) {
                add_pair(rules, {.table = port.table, .from = Prefix::host(address.address)});
            });
        }
    }
    return rules;
}

OurRoutes routes_for(const Mirror& mirror, const Plan& plan) {
    OurRoutes routes;
    const auto add = [&](RouteRequest route) { routes.try_emplace({route.table, route.prefix}, route); };
    for (const PortPlan& port : plan.ports) {
        if (port.index == 0 || !mirror.is_up(port.index)) continue;
        const bool kernel_does_it = !port.tunnel && port.table == kMainTable;
        for_each_address(mirror, port.index, [&](const Address& address) {
            if (kernel_does_it) return;
            add({.table = port.table, .prefix = address.network(), .index = port.index, .preferred_source = address.address});
        });
        for (const IpAddress& gateway : port.gateways)
            add({.table = port.table, .prefix = Prefix::of(gateway, 0), .index = port.index, .gateway = gateway, .on_link = true, .append = kernel_does_it});
    }
    for (const TunnelPlan& tunnel : plan.tunnels) {
        if (tunnel.index == 0 || !mirror.is_up(tunnel.index)) continue;
        for_each_address(mirror, tunnel.index, [&](const Address& address) {
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
        const auto there = has.find({key.first, key.second, 0});
        const NextHop hop{.index = request.index, .gateway = request.gateway};
        if (there == has.end() || there->second.next_hops != std::vector{hop}) steps.add.push_back(request);
    }
    return steps;
}

}  // namespace nave::kernel
