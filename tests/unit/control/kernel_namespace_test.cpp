// Tests of twins, mirror and separation against a real kernel, each in a network namespace of its own. Need root; skipped otherwise.
#include "common/headers.hpp"
#include "controlplane/kernel/datagram.hpp"
#include "controlplane/kernel/kernel.hpp"
#include "controlplane/kernel/twin.hpp"
#include "controlplane/kernel/underlay.hpp"
#include "tests/unit/control/kernel_namespace.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace nave;
using namespace nave::kernel;

namespace {

Prefix prefix(const char* text) { return *Prefix::parse(text); }

Plan spoke_plan() {
    Plan plan;
    plan.ports.push_back({.port = PortId{0}, .twin = "wan", .mac = {{2, 0, 0, 0, 0, 1}}});
    plan.ports.push_back({.port = PortId{1}, .twin = "lan", .mac = {{2, 0, 0, 0, 0, 2}}, .tunnel = TunnelId{0}, .table = 1000,
                          .addresses = {{ip("10.1.0.1"), 24}}});
    plan.tunnels.push_back(
        {.tunnel = TunnelId{0}, .twin = "nave0", .mtu = 1400, .table = 1000, .address = {ip("10.255.0.2"), 24}, .routes = {prefix("10.0.0.0/8")}});
    return plan;
}

/// The kernel side of a spoke, in this thread's namespace.
struct Bench {
    std::optional<Kernel> kernel;
    std::vector<Change> changes;
    std::unique_ptr<PacketMessage> message = std::make_unique<PacketMessage>();

    explicit Bench(const Plan& plan = spoke_plan()) {
        auto opened = Kernel::open(plan, 100, 1);
        if (!opened) FAIL(opened.error());
        kernel.emplace(std::move(*opened));
        follow();
    }
    void follow() {
        auto report = kernel->synchronise();
        for (const overlay::Log& line : report.log) UNSCOPED_INFO(line.text);
        CHECK(report.log.empty());
        changes = std::move(report.changes);
    }
    template <class T>
    std::optional<T> found() const {
        for (const Change& change : changes) {
            if constexpr (std::is_same_v<T, SetAdjacency>) {
                if (const auto* command = std::get_if<Command>(&change); command && std::holds_alternative<T>(*command)) return std::get<T>(*command);
            } else if (const auto* match = std::get_if<T>(&change)) {
                return *match;
            }
        }
        return std::nullopt;
    }
    /// The next packet that the kernel sends through a twin, 0 wan, 1 lan, 2 nave0.
    bool receives(std::size_t twin, int milliseconds = 500) {
        pollfd wait{.fd = kernel->twin_descriptor(twin), .events = POLLIN, .revents = 0};
        return poll(&wait, 1, milliseconds) > 0 && kernel->read(twin, *message);
    }
    void deliver(Punt punt, ByteView bytes) {
        PacketMessage punted;
        punted.punt = punt;
        punted.port = PortId{0};
        punted.tunnel = TunnelId{0};
        punted.set(bytes);
        kernel->deliver(punted);
    }
};

Bytes udp_packet(const char* from, const char* to) {
    const Bytes frame = datagram_frames({.source = {}, .destination = {}}, {{ip(from)}, 7000}, {{ip(to)}, 7001}, Bytes(32)).at(0);
    return {frame.begin() + 14, frame.end()};
}

}  // namespace

TEST_CASE("twins come up with the port's MAC, the configured MTU and addresses, and go with the process") {
    if (!in_new_namespace()) return;
    {
        const Bench bench;
        CHECK(contains(run("ip link show wan"), "02:00:00:00:00:01"));
        CHECK(contains(run("ip link show nave0"), "mtu 1400"));
        CHECK(contains(run("ip -4 address show nave0"), "10.255.0.2/24"));
        CHECK(contains(run("ip -4 address show lan"), "10.1.0.1/24"));
        CHECK_FALSE(contains(run("ip link show wan"), "state DOWN"));
    }
    CHECK(contains(run("ip link show wan"), "does not exist"));
    CHECK_FALSE(contains(run("ip rule"), "1000"));
}

TEST_CASE("a twin's name that is taken is refused with words that help") {
    if (!in_new_namespace()) return;
    run("ip tuntap add wan mode tun");
    const auto opened = Kernel::open(spoke_plan(), 100, 1);
    REQUIRE_FALSE(opened);
    CHECK(contains(opened.error(), "wan"));
    CHECK(contains(opened.error(), "twin"));
}

