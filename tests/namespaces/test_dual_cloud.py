"""Two clouds with a hub each, and spokes that have a tunnel in both and one inside: one hub is killed and comes back, shortcuts come up in the cloud that carries
the traffic, the kernel's routes choose. A third tunnel, of IPv6, gives the same inside that version.

spoke2 has an underlay port for each cloud, the others one for all. spoke1 and spoke2 take shortcuts, spoke3 and spoke4 stay on the hubs.
"""

import re
import time

from frr import TABLE, Frr
from frr import configuration as frr_configuration
from lab import PSK, wait_until
from test_hubs import LIVENESS_SECONDS, Flow

HUBS = {"hub": ("192.0.2", ("one", "six")), "hub2": ("192.0.3", ("two",))}
SPOKES = ("spoke1", "spoke2", "spoke3", "spoke4")
TUNNELS = {"one": (1, "10.255.1.{}/24", "172.16.0.0/16"), "two": (2, "10.255.2.{}/24", "172.16.0.0/16"), "six": (6, "fd00:255::{}/64", "fd00:16::/32")}


def number(name):
    return 1 if name in HUBS else 10 + int(name[-1])


def underlays(name):
    """Addresses of the underlay ports by name, and what is behind each."""
    if name in HUBS:
        return {"wan": f"{HUBS[name][0]}.1"}
    ports = {"wan": f"198.18.{number(name)}.1"}
    return ports | {"wan2": "198.19.12.1"} if name == "spoke2" else ports


def configuration(lab, name, by_bgp=False):
    """Of a hub or a spoke; where BGP decides, a spoke has no routes of its own."""
    lines = [f'name = "{name}"', "[control]", f'socket = "{lab.directory}/{name}.sock"', "[dataplane]", 'hugepages = "off"']
    for device, (port, address) in enumerate(underlays(name).items()):
        lines += [f"[port.{port}]", f'device = "af_packet:eth{device}"', f'address = "{address}/24"', f'gateway = "{address[:-2]}.254"']
    if name in SPOKES:
        lines += ["[port.lan]", 'device = "af_packet:lan0"', f'address = ["172.16.{number(name)}.1/24", "fd00:16:{number(name)}::1/64"]', 'tunnel = "two"']
    for tunnel in HUBS[name][1] if name in HUBS else TUNNELS:
        key, address, networks = TUNNELS[tunnel]
        port = "wan2" if name == "spoke2" and tunnel == "two" else "wan"
        lines += [f"[tunnel.{tunnel}]", f'underlay = "{port}"', f'address = "{address.format(number(name))}"', f"key = {key}", f"table = {TABLE}",
                  f'identity = "{name}.{tunnel}.example"', f'psk = [{{ identity = "*.{tunnel}.example", key = "{PSK}" }}]']
        if name in HUBS:
            lines += [f'access = [{{ identity = "*.{tunnel}.example", prefixes = ["{networks}"] }}]']
            continue
        hub = "hub2" if tunnel == "two" else "hub"
        lines += [f'hub = [{{ address = "{HUBS[hub][0]}.1", identity = "{hub}.{tunnel}.example", priority = {1 + (tunnel == "two")} }}]',
                  f'access = [{{ identity = "*.{tunnel}.example", prefixes = ["{networks}"] }}]' if by_bgp else f'routes = ["{networks}"]',
                  'hub_return = "5s"', f"shortcut = {str(name in ('spoke1', 'spoke2')).lower()}"]
    return "\n".join(lines) + "\n"


def setup(lab):
    lab.namespace("wan")
    lab.run("wan", "sysctl -qw net.ipv4.ip_forward=1")
    for name in (*HUBS, *SPOKES):
        lab.namespace(name)
        lab.run(name, "sysctl -qw net.ipv6.conf.all.disable_ipv6=0")
        for device, address in enumerate(underlays(name).values()):
            lab.link(name, f"eth{device}", "wan", f"w-{name}-{device}")
            lab.run("wan", f"ip addr add {address[:-2]}.254/24 dev w-{name}-{device}")
            lab.run(name, f"sysctl -qw net.ipv6.conf.eth{device}.disable_ipv6=1")
    for name in SPOKES:
        host = f"host{name[-1]}"
        lab.namespace(host)
        lab.run(host, "sysctl -qw net.ipv6.conf.all.disable_ipv6=0")
        lab.link(host, "eth0", name, "lan0")
        lab.run(name, "sysctl -qw net.ipv6.conf.lan0.disable_ipv6=1")
        for address, gateway in ((f"172.16.{number(name)}.10/24", f"172.16.{number(name)}.1"), (f"fd00:16:{number(name)}::10/64 nodad", f"fd00:16:{number(name)}::1")):
            lab.run(host, f"ip addr add {address.split()[0]} dev eth0 {' '.join(address.split()[1:])}".rstrip())
            lab.run(host, f"ip route add default via {gateway}")
    for name in (*HUBS, *SPOKES):
        lab.gateway(name, configuration(lab, name))
    if not wait_until(lambda: registered(lab, "hub") and registered(lab, "hub2"), 30, 0.2):
        raise RuntimeError("the spokes did not register:\n" + "\n".join(f"--- {name}\n{lab.log(name)[-2500:]}" for name in lab.gateways))


