// Front-door separation: the policy rules and routes that keep tunnel and underlay apart in the kernel. Pure.
#pragma once

#include "controlplane/kernel/mirror.hpp"
#include "controlplane/kernel/netlink_codec.hpp"
#include "controlplane/kernel/plan.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace nave::kernel {

/// What tells us to which table a packet belongs, the surest first: prefixes of several tunnels may overlap, interfaces and our own
/// addresses do not.
enum class Says : std::uint8_t { interface, own_address, network };

/// Our band of rule priorities: for each of these the lookups, and one behind them what ends a search that found nothing, so that it never
/// goes on to what says less, nor to the underlay's table (fail closed). Below the main table (32766), above what operators usually take.
constexpr std::uint32_t lookup_priority(Says says) { return 1910 + 2 * static_cast<std::uint32_t>(says); }
/// Before them: link-local destinations of IPv6, which name a link and never leave it.
inline constexpr std::uint32_t kLinkLocalPriority = 1909;

/// The rules for the twins that are open, their names and the addresses on them:
/// - what comes from or is bound to a tunnel's or inside twin, comes from their addresses, or goes to their networks, is looked up in the
///   tunnel's table, and is unreachable if that has nothing;
///   What comes in so gets no answer in IPv6;
/// - an underlay port with a table of its own: what is bound to its twin or comes from its addresses is looked up there.
std::set<Rule> rules_for(const Mirror& mirror, const Plan& plan);

using OurRoutes = std::map<std::pair<TableNumber, Prefix>, RouteRequest>;
/// The routes of ours that follow from addresses and configuration: connected networks of tunnels and inside ports in the tunnel's table,
/// what the configuration puts behind the hubs. Routes through twins that are down are left out, the kernel would refuse them.
OurRoutes routes_for(const Mirror& mirror, const Plan& plan);

/// Steps from what the kernel has to what it shall have.
struct RuleSteps {
    std::vector<Rule> remove, add;
};
RuleSteps steps_between(const std::set<Rule>& has, const std::set<Rule>& wanted);

/// Of the main table none is removed that is not wanted: it is everybody's.
struct RouteSteps {
    std::vector<RouteRequest> remove, add;
};
RouteSteps steps_between(const std::map<Mirror::RouteKey, Route>& has, const OurRoutes& wanted);

}  // namespace nave::kernel
