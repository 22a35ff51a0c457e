// Tests of ICMPv6 Packet Too Big: which messages count, and what becomes of a peer's path.
#include "common/checksum.hpp"
#include "common/headers.hpp"
#include "controlplane/kernel/packet_too_big.hpp"
#include "controlplane/kernel/underlay.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::kernel;
using namespace std::chrono_literals;

namespace {

const IpAddress kUs = *IpAddress::parse("2001:db8::1"), kRouter = *IpAddress::parse("2001:db8::254"), kPeer = *IpAddress::parse("2001:db8:1::9");
constexpr std::size_t kIcmp = sizeof(EthernetHeader) + sizeof(Ipv6Header), kQuoted = kIcmp + sizeof(Icmpv6Header);

void put_ip(ByteWriter& out, std::uint8_t next_header, std::size_t length, const IpAddress& from, const IpAddress& to) {
    out.u32(6u << 28);
    out.u16(static_cast<std::uint16_t>(length));
    out.u8(next_header);
    out.u8(64);
    out.bytes(from.bytes());
    out.bytes(to.bytes());
}

Bytes& fix_checksum(Bytes& frame) {
    Ipv6Header ip;
    std::memcpy(&ip, frame.data() + sizeof(EthernetHeader), sizeof ip);
    frame[kIcmp + 2] = frame[kIcmp + 3] = 0;
    const std::uint16_t sum = ipv6_checksum(ip, kProtocolIcmpv6, ByteView{frame}.subspan(kIcmp));
    frame[kIcmp + 2] = static_cast<std::uint8_t>(sum >> 8), frame[kIcmp + 3] = static_cast<std::uint8_t>(sum);
    return frame;
}

/// A router's message to us about what we sent to the peer.
Bytes message(std::uint32_t mtu, std::uint8_t quoted_protocol = kProtocolEsp, Bytes behind = Bytes(64, 0x11)) {
    ByteWriter out;
    out.bytes(Bytes(12, 2));
    out.u16(kEtherTypeIpv6);
    put_ip(out, kProtocolIcmpv6, sizeof(Icmpv6Header) + sizeof(Ipv6Header) + behind.size(), kRouter, kUs);
    out.u8(2);
    out.u8(0);
    out.u16(0);
    out.u32(mtu);
    put_ip(out, quoted_protocol, 1460, kUs, kPeer);
    out.bytes(behind);
    Bytes frame = out.take();
    return fix_checksum(frame);
}

Bytes changed(std::size_t at, std::uint8_t value) {
    Bytes frame = message(1400);
    frame[at] = value;
    return fix_checksum(frame);
}

/// An underlay with one peer on the link.
struct Bench {
    Underlay underlay;
    TimePoint now{};
    UnderlayOutbox out;

    Bench() {
        UnderlayView view;
        view.ports[PortId{0}] = {.mac = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500, .routes = {{*Prefix::parse("::/0"), kRouter}}};
        view.neighbours[{PortId{0}, kRouter}] = {.mac = MacAddress{{2, 0, 0, 0, 0, 9}}};
        underlay.update(view, now, out);
        reach(kPeer);
    }
    void reach(const IpAddress& remote) {
        underlay.reach({.peer = {1}, .port = PortId{0}, .local = {kUs}, .remote = {remote}, .local_udp_port = 0, .remote_udp_port = 0}, now, out);
    }
    void too_big(std::uint32_t mtu, const IpAddress& local = kUs) { underlay.too_big({.local = {local}, .remote = {kPeer}, .mtu = mtu}, now, out); }
    /// The MTU of the path that the dataplane was told since the last call; nothing: it was not told.
    std::optional<std::uint16_t> told() {
        std::optional<std::uint16_t> mtu;
        for (const UnderlayAction& action : std::exchange(out, {}))
            if (const auto* command = std::get_if<Command>(&action)) mtu = std::get<SetPeerPath>(*command).mtu;
        return mtu;
    }
};

}  // namespace

