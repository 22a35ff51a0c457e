// Tests of the way across the underlay: next hops, their MACs, paths of peers, datagrams that wait.
#include "controlplane/kernel/underlay.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;
using namespace std::chrono_literals;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Prefix prefix(const char* text) { return *Prefix::parse(text); }
MacAddress mac(std::uint8_t last) { return {{2, 0, 0, 0, 0, last}}; }

constexpr PortId kPort{0};
const IpAddress kRouter = ip("192.0.2.254"), kNear = ip("192.0.2.7"), kFar = ip("198.51.100.9");

/// 192.0.2.0/24 on the link, everything else through .254.
UnderlayView lan() {
    UnderlayView view;
    view.ports[kPort] = {.mac = mac(1), .mtu = 1500, .routes = {{prefix("192.0.2.0/24"), {}}, {prefix("0.0.0.0/0"), kRouter}}};
    return view;
}

overlay::ReachPeer wish(std::uint32_t peer, const IpAddress& remote) {
    return {.peer = {peer}, .port = kPort, .local = {ip("192.0.2.1")}, .remote = {remote}, .local_udp_port = 0, .remote_udp_port = 0};
}

overlay::SendDatagram datagram(const IpAddress& remote, std::uint8_t mark = 0) {
    return {.port = kPort, .local = {{ip("192.0.2.1")}, 500}, .remote = {{remote}, 500}, .payload = {mark}};
}

template <class T>
std::vector<T> all(const UnderlayOutbox& out) {
    std::vector<T> found;
    for (const auto& action : out) {
        if constexpr (std::is_same_v<T, SetPeerPath> || std::is_same_v<T, ClearPeerPath>) {
            if (const auto* command = std::get_if<Command>(&action); command && std::holds_alternative<T>(*command)) found.push_back(std::get<T>(*command));
        } else if (const auto* match = std::get_if<T>(&action)) {
            found.push_back(*match);
        }
    }
    return found;
}

/// An underlay with a clock that the test turns.
struct Bench {
    Underlay underlay;
    UnderlayView view = lan();
    TimePoint now{};
    UnderlayOutbox out;

    Bench() { update(); }
    UnderlayOutbox& update() {
        out.clear();
        underlay.update(view, now, out);
        return out;
    }
    UnderlayOutbox& reach(const overlay::ReachPeer& peer) {
        out.clear();
        underlay.reach(peer, now, out);
        return out;
    }
    UnderlayOutbox& send(const overlay::SendDatagram& what) {
        out.clear();
        underlay.send(what, now, out);
        return out;
    }
    UnderlayOutbox& after(Duration time) {
        out.clear();
        now += time;
        underlay.on_deadline(now, out);
        return out;
    }
    UnderlayOutbox& answers(const IpAddress& address, const MacAddress& with) {
        view.neighbours[{kPort, address}] = {.mac = with, .failed = false};
        return update();
    }
    UnderlayOutbox& is_silent(const IpAddress& address) {
        view.neighbours[{kPort, address}] = {.mac = {}, .failed = true};
        return update();
    }
};

}  // namespace

TEST_CASE("the next hop on the link is the remote itself, beyond it the gateway") {
    const RouteChoice choice{lan().ports.at(kPort).routes};
    CHECK(choice.next_hop(kNear) == kNear);
    CHECK(choice.next_hop(kFar) == kRouter);
}

TEST_CASE("the longest prefix decides") {
    const RouteChoice choice{{{prefix("198.51.100.0/24"), ip("192.0.2.2")}, {prefix("0.0.0.0/0"), ip("192.0.2.1")}, {prefix("198.51.0.0/16"), ip("192.0.2.3")}}};
    CHECK(choice.next_hop(kFar) == ip("192.0.2.2"));
}

TEST_CASE("without a covering route there is no next hop") {
    CHECK_FALSE(RouteChoice{}.next_hop(kFar));
    CHECK_FALSE(RouteChoice{{{prefix("192.0.2.0/24"), {}}}}.next_hop(kFar));
    CHECK_FALSE(RouteChoice{{{prefix("0.0.0.0/0"), kRouter}}}.next_hop(ip("2001:db8::1")));
}

