// What the operator is shown, and what it may do.
#include "controlplane/runtime/runtime_impl.hpp"

namespace nave::runtime {

std::vector<overlay::PeerView> Runtime::Impl::peers() const { return gateway.peers(now()); }
std::vector<overlay::NhrpView> Runtime::Impl::nhrp() const { return gateway.nhrp(now()); }
std::vector<overlay::IkeView> Runtime::Impl::ike() const { return gateway.ike(now()); }
std::vector<overlay::SaView> Runtime::Impl::sas() const { return gateway.sas(now()); }
std::vector<overlay::RouteView> Runtime::Impl::routes() const { return gateway.routes(); }
const Counters& Runtime::Impl::dataplane_counters() const { return around.counters; }
const config::Config& Runtime::Impl::configuration() const { return around.config; }

std::vector<management::PortView> Runtime::Impl::ports() const {
    std::vector<management::PortView> views;
    for (const config::Port& port : around.config.ports) {
        const PortDevice device = around.device(port.id);
        management::PortView& view = views.emplace_back();
        view.name = port.name;
        view.role = port.role == config::PortRole::underlay ? "underlay" : "inside";
        view.device = port.device;
        view.twin = port.twin;
        if (port.role == config::PortRole::inside && port.tunnel) view.tunnel = around.config.overlay.tunnels.at(port.tunnel->value).name;
        view.mac = device.mac.to_string();
        view.link = device.up ? "up" : "down";
        const auto& mtus = kernel.view().interfaces.port_mtus;
        const auto mtu = mtus.find(port.id);
        view.mtu = mtu == mtus.end() ? port.mtu : mtu->second;
        view.queues = device.queues;
        view.addresses = kernel.addresses(port.id);
        for (const WorkerCounters& worker : around.counters.workers) {
            const PortCounters& counters = worker.ports.at(port.id.value);
            view.received_packets += counters.received_packets.read();
            view.received_bytes += counters.received_bytes.read();
            view.sent_packets += counters.sent_packets.read();
            view.sent_bytes += counters.sent_bytes.read();
        }
        view.missed = device.missed;
        view.errors = device.errors;
    }
    return views;
}

std::vector<std::pair<std::string, std::uint64_t>> Runtime::Impl::control_counters() const {
    auto counters = gateway.counters();
    const auto& paths = underlay.counters();
    const auto kernels = kernel.counters();
    const std::initializer_list<std::pair<std::string, std::uint64_t>> own{
        {"kernel-to-twins", kernels.to_twins}, {"kernel-from-twins", kernels.from_twins}, {"kernel-refused-by-twin", kernels.refused_by_twin},
        {"kernel-without-twin", kernels.without_twin}, {"kernel-resynchronised", kernels.resynchronised},
        {"kernel-adjacencies-refused", kernels.adjacencies_refused},
        {"underlay-no-route", paths.no_route}, {"underlay-unresolved", paths.unresolved}, {"underlay-waiting-full", paths.waiting_full},
        {"underlay-unsupported", paths.unsupported},
        {"commands-delayed", commands.delayed()}, {"commands-waiting", commands.waiting()}, {"log-lines-left-out", log_lines.left_out()},
    };
    counters.insert(counters.end(), own);
    std::uint64_t refused = 0;
    for (const WorkerCounters& worker : around.counters.workers) refused += worker.commands_refused.read();
    const RouteCounters& routes = around.counters.routes;
    const std::initializer_list<std::pair<std::string, std::uint64_t>> planes{
        {"commands-refused", refused}, {"routes-changed", routes.changes.read()}, {"routes-refused", routes.refused.read()},
        {"routes-waited-for-workers", routes.grace_waits.read()},
    };
    counters.insert(counters.end(), planes);
    counters.insert(counters.end(), counted.begin(), counted.end());
    return counters;
}

std::size_t Runtime::Impl::clear_peer(std::string_view text) { return gateway.clear_peer(text, now(), out); }

void Runtime::Impl::shut_down() {
    log(ike::Severity::notice, "operator", "ending on the operator's request");
    ending = true;
}

}  // namespace nave::runtime
