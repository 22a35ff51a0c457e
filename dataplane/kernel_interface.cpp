// Taking a kernel interface over, step by step, and putting back what was changed.
#include "dataplane/kernel_interface.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nave::dataplane {

namespace {

constexpr std::string_view kPrivilegeAdvice = "run it as root, or give it CAP_NET_ADMIN and CAP_NET_RAW";

struct KernelSetting {
    std::string_view file;  // under /proc/sys/net, {} stands for the interface
    std::string_view value;
};

/// What makes the kernel deaf on an interface that has no address: every IPv4 source fails the reverse path check, no ARP
/// request is answered for addresses of other interfaces, and IPv6 is off.
constexpr std::array kQuiet{
    KernelSetting{"ipv4/conf/{}/rp_filter", "1"},
    KernelSetting{"ipv4/conf/{}/arp_ignore", "8"},
    KernelSetting{"ipv4/conf/{}/arp_announce", "2"},
    KernelSetting{"ipv6/conf/{}/disable_ipv6", "1"},
};

struct Offload {
    std::uint32_t get, set;
    std::uint32_t clear;  // bits of the value; all of it for a switch
};

/// Received packets must be what was on the wire: not merged, not stripped of their tag.
constexpr std::array kOffloads{
    Offload{ETHTOOL_GGRO, ETHTOOL_SGRO, ~0u},
    Offload{ETHTOOL_GTSO, ETHTOOL_STSO, ~0u},
    Offload{ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO | ETH_FLAG_RXVLAN},
};


std::unexpected<SetupError> refuse_after(int error, std::string_view name, std::string_view attempt) {
    const bool denied = error == EPERM || error == EACCES;
    return refuse(fmt::format("interface {}: cannot {}: {}{}{}", name, attempt, std::strerror(error), denied ? "; " : "", denied ? kPrivilegeAdvice : ""));
}

ifreq request_for(const std::string& name) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    return request;
}

std::string interface_names() {
    std::string names;
    struct if_nameindex* list = if_nameindex();
    for (const auto* entry = list; entry != nullptr && entry->if_index != 0; ++entry) names += fmt::format("{}{}", names.empty() ? "" : ", ", entry->if_name);
    if_freenameindex(list);
    return names;
}

/// Who holds the lock, for people: "by process 12 (naved)".
std::string holder(const sockaddr_un& address, socklen_t size) {
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ucred credentials{};
    socklen_t length = sizeof credentials;
    const bool known = connect(probe, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                       getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 && credentials.pid > 0;
    close(probe);
    if (!known) return "by another process";
    std::string command;
    std::ifstream{fmt::format("/proc/{}/comm", credentials.pid)} >> command;
    return fmt::format("by process {} ({})", credentials.pid, command.empty() ? "unknown" : command);
}

/// The address as text when it is one that an operator gave; empty for link-local ones, which every interface has.
std::string own_address(const sockaddr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET) {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
    } else if (address.sa_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
        if (!IN6_IS_ADDR_LINKLOCAL(&v6)) inet_ntop(AF_INET6, &v6, text.data(), text.size());
    }
    return text.data();
}

int write_setting(const std::string& file, std::string_view value) {
    const int descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    const int error = write(descriptor, value.data(), value.size()) < 0 ? errno : 0;
    close(descriptor);
    return error;
}

int ethtool(int control, const std::string& name, ethtool_value& value) {
    ifreq request = request_for(name);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ioctl(control, SIOCETHTOOL, &request) < 0 ? errno : 0;
}

}  // namespace

std::expected<KernelInterface, SetupError> KernelInterface::take(std::string_view name) {
    KernelInterface taken{name};
    using Step = std::expected<void, SetupError> (KernelInterface::*)();
    constexpr std::array<Step, 6> kSteps{&KernelInterface::find,  &KernelInterface::lock, &KernelInterface::check_unused, &KernelInterface::quiet_the_kernel,
                                         &KernelInterface::switch_offloads_off, &KernelInterface::bring_up};
    for (const Step step : kSteps)
        if (auto done = (taken.*step)(); !done) return std::unexpected{std::move(done.error())};
    return taken;
}

std::expected<void, SetupError> KernelInterface::find() {
    if (if_nametoindex(name_.c_str()) == 0)
        return refuse(fmt::format("there is no interface {} in this network namespace; there are {}. Correct the name, or make the interface first", name_, interface_names()));
    control_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request = request_for(name_);
    if (control_ < 0 || ioctl(control_, SIOCGIFMTU, &request) < 0) return refuse_after(errno, name_, "read its MTU");
    mtu_ = static_cast<std::uint16_t>(std::min(request.ifr_mtu, 0xffff));
    return {};
}

