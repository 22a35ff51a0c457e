// Device strings: every kind, every malformed form, and the devargs that they become.
#include "dataplane/device_string.hpp"

#include <catch2/catch.hpp>

using namespace nave::dataplane;

namespace {

DeviceString parsed(std::string_view text) {
    const auto device = parse_device_string(text);
    INFO((device ? "" : device.error().text));
    REQUIRE(device.has_value());
    return *device;
}

/// The error of a string that must be refused; it always names the string.
std::string refused(std::string_view text) {
    const auto device = parse_device_string(text);
    REQUIRE_FALSE(device.has_value());
    CHECK(device.error().text.starts_with("device \"" + std::string{text} + "\": "));
    return device.error().text;
}

DeviceArguments arguments(std::string_view text, const DeviceShape& shape = {.index = 3, .queues = 2, .mtu = 1500}) { return device_arguments(parsed(text), shape); }

}  // namespace

TEST_CASE("a PCI address with its domain stays as it is") {
    CHECK(parsed("0000:03:00.0") == DeviceString{DeviceKind::pci, "0000:03:00.0", {}});
    CHECK(arguments("0000:03:00.0") == DeviceArguments{"pci", "0000:03:00.0", ""});
}

TEST_CASE("a PCI address without a domain is in domain 0") { CHECK(parsed("3b:1f.7").name == "0000:3b:1f.7"); }

TEST_CASE("a long PCI domain is kept, as virtual machines of clouds have them") { CHECK(parsed("10000:e1:00.0").name == "10000:e1:00.0"); }

TEST_CASE("options of a PCI device go to its driver, whatever they are") {
    CHECK(arguments("0000:03:00.0,representor=0,txq_inline=64").arguments == "representor=0,txq_inline=64");
}

TEST_CASE("a PCI address out of range is refused") {
    for (const auto* text : {"0000:03:20.0", "0000:03:00.8", "0000:100:00.0"}) CHECK_THAT(refused(text), Catch::Contains("unknown kind"));
}

TEST_CASE("af_packet takes a kernel interface and gets a ring of the right frame size") {
    CHECK(arguments("af_packet:eth1") == DeviceArguments{"vdev", "net_af_packet3", "iface=eth1,qpairs=2,framesz=2048,blocksz=4096,framecnt=2048"});
}

TEST_CASE("af_packet on a jumbo interface gets frames that hold its packets") {
    CHECK(arguments("af_packet:eth1", {.index = 0, .queues = 1, .mtu = 9000}).arguments == "iface=eth1,qpairs=1,framesz=16384,blocksz=16384,framecnt=256");
}

TEST_CASE("options in the string win over computed ones") {
    CHECK(arguments("af_packet:eth1,framecnt=64,qdisc_bypass=1").arguments == "iface=eth1,qpairs=2,framesz=2048,blocksz=4096,framecnt=64,qdisc_bypass=1");
}

TEST_CASE("the name of a VLAN interface has a dot and is fine") { CHECK(parsed("af_packet:eth0.100").name == "eth0.100"); }

TEST_CASE("af_xdp takes a kernel interface") { CHECK(arguments("af_xdp:veth0,force_copy=1") == DeviceArguments{"vdev", "net_af_xdp3", "iface=veth0,queue_count=2,force_copy=1"}); }

TEST_CASE("af_packet and af_xdp face a kernel, others do not") {
    CHECK(parsed("af_packet:a").kernel_facing());
    CHECK(parsed("af_xdp:a").kernel_facing());
    for (const auto* text : {"tap:a", "ring:a", "memif:/m", "vhost:/v", "virtio_user:/u", "pcap:/p", "03:00.0"}) CHECK_FALSE(parsed(text).kernel_facing());
}

TEST_CASE("tap makes a kernel interface of that name") {
    CHECK(arguments("tap:dmvpn0,mac=02:00:00:00:00:09") == DeviceArguments{"vdev", "net_tap3", "iface=dmvpn0,mac=02:00:00:00:00:09"});
}

TEST_CASE("memif with a path uses a socket in the file system") {
    CHECK(arguments("memif:/run/memif.sock,role=client,id=2").arguments == "socket=/run/memif.sock,socket-abstract=no,role=client,id=2");
}

TEST_CASE("memif with @ uses an abstract socket") { CHECK(arguments("memif:@lab").arguments == "socket=lab,socket-abstract=yes"); }

TEST_CASE("virtio_user takes the path of a vhost socket") {
    CHECK(arguments("virtio_user:/run/vhost0,server=1") == DeviceArguments{"vdev", "net_virtio_user3", "path=/run/vhost0,server=1"});
}

TEST_CASE("virtio_user with several queues gets the control queue that they need") { CHECK(arguments("virtio_user:/s,queues=4").arguments == "path=/s,cq=1,queues=4"); }

