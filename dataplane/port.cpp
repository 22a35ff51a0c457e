// Using a port: starting, stopping, bursts, link and wakers.
#include "dataplane/port.hpp"

#include "dataplane/checksum_repair.hpp"
#include "dataplane/frame_size.hpp"
#include "dataplane/log_capture.hpp"
#include "dataplane/packet_sockets.hpp"
#include "dataplane/ring_cable.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace nave::dataplane {

namespace {

bool is_eventfd(int descriptor) {
    std::array<char, 64> target{};
    const auto size = readlink(fmt::format("/proc/self/fd/{}", descriptor).c_str(), target.data(), target.size());
    return size > 0 && std::string_view{target.data(), static_cast<std::size_t>(size)} == "anon_inode:[eventfd]";
}

/// The waker of a queue whose device was configured for interrupts; nothing when its driver has none after all.
std::optional<QueueWake> interrupt_of(std::uint16_t device, std::uint16_t queue) {
    const int descriptor = rte_eth_dev_rx_intr_ctl_q_get_fd(device, queue);
    if (descriptor < 0) return std::nullopt;
    const int armed = rte_eth_dev_rx_intr_enable(device, queue);
    if (armed == 0) rte_eth_dev_rx_intr_disable(device, queue);
    // A driver whose descriptor is the kernel's own queue has nothing to arm.
    if (armed != 0 && armed != -ENOTSUP) return std::nullopt;
    return QueueWake{.descriptor = descriptor, .is_counter = is_eventfd(descriptor), .needs_arming = armed == 0, .device = device, .queue = queue};
}

/// `packet` in one buffer of `pool`; nullptr when there is none or it is too small.
rte_mbuf* copied(const rte_mbuf& packet, rte_mempool* pool) {
    if (packet.pkt_len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(pool)) return nullptr;
    return rte_pktmbuf_copy(&packet, pool, 0, UINT32_MAX);
}

}  // namespace

Port::Port(Port&& other) noexcept
    : setup_{std::move(other.setup_)}, text_{std::move(other.text_)}, kernel_{std::move(other.kernel_)}, sockets_{std::move(other.sockets_)},
      device_{other.device_}, attached_{std::exchange(other.attached_, false)}, started_{std::exchange(other.started_, false)}, interrupts_{other.interrupts_},
      on_bus_{std::move(other.on_bus_)}, capabilities_{std::move(other.capabilities_)}, mac_{other.mac_}, wakes_{std::move(other.wakes_)} {}

Port::~Port() {
    stop();
    if (!attached_) return;
    if (setup_.device.kind == DeviceKind::ring) {
        unplug_ring(setup_.device.name, {device_, on_bus_.device});
        return;
    }
    rte_eth_dev_close(device_);
    if (on_bus_.bus == "vdev") rte_eal_hotplug_remove(on_bus_.bus.c_str(), on_bus_.device.c_str());
}

std::expected<void, SetupError> Port::start() {
    LogCapture log;
    int result = rte_eth_dev_start(device_);
    if (result != 0 && interrupts_) {
        // Some devices find out only now that they have no interrupt to give.
        interrupts_ = false;
        if (auto configured = configure(); !configured) return configured;
        result = rte_eth_dev_start(device_);
    }
    if (result != 0) return refuse(fmt::format("it does not start ({}); {}. DPDK says: {}", rte_strerror(-result), advice(), log.text()));
    started_ = true;
    // Routing daemons on the port's twin listen to multicast. A device that cannot choose delivers it anyway.
    rte_eth_allmulticast_enable(device_);
    if (setup_.adaptive) find_wakes();
    return {};
}

void Port::stop() {
    if (!std::exchange(started_, false)) return;
    wakes_.clear();
    rte_eth_dev_stop(device_);
}

void Port::find_wakes() {
    if (kernel_) {
        if (sockets_.size() != capabilities_.queues) return;
        for (const int descriptor : sockets_)
            wakes_.push_back({.descriptor = descriptor, .is_counter = false, .needs_arming = false, .device = device_, .queue = static_cast<std::uint16_t>(wakes_.size())});
    }
    for (std::uint16_t queue = 0; interrupts_ && queue < capabilities_.queues; ++queue) {
        const auto wake = interrupt_of(device_, queue);
        if (!wake) return wakes_.clear();
        wakes_.push_back(*wake);
    }
    capabilities_.wakes = wakes_.size() == capabilities_.queues;
}

std::optional<QueueWake> Port::wake(std::uint16_t queue) const {
    if (queue >= wakes_.size()) return std::nullopt;
    return wakes_[queue];
}

PortLink Port::link() const {
    // The drivers over kernel interfaces of DPDK 22.11 say "up, 10 Gbit/s" whatever happens.
    if (kernel_) return {.up = started_ && kernel_->is_running(), .megabits_per_second = 0};
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(device_, &link) != 0) return {};
    return {.up = link.link_status == RTE_ETH_LINK_UP, .megabits_per_second = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed};
}

PortLosses Port::losses() const {
    rte_eth_stats statistics{};
    if (rte_eth_stats_get(device_, &statistics) != 0) return {};
    for (const int socket : sockets_) ring_drops_ += take_ring_drops(socket);
    return {.missed = statistics.imissed + statistics.rx_nombuf + ring_drops_, .errors = statistics.ierrors + statistics.oerrors};
}

std::uint16_t Port::receive(std::uint16_t queue, std::span<rte_mbuf*> room) {
    const std::uint16_t count = rte_eth_rx_burst(device_, queue, room.data(), static_cast<std::uint16_t>(room.size()));
    if (kernel_) {
        for (rte_mbuf* packet : room.first(count)) complete_partial_checksum({rte_pktmbuf_mtod(packet, std::uint8_t*), packet->data_len});
    }
    return count;
}

std::uint16_t Port::transmit(std::uint16_t queue, std::span<rte_mbuf*> packets) {
    std::size_t ready = packets.size();
    if (!capabilities_.transmits_segments) {
        for (ready = 0; ready < packets.size(); ++ready) {
            if (packets[ready]->nb_segs == 1) continue;
            rte_mbuf* copy = copied(*packets[ready], setup_.pool);
            if (copy == nullptr) break;
            rte_pktmbuf_free(std::exchange(packets[ready], copy));
        }
    }
    return rte_eth_tx_burst(device_, queue, packets.data(), static_cast<std::uint16_t>(ready));
}

std::uint16_t Port::data_room(std::uint16_t mtu) { return static_cast<std::uint16_t>(frame_bytes(mtu) + RTE_PKTMBUF_HEADROOM); }

}  // namespace nave::dataplane