TEST_CASE("a peer beyond the gateway is reached by the gateway's MAC once it is known") {
    Bench bench;
    CHECK(all<ResolveNeighbour>(bench.reach(wish(3, kFar))).at(0).address == kRouter);
    CHECK(all<SetPeerPath>(bench.out).empty());
    const auto paths = all<SetPeerPath>(bench.answers(kRouter, mac(9)));
    REQUIRE(paths.size() == 1);
    CHECK(paths[0].peer == PeerId{3});
    CHECK(paths[0].destination_mac == mac(9));
    CHECK(paths[0].source_mac == mac(1));
    CHECK(paths[0].remote.value == kFar);
}

TEST_CASE("a peer whose next hop is known already gets its path at once, and the next hop is confirmed") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    CHECK(all<SetPeerPath>(bench.reach(wish(3, kFar))).size() == 1);
    CHECK(all<ResolveNeighbour>(bench.out).size() == 1);
}

TEST_CASE("all peers behind one gateway follow when its MAC changes") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    for (std::uint32_t peer = 0; peer < 5; ++peer) bench.reach(wish(peer, kFar));
    bench.reach(wish(5, kNear));
    CHECK(all<SetPeerPath>(bench.answers(kRouter, mac(10))).size() == 5);
    CHECK(all<SetPeerPath>(bench.update()).empty());
}

TEST_CASE("a peer follows a route that changes") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.answers(ip("192.0.2.250"), mac(8));
    bench.reach(wish(3, kFar));
    bench.view.ports[kPort].routes.emplace(prefix("198.51.100.0/24"), ip("192.0.2.250"));
    CHECK(all<SetPeerPath>(bench.update()).at(0).destination_mac == mac(8));
}

TEST_CASE("a peer loses its path when the last route goes, and gets it back") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    const auto routes = bench.view.ports[kPort].routes;
    bench.view.ports[kPort].routes.clear();
    CHECK(all<ClearPeerPath>(bench.update()).at(0).peer == PeerId{3});
    bench.view.ports[kPort].routes = routes;
    CHECK(all<SetPeerPath>(bench.update()).size() == 1);
}

TEST_CASE("a peer loses its path when the port goes down") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    bench.view.ports.clear();
    CHECK(all<ClearPeerPath>(bench.update()).size() == 1);
}

TEST_CASE("a next hop that stops answering takes the path away until it answers again") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    CHECK(all<ClearPeerPath>(bench.is_silent(kRouter)).size() == 1);
    CHECK(all<ResolveNeighbour>(bench.after(Underlay::kAskAgain)).size() == 1);
    CHECK(all<SetPeerPath>(bench.answers(kRouter, mac(9))).size() == 1);
}

TEST_CASE("a neighbour that the kernel merely forgot keeps its path and is asked for again") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    bench.view.neighbours.clear();
    CHECK(all<ClearPeerPath>(bench.update()).empty());
    CHECK(all<ResolveNeighbour>(bench.after(0s)).size() == 1);
}

TEST_CASE("a next hop in use is confirmed every 30 seconds, one out of use is forgotten") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    CHECK(all<ResolveNeighbour>(bench.after(29s)).empty());
    CHECK(all<ResolveNeighbour>(bench.after(1s)).size() == 1);
    bench.underlay.forget(PeerId{3});
    CHECK(all<ResolveNeighbour>(bench.after(30s)).empty());
    CHECK_FALSE(bench.underlay.next_deadline());
}

TEST_CASE("a peer that moved to another address gets another path") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.answers(kNear, mac(7));
    bench.reach(wish(3, kFar));
    const auto paths = all<SetPeerPath>(bench.reach(wish(3, kNear)));
    REQUIRE(paths.size() == 1);
    CHECK(paths[0].destination_mac == mac(7));
    CHECK(all<SetPeerPath>(bench.answers(kRouter, mac(10))).empty());
}

TEST_CASE("the same wish again changes nothing") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    CHECK(bench.reach(wish(3, kFar)).empty());
}

TEST_CASE("a forgotten peer whose number is used again gets its path anew") {
    Bench bench;
    bench.answers(kRouter, mac(9));
    bench.reach(wish(3, kFar));
    bench.underlay.forget(PeerId{3});
    CHECK(all<SetPeerPath>(bench.reach(wish(3, kFar))).size() == 1);
}