def registered(lab, hub):
    return lab.registered(hub, [f"{spoke}.{tunnel}.example" for spoke in SPOKES for tunnel in HUBS[hub][1]])


def way(lab, spoke, prefix="172.16.0.0/16"):
    """The hub that a spoke sends to, by its dataplane's route."""
    via = next((row["via"] for row in lab.ctl(spoke, "show", "routes") if row["prefix"] == prefix), "nowhere")
    return re.sub(r".*\((.*)\.(one|two|six)\.example\)", r"\1", via)


def kernel_way(lab, spoke):
    return lab.run(spoke, f"ip route show table {TABLE} 172.16.0.0/16").strip()


def each_hub_has_what_is_behind_a_spoke_and_the_better_one_carries_the_traffic(lab):
    for hub, tunnel, prefix in (("hub", "one", "172.16.11.0/24"), ("hub", "six", "fd00:16:11::/64"), ("hub2", "two", "172.16.11.0/24")):
        assert lab.peers(hub)[f"spoke1.{tunnel}.example"]["prefixes"] == [prefix], lab.peers(hub)
    assert {way(lab, spoke) for spoke in SPOKES} == {"hub"}
    assert "via 10.255.1.1 dev one" in kernel_way(lab, "spoke3"), kernel_way(lab, "spoke3")
    assert lab.ping("host3", "172.16.14.10").received == 5, lab.log("spoke3")[-2000:]


def a_port_has_both_ip_versions_each_by_a_tunnel_of_its_own(lab):
    assert lab.ping("host3", "fd00:16:14::10").received >= 4, lab.log("spoke3")[-2000:]
    assert lab.ping("host3", "fd00:16:13::1", count=2).received == 2, "its own gateway"

    def both_direct():
        lab.ping("host1", "172.16.12.10", count=2)
        lab.ping("host1", "fd00:16:12::10", count=2)
        return all(lab.direct(spoke, f"{other}.{tunnel}.example") for spoke, other in (("spoke1", "spoke2"), ("spoke2", "spoke1")) for tunnel in ("one", "six"))
    assert wait_until(both_direct, 20), lab.log("spoke1")[-3000:]
    assert not lab.direct("spoke1", "spoke2.two.example")
    assert lab.ping("host1", "fd00:16:12::10").ttls[-1] == 62, "direct"


def a_route_of_the_kernel_chooses_the_tunnel(lab):
    def from_spoke3(hub, tunnel):
        return lab.peers(hub)[f"spoke3.{tunnel}.example"]["packets_in"]
    lab.run("spoke3", f"ip route add 172.16.14.0/24 via 10.255.2.1 dev two table {TABLE}")
    assert wait_until(lambda: way(lab, "spoke3", "172.16.14.0/24") == "hub2", 5, 0.05)
    before = from_spoke3("hub", "one"), from_spoke3("hub2", "two")
    assert lab.ping("host3", "172.16.14.10", count=40, interval=0.02).received == 40
    assert wait_until(lambda: from_spoke3("hub2", "two") - before[1] >= 40, 3)
    assert from_spoke3("hub", "one") - before[0] < 20
    # The same route by the other tunnel takes its place without a gap.
    flow = Flow(lab, 3, 4)
    lab.run("spoke3", f"ip route replace 172.16.14.0/24 via 10.255.1.1 dev one table {TABLE}")
    assert wait_until(lambda: way(lab, "spoke3", "172.16.14.0/24") == "hub", 5, 0.05)
    lab.run("spoke3", f"ip route del 172.16.14.0/24 table {TABLE}")
    time.sleep(1)
    assert flow.stop().lost == 0, str(flow)


def restart(lab, **changes):
    """The spokes that stay on the hubs."""
    for spoke in ("spoke3", "spoke4"):
        lab.stop(spoke)
        lab.gateway(spoke, configuration(lab, spoke, **changes))
    assert wait_until(lambda: registered(lab, "hub") and registered(lab, "hub2"), 20, 0.2), lab.log("spoke3")[-3000:]


