// The kernel's plan.
#include "controlplane/runtime/plan.hpp"

#include "controlplane/overlay/link_local.hpp"

namespace nave::runtime {

kernel::Plan plan_of(const config::Config& config, const std::function<MacAddress(PortId)>& mac) {
    kernel::Plan plan;
    for (const config::Port& port : config.ports) {
        kernel::PortPlan& planned = plan.ports.emplace_back();
        planned.port = port.id;
        planned.twin = port.twin;
        planned.mac = mac(port.id);
        planned.mtu = port.mtu;
        planned.tunnel = port.role == config::PortRole::inside ? port.tunnel : std::nullopt;
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
        if (const auto link_local = overlay::link_local_of(tunnel.address)) planned.link_local = {.address = link_local->value, .length = 64};
        planned.routes = tunnel.routes;
    }
    return plan;
}

}  // namespace nave::runtime
