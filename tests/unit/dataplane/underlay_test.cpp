// Frames on an underlay port: what is ours, what goes up, and what is dropped by which name. Nothing is ever forwarded.
#include "tests/unit/dataplane/lab.hpp"

#include <catch2/catch.hpp>

using namespace nave;
using namespace nave::test;

namespace {

struct Underlay {
    LeakCheck leaks;
    Box box;

    explicit Underlay(const BoxOptions& options = {}) : box{options} {}
    void receive(ByteView ip_packet) { box.from_underlay(ip_packet), box.turn(); }
    void frame(ByteView bytes, std::uint64_t device_flags = 0) { box.put(kUnderlay, bytes, 0, device_flags), box.turn(); }
    Bytes to_us(std::uint8_t protocol, const Bytes& payload) { return ipv4({.source = "198.51.100.1", .destination = "192.0.2.1", .protocol = protocol}, payload); }
};

}  // namespace

TEST_CASE("a frame cut within Ethernet is a runt") {
    Underlay under;
    for (std::size_t size = 1; size < 14; ++size) under.frame(Bytes(size, 0xff));
    CHECK(under.box.drops(Drop::ethernet_runt) == 13);
}

TEST_CASE("frames for other stations are dropped") {
    Underlay under;
    under.frame(ethernet({{2, 9, 9, 9, 9, 9}}, kNeighbourMac, kEtherTypeIpv4, under.to_us(kProtocolUdp, udp(1, 500, pattern(8)))));
    CHECK(under.box.drops(Drop::not_our_mac) == 1);
}

TEST_CASE("ARP goes up as a frame, with its port") {
    Underlay under;
    const Bytes arp = ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeArp, pattern(46));
    under.frame(arp);
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].punt == Punt::arp);
    CHECK(punted[0].port == kUnderlay);
    CHECK(punted[0].bytes == arp);
}

TEST_CASE("unknown types are dropped by name") {
    Underlay under;
    under.frame(ethernet(kBoxMac, kNeighbourMac, 0x88cc, pattern(60)));
    CHECK(under.box.drops(Drop::ethernet_unknown_type) == 1);
}

TEST_CASE("a port without a VLAN takes untagged and priority-tagged frames only") {
    Underlay under;
    const Bytes frame = ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, under.to_us(kProtocolUdp, udp(500, 500, pattern(30))));
    under.frame(vlan_tagged(frame, 7));
    CHECK(under.box.drops(Drop::vlan_mismatch) == 1);
    under.frame(vlan_tagged(frame, 0));
    CHECK(under.box.punted().size() == 1);
}

TEST_CASE("a port with a VLAN takes its own tag only, and a tag cut short is a runt") {
    Underlay under{{.underlay_vlan = 7}};
    const Bytes frame = ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, under.to_us(kProtocolUdp, udp(500, 500, pattern(30))));
    under.frame(frame);
    under.frame(vlan_tagged(frame, 8));
    CHECK(under.box.drops(Drop::vlan_mismatch) == 2);
    under.frame(vlan_tagged(frame, 7));
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].bytes == tail(frame, 14));
    under.frame(ByteView{vlan_tagged(frame, 7)}.first(16));
    CHECK(under.box.drops(Drop::ethernet_runt) == 1);
}

TEST_CASE("a port that the control plane has not set up drops everything") {
    Underlay under;
    under.box.command(SetPort{kUnderlay, kBoxMac, 0});
    under.receive(under.to_us(kProtocolUdp, udp(500, 500, pattern(30))));
    CHECK(under.box.drops(Drop::port_down) == 1);
}