def bgp_chooses_the_tunnel(lab):
    """FRR on both hubs and on two spokes, which prefer what the hub of the second cloud says."""
    def in_cloud(text, cloud):
        return text.replace("10.255.0.", f"10.255.{cloud}.")
    restart(lab, by_bgp=True)
    daemons = {hub: Frr(lab, hub, in_cloud(frr_configuration("hub-bgp", 1, 1), cloud), ("bgpd", "bfdd")) for cloud, hub in enumerate(HUBS, 1)}
    preference = ("route-map SECOND permit 10", " set table 100", " set local-preference 200", "exit", "router bgp 65000", " neighbor 10.255.2.1 peer-group hubs",
                  " address-family ipv4 unicast", "  neighbor 10.255.2.1 route-map SECOND in", " exit-address-family", "exit")
    for spoke in ("spoke3", "spoke4"):
        daemons[spoke] = Frr(lab, spoke, in_cloud(frr_configuration("spoke-bgp", number(spoke), 1), 1), ("bgpd", "bfdd"), preference)
    assert wait_until(lambda: way(lab, "spoke3") == way(lab, "spoke4") == "hub2", 40, 0.2), daemons["spoke3"].evidence()
    flow = Flow(lab, 3, 4)
    for spoke in ("spoke3", "spoke4"):
        daemons[spoke].configure("router bgp 65000", "neighbor 10.255.2.1 shutdown")
    assert wait_until(lambda: way(lab, "spoke3") == way(lab, "spoke4") == "hub", 20, 0.2), daemons["spoke3"].evidence()
    time.sleep(1)
    print(f"     {flow.stop()}")
    assert flow.lost == 0, str(flow)
    # What zebra found in the kernel when it started goes as it would without it.
    lab.stop("spoke4")
    assert wait_until(lambda: "172.16.14.0/24" not in lab.run("hub", f"ip route show table {TABLE}"), 15, 0.2), lab.run("hub", f"ip route show table {TABLE}")
    lab.gateway("spoke4", configuration(lab, "spoke4"))
    for each in daemons.values():
        each.stop()
    restart(lab)
    assert {way(lab, spoke) for spoke in SPOKES} == {"hub"}


def a_killed_hub_costs_relayed_traffic_the_liveness_time_and_a_shortcut_nothing(lab):
    relayed, direct = Flow(lab, 3, 4, 1000), Flow(lab, 1, 2)
    time.sleep(2)
    lab.kill("hub")
    time.sleep(11)
    relayed.stop(), direct.stop()
    print(f"     relayed: {relayed}; shortcut: {direct}")
    assert relayed.silence <= LIVENESS_SECONDS, str(relayed)
    assert direct.lost == 0, str(direct)
    assert {way(lab, spoke) for spoke in SPOKES} == {"hub2"}
    assert "via 10.255.2.1 dev two" in kernel_way(lab, "spoke3"), kernel_way(lab, "spoke3")


def a_new_shortcut_comes_up_in_the_cloud_that_carries_the_traffic(lab):
    lab.ctl("spoke1", "clear", "peer", "spoke2.one.example")

    def is_direct():
        lab.ping("host1", "172.16.12.10", count=2)
        return lab.direct("spoke1", "spoke2.two.example") and lab.direct("spoke2", "spoke1.two.example")
    assert wait_until(is_direct, 20), lab.log("spoke1")[-3000:]
    assert lab.peers("spoke1")["spoke2.two.example"]["nbma"].startswith("198.19.12.1"), lab.peers("spoke1")
    assert lab.ping("host1", "172.16.12.10").ttls[-1] == 62


def the_hub_that_comes_back_is_taken_back_without_loss(lab):
    relayed, direct = Flow(lab, 3, 4), Flow(lab, 1, 2)
    lab.gateway("hub", configuration(lab, "hub"))
    is_back = wait_until(lambda: {way(lab, spoke) for spoke in SPOKES} == {"hub"}, 30, 0.2)
    time.sleep(1)
    relayed.stop(), direct.stop()
    print(f"     relayed: {relayed}; shortcut: {direct}")
    assert is_back, lab.log("spoke3")[-3000:]
    assert relayed.lost == 0 and direct.lost == 0, f"{relayed}; {direct}"
    assert wait_until(lambda: registered(lab, "hub"), 10)
    assert lab.ping("host3", "fd00:16:14::10").received == 5