TEST_CASE("a killed predecessor's rules are gone after the start, an operator's stay") {
    if (!in_new_namespace()) return;
    run("ip rule add pref 1910 from 10.99.0.0/24 lookup 1000 protocol 78; ip rule add pref 1911 iif old unreachable protocol 78");
    run("ip rule add pref 1900 from 10.98.0.0/24 lookup 1000; ip rule add pref 1910 from 10.97.0.0/24 lookup 2000 protocol 78");
    const Bench bench;
    const std::string rules = run("ip rule");
    CHECK_FALSE(contains(rules, "10.99.0.0/24"));
    CHECK(contains(rules, "10.98.0.0/24"));
    CHECK(contains(rules, "10.97.0.0/24"));
}

TEST_CASE("an address that a DHCP client puts on the twin becomes the underlay address") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan; ip route add default via 192.0.2.254");
    bench.follow();
    CHECK(bench.found<UnderlayAddressChange>()->address->value == ip("192.0.2.7"));
    const RouteChoice choice{bench.kernel->view().underlay.ports.at(PortId{0}).routes};
    CHECK(choice.next_hop(ip("203.0.113.9")) == ip("192.0.2.254"));
    CHECK(choice.next_hop(ip("192.0.2.9")) == ip("192.0.2.9"));
    run("ip address flush dev wan; ip address add 192.0.2.99/24 dev wan");
    bench.follow();
    CHECK(bench.found<UnderlayAddressChange>()->address->value == ip("192.0.2.99"));
    // The default route went with the address that it needed, or stands without: either way the mirror says what the kernel has.
    const RouteChoice after{bench.kernel->view().underlay.ports.at(PortId{0}).routes};
    CHECK(after.next_hop(ip("203.0.113.9")).has_value() == contains(run("ip route"), "default"));
}

TEST_CASE("taking the underlay's twin down takes its address away, bringing it up gives it back") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan");
    bench.follow();
    run("ip link set wan down");
    bench.follow();
    CHECK_FALSE(bench.found<UnderlayAddressChange>()->address);
    run("ip link set wan up");
    bench.follow();
    CHECK(bench.found<UnderlayAddressChange>()->address);
    CHECK(bench.kernel->view().underlay.ports.at(PortId{0}).routes.size() >= 1);
}

TEST_CASE("an inside neighbour of the kernel's becomes an adjacency") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip neighbour add 10.1.0.5 lladdr 02:00:00:00:00:05 dev lan");
    bench.follow();
    CHECK(bench.found<SetAdjacency>()->destination_mac == *MacAddress::parse("02:00:00:00:00:05"));
    CHECK(bench.found<InsideRouteChange>()->prefix == prefix("10.1.0.5/32"));
}

TEST_CASE("the kernel asks for a next hop when it is told to resolve it") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan");
    bench.follow();
    bench.kernel->resolve(PortId{0}, ip("192.0.2.254"));
    REQUIRE(bench.receives(0));
    const ByteView frame = bench.message->view();
    CHECK(frame.size() >= 42);
    CHECK((frame[12] << 8 | frame[13]) == kEtherTypeArp);
    CHECK(Bytes(frame.begin() + 38, frame.begin() + 42) == Bytes{192, 0, 2, 254});
}

TEST_CASE("the kernel answers ARP for the twin's address") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan");
    bench.follow();
    ByteWriter request;
    request.bytes(Bytes(6, 0xff));
    request.bytes(Bytes{2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 9});
    request.zeros(6);
    request.bytes(Bytes{192, 0, 2, 7});
    bench.deliver(Punt::arp, request.view());
    REQUIRE(bench.receives(0));
    CHECK(bench.message->inject == PacketMessage::Inject::frame);
    CHECK(bench.message->bytes[21] == 2);  // an ARP reply
    bench.follow();
    CHECK(bench.kernel->view().underlay.neighbours.at({PortId{0}, ip("192.0.2.9")}).mac == *MacAddress::parse("02:00:00:00:00:09"));
}

