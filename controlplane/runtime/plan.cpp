// The kernel's plan.
#include "controlplane/runtime/plan.hpp"

#include "controlplane/overlay/link_local.hpp"

#include <algorithm>

namespace nave::runtime {

namespace {
/// Ports of one table are in one inside, whichever of its tunnels they name.
TunnelId first_of_table(const std::vector<overlay::Tunnel>& tunnels, TunnelId named) {
    return std::ranges::find(tunnels, tunnels.at(named.value).table, &overlay::Tunnel::table)->id;
}
}  // namespace

kernel::Plan plan_of(const config::Config& config, const std::function<MacAddress(PortId)>& mac) {
    kernel::Plan plan;
    for (const config::Port& port : config.ports) {
        kernel::PortPlan& planned = plan.ports.emplace_back();
        planned.port = port.id;
        planned.twin = port.twin;
        planned.mac = mac(port.id);
        planned.mtu = port.mtu;
        if (port.role == config::PortRole::inside && port.tunnel) planned.tunnel = first_of_table(config.overlay.tunnels, *port.tunnel);
        planned.table = port.table;
        for (const auto& [address, length] : port.addresses) planned.addresses.push_back({.address = address, .length = length});
        planned.gateways = port.gateways;
    }
    for (const overlay::Tunnel& tunnel : config.overlay.tunnels) {
        const config::TunnelTwin& twin = config.twins.at(tunnel.id.value);
        kernel::TunnelPlan& planned = plan.tunnels.emplace_back();
        planned.tunnel = tunnel.id;
        planned.twin = twin.twin;
        planned.mtu = tunnel.mtu;
        planned.table = twin.table;
        planned.address = {.address = tunnel.address.value, .length = tunnel.address_length};
        if (const auto link_local = overlay::link_local_of(tunnel.address); link_local && tunnel.link_local) planned.link_local = {.address = link_local->value, .length = 64};
        planned.routes = tunnel.routes;
    }
    return plan;
}

}  // namespace nave::runtime