TEST_CASE("outer IPv4 with each broken field is dropped by name") {
    Underlay under;
    const auto broken = [&](std::size_t at, std::uint8_t value, bool sum) {
        Bytes packet = under.to_us(kProtocolUdp, udp(500, 500, pattern(30)));
        packet[at] = value;
        under.receive(sum ? fix_checksum(packet) : packet);
    };
    broken(0, 0x65, true);
    broken(0, 0x44, false);
    broken(2, 0x10, true);
    broken(8, 3, false);
    under.receive(Bytes(19, 0x45));
    for (const Drop reason : {Drop::ip_bad_version, Drop::ip_bad_header_length, Drop::ip_bad_total_length, Drop::ip_bad_checksum, Drop::ip_runt}) {
        INFO(name(reason));
        CHECK(under.box.drops(reason) == 1);
    }
    CHECK(under.box.punted().empty());
}

TEST_CASE("a checksum that the device vouches for is not looked at, one that it knows nothing of is") {
    Underlay under;
    Bytes packet = under.to_us(kProtocolUdp, udp(500, 500, pattern(30)));
    packet[10] ^= 0xff;
    const Bytes frame = ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, packet);
    under.frame(frame, RTE_MBUF_F_RX_IP_CKSUM_GOOD);
    under.frame(frame, RTE_MBUF_F_RX_IP_CKSUM_NONE);
    CHECK(under.box.punted().size() == 2);
    under.frame(frame);
    under.frame(frame, RTE_MBUF_F_RX_IP_CKSUM_BAD);
    CHECK(under.box.drops(Drop::ip_bad_checksum) == 2);
}

TEST_CASE("packets to other hosts, and from martians, are dropped: an underlay port forwards nothing") {
    Underlay under;
    under.receive(ipv4({.source = "198.51.100.1", .destination = "192.0.2.99"}, udp(500, 500, pattern(8))));
    under.receive(ipv4({.source = "198.51.100.1", .destination = "10.1.0.9"}, udp(500, 500, pattern(8))));
    CHECK(under.box.drops(Drop::underlay_not_local) == 2);
    under.receive(ipv4({.source = "127.0.0.1", .destination = "192.0.2.1"}, udp(500, 500, pattern(8))));
    CHECK(under.box.drops(Drop::ip_bad_source) == 1);
    CHECK(under.box.sent(kInside).empty());
}

TEST_CASE("an address that was removed is not ours any more") {
    Underlay under;
    under.box.command(RemoveLocalAddress{kUnderlay, IpAddress::parse("192.0.2.1").value()});
    under.receive(under.to_us(kProtocolUdp, udp(500, 500, pattern(8))));
    CHECK(under.box.drops(Drop::underlay_not_local) == 1);
}

TEST_CASE("DHCP answers go up though their address is not ours yet, and so do broadcasts") {
    Underlay under;
    under.receive(ipv4({.source = "192.0.2.254", .destination = "192.0.2.77"}, udp(67, 68, pattern(240))));
    under.frame(ethernet(kBroadcastMac, kNeighbourMac, kEtherTypeIpv4, ipv4({.source = "0.0.0.0", .destination = "255.255.255.255"}, udp(68, 67, pattern(240)))));
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::local);
    CHECK(punted[1].punt == Punt::local);
}

TEST_CASE("clear GRE is dropped, and so are other tunnels in clear") {
    Underlay under;
    under.receive(under.to_us(kProtocolGre, keyed_gre(ipv4({.source = "10.2.0.9", .destination = "10.1.0.9"}, pattern(8)))));
    under.receive(under.to_us(kProtocolIpip, pattern(40)));
    under.receive(under.to_us(41, pattern(40)));
    CHECK(under.box.drops(Drop::gre_in_clear) == 1);
    CHECK(under.box.drops(Drop::underlay_unknown_protocol) == 2);
    CHECK(under.box.sent(kInside).empty());
    CHECK(under.box.punted().empty());
}

