// The keys of [port.NAME].
#include "controlplane/config/keys.hpp"
#include "controlplane/config/texts.hpp"

namespace nave::config {
namespace {

constexpr std::size_t kDeviceMax = 256;  // characters

Parsed<std::string> parse_device(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (text.empty() || text.size() > kDeviceMax || !printable) return std::unexpected{std::string{}};
    return std::string{text};
}


}  // namespace

const Bindings<PortDraft>& port_keys() {
    static const Bindings<PortDraft> keys{
        required(parsed<PortDraft>(
            "device",
            R"(a device such as "0000:03:00.0", "af_packet:eth0", "af_xdp:eth0", "tap:nave", "virtio_user:...", "vhost:...", "memif:...", "ring:..." or "pcap:...")",
            parse_device, print_text, via(&PortDraft::port, &Port::device))),
        parsed<PortDraft>("tunnel", "the name of a tunnel, for an inside port", parse_reference, print_text, via(&PortDraft::tunnel)),
        one_per_family<PortDraft>("address", kAcceptsInterfaceAddress, parse_interface_address, print_interface_address,
                                  [](const InterfaceAddress& address) { return address.address.family(); }, via(&PortDraft::port, &Port::addresses)),
        one_per_family<PortDraft>("gateway", kAcceptsAddress, parse_gateway, print_host, [](const IpAddress& address) { return address.family(); },
                                  via(&PortDraft::port, &Port::gateways)),
        number<PortDraft>("vlan", 1, 4094, via(&PortDraft::port, &Port::vlan)),
        number<PortDraft>("mtu", 576, 9600, via(&PortDraft::port, &Port::mtu)),
        number<PortDraft>("table", 1, 4294967295, via(&PortDraft::port, &Port::table)),
        parsed<PortDraft>("twin", "a kernel interface name of up to 15 letters, digits, \"_\", \"-\" and \".\"", parse_interface_name, print_text,
                          via(&PortDraft::port, &Port::twin)),
    };
    return keys;
}

}  // namespace nave::config
