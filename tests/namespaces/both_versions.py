"""The lab's network with IPv6 beside IPv4, outside and inside, and the life of a DMVPN on it that each mix of versions has to lead."""

import re
import threading

from lab import wait_until

GATEWAYS = ("hub", "spoke1", "spoke2")
# Underlay ports. spoke1's IPv4 is behind a NAT, its IPv6 behind the same box as a router; spoke2's IPv6 router is known by its link-local address.
PORTS = {4: {"hub": ("192.0.2.1/24", "192.0.2.254"), "spoke1": ("192.168.1.2/24", "192.168.1.1"), "spoke2": ("203.0.113.2/24", "203.0.113.254")},
         6: {"hub": ("2001:db8:1::1/64", "2001:db8:1::254"), "spoke1": ("2001:db8:4::2/64", "2001:db8:4::1"), "spoke2": ("2001:db8:3::2/64", "fe80::1")}}
FLOOD, INTERVAL = 600, 0.02  # longer than a child SA lives
SETTINGS = {"child_lifetime": "10s", "shortcut_idle": "30s"}


def network(lab):
    """The lab's underlay and hosts, with addresses of both versions."""
    lab.underlay()
    for name in ("wan", "nat", "host0", "host1", "host2", *GATEWAYS):
        lab.run(name, "sysctl -qw net.ipv6.conf.all.disable_ipv6=0")
    for name in GATEWAYS:  # naved has these interfaces to itself
        for interface in ("eth0", "lan0"):
            lab.run(name, f"sysctl -qw net.ipv6.conf.{interface}.disable_ipv6=1")
    addresses = {"wan": (("w-hub", "2001:db8:1::254"), ("w-nat", "2001:db8:2::254"), ("w-spoke2", "2001:db8:3::254"), ("w-spoke2", "fe80::1")),
                 "nat": (("out", "2001:db8:2::2"), ("in", "2001:db8:4::1")),
                 **{f"host{number}": (("eth0", f"fd00:16:{1 if number == 0 else 10 + number}::10"),) for number in range(3)}}
    for name, held in addresses.items():
        for interface, address in held:
            lab.run(name, f"ip addr add {address}/64 dev {interface} nodad")
    for number in range(3):
        lab.run(f"host{number}", f"ip -6 route add default via fd00:16:{1 if number == 0 else 10 + number}::1")
    for name in ("wan", "nat"):
        lab.run(name, "sysctl -qw net.ipv6.conf.all.forwarding=1")
    lab.run("nat", "ip -6 route add default via 2001:db8:2::254")
    lab.run("wan", "ip -6 route add 2001:db8:4::/64 via 2001:db8:2::2")
    lab.run("wan", ["nft", "add table ip6 wire; add chain ip6 wire seen { type filter hook forward priority 0; }; "
                           'add rule ip6 wire seen meta l4proto gre counter comment "clear_gre"; '
                           'add rule ip6 wire seen ip6 saddr fd00::/8 counter comment "clear_inner"; '
                           'add rule ip6 wire seen ip6 daddr fd00::/8 counter comment "clear_inner"; '
                           'add rule ip6 wire seen meta l4proto esp counter comment "esp"; '
                           'add rule ip6 wire seen udp dport 4500 counter comment "esp_in_udp"'])


def port(name, *versions):
    """Keys of a gateway's underlay port that has addresses of these versions."""
    texts = {key: [PORTS[version][name][place] for version in versions] for place, key in enumerate(("address", "gateway"))}
    return {key: values[0] if len(values) == 1 else str(values).replace("'", '"') for key, values in texts.items()}


def start(lab, mixes, wan=None, **changes):
    """Three gateways anew, each with its mix, and `wan` keys of all underlay ports; returns once the spokes are registered."""
    for name in lab.gateways:
        lab.stop(name)
    for name in GATEWAYS:
        versions = {mix.outside for mix in mixes.values()} if name == "hub" else {mixes[name].outside}
        lab.gateway(name, mix=mixes[name], wan=port(name, *sorted(versions)) | (wan or {}), **SETTINGS, **changes)
    assert wait_until(lab.registered, 20, 0.2), "\n".join(f"--- {name}\n{lab.log(name)[-2500:]}" for name in GATEWAYS)
    # How a first packet fares while its neighbour is asked for, is not the question here.
    for number, name in enumerate(GATEWAYS):
        gateway = mixes[name].lan(1 if number == 0 else 10 + number).split("/")[0]
        assert wait_until(lambda: lab.ping(f"host{number}", gateway, count=1).received, 5), lab.log(name)[-2500:]


class Flood:
    """A ping that runs beside what else happens."""

    def __init__(self, lab, name, target):
        self.result = []
        self.thread = threading.Thread(target=lambda: self.result.append(lab.ping(name, target, count=FLOOD, interval=INTERVAL)))
        self.thread.start()

    def end(self):
        self.thread.join()
        return self.result[0]


def inbound_spis(lab, gateway):
    return {row["spi"] for row in lab.ctl(gateway, "show", "sas") or [] if row["direction"] == "in"}


def leads_its_life(lab, mix, **changes):
    """Register; then under a ping that may lose nothing: relay, redirect, shortcut, rekeys; and the tunnel's MTU is told."""
    start(lab, {name: mix for name in GATEWAYS}, **changes)
    rows = lab.peers("hub")
    assert rows["spoke1.example"]["tunnel_addresses"] == [mix.tunnel(11).split("/")[0]], rows
    assert rows["spoke2.example"]["nbma"].strip("[").startswith(PORTS[mix.outside]["spoke2"][0].split("/")[0]), rows

    before = inbound_spis(lab, "spoke1")
    flood = Flood(lab, "host1", mix.host(12))
    direct = lambda: lab.direct("spoke1", "spoke2.example") and lab.direct("spoke2", "spoke1.example")
    is_direct = wait_until(direct, 10)
    longest = {4: 1472, 6: 1452}[mix.inside]
    too_long = lab.ping("host2", mix.host(1), count=2, options=f"-M do -s {longest}")
    in_parts = lab.ping("host2", mix.host(1), count=3, options="-M dont -s 3000")
    ends = lab.ping("host1", mix.host(12), count=1, options="-t 1")
    gateways = [lab.ping("host1", address.split("/")[0], count=2) for address in (mix.lan(11), mix.tunnel(1), mix.tunnel(12))]
    ping, after = flood.end(), inbound_spis(lab, "spoke1")

    assert is_direct, lab.log("spoke1")[-3000:]
    assert ping.received == ping.sent == FLOOD, (ping.output[-500:], {name: lab.drops(name) for name in GATEWAYS})
    assert ping.ttls[0] == 61 and ping.ttls[-1] == 62, (ping.ttls[0], ping.ttls[-1])
    assert len(after - before) >= 2, (before, after)
    assert too_long.received == 0 and re.search(r"mtu.?=? ?1400", too_long.output), too_long.output
    # Routers of IPv6 do not fragment (RFC 8200 §5): the first answer teaches its sender the tunnel's MTU, and is lost.
    assert in_parts.received >= {4: 3, 6: 2}[mix.inside], in_parts.output
    assert re.search(r"Time (to live|exceeded)", ends.output) and mix.lan(11).split("/")[0] in ends.output, ends.output
    assert all(each.received == 2 for each in gateways), [each.output for each in gateways]
