"""Underlay paths that carry 1280 bytes: who may say that a path is so narrow, and that IPv6 of 1280 bytes passes inside of it all the same (RFC 8200 section 5)."""

import re
import struct

from both_versions import GATEWAYS, PORTS, network, start
from lab import Mix, wait_until

WAN = ("w-hub", "w-nat", "w-spoke2")
SMALLEST = "-M do -s 1232"  # IPv6 of 1280 bytes
LARGEST = "-M do -s 1352"   # IPv6 of the tunnel's 1400
HOST = Mix(6).host
WAYS = (("host0", 12), ("host2", 1))  # between the hosts behind the hub and spoke2


def setup(lab):
    network(lab)
    # Without the clamp TCP sends what the host was told of the path: segments of 1280 bytes.
    start(lab, {name: Mix(6, 6) for name in GATEWAYS}, mss_clamp=False)


def address(name, version=6):
    return PORTS[version][name][0].split("/")[0]


def say_too_big(lab, protocol, behind, mtu=1280):
    """A Packet Too Big from the wide area's router to the hub, about a packet of that protocol that the hub sent to spoke2."""
    script = ("import socket,sys;s=socket.socket(socket.AF_INET6,socket.SOCK_RAW,socket.IPPROTO_ICMPV6);p=lambda a:socket.inet_pton(socket.AF_INET6,a)\n"
              f"s.sendto(bytes.fromhex('{struct.pack('>BBHI', 2, 0, 0, mtu).hex()}60000000{1400:04x}{protocol:02x}40')+p('{address('hub')}')+p('{address('spoke2')}')"
              f"+bytes.fromhex('{behind.hex()}'),('{address('hub')}',0))")
    lab.run("wan", ["python3", "-c", script])


def spi_between(lab, source, target):
    """Of the ESP from one gateway to another, as the wide area's router sees it."""
    seen = lab.start("wan", f"timeout 5 tcpdump -c 1 -nnxi w-hub ip6 and src {address(source)} and dst {address(target)} and proto 50", "spi.log")
    assert wait_until(lambda: "listening" in lab.log("spi"), 5), lab.log("spi")
    lab.ping("host0", HOST(12), count=3)
    assert seen.wait(timeout=8) == 0, lab.log("spi")
    words = "".join(re.findall(r"^\s+0x[0-9a-f]{4}:\s+(.*)$", lab.log("spi"), re.MULTILINE)).replace(" ", "")
    return bytes.fromhex(words)[40:44]


def made_up(lab, gateway):
    return lab.counters(gateway).get("overlay-packet-too-big-made-up", 0)


def a_packet_too_big_that_quotes_no_spi_of_ours_lowers_no_path(lab):
    before = made_up(lab, "hub")
    for behind in (bytes.fromhex("0bad5b1e"), bytes(range(1, 5))):
        say_too_big(lab, 50, behind + bytes(60))
        say_too_big(lab, 17, struct.pack(">HHHH", 4500, 4500, 1400, 0) + behind + bytes(60))
    say_too_big(lab, 17, struct.pack(">HHHH", 500, 500, 1400, 0) + bytes(60))
    say_too_big(lab, 6, bytes(60))
    assert wait_until(lambda: made_up(lab, "hub") == before + 4, 5), lab.counters("hub")
    ping = lab.ping("host0", HOST(12), count=3, options=LARGEST)
    assert ping.received == 3, ping.output


def nor_does_one_of_less_than_every_path_carries_though_it_quotes_our_spi(lab):
    before, spi = made_up(lab, "hub"), spi_between(lab, "hub", "spoke2")
    say_too_big(lab, 50, spi + bytes(60), mtu=1279)
    ping = lab.ping("host0", HOST(12), count=3, options=LARGEST)
    assert ping.received == 3 and made_up(lab, "hub") == before, ping.output


def hosts_are_told(lab, *ways):
    """Packets of 1400 bytes both ways teach the gateways the path, and those their hosts what is left: no less than IPv6 has to carry."""
    for name, block in ways:
        lab.run(name, "ip -6 route flush cache")
        told = lambda: re.search(r"mtu.?=? ?1280", lab.ping(name, HOST(block), count=2, options=LARGEST).output)
        assert wait_until(told, 10), (name, lab.log("hub")[-2000:])


def one_that_quotes_our_spi_lowers_it(lab):
    for interface in WAN:
        lab.run("wan", f"sysctl -qw net.ipv6.conf.{interface}.mtu=1280")
    before = made_up(lab, "hub")
    hosts_are_told(lab, *WAYS)
    assert made_up(lab, "hub") == before


def passes_in_fragments(lab, names, options=SMALLEST):
    """Pings and TCP with the hub's host, in both directions; `names` of the spokes' blocks."""
    for number, block in names:
        for host, target in (("host0", HOST(block)), (f"host{number}", HOST(1))):
            ping = lab.ping(host, target, count=5, options=options)
            assert ping.received == 5, (ping.output, {name: (lab.drops(name), lab.counters(name)) for name in GATEWAYS})
            lab.echoes_tcp(host, f"host{number}" if host == "host0" else "host0", target)
    for name in ("hub", *(f"spoke{number}" for number, _ in names)):
        counted = lab.counters(name)
        assert counted["dataplane-fragments-made"] >= 10 and counted["dataplane-reassembled"] >= 10, (name, counted)


def ipv6_of_1280_bytes_passes_a_path_of_1280_of_ipv6_both_ways_and_tcp_flows(lab):
    passes_in_fragments(lab, ((2, 12),))


def and_in_udp(lab):
    start(lab, {name: Mix(6, 6) for name in GATEWAYS}, mss_clamp=False, force_encapsulation=True)
    hosts_are_told(lab, *WAYS)
    passes_in_fragments(lab, ((2, 12),))


def ports_of_1280_bytes_of_ipv4_carry_it_too_also_through_a_nat(lab):
    start(lab, {name: Mix(6, 4) for name in GATEWAYS}, wan={"mtu": 1280}, mss_clamp=False)
    passes_in_fragments(lab, ((1, 11), (2, 12)))


def a_fragmentation_needed_lowers_no_path_of_ipv4_as_its_routers_may_fragment(lab):
    start(lab, {name: Mix(6, 4) for name in GATEWAYS})
    quoted = "45000578000000004032" + "0000"
    script = ("import socket;s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_ICMP)\n"
              f"b=bytes.fromhex('0304000000000240'+'{quoted}')+socket.inet_aton('{address('hub', 4)}')+socket.inet_aton('{address('spoke2', 4)}')+bytes.fromhex('0bad5b1e')+bytes(8)\n"
              "n=sum(int.from_bytes(b[i:i+2],'big') for i in range(0,len(b),2));n=(n>>16)+(n&0xffff);n=~(n+(n>>16))&0xffff\n"
              f"s.sendto(b[:2]+n.to_bytes(2,'big')+b[4:],('{address('hub', 4)}',0))")
    lab.run("wan", ["python3", "-c", script])
    for network_of, interface in (("192.0.2.0/24", "w-hub"), ("203.0.113.0/24", "w-spoke2")):
        lab.run("wan", f"ip route change {network_of} dev {interface} mtu lock 1280")
    for host, block in WAYS:
        lab.run(host, "ip -6 route flush cache")
        ping = lab.ping(host, HOST(block), count=3, options=LARGEST)
        assert ping.received == 3, (ping.output, lab.drops("hub"), lab.drops("spoke2"))


def nothing_was_ever_in_clear_on_the_wire(lab):
    for family in ("ip", "ip6"):
        seen = lab.wire(family)
        assert seen["clear_gre"] == seen["clear_inner"] == 0, seen