TEST_CASE("datagrams wait for the next hop and leave in order when it answers") {
    Bench bench;
    CHECK(all<SendFrame>(bench.send(datagram(kFar, 1))).empty());
    CHECK(all<ResolveNeighbour>(bench.out).size() == 1);
    CHECK(all<ResolveNeighbour>(bench.send(datagram(kFar, 2))).empty());
    const auto frames = all<SendFrame>(bench.answers(kRouter, mac(9)));
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].frame.back() == 1);
    CHECK(frames[1].frame.back() == 2);
    CHECK(frames[0].frame[5] == 9);
    CHECK(all<SendFrame>(bench.send(datagram(kFar, 3))).size() == 1);
}

TEST_CASE("datagrams that wait are bounded, counted, and given up when nobody answers") {
    Bench bench;
    for (std::size_t i = 0; i < Underlay::kWaitingPerNextHop + 5; ++i) bench.send(datagram(kFar));
    CHECK(bench.underlay.counters().waiting_full == 5);
    CHECK(all<SendFrame>(bench.is_silent(kRouter)).empty());
    CHECK(bench.underlay.counters().unresolved == Underlay::kWaitingPerNextHop);
    CHECK(all<SendFrame>(bench.answers(kRouter, mac(9))).empty());
}

TEST_CASE("all next hops together hold a bounded number of datagrams") {
    Bench bench;
    for (std::uint32_t host = 2; host < 250; ++host) {
        for (int i = 0; i < 10; ++i) bench.send(datagram(IpAddress::v4(0xc0000200u + host)));
    }
    CHECK(bench.underlay.counters().waiting_full == 248 * 10 - Underlay::kWaitingMax);
}

TEST_CASE("a datagram that waited too long is dropped although its next hop answers later") {
    Bench bench;
    bench.send(datagram(kFar));
    for (int second = 0; second < 5; ++second) bench.after(1s);
    CHECK(bench.underlay.counters().unresolved == 1);
    CHECK(all<SendFrame>(bench.answers(kRouter, mac(9))).empty());
}

TEST_CASE("a datagram without a route is counted, not queued") {
    Bench bench;
    bench.view.ports[kPort].routes.erase(prefix("0.0.0.0/0"));
    bench.update();
    CHECK(all<SendFrame>(bench.send(datagram(kFar))).empty());
    CHECK(bench.underlay.counters().no_route == 1);
    overlay::SendDatagram elsewhere = datagram(kFar);
    elsewhere.port = PortId{9};
    CHECK(bench.send(elsewhere).empty());
    CHECK(bench.underlay.counters().no_route == 2);
}

TEST_CASE("an unresolved next hop is asked for once a second") {
    Bench bench;
    bench.reach(wish(3, kFar));
    for (int second = 0; second < 5; ++second) CHECK(all<ResolveNeighbour>(bench.after(1s)).size() == 1);
    CHECK(all<ResolveNeighbour>(bench.after(500ms)).empty());
}

TEST_CASE("a remote without a route, or with a silent next hop, is told once a minute") {
    Bench bench;
    const bool routed = GENERATE(true, false);
    if (!routed) bench.view.ports[kPort].routes.erase(prefix("0.0.0.0/0")), bench.update();
    std::vector<Unreachable> told;
    for (int second = 0; second < 100; ++second) {
        for (const auto& each : all<Unreachable>(bench.send(datagram(kFar)))) told.push_back(each);
        for (const auto& each : all<Unreachable>(bench.after(1s))) told.push_back(each);
    }
    REQUIRE(told.size() == 2);
    CHECK(told[0].remote == kFar);
    CHECK(told[0].next_hop == (routed ? std::optional{kRouter} : std::nullopt));
}

TEST_CASE("what strangers make unreachable is told of a bounded number") {
    Bench bench;
    bench.view.ports[kPort].routes.erase(prefix("0.0.0.0/0"));
    bench.update();
    std::size_t told = 0;
    for (std::uint32_t host = 0; host < 1000; ++host) told += all<Unreachable>(bench.send(datagram(IpAddress::v4(0xc6330000u + host)))).size();
    CHECK(told == Underlay::kToldMax);
}

TEST_CASE("a next hop that answers is not told of") {
    Bench bench;
    bench.send(datagram(kFar));
    CHECK(all<Unreachable>(bench.answers(kRouter, mac(9))).empty());
    CHECK(all<Unreachable>(bench.after(10s)).empty());
}
