"""Two tunnels in each gateway, red and blue, with the same prefixes and host addresses behind both: neither the dataplane nor Linux's policy routing
lets anything of one reach the other. The hub and spoke 1 have both on one underlay port, spoke 2 on a port each; all but one port have a table of their own."""

from lab import wait_until

KEYS = {"red": 1, "blue": 2}
GATEWAYS = ("hub", "spoke1", "spoke2")
PREFIXES = "10.0.0.0/14"
# Underlay ports by gateway: name, address, next hop, kernel table.
UNDERLAYS = {"hub": [("wan", "192.0.2.1/24", "192.0.2.254", 100)], "spoke1": [("wan", "198.51.100.2/24", "198.51.100.254", 101)],
             "spoke2": [("wan", "203.0.113.2/25", "203.0.113.126", 102), ("wan2", "203.0.113.130/25", "203.0.113.254", 254)]}


def other(colour):
    return "blue" if colour == "red" else "red"


def port(name, colour):
    """The underlay port of a gateway's tunnel."""
    return UNDERLAYS[name][-1 if colour == "blue" else 0][0]


def inside(number, colour):
    """The gateway's address on the inside: the kernel answers for it, so it differs where the prefix does not."""
    return f"10.{number}.0.{KEYS[colour]}"


def configuration(lab, name):
    number = GATEWAYS.index(name)
    lines = [f'name = "{name}"', "[control]", f'socket = "{lab.directory}/{name}.sock"', "[dataplane]", 'hugepages = "off"']
    for device, (underlay, address, gateway, table) in enumerate(UNDERLAYS[name]):
        lines += [f"[port.{underlay}]", f'device = "af_packet:eth{device}"', f'address = "{address}"', f'gateway = "{gateway}"', f"table = {table}"]
    for colour, key in KEYS.items():
        lines += [f"[port.lan-{colour}]", f'device = "af_packet:in-{colour}"', f'address = "{inside(number, colour)}/24"', f'tunnel = "{colour}"',
                  f"[tunnel.{colour}]", f'underlay = "{port(name, colour)}"', f'address = "10.255.{key}.{number + 1}/24"', f"key = {key}",
                  f"table = {2000 + key}", f'identity = "{name}.{colour}.example"', f'psk = [{{ identity = "*.{colour}.example", key = "only-of-the-{colour}-tunnel" }}]']
        if name == "hub":
            lines += [f'access = [{{ identity = "*.{colour}.example", nhrp_group = "branch", group = {key} }}, {{ identity = "*.{colour}.example", prefixes = ["{PREFIXES}"] }}]']
        else:
            lines += ['nhrp_group = "branch"'] if name == "spoke1" else []
            lines += [f'hub = [{{ address = "192.0.2.1", identity = "hub.{colour}.example" }}]', f'routes = ["{PREFIXES}"]']
    return "\n".join(lines) + "\n"


def setup(lab):
    lab.namespace("wan")
    lab.run("wan", "sysctl -qw net.ipv4.ip_forward=1")
    for number, name in enumerate(GATEWAYS):
        lab.namespace(name)
        for device, (_, address, gateway, _) in enumerate(UNDERLAYS[name]):
            lab.link(name, f"eth{device}", "wan", f"w-{name}-{device}")
            lab.run("wan", f"ip addr add {gateway}/{address.split('/')[1]} dev w-{name}-{device}")
        for colour in KEYS:
            lab.namespace(f"{name}-{colour}")
            lab.link(f"{name}-{colour}", "eth0", name, f"in-{colour}")
            lab.run(f"{name}-{colour}", f"ip addr add 10.{number}.0.10/24 dev eth0")
            lab.run(f"{name}-{colour}", f"ip route add default via {inside(number, colour)}")
        lab.gateway(name, configuration(lab, name))
    assert wait_until(lambda: registered(lab), 20, 0.2), [lab.log(name)[-2000:] for name in GATEWAYS]


def registered(lab, spokes=("spoke1", "spoke2")):
    return lab.registered(spokes=[f"{name}.{colour}.example" for name in spokes for colour in KEYS])


def echoes(lab, host):
    """Echo requests that the host's kernel has seen."""
    names, values = [line.split() for line in lab.run(host, "cat /proc/net/snmp").splitlines() if line.startswith("Icmp:")]
    return int(values[names.index("InEchos")])


def reaches_its_own(lab, colour, source, target):
    number = GATEWAYS.index(target)
    before = {each: echoes(lab, f"{target}-{each}") for each in KEYS}
    ping = lab.ping(f"{source}-{colour}", f"10.{number}.0.10", count=3, interval=0.05)
    assert ping.received == 3, (colour, source, target, ping.output)
    assert echoes(lab, f"{target}-{colour}") - before[colour] == 3, (colour, source, target)
    assert echoes(lab, f"{target}-{other(colour)}") == before[other(colour)], (colour, source, target)


