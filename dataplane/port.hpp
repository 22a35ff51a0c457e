// A port: one DPDK ethdev with the queues and offloads that it really has.
#pragma once

#include "common/addresses.hpp"
#include "common/ids.hpp"
#include "dataplane/device_string.hpp"
#include "dataplane/kernel_interface.hpp"
#include "dataplane/pause.hpp"
#include "dataplane/setup_error.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct rte_mbuf;
struct rte_mempool;

namespace nave::dataplane {

/// What to open.
struct PortSetup {
    PortId id;
    std::string name{};                // for errors
    DeviceString device;
    std::uint16_t queues = 1;          // wanted queue pairs: one for each worker
    std::optional<std::uint16_t> mtu;  // IP bytes; nothing: what the device has
    rte_mempool* pool = nullptr;       // of received packets; outlives the port; its buffers hold Port::data_room bytes
    bool adaptive = true;              // workers sleep: receive interrupts are asked for
};

/// What a device can do and was set up to do. Offloads that are not here must not be asked for in a packet.
struct PortCapabilities {
    std::string driver;                // such as "net_af_packet"
    std::uint16_t queues = 1;          // queue pairs in use, at most as many as wanted; every one must be polled
    std::uint16_t mtu = 1500;          // IP bytes
    bool rss = false;                  // the device spreads flows over the queues itself
    bool receive_checks_ipv4 = false;  // ol_flags tell whether a received IPv4 header checksum is good
    bool receive_checks_udp = false;
    bool transmit_fills_ipv4 = false;  // RTE_MBUF_F_TX_IP_CKSUM may be used
    bool transmit_fills_udp = false;   // RTE_MBUF_F_TX_UDP_CKSUM may be used
    bool transmits_segments = false;   // otherwise transmit() copies a chain into one buffer
    bool wakes = false;                // every receive queue can wake a sleeping worker; known after start()
};

struct PortLink {
    bool up = false;
    std::uint32_t megabits_per_second = 0;  // 0: unknown
};

/// Packets that the device itself lost, since it was started.
struct PortLosses {
    std::uint64_t missed = 0;  // received, but no buffer or room in its queue was free
    std::uint64_t errors = 0;  // damaged on reception, or not sent
};

/// One opened device. Opened, started, stopped and closed by the main thread; each queue pair is used by one worker.
class Port {
public:
    /// Makes the device, prepares the kernel interface under it and configures queues and offloads. EAL must be up.
    static std::expected<Port, SetupError> open(const PortSetup& setup);
    Port(Port&&) noexcept;
    Port& operator=(Port&&) = delete;
    /// Stops and closes the device, and gives the kernel interface its settings back.
    ~Port();

    /// Once; a stopped port is not started again.
    [[nodiscard]] std::expected<void, SetupError> start();
    void stop();

    PortId id() const { return setup_.id; }
    /// The ethdev's number, for what this class does not wrap.
    std::uint16_t device() const { return device_; }
    const PortCapabilities& capabilities() const { return capabilities_; }
    MacAddress mac() const { return mac_; }
    /// Any thread; does not wait for the device.
    PortLink link() const;
    /// Main thread.
    PortLosses losses() const;

    /// Up to `room.size()` received packets; checksums that a kernel left unfinished are complete. The queue's worker.
    std::uint16_t receive(std::uint16_t queue, std::span<rte_mbuf*> room);
    /// Hands packets to the device; answers how many it took, from the front. The others stay the caller's. Where the device
    /// cannot send chains, a chain is replaced by its copy. The queue's worker.
    std::uint16_t transmit(std::uint16_t queue, std::span<rte_mbuf*> packets);
    /// How the queue wakes a sleeping worker; nothing when it cannot. After start().
    std::optional<QueueWake> wake(std::uint16_t queue) const;

    /// Data bytes, headroom included, that a buffer of the pool must hold for packets of this MTU on any kind of device.
    static std::uint16_t data_room(std::uint16_t mtu);

private:
    Port(const PortSetup& setup, std::string text);
    std::expected<void, SetupError> take_kernel_interface();
    std::expected<void, SetupError> attach();
    std::expected<void, SetupError> attach_virtual(const DeviceArguments& arguments);
    std::expected<void, SetupError> choose_mtu();
    std::expected<void, SetupError> configure();
    std::expected<void, SetupError> set_up_queues();
    void read_mac();
    void find_wakes();
    std::uint16_t wanted_queues() const;
    std::unexpected<SetupError> refuse(std::string_view why) const;
    /// What an operator should look at when a device of this kind fails.
    std::string_view advice() const;

    PortSetup setup_;
    std::string text_;  // the device as an operator names it, for errors
    std::optional<KernelInterface> kernel_;  // under af_packet and af_xdp
    std::vector<int> sockets_;               // packet sockets that the device made, one for each receive queue
    std::uint16_t device_ = 0;
    bool attached_ = false, started_ = false;
    bool interrupts_ = false;                // the device was asked for receive interrupts
    DeviceArguments on_bus_;
    PortCapabilities capabilities_;
    MacAddress mac_;
    std::vector<QueueWake> wakes_;           // by queue, or empty
    mutable std::uint64_t ring_drops_ = 0;   // the kernel forgets them as they are read
};

}  // namespace nave::dataplane
