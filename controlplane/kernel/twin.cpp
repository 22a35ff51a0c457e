// TAP and TUN interfaces, and their settings under /proc/sys.
#include "controlplane/kernel/twin.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace nave::kernel {

namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr int kBusyTries = 20;
constexpr auto kBusyPause = std::chrono::milliseconds{100};

std::string open_error(int error) {
    if (error == ENOENT || error == ENODEV || error == ENXIO) return fmt::format("the kernel has no {}: load the module with \"modprobe tun\"", kDevice);
    if (error == EACCES || error == EPERM) return fmt::format("no permission for {}: run naved as root or with the capability CAP_NET_ADMIN", kDevice);
    return fmt::format("cannot open {}: {}", kDevice, std::strerror(error));
}

std::string make_error(const std::string& name, int error) {
    if (error == EPERM) return fmt::format("no permission to make the interface {}: run naved as root or with the capability CAP_NET_ADMIN", name);
    if (error == EBUSY || error == EEXIST) {
        return fmt::format("there is another interface {} already: stop the process that holds it, remove it with \"ip link delete {}\", or set another "
                           "name with the key \"twin\"", name, name);
    }
    if (error == EINVAL) return fmt::format("the kernel does not take {} as the name of an interface, or one of another kind has it: set another with the key \"twin\"", name);
    return fmt::format("cannot make the interface {}: {}", name, std::strerror(error));
}

void write_setting(const std::string& path, std::string_view value) {
    std::ofstream file{path};
    file << value << std::flush;
}

}  // namespace

std::expected<Twin, std::string> Twin::open(Kind kind, const std::string& name) {
    if (name.empty() || name.size() >= IFNAMSIZ) return std::unexpected{make_error(name, EINVAL)};
    const int descriptor = ::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return std::unexpected{open_error(errno)};
    ifreq request{};
    std::memcpy(request.ifr_name, name.data(), name.size());
    request.ifr_flags = static_cast<short>((kind == Kind::tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_TUN_EXCL);
    int outcome = ioctl(descriptor, TUNSETIFF, &request);
    for (int i = 0; i < kBusyTries && outcome < 0 && errno == EBUSY; ++i) {
        std::this_thread::sleep_for(kBusyPause);
        outcome = ioctl(descriptor, TUNSETIFF, &request);
    }
    if (outcome < 0) {
        const int error = errno;
        ::close(descriptor);
        return std::unexpected{make_error(name, error)};
    }
    return Twin{kind, name, descriptor, static_cast<InterfaceIndex>(if_nametoindex(name.c_str()))};
}

Twin::Twin(Twin&& other) noexcept
    : kind_{other.kind_}, name_{std::move(other.name_)}, descriptor_{std::exchange(other.descriptor_, -1)}, index_{other.index_} {}

Twin::~Twin() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::size_t> Twin::read(std::span<std::uint8_t> room) {
    const auto size = ::read(descriptor_, room.data(), room.size());
    if (size <= 0) return std::nullopt;
    return static_cast<std::size_t>(size);
}

bool Twin::write(ByteView packet) { return ::write(descriptor_, packet.data(), packet.size()) == static_cast<ssize_t>(packet.size()); }

void quiet_interface(const std::string& name, bool forwards) {
    const std::string v4 = "/proc/sys/net/ipv4/conf/" + name + '/', v6 = "/proc/sys/net/ipv6/conf/" + name + '/';
    // Packets come in here whose way back is known to the dataplane only.
    write_setting(v4 + "rp_filter", "0");
    write_setting(v4 + "forwarding", forwards ? "1" : "0");
    // Whom a tunnel's table leads back out of the twin is no reason to tell hosts of shorter ways.
    write_setting(v4 + "send_redirects", "0");
    write_setting(v4 + "accept_redirects", "0");
    // An address of another twin may be a host here: prefixes of several tunnels may overlap.
    write_setting(v4 + "arp_ignore", "1");
    write_setting(v6 + "addr_gen_mode", "1");
    write_setting(v6 + "accept_ra", "0");
    write_setting(v6 + "autoconf", "0");
    write_setting(v6 + "router_solicitations", "0");
    // The kernel also waits for so long before it looks for duplicates of an address, and hosts ask in vain meanwhile.
    write_setting(v6 + "router_solicitation_delay", "0");
    write_setting(v6 + "accept_redirects", "0");
    write_setting(v6 + "forwarding", "0");
}

void let_ipv6(const std::string& name) { write_setting("/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6", "0"); }

void announce_router(const std::string& name) { write_setting("/proc/sys/net/ipv6/conf/" + name + "/forwarding", "1"); }

IpAddress link_local_address(const MacAddress& mac) {
    const auto& m = mac.bytes;
    return IpAddress::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]});
}

namespace {
constexpr const char* kIcmpErrors = "/proc/sys/net/ipv4/icmp_errors_use_inbound_ifaddr";
}

IcmpErrorsByInboundAddress::IcmpErrorsByInboundAddress() {
    std::ifstream{kIcmpErrors} >> old_;
    write_setting(kIcmpErrors, "1");
}

IcmpErrorsByInboundAddress::IcmpErrorsByInboundAddress(IcmpErrorsByInboundAddress&& other) noexcept : old_{std::exchange(other.old_, {})} {}

IcmpErrorsByInboundAddress::~IcmpErrorsByInboundAddress() {
    if (!old_.empty()) write_setting(kIcmpErrors, old_);
}

int machine_reverse_path_filter() {
    int value = 0;
    std::ifstream{"/proc/sys/net/ipv4/conf/all/rp_filter"} >> value;
    return value;
}

}  // namespace nave::kernel