def one_address_is_another_host_in_each_tunnel(lab):
    for colour in KEYS:
        for source, target in (("spoke1", "hub"), ("hub", "spoke1"), ("spoke2", "hub"), ("spoke1", "spoke2"), ("spoke2", "spoke1")):
            reaches_its_own(lab, colour, source, target)


def the_hub_knows_what_each_spoke_calls_itself_and_treats_it_so(lab):
    for colour, key in KEYS.items():
        for name, named, group in (("spoke1", "branch", key), ("spoke2", "", 0)):
            identity = f"{name}.{colour}.example"
            row = lab.peers("hub")[identity]
            assert (row["nhrp_group"], row["group"]) == (named, group), row
            assert {entry["group"] for entry in lab.ctl("hub", "show", "nhrp") if entry["peer"] == identity} == {named}


def what_one_tunnel_has_is_nowhere_in_the_other(lab):
    lab.run("spoke2-red", "ip addr add 10.2.0.77/24 dev eth0")
    assert lab.ping("spoke1-red", "10.2.0.77", count=2).received == 2
    before = echoes(lab, "spoke2-red")
    assert lab.ping("spoke1-blue", "10.2.0.77", count=2).received == 0
    assert echoes(lab, "spoke2-red") == before


def shortcuts_lead_to_peers_of_their_own_tunnel(lab):
    for colour in KEYS:
        def is_direct():
            lab.ping(f"spoke1-{colour}", "10.2.0.10", count=2)
            return lab.direct("spoke1", f"spoke2.{colour}.example") and lab.direct("spoke2", f"spoke1.{colour}.example")
        assert wait_until(is_direct, 10), lab.log("spoke1")[-2000:]
        for source, target in (("spoke1", "spoke2"), ("spoke2", "spoke1")):
            reaches_its_own(lab, colour, source, target)
    for name in GATEWAYS:
        rows = [row for row in lab.ctl(name, "show", "nhrp") if row["peer"]]
        assert {row["tunnel"] for row in rows} == set(KEYS), rows
        assert all(row["peer"].endswith(f".{row['tunnel']}.example") for row in rows), rows


def hosts_reach_their_own_gateway_and_not_that_of_the_other_tunnel(lab):
    for colour in KEYS:
        assert lab.ping(f"spoke1-{colour}", inside(1, colour), count=2).received == 2, colour
        assert lab.ping(f"spoke1-{colour}", inside(1, other(colour)), count=1).received == 0, colour
        assert "lladdr" not in lab.run(f"spoke1-{colour}", f"ip neigh show {inside(1, other(colour))}"), "the gateway answers for the other tunnel's address"


def linux_looks_up_each_tunnel_in_its_own_table(lab):
    for colour in KEYS:
        assert f"dev {colour} " in lab.run("spoke1", f"ip route get 10.0.0.10 from 10.1.0.10 iif lan-{colour}")
        assert f"dev lan-{colour} " in lab.run("spoke1", f"ip route get 10.1.0.10 from 10.2.0.10 iif {colour}")
        assert f"dev lan-{colour} " in lab.run("spoke1", f"ip route get 10.1.0.10 from {inside(1, colour)}")


def the_front_door_is_a_table_of_its_own(lab):
    assert "dev wan" in lab.run("spoke1", "ip route get 192.0.2.1 from 198.51.100.2")
    assert "unreachable" in lab.run("spoke1", "ip route get 192.0.2.1", check=False), "the main table knows the underlay"
    assert not lab.run("spoke1", "ip route show table main").strip()


def each_tunnel_has_its_own_way_out(lab):
    def sent():
        return {row["name"]: row["sent_packets"] for row in lab.ctl("spoke2", "show", "ports")}
    for colour, mine, others in (("red", "wan", "wan2"), ("blue", "wan2", "wan")):
        before = sent()
        lab.ping(f"spoke2-{colour}", "10.0.0.10", count=40, interval=0.01)
        assert wait_until(lambda: sent()[mine] - before[mine] >= 40, 3), (before, sent())
        assert sent()[others] - before[others] < 20, (before, sent())
    nbma = {identity: row["nbma"].split(":")[0] for identity, row in lab.peers("hub").items()}
    assert (nbma["spoke2.red.example"], nbma["spoke2.blue.example"]) == ("203.0.113.2", "203.0.113.130"), nbma


def a_default_route_into_a_tunnel_captures_no_underlay(lab):
    for colour in KEYS:
        lab.run("spoke1", f"ip route add default dev {colour} table {2000 + KEYS[colour]}")
    assert "dev wan" in lab.run("spoke1", "ip route get 192.0.2.1 from 198.51.100.2")
    lab.ctl("spoke1", "clear", "peer", "hub.red.example")
    assert wait_until(lambda: not lab.registered(spokes=["spoke1.red.example"]), 5, 0.05)
    assert wait_until(lambda: registered(lab), 10), lab.log("spoke1")[-2000:]
    for colour in KEYS:
        reaches_its_own(lab, colour, "spoke1", "hub")