TEST_CASE("IKE goes up as an IP packet from both of its ports") {
    Underlay under;
    const Bytes plain = under.to_us(kProtocolUdp, udp(500, 500, pattern(28)));
    const Bytes marked = under.to_us(kProtocolUdp, udp(4500, 4500, concat({Bytes(4, 0), pattern(28)})));
    under.receive(plain);
    under.receive(marked);
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 2);
    CHECK(punted[0].punt == Punt::ike);
    CHECK(punted[0].bytes == plain);
    CHECK(punted[1].punt == Punt::ike);
    CHECK(punted[1].bytes == marked);
}

TEST_CASE("a NAT keepalive is swallowed, and what is too short for ESP or IKE on 4500 is a runt") {
    Underlay under;
    under.receive(under.to_us(kProtocolUdp, udp(4500, 4500, Bytes{0xff})));
    CHECK(under.box.drops(Drop::nat_keepalive) == 1);
    for (std::size_t size = 0; size < 8; ++size) under.receive(under.to_us(kProtocolUdp, udp(4500, 4500, Bytes(size, 1))));
    CHECK(under.box.drops(Drop::esp_runt) == 8);
}

TEST_CASE("UDP that lies about its length, is cut short or has a checksum that the device found wrong is dropped") {
    Underlay under;
    for (const auto length : std::to_array<std::uint8_t>({0, 7, 200})) {
        Bytes datagram = udp(500, 500, pattern(28));
        datagram[5] = length;
        under.receive(under.to_us(kProtocolUdp, datagram));
    }
    CHECK(under.box.drops(Drop::udp_bad_length) == 3);
    under.receive(under.to_us(kProtocolUdp, Bytes(7, 1)));
    CHECK(under.box.drops(Drop::udp_runt) == 1);
    Bytes wrong = udp(500, 500, pattern(28));
    wrong[7] = 1;
    under.frame(ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, under.to_us(kProtocolUdp, wrong)), RTE_MBUF_F_RX_L4_CKSUM_BAD);
    CHECK(under.box.drops(Drop::udp_bad_checksum) == 1);
}

TEST_CASE("everything else to our address goes up as a frame, for the kernel") {
    Underlay under;
    const Bytes ping = under.to_us(kProtocolIcmp, Bytes{8, 0, 0, 0, 0, 1, 0, 1});
    under.receive(ping);
    under.receive(under.to_us(kProtocolTcp, pattern(20)));
    under.receive(under.to_us(kProtocolUdp, udp(53, 33000, pattern(20))));
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 3);
    for (const auto& each : punted) CHECK(each.punt == Punt::local);
    CHECK(tail(punted[0].bytes, 14) == ping);
}

TEST_CASE("a frame that arrives in several buffers is put into one") {
    Underlay under;
    const Bytes packet = under.to_us(kProtocolUdp, udp(500, 500, pattern(1000)));
    under.box.put_chain(kUnderlay, ethernet(kBoxMac, kNeighbourMac, kEtherTypeIpv4, packet), 100);
    under.box.turn();
    const auto punted = under.box.punted();
    REQUIRE(punted.size() == 1);
    CHECK(punted[0].bytes == packet);
}

TEST_CASE("a frame in more bytes than the largest buffer is dropped, not read past its end") {
    Underlay under;
    under.box.put_chain(kUnderlay, Bytes(12'000, 2), 2000);
    under.box.turn();
    CHECK(under.box.drops(Drop::no_buffer) == 1);
}

TEST_CASE("random bytes on the underlay never leave the gateway and always have a drop or a punt") {
    Underlay under;
    std::uint64_t state = 42;
    for (int i = 0; i < 500; ++i) {
        Bytes noise(20 + state % 100);
        for (auto& byte : noise) byte = static_cast<std::uint8_t>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
        under.receive(under.to_us(static_cast<std::uint8_t>(i % 2 ? kProtocolEsp : kProtocolUdp), noise));
    }
    CHECK(under.box.drops() + under.box.punted().size() == 500);
    CHECK(under.box.sent(kInside).empty());
    CHECK(under.box.sent(kUnderlay).empty());
}
