// Opening the twins: made, quieted, addressed, separated, and only then brought up.
#include "controlplane/kernel/kernel_impl.hpp"

#include <fmt/format.h>

namespace nave::kernel {

namespace {

std::string privilege_hint(int code) { return code == EPERM ? ": run naved as root or with the capability CAP_NET_ADMIN" : ""; }

std::string failed(std::string_view what, const std::string& name, const KernelError& error) {
    return fmt::format("cannot {} the interface {}: {}{}", what, name, error.text(), privilege_hint(error.code));
}

}  // namespace

std::expected<Kernel, std::string> Kernel::open(Plan plan, std::uint32_t adjacencies_max, std::uint8_t workers) {
    auto netlink = Netlink::open();
    if (!netlink) return std::unexpected{fmt::format("cannot open a netlink socket: {}", netlink.error().text())};
    Kernel kernel{std::make_unique<Impl>(std::move(plan), std::move(*netlink), adjacencies_max, workers)};
    Impl& impl = *kernel.impl_;
    if (auto opened = impl.open_twins(); !opened) return std::unexpected{opened.error()};
    if (auto addressed = impl.address_twins(); !addressed) return std::unexpected{addressed.error()};
    // The rules stand before the first packet can pass.
    std::vector<overlay::Log> log;
    if (auto dumped = impl.dump_all(); !dumped) return std::unexpected{fmt::format("cannot read the kernel's tables: {}", dumped.error().text())};
    impl.separate_rules(log);
    if (!log.empty()) return std::unexpected{log.front().text};
    if (auto raised = impl.raise_twins(); !raised) return std::unexpected{raised.error()};
    return kernel;
}

std::expected<void, std::string> Kernel::Impl::open_twin(Twin::Kind kind, const std::string& name, InterfaceIndex& index, bool forwards) {
    auto twin = Twin::open(kind, name);
    if (!twin) return std::unexpected{twin.error()};
    index = twin->index();
    quiet_interface(name, forwards);
    twins.push_back(std::move(*twin));
    return {};
}

std::expected<void, std::string> Kernel::Impl::open_twins() {
    std::set<InterfaceIndex> interfaces;
    std::set<TableNumber> tables{kMainTable};
    for (PortPlan& port : plan.ports) {
        if (auto opened = open_twin(Twin::Kind::tap, port.twin, port.index, port.tunnel.has_value()); !opened) return opened;
        if (auto set = netlink.request(change_link(port.index, port.mac, port.mtu, false)); !set) {
            return std::unexpected{failed("set MAC and MTU of", port.twin, set.error())};
        }
        interfaces.insert(port.index);
        tables.insert(port.table);
    }
    for (TunnelPlan& tunnel : plan.tunnels) {
        if (auto opened = open_twin(Twin::Kind::tun, tunnel.twin, tunnel.index, true); !opened) return opened;
        if (auto set = netlink.request(change_link(tunnel.index, {}, tunnel.mtu, false)); !set) {
            return std::unexpected{failed("set the MTU of", tunnel.twin, set.error())};
        }
        interfaces.insert(tunnel.index);
        tables.insert(tunnel.table);
    }
    mirror.watch(std::move(interfaces), std::move(tables));
    return {};
}

std::expected<void, KernelError> Kernel::Impl::put_address(InterfaceIndex index, const NetworkAddress& address, bool prefix_route) {
    return netlink.request(add_address({.index = index, .address = address.address, .length = address.length}, prefix_route));
}

std::expected<void, std::string> Kernel::Impl::address_twins() {
    for (const PortPlan& port : plan.ports) {
        const bool main_table = !port.tunnel && port.table == kMainTable;
        for (const NetworkAddress& address : port.addresses) {
            if (!address.address.is_v4()) let_ipv6(port.twin);
            if (auto put = put_address(port.index, address, main_table); !put) return std::unexpected{failed("put an address on", port.twin, put.error())};
        }
    }
    for (const TunnelPlan& tunnel : plan.tunnels) {
        if (!tunnel.address.address.is_v4()) let_ipv6(tunnel.twin);
        if (auto put = put_address(tunnel.index, tunnel.address, false); !put) return std::unexpected{failed("put an address on", tunnel.twin, put.error())};
        if (!tunnel.link_local) continue;
        if (auto put = put_address(tunnel.index, *tunnel.link_local, true); !put) return std::unexpected{failed("put a link-local address on", tunnel.twin, put.error())};
    }
    return {};
}

std::expected<void, std::string> Kernel::Impl::raise_twins() {
    for (const PortPlan& port : plan.ports) {
        if (auto set = netlink.request(change_link(port.index, {}, port.mtu, true)); !set) return std::unexpected{failed("bring up", port.twin, set.error())};
    }
    for (const TunnelPlan& tunnel : plan.tunnels) {
        if (auto set = netlink.request(change_link(tunnel.index, {}, tunnel.mtu, true)); !set) return std::unexpected{failed("bring up", tunnel.twin, set.error())};
    }
    return {};
}

}  // namespace nave::kernel