TEST_CASE("vhost takes the path of the socket that it makes") {
    CHECK(arguments("vhost:/run/vhost0,client=1") == DeviceArguments{"vdev", "net_vhost3", "iface=/run/vhost0,client=1"});
}

TEST_CASE("pcap receives from one file and may send to another") {
    CHECK(arguments("pcap:in.pcap,tx_pcap=/tmp/out.pcap").arguments == "rx_pcap=in.pcap,tx_pcap=/tmp/out.pcap");
}

TEST_CASE("ring has a name and nothing else") {
    CHECK(parsed("ring:cable-1_a").kind == DeviceKind::ring);
    CHECK_THAT(refused("ring:a,size=2"), Catch::Contains("unknown option size; this kind has no options"));
}

TEST_CASE("an empty device string is refused with the accepted forms") { CHECK_THAT(refused(""), Catch::Contains("af_packet:INTERFACE") && Catch::Contains("0000:03:00.0")); }

TEST_CASE("a bare interface name is refused with the string to write instead") { CHECK_THAT(refused("eth0"), Catch::Contains("write af_packet:eth0")); }

TEST_CASE("an unknown kind is refused with the known ones") {
    CHECK_THAT(refused("afpacket:eth0"), Catch::Contains("unknown kind \"afpacket\"") && Catch::Contains("virtio_user:PATH"));
}

TEST_CASE("kinds are written in lower case") { CHECK_THAT(refused("TAP:x"), Catch::Contains("unknown kind \"TAP\"")); }

TEST_CASE("a kind without a name is refused with what the name is") {
    CHECK_THAT(refused("af_packet:"), Catch::Contains("is not the name of a kernel interface"));
    CHECK_THAT(refused("memif:"), Catch::Contains("path of a socket"));
    CHECK_THAT(refused("memif:@"), Catch::Contains("path of a socket"));
    CHECK_THAT(refused("pcap:,infinite_rx=1"), Catch::Contains("capture file"));
}

TEST_CASE("what no kernel accepts as an interface name is refused") {
    for (const auto* text : {"af_packet:sixteen-letters!", "tap:a/b", "af_xdp:.", "tap:..", "af_packet:eth0:1", "tap:a b", "af_packet:\teth0"})
        CHECK_THAT(refused(text), Catch::Contains("kernel interface"));
}

TEST_CASE("a ring name is short and plain") {
    for (const auto* text : {"ring:a.b", "ring:seventeen-letters", "ring:a b", "ring:/x"}) CHECK_THAT(refused(text), Catch::Contains("16 letters"));
}

TEST_CASE("characters that devargs cannot carry are refused in paths") {
    for (const auto* text : {"memif:/run/a b", "vhost:/run/\"x\"", "virtio_user:/run/[1]", "pcap:a\\b", "pcap:a\nb"}) refused(text);
}

TEST_CASE("an unknown option is refused with the known ones") { CHECK_THAT(refused("tap:x,remote=eth0"), Catch::Contains("unknown option remote; accepted are mac")); }

TEST_CASE("options that the gateway computes from its workers are not accepted") {
    refused("af_packet:eth0,qpairs=4");
    refused("af_xdp:eth0,queue_count=4");
    refused("af_packet:eth0,iface=eth1");
}

TEST_CASE("an option without value or key is refused") {
    for (const auto* text : {"tap:x,mac", "tap:x,mac=", "tap:x,=1", "tap:x,,mac=02:00:00:00:00:01"}) CHECK_THAT(refused(text), Catch::Contains("write KEY=VALUE"));
}

TEST_CASE("a comma at the end is refused") {
    for (const auto* text : {"tap:x,", "memif:/s,id=1,", "03:00.0,"}) CHECK_THAT(refused(text), Catch::Contains("ends in a comma"));
}

TEST_CASE("an option that stands twice is refused") { CHECK_THAT(refused("memif:/s,id=1,role=client,id=2"), Catch::Contains("option id stands twice")); }

TEST_CASE("a value of the wrong type is refused with the right one") {
    CHECK_THAT(refused("memif:/s,id=one"), Catch::Contains("\"one\" but must be a decimal number"));
    CHECK_THAT(refused("memif:/s,id=-1"), Catch::Contains("decimal number"));
    CHECK_THAT(refused("memif:/s,id=99999999999"), Catch::Contains("decimal number"));
    CHECK_THAT(refused("memif:/s,role=master"), Catch::Contains("server or client"));
    CHECK_THAT(refused("memif:/s,zero-copy=1"), Catch::Contains("yes or no"));
    CHECK_THAT(refused("vhost:/s,client=yes"), Catch::Contains("0 or 1"));
    CHECK_THAT(refused("tap:x,mac=02:00:00:00:00"), Catch::Contains("MAC address"));
}

TEST_CASE("a device's text hides the secret of a memif") { CHECK(to_string(parsed("memif:/s,secret=hunter2,id=1")) == "memif:/s,secret=(hidden),id=1"); }