TEST_CASE("what the gateway sends from its tunnel address leaves by the tunnel's twin with whole checksums") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan; ip route add default via 192.0.2.254");
    bench.follow();
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in from{}, to{};
    from.sin_family = to.sin_family = AF_INET;
    inet_pton(AF_INET, "10.255.0.2", &from.sin_addr);
    inet_pton(AF_INET, "10.2.0.9", &to.sin_addr);
    to.sin_port = htons(4711);
    REQUIRE(bind(socket, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0);
    REQUIRE(sendto(socket, "hello", 5, 0, reinterpret_cast<sockaddr*>(&to), sizeof to) == 5);
    close(socket);
    REQUIRE(bench.receives(2));
    CHECK(bench.message->inject == PacketMessage::Inject::tunnel);
    const auto datagram = parse_datagram(bench.message->view());
    REQUIRE(datagram);
    CHECK(datagram->payload.size() == 5);
    // A checksum of zero would have passed, too.
    CHECK((bench.message->bytes[26] | bench.message->bytes[27]) != 0);
}

TEST_CASE("a default route of the underlay never gets what belongs to the tunnel") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan; ip route add default via 192.0.2.254");
    bench.follow();
    CHECK(contains(run("ip route get 203.0.113.1"), "dev wan"));
    CHECK(contains(run("ip route get 10.2.0.1 from 10.255.0.2"), "dev nave0"));
    CHECK(contains(run("ip route get 10.255.0.77"), "dev nave0"));
    CHECK(contains(run("ip route get 10.1.0.77"), "dev lan"));
    CHECK(contains(run("ip route get 203.0.113.1 from 10.255.0.2"), "unreachable"));
    CHECK(contains(run("ip route get 203.0.113.1 from 10.1.0.1"), "unreachable"));
    run("ip link set nave0 down");
    bench.follow();
    CHECK(contains(run("ip route get 10.255.0.77"), "unreachable"));
}

TEST_CASE("a default route into the tunnel never captures the underlay") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan; ip route add default via 192.0.2.254; ip route add default dev nave0 table 1000");
    bench.follow();
    CHECK(contains(run("ip route get 203.0.113.1"), "dev wan"));
    CHECK(contains(run("ip route get 203.0.113.1 from 192.0.2.7"), "dev wan"));
    CHECK_FALSE(bench.found<TunnelRouteChange>()->gateway);
}

TEST_CASE("the kernel forwards from the tunnel to an inside host, and to the underlay never") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip address add 192.0.2.7/24 dev wan; ip route add default via 192.0.2.254; ip neighbour add 192.0.2.254 lladdr 02:00:00:00:00:99 dev wan");
    run("ip neighbour add 10.1.0.5 lladdr 02:00:00:00:00:05 dev lan");
    bench.follow();
    bench.deliver(Punt::glean, udp_packet("10.2.0.9", "10.1.0.5"));
    REQUIRE(bench.receives(1));
    CHECK(bench.message->bytes[5] == 5);
    bench.deliver(Punt::tunnel, udp_packet("10.2.0.9", "203.0.113.1"));
    CHECK_FALSE(bench.receives(0, 200));
    // The sender is told, and even that goes back into the tunnel only.
    REQUIRE(bench.receives(2));
    CHECK(bench.message->bytes[9] == kProtocolIcmp);
    CHECK(bench.message->bytes[20] == 3);
}

TEST_CASE("an unknown inside host that the dataplane gleaned is asked for by the kernel") {
    if (!in_new_namespace()) return;
    Bench bench;
    bench.deliver(Punt::glean, udp_packet("10.2.0.9", "10.1.0.6"));
    REQUIRE(bench.receives(1));
    CHECK((bench.message->bytes[12] << 8 | bench.message->bytes[13]) == kEtherTypeArp);
}

TEST_CASE("routes of the overlay stand in the tunnel's table with our protocol, and come back when somebody removes them") {
    if (!in_new_namespace()) return;
    Bench bench;
    const overlay::KernelRoute route{.tunnel = TunnelId{0}, .prefix = prefix("10.2.0.0/16"), .gateway = {ip("10.255.0.9")}, .present = true};
    CHECK_FALSE(bench.kernel->set_route(route));
    const std::string shown = run("ip -N route show table 1000");
    CHECK(contains(shown, "10.2.0.0/16 via 10.255.0.9 dev nave0 proto 78"));
    bench.follow();
    CHECK_FALSE(bench.found<TunnelRouteChange>());
    run("ip route del 10.2.0.0/16 table 1000");
    bench.follow();
    CHECK(contains(run("ip -N route show table 1000"), "10.2.0.0/16 via 10.255.0.9"));
    overlay::KernelRoute gone = route;
    gone.present = false;
    CHECK_FALSE(bench.kernel->set_route(gone));
    CHECK_FALSE(contains(run("ip -N route show table 1000"), "10.2.0.0/16"));
}

