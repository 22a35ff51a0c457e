// The device strings of the configuration, and the DPDK devices that they stand for. Knows no DPDK.
#pragma once

#include "dataplane/setup_error.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nave::dataplane {

enum class DeviceKind : std::uint8_t { pci, af_packet, af_xdp, tap, memif, virtio_user, vhost, ring, pcap };

/// One parsed device string: `KIND:NAME[,KEY=VALUE…]`, or a PCI address `[DOMAIN:]BUS:SLOT.FUNCTION[,KEY=VALUE…]`.
struct DeviceString {
    using Options = std::vector<std::pair<std::string, std::string>>;

    DeviceKind kind = DeviceKind::pci;
    std::string name;  // what follows the colon: interface, socket path, file, ring name, or PCI address with its domain
    Options options;   // in the order written; known to be among those that the kind accepts

    /// The value of option `key`; nothing when it was not given.
    std::optional<std::string_view> option(std::string_view key) const;
    /// A kernel interface lies under the device: it must be prepared, and delivers packets whose checksum the kernel left
    /// unfinished (checksum_repair.hpp).
    bool kernel_facing() const { return kind == DeviceKind::af_packet || kind == DeviceKind::af_xdp; }
    bool operator==(const DeviceString&) const = default;
};

/// Parses a device string. The error names the string, what is wrong in it and what is accepted.
std::expected<DeviceString, SetupError> parse_device_string(std::string_view text);

/// The device as an operator writes it, but for its secrets.
std::string to_string(const DeviceString& device);

/// What to hand to DPDK to make a device.
struct DeviceArguments {
    std::string bus;        // "pci" or "vdev"
    std::string device;     // name on the bus, such as "net_af_packet0"
    std::string arguments;  // comma-separated devargs, empty when there are none
    bool operator==(const DeviceArguments&) const = default;
};

/// How a device is to be made, where its device string leaves it open.
struct DeviceShape {
    std::uint16_t index = 0;   // makes the device's name unique in the process
    std::uint16_t queues = 1;  // wanted queue pairs, at least 1
    std::uint16_t mtu = 1500;  // IP bytes
};

/// The devargs for a device; options of the string win over the shape.
DeviceArguments device_arguments(const DeviceString& device, const DeviceShape& shape);

}  // namespace nave::dataplane
