// Opening a port: the device behind its string, its MTU, queues and offloads.
#include "dataplane/port.hpp"

#include "dataplane/frame_size.hpp"
#include "dataplane/log_capture.hpp"
#include "dataplane/packet_sockets.hpp"
#include "dataplane/ring_cable.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string_view>
#include <utility>

namespace nave::dataplane {

namespace {

constexpr std::uint16_t kDescriptors = 1024;
constexpr std::uint32_t kEthernetOverhead = 14 + 4 + 4;  // header, VLAN tag, frame check sequence

std::string_view advice_for(DeviceKind kind) {
    switch (kind) {
    case DeviceKind::pci: return "bind it to vfio-pci with `dpdk-devbind.py --bind=vfio-pci ADDRESS`, and check that DPDK has a driver for it";
    case DeviceKind::af_packet: return "run it as root, or give it CAP_NET_ADMIN and CAP_NET_RAW";
    case DeviceKind::af_xdp: return "run it as root on a kernel with XDP sockets, or use af_packet";
    case DeviceKind::tap: return "run it as root with /dev/net/tun present, and choose a name that no interface has";
    case DeviceKind::memif: return "check that the folder of the socket exists, that no other port has the same role and id, and that the server runs before the client";
    case DeviceKind::virtio_user: return "check that the other end has made the socket and listens, or give server=1";
    case DeviceKind::vhost: return "check that the folder of the socket exists and is writable, and that no other process made the socket";
    case DeviceKind::pcap: return "check that the file is a capture that can be read, and that the folder of tx_pcap is writable";
    case DeviceKind::ring: return "";
    }
    return "";
}

/// Computing checksums in software is a virtual driver's only way too, and ours is nearer to the packet; virtio's would bring
/// unfinished ones.
bool offloads_checksums(const DeviceString& device, std::string_view driver) { return device.kind == DeviceKind::pci && driver != "net_virtio"; }

/// Drivers that have receive interrupts which survive what the other end does; vhost's change with every connection.
bool has_interrupts(DeviceKind kind) { return kind == DeviceKind::pci || kind == DeviceKind::tap || kind == DeviceKind::virtio_user; }

/// What a received buffer holds.
std::size_t buffer_bytes(rte_mempool* pool) { return std::size_t{rte_pktmbuf_data_room_size(pool)} - RTE_PKTMBUF_HEADROOM; }

}  // namespace

Port::Port(const PortSetup& setup, std::string text) : setup_{setup}, text_{std::move(text)}, interrupts_{setup.adaptive && has_interrupts(setup.device.kind)} {}

std::unexpected<SetupError> Port::refuse(std::string_view why) const { return std::unexpected{SetupError{fmt::format("port {} ({}): {}", setup_.name, text_, why)}}; }

std::string_view Port::advice() const { return advice_for(setup_.device.kind); }

std::expected<Port, SetupError> Port::open(const PortSetup& setup) {
    LogCapture log;
    Port port{setup, to_string(setup.device)};
    using Step = std::expected<void, SetupError> (Port::*)();
    for (const Step step : {&Port::take_kernel_interface, &Port::attach, &Port::choose_mtu, &Port::configure}) {
        auto done = (port.*step)();
        if (done) continue;
        if (const auto said = log.text(); !said.empty()) done.error().text += fmt::format(". DPDK says: {}", said);
        return std::unexpected{std::move(done.error())};
    }
    // Before the next port opens its own.
    if (port.kernel_) {
        std::vector<int> made;
        std::ranges::set_difference(packet_sockets(), port.sockets_, std::back_inserter(made));
        port.sockets_ = std::move(made);
    }
    port.read_mac();
    return port;
}

std::expected<void, SetupError> Port::take_kernel_interface() {
    if (!setup_.device.kernel_facing()) return {};
    auto taken = KernelInterface::take(setup_.device.name);
    if (!taken) return refuse(taken.error().text);
    if (setup_.device.kind == DeviceKind::af_xdp && taken->receive_queues() > setup_.queues)
        return refuse(fmt::format("the interface spreads packets over {} queues, but there are workers for {}; set it with `ethtool -L {} combined {}`, or use af_packet",
                                  taken->receive_queues(), setup_.queues, setup_.device.name, setup_.queues));
    kernel_.emplace(std::move(*taken));
    sockets_ = packet_sockets();  // those that are not this device's
    return {};
}

std::uint16_t Port::wanted_queues() const {
    switch (setup_.device.kind) {
    case DeviceKind::pci:
    case DeviceKind::af_packet:
    case DeviceKind::tap:
    case DeviceKind::ring: return setup_.queues;
    case DeviceKind::af_xdp: return std::min(setup_.queues, kernel_->receive_queues());
    case DeviceKind::memif:
    case DeviceKind::virtio_user:
    case DeviceKind::vhost:
    case DeviceKind::pcap: break;
    }
    // The other end has a say: only what the operator wrote.
    std::uint16_t queues = 1;
    const auto given = setup_.device.option("queues").value_or("1");
    std::from_chars(given.data(), given.data() + given.size(), queues);
    return std::clamp<std::uint16_t>(queues, 1, setup_.queues);
}

std::expected<void, SetupError> Port::attach() {
    on_bus_ = device_arguments(setup_.device, {.index = setup_.id.value, .queues = wanted_queues(), .mtu = kernel_ ? kernel_->mtu() : setup_.mtu.value_or(1500)});
    switch (setup_.device.kind) {
    case DeviceKind::ring: {
        const auto end = plug_in_ring(setup_.device.name, wanted_queues());
        if (!end) return refuse(end.error().text);
        device_ = end->device;
        on_bus_.device = end->device_name;
        break;
    }
    case DeviceKind::pci:
        // EAL probed the devices that its configuration listed.
        if (rte_eth_dev_get_port_by_name(on_bus_.device.c_str(), &device_) != 0) return refuse(fmt::format("no such device; {}", advice()));
        break;
    default:
        if (auto made = attach_virtual(on_bus_); !made) return made;
    }
    attached_ = true;
    return {};
}

std::expected<void, SetupError> Port::attach_virtual(const DeviceArguments& arguments) {
    const int result = rte_eal_hotplug_add(arguments.bus.c_str(), arguments.device.c_str(), arguments.arguments.c_str());
    if (result == 0 && rte_eth_dev_get_port_by_name(arguments.device.c_str(), &device_) == 0) return {};
    return refuse(fmt::format("DPDK cannot make the device ({}); {}", result == 0 ? "no port" : rte_strerror(-result), advice()));
}

std::expected<void, SetupError> Port::choose_mtu() {
    rte_eth_dev_info info{};
    std::uint16_t current = 1500;
    if (rte_eth_dev_info_get(device_, &info) != 0 || rte_eth_dev_get_mtu(device_, &current) != 0) return refuse("the driver does not describe the device");
    if (kernel_) current = kernel_->mtu();
    const std::uint16_t mtu = setup_.mtu.value_or(current);
    const std::uint16_t most = kernel_ ? current : info.max_mtu, least = std::max<std::uint16_t>(info.min_mtu, 68);  // RFC 791 §3.2
    if (mtu < least || mtu > most) return refuse(fmt::format("MTU {} is outside of what the device accepts, {} to {}", mtu, least, most));
    capabilities_.mtu = mtu;

    const std::size_t buffer = buffer_bytes(setup_.pool);
    const bool scatters = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
    const std::size_t needed = setup_.device.kind == DeviceKind::af_packet ? frame_bytes(current) : mtu + kEthernetOverhead;
    if (needed > buffer && !scatters)
        return refuse(fmt::format("packets of its MTU {} do not fit into buffers of {} bytes, and the device cannot spread them; lower the MTU{}, "
                                  "or configure mtu = {} so that buffers are larger",
                                  current, buffer, kernel_ ? fmt::format(" with `ip link set {} mtu 1500`", kernel_->name()) : "", current));
    return {};
}

std::expected<void, SetupError> Port::configure() {
    rte_eth_dev_info info{};
    if (rte_eth_dev_info_get(device_, &info) != 0) return refuse("the driver does not describe the device");
    capabilities_.driver = info.driver_name;
    capabilities_.queues = std::min({wanted_queues(), info.max_rx_queues, info.max_tx_queues});
    if (capabilities_.queues == 0) return refuse("the device has no queue pair");

    rte_eth_conf conf{};
    // The kernel keeps to its interface's MTU itself; the drivers over it report the classic frame size whatever it is.
    const std::uint32_t overhead = info.max_rx_pktlen > info.max_mtu ? info.max_rx_pktlen - info.max_mtu : 18;
    conf.rxmode.mtu = kernel_ ? std::min<std::uint32_t>(capabilities_.mtu, info.max_rx_pktlen - overhead) : capabilities_.mtu;
    std::uint64_t receive = 0, transmit = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (capabilities_.mtu + kEthernetOverhead > buffer_bytes(setup_.pool)) receive |= RTE_ETH_RX_OFFLOAD_SCATTER;
    if (offloads_checksums(setup_.device, capabilities_.driver)) {
        receive |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
        transmit |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    }
    conf.rxmode.offloads = receive & info.rx_offload_capa;
    conf.txmode.offloads = transmit & info.tx_offload_capa;
    const std::uint64_t spread = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_ESP);
    capabilities_.rss = capabilities_.queues > 1 && spread != 0;
    if (capabilities_.rss) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = spread;
    }
    conf.intr_conf.rxq = interrupts_;
    int result = rte_eth_dev_configure(device_, capabilities_.queues, capabilities_.queues, &conf);
    if (result != 0 && std::exchange(interrupts_, false)) {
        conf.intr_conf.rxq = 0;
        result = rte_eth_dev_configure(device_, capabilities_.queues, capabilities_.queues, &conf);
    }
    if (result != 0) return refuse(fmt::format("the device refuses {} queues with MTU {} ({}); {}", capabilities_.queues, capabilities_.mtu, rte_strerror(-result), advice()));
    capabilities_.receive_checks_ipv4 = conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
    capabilities_.receive_checks_udp = conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    capabilities_.transmit_fills_ipv4 = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
    capabilities_.transmit_fills_udp = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    capabilities_.transmits_segments = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    return set_up_queues();
}