TEST_CASE("a Packet Too Big about our ESP says whose way is how narrow") {
    const auto read = parse_packet_too_big(message(1400));
    REQUIRE(read);
    CHECK(read->local.value == kUs);
    CHECK(read->remote.value == kPeer);
    CHECK(read->mtu == 1400);
    CHECK(read->spi == Spi{0x11111111});
    Bytes udp{4500 >> 8, 4500 & 0xff, 4500 >> 8, 4500 & 0xff, 0, 12, 0, 0, 1, 2, 3, 4};
    CHECK(parse_packet_too_big(message(1400, kProtocolUdp, udp))->spi == Spi{0x01020304});
    udp[11] = udp[10] = udp[9] = udp[8] = 0;  // IKE's marker, and IKE has its own fragments
    CHECK_FALSE(parse_packet_too_big(message(1400, kProtocolUdp, udp)));
    CHECK_FALSE(parse_packet_too_big(message(1400, kProtocolUdp, Bytes{0, 53, 0, 53, 0, 8, 0, 0})));
    CHECK_FALSE(parse_packet_too_big(message(1400, kProtocolTcp)));
}

TEST_CASE("a Packet Too Big that is another message, wrongly summed or not about what we sent does not count") {
    CHECK_FALSE(parse_packet_too_big(changed(kIcmp, 1)));
    CHECK_FALSE(parse_packet_too_big(changed(12, 8)));
    CHECK_FALSE(parse_packet_too_big(changed(kQuoted, 0x45)));
    CHECK_FALSE(parse_packet_too_big(changed(kQuoted + 23, 2)));  // somebody else's source
    Bytes wrong = message(1400);
    wrong[kIcmp + 7] ^= 1;
    CHECK_FALSE(parse_packet_too_big(wrong));
    const Bytes whole = message(1400);
    for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(parse_packet_too_big(ByteView{whole}.first(size)));
}

TEST_CASE("a peer's path becomes as narrow as it was said to be, and who says below 1280 is not heard (RFC 8201 section 4)") {
    Bench bench;
    CHECK(bench.told() == 0);
    bench.too_big(1400);
    CHECK(bench.told() == 1400);
    bench.too_big(1450);
    CHECK_FALSE(bench.told());
    for (const std::uint32_t mtu : {0u, 68u, 1279u}) {
        bench.too_big(mtu);
        CHECK_FALSE(bench.told());
    }
    bench.too_big(1280);
    CHECK(bench.told() == 1280);
}

TEST_CASE("what is no less than the port carries, or about another address of ours, changes no path") {
    Bench bench;
    bench.told();
    bench.too_big(1500);
    bench.too_big(9000);
    bench.too_big(1400, kRouter);
    CHECK_FALSE(bench.told());
}

TEST_CASE("a larger packet is tried again after ten minutes, and by a new address at once") {
    Bench bench;
    bench.too_big(1400);
    bench.told();
    CHECK(bench.underlay.next_deadline() <= bench.now + Underlay::kTryLarger);
    bench.now += Underlay::kTryLarger - 1s;
    bench.underlay.on_deadline(bench.now, bench.out);
    CHECK_FALSE(bench.told());
    bench.now += 1s;
    bench.underlay.on_deadline(bench.now, bench.out);
    CHECK(bench.told() == 0);
    bench.too_big(1300);
    CHECK(bench.told() == 1300);
    bench.reach(*IpAddress::parse("2001:db8:1::77"));
    CHECK(bench.told() == 0);
    bench.too_big(1300);
    CHECK_FALSE(bench.told());
    bench.now += Underlay::kTryLarger;
    bench.underlay.on_deadline(bench.now, bench.out);
    CHECK_FALSE(bench.told());
}

TEST_CASE("an IKE message over IPv6 that was not cut by IKE goes in fragments that every path carries, one of 1280 bytes whole") {
    Bench bench;
    const auto frames_with = [&](std::size_t payload) {
        bench.out.clear();
        bench.underlay.send({.port = PortId{0}, .local = {{kUs}, 500}, .remote = {{kPeer}, 500}, .payload = Bytes(payload, 1)}, bench.now, bench.out);
        std::vector<std::size_t> sizes;
        for (const UnderlayAction& action : bench.out)
            if (const auto* sent = std::get_if<SendFrame>(&action)) sizes.push_back(sent->frame.size() - sizeof(EthernetHeader));
        return sizes;
    };
    CHECK(frames_with(1280 - 48) == std::vector<std::size_t>{1280});
    CHECK(frames_with(1280 - 48 + 1) == std::vector<std::size_t>{40 + 8 + 1232, 40 + 8 + 9});
}
