// Prepares the kernel interface under an af_packet or af_xdp port, so that the gateway alone answers what arrives there.
#pragma once

#include "dataplane/setup_error.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::dataplane {

/// A kernel network interface that this process has taken over. What was changed is put back on destruction. Main thread.
///
/// Taken over means: up, promiscuous, no receive or segmentation offload, no VLAN tag stripping, and the kernel's own IPv4,
/// ARP and IPv6 are deaf on it. At most one process per network namespace holds an interface; the hold ends with the process.
class KernelInterface {
public:
    /// Fails, with what to do, when the interface is missing, has addresses of its own, is held by another process, or
    /// privileges are lacking.
    static std::expected<KernelInterface, SetupError> take(std::string_view name);
    KernelInterface(KernelInterface&&) noexcept;
    KernelInterface& operator=(KernelInterface&&) = delete;
    ~KernelInterface();

    const std::string& name() const { return name_; }
    /// IP bytes.
    std::uint16_t mtu() const { return mtu_; }
    /// Over how many queues the driver spreads what it receives; 1 where it does not say.
    std::uint16_t receive_queues() const;
    /// Up, with a carrier. Any thread.
    bool is_running() const;

private:
    explicit KernelInterface(std::string_view name) : name_{name} {}
    std::expected<void, SetupError> find();
    std::expected<void, SetupError> lock();
    std::expected<void, SetupError> check_unused();
    std::expected<void, SetupError> quiet_the_kernel();
    std::expected<void, SetupError> switch_offloads_off();
    std::expected<void, SetupError> bring_up();

    std::string name_;
    std::uint16_t mtu_ = 1500;
    int lock_ = -1;     // abstract UNIX socket whose name is the lock
    int control_ = -1;  // for ioctls
    int promiscuous_ = -1;  // packet socket; its membership ends with it
    bool was_down_ = false;
    std::vector<std::pair<std::string, std::string>> old_settings_;        // file under /proc/sys, old value
    std::vector<std::pair<std::uint32_t, std::uint32_t>> old_offloads_;    // ethtool command to set, old value
};

}  // namespace nave::dataplane
