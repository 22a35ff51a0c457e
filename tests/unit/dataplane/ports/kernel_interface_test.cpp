// Taking kernel interfaces over: what is changed, what is refused, and that everything is put back. Needs root.
#include "dataplane/kernel_interface.hpp"

#include "tests/unit/dataplane/ports/test_network.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <linux/ethtool.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace nave::dataplane;
using namespace nave::dataplane::test;

namespace {

std::string refusal(std::string_view name) {
    const auto taken = KernelInterface::take(name);
    REQUIRE_FALSE(taken.has_value());
    return taken.error().text;
}

KernelInterface taken(std::string_view name) {
    auto result = KernelInterface::take(name);
    INFO((result ? "" : result.error().text));
    REQUIRE(result.has_value());
    return std::move(*result);
}

/// ARP "who has 10.8.0.1" from a neighbour 10.8.0.9.
std::vector<std::uint8_t> arp_request() {
    return {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 8, 0, 9, 0, 0, 0, 0, 0, 0, 10, 8, 0, 1};
}
constexpr std::string_view kArpReply{"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02", 10};

/// ICMP echo request from 10.8.9.9 to 10.8.0.1, addressed to the interface.
std::vector<std::uint8_t> ping_of(const std::string& interface) {
    std::vector<std::uint8_t> frame{0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x5d, 0xc7,
                                    10, 8, 9, 9, 10, 8, 0, 1, 8, 0, 0xf7, 0xfe, 0, 1, 0, 0};
    std::ranges::copy(mac_of(interface).bytes, frame.begin());
    return frame;
}
/// Source 10.8.0.1 and destination 10.8.9.9.
constexpr std::string_view kEchoReply{"\x0a\x08\x00\x01\x0a\x08\x09\x09", 8};

/// Whether one of some requests is answered; a link that just came up may lose the first.
bool is_answered(Wire& asks, const std::vector<std::uint8_t>& request, Wire& answers, std::size_t offset, std::string_view reply) {
    for (int attempt = 0; attempt < 10; ++attempt) {
        asks.send(request);
        if (!answers.await(offset, reply, 50).empty()) return true;
    }
    return false;
}

/// An address that the kernel holds elsewhere than on the interface under test.
struct KernelAddress {
    explicit KernelAddress(std::string prefix) : text{std::move(prefix)} { ip("address add " + text + " dev lo"); }
    ~KernelAddress() { ip("address del " + text + " dev lo"); }
    std::string text;
};

}  // namespace

TEST_CASE("an interface that does not exist is refused with those that do") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    CHECK_THAT(refusal("nosuch0"), Catch::Contains("no interface nosuch0") && Catch::Contains("near0") && Catch::Contains("lo"));
}

TEST_CASE("an interface with an IPv4 address is refused with the command that removes it") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    ip("address add 192.0.2.1/24 dev near0");
    CHECK_THAT(refusal("near0"), Catch::Contains("192.0.2.1") && Catch::Contains("ip address flush dev near0"));
    CHECK(setting("ipv4", "near0", "arp_ignore") == "0");  // a refused interface is left as it was
}

TEST_CASE("an interface with a global IPv6 address is refused") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    ip("address add 2001:db8::1/64 dev near0 nodad");
    CHECK_THAT(refusal("near0"), Catch::Contains("2001:db8::1"));
}

TEST_CASE("a link-local IPv6 address is no obstacle, and goes away") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    ip("link set near0 up");
    ip("address add fe80::77/64 dev near0 nodad");
    const auto hold = taken("near0");
    CHECK(setting("ipv6", "near0", "disable_ipv6") == "1");
}

TEST_CASE("a taken interface is up, and down again afterwards when it was down") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    CHECK(ethtool_value_of("near0", ETHTOOL_GLINK) == 0);
    {
        const auto hold = taken("near0");
        CHECK(ethtool_value_of("near0", ETHTOOL_GLINK) == 1);
    }
    CHECK(ethtool_value_of("near0", ETHTOOL_GLINK) == 0);
}

TEST_CASE("an interface that was up stays up") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    ip("link set near0 up");
    { const auto hold = taken("near0"); }
    CHECK(ethtool_value_of("near0", ETHTOOL_GLINK) == 1);
}

TEST_CASE("the kernel's settings of an interface are changed while it is taken and put back afterwards") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    const auto settings = [] {
        return setting("ipv4", "near0", "rp_filter") + setting("ipv4", "near0", "arp_ignore") + setting("ipv4", "near0", "arp_announce") + setting("ipv6", "near0", "disable_ipv6");
    };
    const auto before = settings();
    {
        const auto hold = taken("near0");
        CHECK(settings() == "1821");
    }
    CHECK(settings() == before);
}