TEST_CASE("an overlay route over a configured one gives its place back when it goes") {
    if (!in_new_namespace()) return;
    Bench bench;
    overlay::KernelRoute route{.tunnel = TunnelId{0}, .prefix = prefix("10.0.0.0/8"), .gateway = {ip("10.255.0.1")}, .present = true};
    bench.kernel->set_route(route);
    CHECK(contains(run("ip -N route show table 1000"), "10.0.0.0/8 via 10.255.0.1"));
    route.present = false;
    bench.kernel->set_route(route);
    bench.follow();
    CHECK(contains(run("ip -N route show table 1000"), "10.0.0.0/8 dev nave0"));
}

TEST_CASE("routes come back when the tunnel's twin was down") {
    if (!in_new_namespace()) return;
    Bench bench;
    bench.kernel->set_route({.tunnel = TunnelId{0}, .prefix = prefix("10.2.0.0/16"), .gateway = {ip("10.255.0.9")}, .present = true});
    run("ip link set nave0 down");
    bench.follow();
    CHECK_FALSE(contains(run("ip -N route show table 1000"), "10.2.0.0/16"));
    run("ip link set nave0 up");
    bench.follow();
    const std::string shown = run("ip -N route show table 1000");
    CHECK(contains(shown, "10.2.0.0/16 via 10.255.0.9"));
    CHECK(contains(shown, "10.0.0.0/8 dev nave0"));
}

TEST_CASE("the mirror finds its way back after more changes than its socket holds") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("seq 1 40000 | awk '{printf \"route add 10.%d.%d.0/24 via 10.255.0.9 dev nave0 onlink table 1000\\n\", 100 + $1 / 250 % 100, $1 % 250}' | "
        "sort -u | ip -batch -");
    for (int i = 0; i < 100 && bench.kernel->view().routes.size() <= 25000; ++i) bench.kernel->synchronise();
    const auto lines = std::stoul(run("ip -N route show table 1000 | grep -vc 'proto 78'"));
    CHECK(bench.kernel->view().routes.size() == lines + 1);  // and the inside port's network
    CHECK(lines > 20000);
}

TEST_CASE("routes whose next-hop object is removed are gone, and follow one that is replaced") {
    if (!in_new_namespace()) return;
    Bench bench;
    run("ip nexthop add id 7 via 10.255.0.9 dev nave0 onlink; ip route add 10.3.0.0/16 nhid 7 table 1000; ip route add 10.4.0.0/16 nhid 7 table 1000");
    const auto gateway = [&](const char* to) -> std::optional<TunnelAddress> {
        bench.kernel->synchronise();
        for (const auto& [key, route] : bench.kernel->view().routes)
            if (key.second == prefix(to)) return std::get<TunnelWay>(route).gateway;
        return std::nullopt;
    };
    CHECK(gateway("10.3.0.0/16") == TunnelAddress{ip("10.255.0.9")});
    run("ip nexthop replace id 7 via 10.255.0.8 dev nave0 onlink");
    CHECK(gateway("10.4.0.0/16") == TunnelAddress{ip("10.255.0.8")});
    run("ip nexthop del id 7");
    CHECK_FALSE(gateway("10.3.0.0/16"));
    CHECK_FALSE(gateway("10.4.0.0/16"));
}

TEST_CASE("quiet twins send nothing of their own") {
    if (!in_new_namespace()) return;
    Bench bench;
    for (std::size_t twin = 0; twin < 3; ++twin) CHECK_FALSE(bench.receives(twin, 150));
}

TEST_CASE("a twin that somebody removes is noticed") {
    if (!in_new_namespace()) return;
    Bench bench;
    CHECK_FALSE(bench.kernel->lost_twin());
    run("ip link delete lan");
    bench.kernel->synchronise();
    CHECK(bench.kernel->lost_twin() == "lan");
}