std::expected<void, SetupError> Port::set_up_queues() {
    std::uint16_t receive_descriptors = kDescriptors, transmit_descriptors = kDescriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(device_, &receive_descriptors, &transmit_descriptors);
    const int node = rte_eth_dev_socket_id(device_);
    const unsigned socket = node < 0 ? static_cast<unsigned>(SOCKET_ID_ANY) : static_cast<unsigned>(node);
    for (std::uint16_t queue = 0; queue < capabilities_.queues; ++queue) {
        int result = rte_eth_rx_queue_setup(device_, queue, receive_descriptors, socket, nullptr, setup_.pool);
        if (result == 0) result = rte_eth_tx_queue_setup(device_, queue, transmit_descriptors, socket, nullptr);
        if (result != 0) return refuse(fmt::format("queue {} cannot be set up: {}; {}", queue, rte_strerror(-result), advice()));
    }
    return {};
}

void Port::read_mac() {
    rte_ether_addr address{};
    if (rte_eth_macaddr_get(device_, &address) != 0 || rte_is_zero_ether_addr(&address)) {
        // In-memory devices have none: a random, locally administered one.
        rte_eth_random_addr(address.addr_bytes);
        rte_eth_dev_default_mac_addr_set(device_, &address);
    }
    std::copy_n(address.addr_bytes, mac_.bytes.size(), mac_.bytes.begin());
}

}  // namespace nave::dataplane