TEST_CASE("segmentation and receive offloads are off while an interface is taken and back afterwards") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    const auto tso = ethtool_value_of("near0", ETHTOOL_GTSO), flags = ethtool_value_of("near0", ETHTOOL_GFLAGS);
    REQUIRE((flags & ETH_FLAG_RXVLAN) != 0);
    {
        const auto hold = taken("near0");
        CHECK(ethtool_value_of("near0", ETHTOOL_GTSO) == 0);
        CHECK(ethtool_value_of("near0", ETHTOOL_GGRO) == 0);
        CHECK((ethtool_value_of("near0", ETHTOOL_GFLAGS) & (ETH_FLAG_LRO | ETH_FLAG_RXVLAN)) == 0);
    }
    CHECK(ethtool_value_of("near0", ETHTOOL_GTSO) == tso);
    CHECK(ethtool_value_of("near0", ETHTOOL_GFLAGS) == flags);
}

TEST_CASE("the MTU of a taken interface is the kernel's") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    ip("link set near0 mtu 4000");
    CHECK(taken("near0").mtu() == 4000);
}

TEST_CASE("the kernel answers ARP for its other addresses on an ordinary interface, but not on a taken one") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    const KernelAddress address{"10.8.0.1/32"};
    ip("link set near0 up");
    Wire wire{"far0"};
    CHECK(is_answered(wire, arp_request(), wire, 12, kArpReply));
    const auto hold = taken("near0");
    CHECK_FALSE(is_answered(wire, arp_request(), wire, 12, kArpReply));
}

TEST_CASE("the kernel answers a ping that comes in on an ordinary interface, but not on a taken one") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    const KernelAddress address{"10.8.0.1/32"};
    ip("link set near0 up");
    ip("route add 10.8.9.0/24 dev far0");
    ip("neighbor add 10.8.9.9 lladdr 02:00:00:00:00:09 dev far0");
    std::ofstream{"/proc/sys/net/ipv4/conf/near0/rp_filter"} << "0";
    Wire sender{"far0"}, answers{"near0"};
    CHECK(is_answered(sender, ping_of("near0"), answers, 26, kEchoReply));
    const auto hold = taken("near0");
    CHECK_FALSE(is_answered(sender, ping_of("near0"), answers, 26, kEchoReply));
}

TEST_CASE("an interface that this process holds cannot be taken twice") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    const auto hold = taken("near0");
    CHECK_THAT(refusal("near0"), Catch::Contains("is in use by process " + std::to_string(getpid())));
}

TEST_CASE("a moved hold is still one hold") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    auto first = taken("near0");
    const KernelInterface second{std::move(first)};
    CHECK(second.name() == "near0");
    CHECK_THAT(refusal("near0"), Catch::Contains("in use"));
}

TEST_CASE("an interface is free again when its holder is gone") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    { const auto hold = taken("near0"); }
    const auto again = taken("near0");
    CHECK(again.name() == "near0");
}

TEST_CASE("an interface of another process is refused by its number, and free when that one is killed") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t holder = fork();
    if (holder == 0) {
        const auto hold = KernelInterface::take("near0");
        if (write(ready[1], hold ? "y" : "n", 1) == 1) pause();
        _exit(0);
    }
    char answer = 0;
    REQUIRE(read(ready[0], &answer, 1) == 1);
    REQUIRE(answer == 'y');
    CHECK_THAT(refusal("near0"), Catch::Contains("by process " + std::to_string(holder)));
    kill(holder, SIGKILL);
    waitpid(holder, nullptr, 0);
    CHECK(KernelInterface::take("near0").has_value());
    close(ready[0]), close(ready[1]);
}

TEST_CASE("two interfaces are held independently") {
    if (!enter_private_network()) return;
    VethPair one{"near0", "far0"}, other{"near1", "far1"};
    const auto first = taken("near0"), second = taken("near1");
    CHECK(first.name() != second.name());
}

TEST_CASE("without privileges an interface is refused with what is needed") {
    if (!enter_private_network()) return;
    VethPair veth{"near0", "far0"};
    int report[2];
    REQUIRE(pipe(report) == 0);
    const pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
        const auto hold = KernelInterface::take("near0");
        const std::string text = hold ? "taken" : hold.error().text;
        _exit(write(report[1], text.data(), text.size()) > 0 ? 0 : 1);
    }
    close(report[1]);
    std::string text(1000, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(report[0], text.data(), text.size()))));
    waitpid(child, nullptr, 0);
    close(report[0]);
    CHECK_THAT(text, Catch::Contains("interface near0") && Catch::Contains("run it as root, or give it CAP_NET_ADMIN"));
}