std::expected<void, SetupError> KernelInterface::lock() {
    // An abstract socket's name belongs to its network namespace, as the interface's index does, and ends with the process.
    const std::string lock_name = fmt::format("nave/interface/{}", if_nametoindex(name_.c_str()));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    lock_name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + lock_name.size());
    lock_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(lock_, reinterpret_cast<const sockaddr*>(&address), size) == 0 && listen(lock_, 1) == 0) return {};
    if (errno != EADDRINUSE) return refuse_after(errno, name_, "lock it");
    return refuse(fmt::format("interface {} is in use {}; stop that one, or give this gateway another interface", name_, holder(address, size)));
}

std::expected<void, SetupError> KernelInterface::check_unused() {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) < 0) return refuse_after(errno, name_, "read its addresses");
    std::string found;
    for (const auto* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next)
        if (name_ == entry->ifa_name && entry->ifa_addr != nullptr) found = own_address(*entry->ifa_addr);
    freeifaddrs(list);
    if (found.empty()) return {};
    return refuse(fmt::format("interface {} has the address {} in the kernel, which would answer beside the gateway; remove it with `ip address flush dev {}` and "
                              "give it to the port's twin instead",
                              name_, found, name_));
}

std::expected<void, SetupError> KernelInterface::quiet_the_kernel() {
    for (const auto& setting : kQuiet) {
        const std::string file = "/proc/sys/net/" + fmt::format(fmt::runtime(setting.file), name_);
        std::ifstream stream{file};
        std::string value;
        if (!(stream >> value)) continue;  // a kernel without IPv6
        if (value == setting.value) continue;
        if (const int error = write_setting(file, setting.value); error != 0) return refuse_after(error, name_, fmt::format("set {} to {}", file, setting.value));
        old_settings_.emplace_back(file, value);
    }
    return {};
}

std::expected<void, SetupError> KernelInterface::switch_offloads_off() {
    for (const auto& offload : kOffloads) {
        ethtool_value value{.cmd = offload.get, .data = 0};
        if (ethtool(control_, name_, value) != 0 || (value.data & offload.clear) == 0) continue;  // a driver that has none
        const std::uint32_t before = value.data;
        value = {.cmd = offload.set, .data = before & ~offload.clear};
        const int error = ethtool(control_, name_, value);
        if (error == EPERM) return refuse_after(error, name_, "switch its offloads off");
        if (error == 0) old_offloads_.emplace_back(offload.set, before);  // else the driver has it fixed on
    }
    return {};
}

std::expected<void, SetupError> KernelInterface::bring_up() {
    // Protocol 0 receives nothing; the socket only carries the membership, which the kernel drops with it.
    promiscuous_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    packet_mreq membership{};
    membership.mr_ifindex = static_cast<int>(if_nametoindex(name_.c_str()));
    membership.mr_type = PACKET_MR_PROMISC;
    if (promiscuous_ < 0 || setsockopt(promiscuous_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0)
        return refuse_after(errno, name_, "make it promiscuous");
    ifreq request = request_for(name_);
    if (ioctl(control_, SIOCGIFFLAGS, &request) < 0) return refuse_after(errno, name_, "read its state");
    if (request.ifr_flags & IFF_UP) return {};
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (ioctl(control_, SIOCSIFFLAGS, &request) < 0) return refuse_after(errno, name_, "bring it up");
    was_down_ = true;
    return {};
}

std::uint16_t KernelInterface::receive_queues() const {
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    ifreq request = request_for(name_);
    request.ifr_data = reinterpret_cast<char*>(&channels);
    if (ioctl(control_, SIOCETHTOOL, &request) < 0) return 1;
    return static_cast<std::uint16_t>(std::max(1u, channels.combined_count + channels.rx_count));
}

bool KernelInterface::is_running() const {
    ifreq request = request_for(name_);
    return ioctl(control_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

KernelInterface::KernelInterface(KernelInterface&& other) noexcept
    : name_{std::move(other.name_)}, mtu_{other.mtu_}, lock_{std::exchange(other.lock_, -1)}, control_{std::exchange(other.control_, -1)},
      promiscuous_{std::exchange(other.promiscuous_, -1)}, was_down_{std::exchange(other.was_down_, false)},
      old_settings_{std::exchange(other.old_settings_, {})}, old_offloads_{std::exchange(other.old_offloads_, {})} {}

KernelInterface::~KernelInterface() {
    if (was_down_) {
        ifreq request = request_for(name_);
        ioctl(control_, SIOCGIFFLAGS, &request);
        request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
        ioctl(control_, SIOCSIFFLAGS, &request);
    }
    for (const auto& [command, before] : old_offloads_) {
        ethtool_value value{.cmd = command, .data = before};
        ethtool(control_, name_, value);
    }
    for (const auto& [file, value] : old_settings_) write_setting(file, value);
    for (const int descriptor : {promiscuous_, control_, lock_})
        if (descriptor >= 0) close(descriptor);
}

}  // namespace nave::dataplane
