// What must hold for the gateway as a whole and for its ports.
#include "common/headers.hpp"
#include "controlplane/config/finish.hpp"
#include "controlplane/config/texts.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace nave::config {
namespace {

bool is_underlay_of_any(const Draft& draft, const std::string& port) {
    return std::ranges::any_of(draft.tunnels, [&](const TunnelDraft& tunnel) { return tunnel.underlay == port; });
}

/// False if a tunnel's underlay is missing or misspelt, which is one problem, and not also that of the port it meant.
bool underlays_are_known(const Draft& draft) {
    return std::ranges::all_of(draft.tunnels, [&](const TunnelDraft& tunnel) {
        return std::ranges::any_of(draft.ports, [&](const PortDraft& port) { return port.port.name == tunnel.underlay; });
    });
}

void check_role(Reader& reader, const Draft& draft, const PortDraft& port) {
    const bool underlay = is_underlay_of_any(draft, port.port.name);
    const bool inside = !port.tunnel.empty();
    if (underlay && inside) {
        reader.problem(at(*port.source, "tunnel"), fmt::format("port \"{}\" is a tunnel's underlay, so it cannot be an inside port too", port.port.name));
    } else if (!underlay && !inside && underlays_are_known(draft)) {
        reader.problem(*port.source, "the port has no use; name it as a tunnel's underlay, or give it tunnel = \"...\" to make it an inside port");
    }
}

void check_gateway_address(Reader& reader, const PortDraft& draft, const IpAddress& gateway) {
    const Port& port = draft.port;
    const Value& place = at(*draft.source, "gateway");
    if (!draft.tunnel.empty()) return reader.problem(place, "only an underlay port has a gateway; routes of an inside port are the kernel's");
    const auto family = [](const InterfaceAddress& each) { return each.address.family(); };
    const auto own = std::ranges::find(port.addresses, gateway.family(), family);
    if (port.addresses.empty()) return reader.problem(place, "a static gateway needs a static address; leave both out to use DHCP on the twin");
    if (own == port.addresses.end()) return reader.problem(place, fmt::format("found \"{}\", and the port has no address of that family", gateway.to_string()));
    if (gateway == own->address) return reader.problem(place, fmt::format("found \"{}\", which is the port's own address", gateway.to_string()));
    if (gateway.is_link_local() || own->network().contains(gateway)) return;
    reader.problem(place, fmt::format("found \"{}\", which is not in the port's network {}", gateway.to_string(), own->network().to_string()));
}

void check_ipv6_mtu(Reader& reader, const PortDraft& draft) {
    for (const InterfaceAddress& each : draft.port.addresses) {
        if (!each.address.is_v4() && draft.port.mtu < kIpv6MtuMin)
            reader.problem(at(*draft.source, "mtu"), fmt::format("found {}; accepted: with an IPv6 address at least {}", draft.port.mtu, kIpv6MtuMin));
    }
}

/// A device such as "af_packet:eth0" holds a kernel interface, whose name the twin cannot have.
void check_twin(Reader& reader, const std::string& twin, const Value& source, const Draft& draft) {
    const Value& place = at(source, "twin");
    if (const auto usable = parse_interface_name(twin); !usable) {
        return reader.problem(place, fmt::format("the twin's name \"{}\" is no kernel interface name; accepted: twin = a name of up to 15 characters", twin));
    }
    for (const PortDraft& port : draft.ports) {
        const auto colon = port.port.device.find(':');
        const bool held = colon != std::string::npos && port.port.device.substr(colon + 1, port.port.device.find(',', colon) - colon - 1) == twin;
        if (held)
            reader.problem(place, fmt::format("the twin's name \"{}\" is that of the interface behind port \"{}\"; give another: twin = \"...\"",
                                              twin, port.port.name));
    }
}

template <class Key>
void check_once(Reader& reader, std::map<Key, std::string>& owners, const Key& key, const std::string& owner, const Value& place, std::string_view what) {
    const auto [entry, first] = owners.emplace(key, owner);
    if (!first) reader.problem(place, fmt::format("{} is that of {} already", what, entry->second));
}

}  // namespace

void check_gateway(Reader& reader, const Draft& draft) {
    std::map<std::string, std::string> twins, devices;
    for (const PortDraft& port : draft.ports) {
        const std::string owner = fmt::format("port \"{}\"", port.port.name);
        check_twin(reader, port.port.twin, *port.source, draft);
        check_once(reader, twins, port.port.twin, owner, at(*port.source, "twin"), fmt::format("the twin's name \"{}\"", port.port.twin));
        if (!port.port.device.empty())
            check_once(reader, devices, port.port.device, owner, at(*port.source, "device"), fmt::format("device \"{}\"", port.port.device));
    }
    for (const TunnelDraft& tunnel : draft.tunnels) {
        const std::string owner = fmt::format("tunnel \"{}\"", tunnel.tunnel.name);
        check_twin(reader, tunnel.twin.twin, *tunnel.source, draft);
        check_once(reader, twins, tunnel.twin.twin, owner, at(*tunnel.source, "twin"), fmt::format("the twin's name \"{}\"", tunnel.twin.twin));
    }
}

void check_ports(Reader& reader, const Draft& draft) {
    std::map<IpAddress, std::string> owners;
    for (const PortDraft& port : draft.ports) {
        check_role(reader, draft, port);
        check_ipv6_mtu(reader, port);
        for (const IpAddress& gateway : port.port.gateways) check_gateway_address(reader, port, gateway);
        if (!port.tunnel.empty() && port.source->member("table") != nullptr) {
            reader.problem(at(*port.source, "table"), "an inside port uses its tunnel's table; set the tunnel's");
        }
        for (const auto& [address, length] : port.port.addresses)
            check_once(reader, owners, address, fmt::format("port \"{}\"", port.port.name), at(*port.source, "address"), fmt::format("address {}", address.to_string()));
    }
    for (const TunnelDraft& tunnel : draft.tunnels) {
        const IpAddress& address = tunnel.tunnel.address.value;
        if (address.is_unspecified()) continue;
        check_once(reader, owners, address, fmt::format("tunnel \"{}\"", tunnel.tunnel.name), at(*tunnel.source, "address"),
                   fmt::format("address {}", address.to_string()));
    }
}

void check_devices(Reader& reader, const Draft& draft, const DeviceJudge& judge_device) {
    for (const PortDraft& port : draft.ports) {
        if (port.port.device.empty()) continue;  // complained about already
        if (const std::string complaint = judge_device(port.port.device); !complaint.empty()) reader.problem(at(*port.source, "device"), complaint);
    }
}

}  // namespace nave::config
